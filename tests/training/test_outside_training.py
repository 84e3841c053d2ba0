"""A stranger's package: `mmwave-gym train` trains in its scenario by its recipe, and runs its algorithm."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from outside_packages import Said, entry_points, session

pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")

SMALL_SCENARIOS = Path(__file__).parents[1] / "small_scenarios.py"
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


TRAIN = ["train", "ppo", "--task"]
GUESS, PLAYED = ["train", "guess", "--task", "shared_cells/four"], "weights/guess-four-s2.npz"
GUESSES = [f"runs/guess-shared_cells-four-s{seed}" for seed in "12"]
COMMANDS = {
    "recipe": [*TRAIN, "shared_cells/four"],
    "misspelt": [*TRAIN, "shared_cells/for"],
    "seed 1": [*GUESS, "--seed", "1"],
    "seed 2": [*GUESS, "--seed", "2"],
    "ship": ["ship", *GUESSES, "--out", "weights"],
    "evaluate": ["evaluate", PLAYED, "--task", "shared_cells/four"],
    "scale": [*GUESS, "--scale", "0"],
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder in which the commands are given."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def said(work: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """What the commands say with their package installed: a folder with modules and metadata."""
    site = tmp_path_factory.mktemp("site")
    entry_points(site, "their-cells", ENTRY_POINTS)
    shutil.copy(SMALL_SCENARIOS, site)
    (site / "their_cells").mkdir()
    for name, text in FILES.items():
        (site / "their_cells" / name).write_text(text)
    return dict(zip(COMMANDS, session(site, work, *COMMANDS.values()), strict=True))


def test_their_scenario_trains_by_their_recipe(said: dict[str, Said], work: Path) -> None:
    """From the name of the task alone."""
    done, near = said["recipe"], said["misspelt"]
    assert done.code == 0, done.err
    out = work / "runs/ppo-shared_cells-four-s0"
    assert done.out.split() == [
        "mmwave-gym",
        "evaluate",
        f"{out.relative_to(work)}/policy.npz",
        "--task",
        "shared_cells/four",
    ]
    metadata = json.loads((out / "policy.json").read_text())
    assert metadata["steps"] == 256
    assert metadata["command"].startswith("mmwave-gym train ppo --task shared_cells/four --steps 256")
    assert metadata["network"] == {"over": "choices", "hidden": [8, 8], "activation": "tanh"}
    assert near.code == 2
    assert "Did you mean 'shared_cells/four'?" in near.err


def test_their_algorithm_trains_and_ships(said: dict[str, Said], work: Path) -> None:
    for name in ("seed 1", "seed 2", "ship", "evaluate"):
        assert said[name].code == 0, said[name].err
    metadata = json.loads((work / GUESSES[0] / "policy.json").read_text())
    assert metadata["command"] == "mmwave-gym train guess --task shared_cells/four --seed 1"
    assert said["scale"].code == 2
    assert said["scale"].err.strip() == "train: --scale must be above 0, got 0.0."
    names = sorted(p.name for p in (work / "weights").glob("*.npz"))
    assert names == ["guess-four-s1.npz", "guess-four-s2.npz"]
    assert '"shared_cells/guess" = "their_cells.learned:Guess"' in said["ship"].out
