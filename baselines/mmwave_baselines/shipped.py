"""Agents that were trained here and are shipped: a pair of files for every algorithm, task and training seed.

A scenario's folder `weights/` holds `<algorithm>-<task>-s<seed>.npz` and the `.json` that names the command that made
it. They need neither torch nor Stable-Baselines3. What is measured is all seeds, never the best one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from mmwave_gym.agents.files import read_policy
from mmwave_gym.agents.policy import Policy
from mmwave_gym.agents.protocol import AgentError, NotApplicable
from mmwave_gym.benchmark.task import Task

_FOLDER = "weights"


@lru_cache(maxsize=8)
def _shipped(package: str) -> dict[tuple[str, str], tuple[int, ...]]:
    """Training seeds by (algorithm, task without its scenario) among the weights of a package."""
    found: dict[tuple[str, str], list[int]] = {}
    folder = files(package) / _FOLDER
    for file in folder.iterdir() if folder.is_dir() else ():
        if match := re.fullmatch(r"([^-]+)-(.+)-s(\d+)\.npz", file.name):
            algorithm, task, seed = match.groups()
            found.setdefault((algorithm, task), []).append(int(seed))
    return {key: tuple(sorted(seeds)) for key, seeds in found.items()}


class Shipped:
    """An agent of one algorithm in one scenario; `for_task` gives the policy of a task and a training seed.

    A subclass lives in the package beside whose modules its weights are, which has the scenario's name.
    """

    algorithm: str
    """How the names of its files begin, without a hyphen."""
    label: str
    kind: type[Policy] | None = None  # that which the metadata name

    @classmethod
    def _package(cls) -> tuple[str, str]:
        package = cls.__module__.rpartition(".")[0]
        return package, package.rpartition(".")[2]

    @classmethod
    def trained_for(cls, task: Task) -> str:
        """What the names of the files say of a task; a subclass whose policies play several tasks says it."""
        return task.name.split("/", 1)[1]

    @classmethod
    def training_seeds(cls, task: Task | None) -> tuple[int, ...]:
        """Seeds with weights for `task`, none for a task that nobody trained for."""
        package, scenario = cls._package()
        if task is None or not task.name.startswith(f"{scenario}/"):
            return ()
        return _shipped(package).get((cls.algorithm, cls.trained_for(task)), ())

    @classmethod
    def for_task(cls, task: Task | None, training_seed: int | None = None) -> Policy:
        """The policy trained for `task`, by default that of the lowest seed.

        Raises NotApplicable where there are no weights for the task, AgentError for a seed that was not trained.
        """
        if task is None:
            raise NotApplicable(f"{cls.label} is trained task by task: name one, or the path of a policy.")
        package, scenario = cls._package()
        seeds = cls.training_seeds(task)
        if not seeds:
            names = sorted(f"{scenario}/{t}" for a, t in _shipped(package) if a == cls.algorithm)
            trained = ", ".join(names) or "none"
            raise NotApplicable(f"no shipped {cls.label} weights for {task.name}; there are some for: {trained}.")
        seed = seeds[0] if training_seed is None else training_seed
        if seed not in seeds:
            raise AgentError(f"{cls.label} was trained for {task.name} with the seeds {seeds}, not with {seed}.")
        policy = _policy(cls.kind, package, f"{cls.algorithm}-{cls.trained_for(task)}-s{seed}")
        own_task = cls.trained_for.__func__ is Shipped.trained_for.__func__  # type: ignore[attr-defined]
        if policy.metadata["env_id"] != task.env_id or (
            own_task and policy.metadata["kwargs"] != _as_json(task.kwargs)
        ):
            raise NotApplicable(
                f"{cls.label} was trained for another world that was called {task.name}: train it again."
            )
        policy.label = cls.label
        return policy


def _as_json(kwargs: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in kwargs.items()}


def _policy(kind: type[Policy] | None, package: str, name: str) -> Policy:
    folder = files(package) / _FOLDER
    weights, metadata = ((folder / f"{name}.{suffix}").read_bytes() for suffix in ("npz", "json"))
    return read_policy(weights, metadata, f"{name}.npz", kind)
