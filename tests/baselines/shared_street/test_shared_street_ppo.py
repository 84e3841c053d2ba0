"""PPO on rewards in shared streets: advantages by hand, a small training, and that it learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_street_worlds import TINY, assert_resumes_as_if_never_stopped

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

torch = pytest.importorskip("torch")
from mmwave_baselines.shared_street.training import shared_ppo as training  # noqa: E402
from mmwave_baselines.shared_street.training.networks import Decided, Drawing, Scores  # noqa: E402

SMALL = {**TINY, "num_cars": 3, "num_pedestrians": 2}


def decisions(slot: list[int], row: list[int], reward: Any, over: Any) -> training.Played:
    nothing: Any = np.zeros(0, np.float32)
    decided = Decided(np.array(row), nothing, nothing, nothing, nothing)
    return training.Played(np.array(slot), decided, np.array(reward), np.array(over), nothing, 0.0)


def test_advantages_are_what_pencil_and_paper_say() -> None:
    """UE 0 decides in slots 0 and 2 of 3 and stays; UE 1 decides in slot 0 and leaves at the end of slot 1."""
    reward = [[1.0, 5.0], [2.0, 6.0], [4.0, 100.0]]
    over = [[False, False], [False, True], [False, False]]
    played = decisions([0, 0, 2], [0, 1, 0], reward, over)
    value, last, gamma, kept = np.array([10.0, 20.0, 30.0]), np.array([40.0, 50.0]), 0.5, 0.8
    found = training.advantages(played, value, last, gamma, kept)
    second = 4.0 + gamma * 40.0 - 30.0
    first = 1.0 + gamma * 2.0 + gamma**2 * 30.0 - 10.0 + (gamma * kept) ** 2 * second
    np.testing.assert_allclose(found, [first, 5.0 + gamma * 6.0 - 20.0, second])


def test_rewards_are_those_of_the_environment_and_decisions_those_of_the_player() -> None:
    scenario: Any = make_scenario("shared_street", **SMALL)
    batch = Batch(scenario, 2, draws_ahead=False)
    batch.reset([EpisodeKey(3), EpisodeKey(4)])
    played = training.play(batch, Drawing(Scores(8, 0), np.random.default_rng(0)))
    assert played.reward.shape == played.over.shape == (scenario.horizon, 2 * scenario.num_agents)
    assert (np.diff(played.slot) >= 0).all()
    assert len(played.slot) == len(played.decided.x) == len(played.decided.action)
    allowed = np.take_along_axis(played.decided.mask, played.decided.action[:, None], axis=1)
    assert allowed.all()
    assert len(np.unique(played.decided.action)) > 1
    assert played.last.shape[0] == 2 * scenario.num_agents


def test_a_training_from_beginning_to_end_and_resumed(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    words = [f"--set={name}={value}" for name, value in SMALL.items() if name != "horizon"]
    words += ["--episodes", "2", "--horizon", "60", "--hidden", "8", "--eval-episodes", "2", "--set=horizon=40"]
    command = ["MmwaveSharedStreet-v0", *words, "--steps", "3"]
    training.run([*command, "--out", str(tmp_path / "whole")])
    assert capsys.readouterr().out.startswith("mmwave-gym evaluate ")
    about = json.loads((tmp_path / "whole" / "policy.json").read_text())
    assert about["training"]["oracle_regrets"] is False
    assert about["training"]["teacher"] == ""
    assert about["training"]["decisions"] > 50
    assert about["agent"] == "shared_street/regret"

    assert_resumes_as_if_never_stopped(training, command, tmp_path, monkeypatch)


def test_other_worlds_and_rewards_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["--task", "street/car-sparse"], "is for shared streets"),
        (["--task", "shared_street/main", "--reward", "team"], "--reward must be one of difference, own"),
    ):
        with pytest.raises(SystemExit) as ended:
            training.run(words)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
