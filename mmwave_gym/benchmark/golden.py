"""Golden sums: what a task's environment answers to fixed actions. They tell whether code that changed gives the same.

Rows hold them with a digest of the code that made them. Where the digest is still the same, nothing is played. Where it
differs, the sums are made anew and compared, within the last bits of another processor.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.source_digest import closure, digest
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import View
from mmwave_gym.core.registration import room_of

EPISODES, OF_EXPENSIVE = 4, 1
WARMUP_STEPS, SCORED_STEPS = 20, 180
EVALUATOR = ("mmwave_gym.agents.rollout", "mmwave_gym.core.metrics", "mmwave_gym.core.batch", "mmwave_gym.core.joint")
"""What rows depend on beside the scenario and the agent."""
DECIDES_NOTHING = {
    "mmwave_gym.version",
    *(f"mmwave_gym.core.{name}" for name in ("errors", "files", "registration", "rooms", "suites")),
    *(
        f"mmwave_gym.agents.{name}"
        for name in ("files", "formats", "formats.described", "loading", "registry", "tuned")
    ),
    *(f"mmwave_gym.benchmark.{name}" for name in ("suite", "task")),
}
"""Modules that find, read and name things: no number comes from them that a task's hash or weights do not hold."""


def physics_modules(task: Task) -> frozenset[str]:
    """The modules that the answers of a task's environment come from."""
    scenario = room_of(task.env_id).load("scenario")
    found = closure(frozenset((scenario.__module__, *EVALUATOR))) | {evaluate.__module__}
    return found - DECIDES_NOTHING


def physics_digest(task: Task) -> str | None:
    """A digest of that code and of the versions of NumPy and SciPy, None where its source cannot be read."""
    code = digest(physics_modules(task))
    versions = [".".join(library.__version__.split(".")[:2]) for library in (np, scipy)]
    return None if code is None else "-".join((code, *versions))


def agent_digest(task: Task, modules: Iterable[str]) -> str | None:
    """A digest of the code that an agent of these modules decides with, beside `physics_modules`.

    None where a source cannot be read.
    """
    return digest(closure(frozenset(modules)) - DECIDES_NOTHING - physics_modules(task))


def golden_sums(task: Task) -> dict[str, float]:
    """Sums over a few short episodes of the task: of every metric, of what is observed, of what is revealed.

    They come through the evaluator, so that a change there moves them too. `observed` and `revealed` weigh each number
    by its place, in the numbers' own units.
    """
    horizon = task.scenario().horizon
    warmup = min(WARMUP_STEPS, max(horizon // 10, 0))
    scored = min(SCORED_STEPS, horizon - warmup)
    episodes = OF_EXPENSIVE if task.expensive else EPISODES
    short = dataclasses.replace(task, episodes=episodes, warmup_steps=warmup, scored_steps=scored, carry=1)
    player = _FixedActions()
    rows = evaluate(player, short)
    columns = [name for name in rows[0] if name not in ("episode", "interactions")]
    sums = {name: float(sum(row[name] or 0.0 for row in rows)) for name in columns}
    return {**sums, "observed": player.observed, "revealed": player.revealed}


class _FixedActions:
    """Takes turns among the actions, row by row, and adds up what it sees."""

    access = "hindsight"

    def __init__(self) -> None:
        self.observed = self.revealed = 0.0

    def begin(self, view: View, rng: Any) -> tuple[View, int]:
        for _, array in sorted(view.look().items()):
            self.revealed += _weighed(array)
        return view, 0

    def predict(
        self, observation: NDArray[Any], state: Any, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], Any]:
        """Actions (rows, …) for observations (rows, features) in their units. episode_start: (rows,), unused."""
        view, step = state
        self.observed += _weighed(observation)
        return _actions(view, len(observation), step), (view, step + 1)


def _actions(view: View, rows: int, step: int) -> NDArray[Any]:
    space, turn = view.action_space, np.arange(rows) + step // 5
    if isinstance(space, spaces.Box):
        share = ((turn % 5) / 4.0).reshape(-1, *[1] * len(space.shape))
        return space.low + share * (space.high - space.low)
    if isinstance(space, spaces.MultiDiscrete):
        return np.stack([turn % int(n) for n in space.nvec], axis=1)
    mask = view.action_mask()
    allowed = np.ones((rows, int(getattr(space, "n", 1))), bool) if mask is None else mask
    rank = turn % allowed.sum(axis=1)
    chosen: NDArray[Any] = (allowed.cumsum(axis=1) > rank[:, None]).argmax(axis=1)
    return chosen


def _weighed(array: NDArray[Any]) -> float:
    """The sum of an array's finite numbers, each with a weight between 1 and 2 that its place gives."""
    flat = np.asarray(array).ravel().astype(np.float64)
    finite = np.where(np.isfinite(flat), flat, 0.0)
    return float((finite * (1.0 + np.arange(len(flat)) % 997 / 997.0)).sum())
