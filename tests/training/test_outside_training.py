"""A stranger's package: `mmwave-gym train` trains in its scenario by its recipe, and runs its algorithm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")

TESTS = Path(__file__).parents[1]
ENTRY_POINTS = """
[mmwave_gym.scenarios]
shared_cells = their_cells:ROOM

[mmwave_gym.training]
shared_cells = their_cells.training:RECIPE

[mmwave_gym.algorithms]
guess = their_cells.guess:run
"""
FILES = {
    "__init__.py": """
from mmwave_gym.core.rooms import Entry, Room
ROOM = Room(
    name="shared_cells",
    package=__name__,
    entries=(Entry(id="SharedCells-v0", summary="UEs share cells"),),
    scenario="game:SharedCells",
    config="game:SharedCellsConfig",
    tasks="tasks:TASKS",
)
""",
    "game.py": "from small_scenarios import SharedCells, SharedCellsConfig\n",
    "tasks.py": """
from mmwave_gym.benchmark.task import Task
TASKS = (Task(name="shared_cells/four", env_id="SharedCells-v0", kwargs={"num_ues": 4}, episodes=2),)
""",
    "training.py": """
from mmwave_baselines.training.recipes import Recipe
PRESET = {"steps": 256, "n_envs": 4, "n_steps": 8, "batch_size": 64, "hidden": 8, "network": "set", "frame_stack": 1}
RECIPE = Recipe(presets={"ppo": {"": {**PRESET, "eval_every": 0, "eval_episodes": 2}}})
""",
    "guess.py": """
from dataclasses import dataclass
import numpy as np
from mmwave_baselines.training.command import Command, option
from mmwave_baselines.training.run import Run, main, metadata_of
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import action_metadata

@dataclass(kw_only=True)
class Guess(Command):
    scale: float = option(1.0, "of the weights")

    def __post_init__(self):
        self.positive("scale")

def train(args, console):
    run = Run(args, "checkpoint.npz", console)
    scenario, rng = run.task.scenario(), np.random.default_rng(args.seed)
    shape = int(scenario.action_space.n), scenario.fields.size
    weight = rng.normal(scale=args.scale, size=shape).astype(np.float32)
    metadata = metadata_of(
        args, run.task, "GUESS", action=action_metadata(scenario.action_space), output="logits", normalised=True,
        frame_stack=1, steps=0,
    )
    run.save(Network(((weight, np.zeros(shape[0], np.float32)),)), scenario.fields, metadata)

def run(words=None):
    main(Guess, train, words)
""",
}


@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with their modules and the metadata of an installed package."""
    site = tmp_path_factory.mktemp("site")
    info = site / "their_cells-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-cells\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "their_cells").mkdir()
    for name, text in FILES.items():
        (site / "their_cells" / name).write_text(text)
    return site


def cli(site: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(TESTS)]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "mmwave_gym.cli", *words],
        capture_output=True, text=True, check=False, cwd=cwd, env=environment,
    )  # fmt: skip


def test_their_scenario_trains_by_their_recipe(site: Path, tmp_path: Path) -> None:
    """In an empty folder, from the name of the task alone."""
    done = cli(site, tmp_path, "train", "ppo", "--task", "shared_cells/four")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "runs/ppo-shared_cells-four-s0"
    assert done.stdout.split() == [
        "mmwave-gym",
        "evaluate",
        f"{out.relative_to(tmp_path)}/policy.npz",
        "--task",
        "shared_cells/four",
    ]
    metadata = json.loads((out / "policy.json").read_text())
    assert metadata["steps"] == 256
    assert metadata["command"].startswith("mmwave-gym train ppo --task shared_cells/four --steps 256")
    assert metadata["network"] == {"over": "choices", "hidden": [8, 8], "activation": "tanh"}
    near = cli(site, tmp_path, "train", "ppo", "--task", "shared_cells/for")
    assert near.returncode == 2
    assert "Did you mean 'shared_cells/four'?" in near.stderr


def test_their_algorithm_trains_and_ships(site: Path, tmp_path: Path) -> None:
    for seed in "12":
        done = cli(site, tmp_path, "train", "guess", "--task", "shared_cells/four", "--seed", seed)
        assert done.returncode == 0, done.stderr
    runs = [f"runs/guess-shared_cells-four-s{seed}" for seed in "12"]
    metadata = json.loads((tmp_path / runs[0] / "policy.json").read_text())
    assert metadata["command"] == "mmwave-gym train guess --task shared_cells/four --seed 1"
    again = cli(site, tmp_path, "train", "guess", "--task", "shared_cells/four", "--scale", "0")
    assert again.returncode == 2
    assert again.stderr.strip() == "train: --scale must be above 0, got 0.0."

    shipped = cli(site, tmp_path, "ship", *runs, "--out", "weights")
    assert shipped.returncode == 0, shipped.stderr
    names = sorted(p.name for p in (tmp_path / "weights").glob("*.npz"))
    assert names == ["guess-four-s1.npz", "guess-four-s2.npz"]
    assert '"shared_cells/guess" = "their_cells.learned:Guess"' in shipped.stdout
    played = cli(site, tmp_path, "evaluate", "weights/guess-four-s2.npz", "--task", "shared_cells/four")
    assert played.returncode == 0, played.stderr
