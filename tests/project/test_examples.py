"""The examples run as their first lines say, and learn."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mmwave_gym
from mmwave_gym.benchmark.statistics import mean_interval

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "examples"), "OMP_NUM_THREADS": "1"}


def test_a_plain_torch_loop_learns(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import torch_reinforce

    task = mmwave_gym.Task(env_id=torch_reinforce.ENV, kwargs=torch_reinforce.WORLD)

    def reward(agent):
        return np.mean([row["reward"] for row in mmwave_gym.evaluate(agent, task, episodes=16)])

    before, after = (reward(torch_reinforce.train(updates)) for updates in (0, 40))
    assert before + 2 < after < reward("oracle")


def test_a_class_of_somebody_else_is_ranked():
    words = ["evaluate", "their_package:Agent", "--task", "handover/a3-beta25", "--episodes", "8", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "from mmwave_gym.cli import main; main()", *words],
        env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    rewards = np.array([[row["reward"] for row in result["rows"]]])
    mean = mean_interval(rewards)
    assert result["means"]["reward"] == {"mean": mean.mean, "low": mean.low, "high": mean.high}, "the leaderboard's"
