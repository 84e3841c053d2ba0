"""What the bench of compiled code and of cliffs measures; how fast is no assertion."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench import cliffs, compiled

pytestmark = pytest.mark.usefixtures("with_numba")


@pytest.fixture
def with_numba() -> None:
    pytest.importorskip("numba")


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_what_chose_the_code_before_chooses_it_after(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMWAVE_NUMBA", raising=False)
    if before is not None:
        monkeypatch.setenv("MMWAVE_NUMBA", before)
    for used in (True, False):
        with compiled.numba(used):
            assert os.environ["MMWAVE_NUMBA"] == "01"[used]
        assert os.environ.get("MMWAVE_NUMBA") == before


def test_a_gain_is_of_the_least_costs_of_the_same_work() -> None:
    played: list[str] = []
    costs = {"1": iter([99.0, 2.0, 3.0, 4.0]), "0": iter([99.0, 6.0, 30.0, 9.0])}

    def contestant() -> float:
        played.append(os.environ["MMWAVE_NUMBA"])
        return next(costs[played[-1]])

    row = compiled.gain("a draw", ">= 1", contestant, "ms", 1e3, rounds=3)
    assert row.value == 6.0 / 2.0, "the first of each loads and does not count"
    assert played == ["1", "0"] + ["1", "0"] * 3
    assert row.setup == "2e+03 ms compiled, 6e+03 ms by NumPy, least of 3; of medians 3.00"
    assert (row.what, row.goal) == ("a draw: NumPy's time / compiled", ">= 1")


@pytest.fixture
def work_is_counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every work takes 1 s; the list tells by which code each was done."""
    done: list[str] = []

    def seconds(work: Callable[[], Any]) -> float:
        work()
        done.append(os.environ["MMWAVE_NUMBA"])
        return 1.0

    for module in (compiled, cliffs):
        monkeypatch.setattr(module, "seconds", seconds)
        monkeypatch.setattr(module, "NUM_ENVS", 8)
    return done


@pytest.mark.parametrize("env_id", [compiled.HANDOVER, compiled.STREET])
def test_costs_are_of_an_episode_of_a_step_and_of_one_in_many(env_id: str, work_is_counted: list[str]) -> None:
    with compiled.numba(True):
        assert compiled.draws(env_id, episodes=8)() == 1.0 / 8
        assert compiled.single_steps(env_id, steps=5)() == 1.0 / 5
    step = compiled.vector_steps(env_id, seldom=1.0, steps=5)
    with compiled.numba(True):
        assert step() == 1.0 / (5 * 8)
    assert len(work_is_counted) == 3


def test_users_who_move_rarely_mostly_stay(monkeypatch: pytest.MonkeyPatch, work_is_counted: list[str]) -> None:
    moved = []
    make = compiled.gym.make_vec

    def watched(*words: Any, **keywords: Any) -> Any:
        env: Any = make(*words, **keywords)
        step = env.step
        env.step = lambda action: (moved.append(np.mean(action != env.batch.state.serving.reshape(8))), step(action))[1]
        return env

    monkeypatch.setattr(compiled.gym, "make_vec", watched)
    shares = []
    for seldom in (compiled.RARE, 1.0):
        moved.clear()
        step = compiled.vector_steps(compiled.STREET, seldom, steps=5)
        with compiled.numba(True):
            step()
        shares.append(np.mean(moved))
    rare, random = shares
    assert 0.0 < rare <= compiled.RARE
    assert 0.5 < random < 1.0, "a random cell may be the serving one"


def test_rates_are_a_share_of_a_step(work_is_counted: list[str]) -> None:
    row = compiled.street_rates(steps=5, rounds=2)
    assert row.value == 100.0
    assert set(work_is_counted) == {"1"}
    assert "5 ticks, least of 2" in row.setup


def test_cliffs_compare_many_with_few(monkeypatch: pytest.MonkeyPatch, work_is_counted: list[str]) -> None:
    monkeypatch.setattr(cliffs, "MAPS", 3)
    maps = cliffs.many_maps(quick=True)
    assert maps.value == 1.0, "as many episodes of each"
    assert "through one of 3 maps" in maps.what
    copies = cliffs.many_copies(quick=True)
    assert copies.value == 0.5, "a reset of twice as many copies that takes as long"
    assert copies.what.endswith("reset of 16 copies / of 8, a copy")
    assert set(work_is_counted) == {"1"}


def test_draws_before_and_after_a_reset_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cliffs, "NUM_ENVS", 64)
    row = cliffs.cut_episodes(quick=True)
    before, after = (float(part.split()[0]) for part in row.setup.split(","))
    assert before > 0.0, "some are drawn ahead"
    assert row.value == pytest.approx(after / before, abs=0.2)


def test_a_large_area_is_drawn_and_a_first_reset_is_timed_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cliffs, "CELLS", 1)
    area = cliffs.large_area(quick=True)
    assert area.value is not None
    assert area.value > 0.0
    assert "1 maps of shadowing, 500 m" in area.what
    used = []

    def alternate(contestants: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
        used.append(list(contestants))
        return {"0": contestants["0"](), "1": 2.0}

    monkeypatch.setattr(cliffs, "alternate", alternate)
    row = cliffs.first_reset(cliffs.HANDOVER, quick=True)
    assert row.value is not None
    assert 0.0 < 2.0 - row.value < 60.0
    assert used == [["0", "1"]]
