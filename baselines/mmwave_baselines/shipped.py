"""Agents that were trained here and are shipped: a pair of files for every algorithm, task and training seed.

A scenario's folder `weights/` holds `<algorithm>-<task>-s<seed>.npz` and the `.json` that names the command that made
it. They need neither torch nor Stable-Baselines3. What is measured is all seeds, never the best one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Shipped:
    """An agent of one algorithm in one scenario; `for_task` gives the policy of a task and a training seed."""

    package: str
    """The package with the weights: `__package__` of the module beside whose files they are."""
    algorithm: str
    """How the names of its files begin, without a hyphen."""
    label: str
    about: str
    """One line for the docs."""
    kind: type[Policy] | None = None
    """What plays the network; None: what its metadata say."""
    access: str = "local"
    trained_for: Callable[[Task], str] | None = None
    """What the names of the files say of a task, for weights that play several tasks; None: the task's own name."""
    refuses: Callable[[Task], str | None] | None = None
    """Why a task cannot be played at all, for instance because the policy reads another observation."""
    scenario: str = ""
    """Whose tasks it plays; empty: the package has the scenario's name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.about)
        object.__setattr__(self, "scenario", self.scenario or self.package.rpartition(".")[2])

    def training_seeds(self, task: Task | None) -> tuple[int, ...]:
        """Seeds with weights for `task`, none for a task that nobody trained for."""
        if task is None or not task.name.startswith(f"{self.scenario}/") or (self.refuses and self.refuses(task)):
            return ()
        return _shipped(self.package).get((self.algorithm, self._trained_for(task)), ())

    def for_task(self, task: Task | None, training_seed: int | None = None) -> Policy:
        """The policy trained for `task`, by default that of the lowest seed.

        Raises NotApplicable where there are no weights for the task, AgentError for a seed that was not trained.
        """
        if task is None:
            raise NotApplicable(f"{self.label} is trained task by task: name one, or the path of a policy.")
        if self.refuses and (reason := self.refuses(task)):
            raise NotApplicable(f"{self.label} {reason}")
        seeds = self.training_seeds(task)
        if not seeds:
            names = sorted(f"{self.scenario}/{t}" for a, t in _shipped(self.package) if a == self.algorithm)
            trained = ", ".join(names) or "none"
            raise NotApplicable(f"no shipped {self.label} weights for {task.name}; there are some for: {trained}.")
        seed = seeds[0] if training_seed is None else training_seed
        if seed not in seeds:
            raise AgentError(f"{self.label} was trained for {task.name} with the seeds {seeds}, not with {seed}.")
        policy = _policy(self.kind, self.package, f"{self.algorithm}-{self._trained_for(task)}-s{seed}")
        other_world = self.trained_for is None and policy.metadata["kwargs"] != _as_json(task.kwargs)
        if policy.metadata["env_id"] != task.env_id or other_world:
            raise NotApplicable(
                f"{self.label} was trained for another world that was called {task.name}: train it again."
            )
        policy.label = self.label
        return policy

    def _trained_for(self, task: Task) -> str:
        return self.trained_for(task) if self.trained_for else task.name.split("/", 1)[1]


def _as_json(kwargs: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in kwargs.items()}


def _policy(kind: type[Policy] | None, package: str, name: str) -> Policy:
    folder = files(package) / _FOLDER
    weights, metadata = ((folder / f"{name}.{suffix}").read_bytes() for suffix in ("npz", "json"))
    return read_policy(weights, metadata, f"{name}.npz", kind)
