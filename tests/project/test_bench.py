"""What `python -m bench` counts and whom it compares; how fast is no assertion."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bench import __main__ as bench, coverage, training
from bench.measure import Row, alternate, ratio
from bench.page import write_between
from bench.peers import PEERS, Player, running


def test_contestants_take_turns_and_the_least_cost_counts():
    turns: list[str] = []
    costs = {"a": iter([3.0, 1.0, 2.0]), "b": iter([5.0, 6.0, 4.0])}

    def contestant(name: str) -> Callable[[], float]:
        def run() -> float:
            turns.append(name)
            return next(costs[name])

        return run

    assert alternate({name: contestant(name) for name in costs}, rounds=3) == {"a": 1.0, "b": 4.0}
    assert turns == ["a", "b"] * 3


def test_a_ratio_is_of_the_least_costs_and_its_spread_of_the_rounds():
    value, (low, high) = ratio([8.0, 6.0, 9.0, 30.0], [2.0, 3.0, 3.0, 5.0])
    assert value == 6.0 / 2.0
    assert (low, high) == (2.25, 5.5)  # quartiles of 4, 2, 3 and 6
    assert bench.shown(Row("", value, "", "", (low, high))) == "3.00 (2.25 to 5.50)"
    assert ratio([4.0], [2.0]) == (2.0, (2.0, 2.0))


def test_a_page_is_written_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- m -->\nold\n<!-- m -->\nafter\n")
    for text in ("new", "newer\n"):
        write_between(page, "<!-- m -->", text)
        assert page.read_text() == f"before\n<!-- m -->\n{text.strip()}\n<!-- m -->\nafter\n"
    with pytest.raises(ValueError, match="must have the mark <!-- n --> twice, got it 0 times"):
        write_between(page, "<!-- n -->", "")


def test_coverage_is_counted_and_maps_have_to_be_resampled():
    assert 0.93 <= coverage.coverage("normal", 32, 400) <= 0.97
    assert coverage.coverage("log-normal", 8, 400) < 0.93  # skewed and few: the interval is too short
    resampled, ignored = (coverage.coverage_of_maps(16, 8, 200, clustered) for clustered in (True, False))
    assert ignored < resampled - 0.15
    assert resampled > 0.85


def test_a_peer_that_does_not_start_is_an_error():
    with (
        subprocess.Popen([sys.executable, "-c", "print('hello')"], stdout=subprocess.PIPE, text=True) as process,
        pytest.raises(OSError, match="its process ended with 0"),
    ):
        Player(process)


def test_the_yardstick_plays_in_a_process_of_its_own():
    with running(PEERS[-1]) as player:
        assert 0.0 < player.step_s(50) < 0.1


def test_updates_of_a3c_are_counted(monkeypatch):
    pytest.importorskip("numba")

    def two_seconds(work: Callable[[], object]) -> float:
        work()
        return 2.0

    monkeypatch.setattr(training, "seconds", two_seconds)
    stable, paper = training.a3c_updates(quick=True)
    assert stable.value == 10 / 2.0  # one a block
    assert paper.value == 10 * 32 / 2.0  # one a block and UE
    assert all(
        "32 UEs, 10 blocks of 20 slots" in row.setup and "3,200 UE-slots/s" in row.setup for row in (stable, paper)
    )


def test_ppo_learns_alike_from_both_kinds_of_vector_environment(monkeypatch):
    pytest.importorskip("stable_baselines3")
    seen: list[Any] = []
    build = training.learner

    def learner(env: Any, epochs: int) -> Any:
        seen.append(build(env, epochs))
        return seen[-1]

    monkeypatch.setattr(training, "learner", learner)
    monkeypatch.setattr(training, "FRAMES", 64)
    monkeypatch.setattr(training, "BATCH", 32)
    monkeypatch.setattr(training, "DUMMY_NUM_ENVS", (2, 8, 4))
    monkeypatch.setattr(training, "PPO_WORLDS", {training.ENV_ID: (16, 2)})
    (row,) = training.ppo_frames(quick=True)
    assert row.value > 0
    assert {type(model.env).__name__ for model in seen} == {"DummyVecEnv", "ScenarioVecEnv"}
    assert {(m.n_steps * m.n_envs, m.batch_size, m.n_epochs) for m in seen} == {(64, 32, 2)}
    sizes = {tuple(p.shape for p in model.policy.parameters()) for model in seen}
    assert len(sizes) == 1
    assert {model.n_envs: model.num_timesteps > 0 for model in seen} == {2: True, 4: True, 16: True}


def test_shares_of_street_training_are_of_the_same_time():
    pytest.importorskip("stable_baselines3")
    words = ("--n-envs", "8", "--n-steps", "8", "--batch-size", "32", "--imitate-updates", "1", "--hidden", "16")
    found, setup = training._street_share(words, quick=True)
    assert 0.0 < found.drawing < found.env < 100.0, "eight copies draw one next episode after the other"
    assert found.frame == 64
    assert setup.endswith("8 environments, 8 steps an update, 2 epochs, hidden 16")
    assert dict.fromkeys(training.STREET_RECIPES) == {"": None, ", hidden 128, 3 epochs": None}


def test_real_settings_share_the_frames_of_an_update():
    for num_envs in (*training.DUMMY_NUM_ENVS, *(num_envs for num_envs, _ in training.PPO_WORLDS.values())):
        assert training.FRAMES % num_envs == 0
    assert training.FRAMES % training.BATCH == 0


@pytest.mark.parametrize(("measure", "package"), [("ppo_frames", "stable_baselines3"), ("a3c_updates", "numba")])
def test_what_is_not_installed_is_said(measure, package, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == package or n.startswith("mmwave_baselines.handover")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    rows = bench.MEASURES[measure](True)
    assert {row.value for row in rows} == {None}
    assert all("not measured" in row.setup for row in rows)


def test_only_what_is_asked_for_is_written(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.argv", ["bench", "--quick", "--only", "same_as_single", "--out", str(tmp_path)])
    assert bench.main() == 0
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert row["value"] is True
    assert (tmp_path / "bench.md").read_text() in capsys.readouterr().out
    assert bench.shown(bench.Row(**row)) == "yes"
