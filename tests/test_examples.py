"""The examples run as their first lines say, and learn."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mmwave_gym

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "examples"), "OMP_NUM_THREADS": "1"}


def test_a_plain_torch_loop_learns(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import torch_reinforce

    task = mmwave_gym.Task(env_id=torch_reinforce.ENV, kwargs=torch_reinforce.WORLD)
    before, after = (
        np.mean([r["reward"] for r in mmwave_gym.evaluate(torch_reinforce.train(n), task, episodes=64)])
        for n in (0, 60)
    )
    stay = np.mean([r["reward"] for r in mmwave_gym.evaluate("stay", task, episodes=64)])
    assert after > before + 0.3
    assert after > stay


def test_a_class_of_somebody_else_is_ranked():
    words = ["evaluate", "their_package:Agent", "--task", "handover/a3-beta25", "--episodes", "8", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "from mmwave_gym.cli import main; main()", *words],
        env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "reward" in done.stdout
