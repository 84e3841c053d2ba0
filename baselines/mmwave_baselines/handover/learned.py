"""Agents that were trained here and are shipped: PPO, DQN and A2C for the suite's tasks, several training seeds each.

Each is a pair of files in `weights/`: `<algorithm>-<task>-s<seed>.npz` and the `.json` that names the command that
made it. They need neither torch nor Stable-Baselines3. What is measured is all seeds, never the best one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from mmwave_gym.agent import AgentError, NotApplicable
from mmwave_gym.policy import Policy, read_policy
from mmwave_gym.suite import Task

_FOLDER = "weights"


@lru_cache(maxsize=1)
def _shipped() -> dict[tuple[str, str], tuple[int, ...]]:
    """Training seeds by (algorithm, task)."""
    found: dict[tuple[str, str], list[int]] = {}
    folder = files(__package__) / _FOLDER
    for file in folder.iterdir() if folder.is_dir() else ():
        if match := re.fullmatch(r"([^-]+)-(.+)-s(\d+)\.npz", file.name):
            algorithm, task, seed = match.groups()
            found.setdefault((algorithm, f"handover/{task}"), []).append(int(seed))
    return {key: tuple(sorted(seeds)) for key, seeds in found.items()}


class _Learned:
    """An agent of one algorithm; `for_task` gives the policy of a task and a training seed."""

    algorithm: str

    @classmethod
    def training_seeds(cls, task: Task | None) -> tuple[int, ...]:
        """Seeds with weights for `task`, none for a task that nobody trained for."""
        return _shipped().get((cls.algorithm, task.name), ()) if task is not None else ()

    @classmethod
    def for_task(cls, task: Task | None, training_seed: int | None = None) -> Policy:
        """The policy trained for `task`, by default that of the lowest seed.

        Raises NotApplicable where there are no weights for the task, AgentError for a seed that was not trained.
        """
        label = cls.__name__.upper()
        if task is None:
            raise NotApplicable(f"{label} is trained task by task: name one, or the path of a policy.")
        seeds = cls.training_seeds(task)
        if not seeds:
            trained = ", ".join(sorted(t for a, t in _shipped() if a == cls.algorithm)) or "none"
            raise NotApplicable(f"no shipped {label} weights for {task.name}; there are some for: {trained}.")
        seed = seeds[0] if training_seed is None else training_seed
        if seed not in seeds:
            raise AgentError(f"{label} was trained for {task.name} with the seeds {seeds}, not with {seed}.")
        policy = _policy(f"{cls.algorithm}-{task.name.split('/', 1)[1]}-s{seed}")
        if policy.card["env_id"] != task.env_id or policy.card["kwargs"] != _as_json(task.kwargs):
            raise NotApplicable(f"{label} was trained for another world that was called {task.name}: train it again.")
        return policy


def _as_json(kwargs: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in kwargs.items()}


def _policy(name: str) -> Policy:
    folder = files(__package__) / _FOLDER
    return read_policy((folder / f"{name}.npz").read_bytes(), (folder / f"{name}.json").read_bytes(), f"{name}.npz")


class Ppo(_Learned):
    """`python -m train.ppo`."""

    algorithm = "ppo"


class Dqn(_Learned):
    """`python -m train.dqn`."""

    algorithm = "dqn"


class A2c(_Learned):
    """`python -m train.a2c`."""

    algorithm = "a2c"
