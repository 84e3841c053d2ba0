"""Fits the least-squares agent of a task on its training split: mmwave-gym train least-squares --task TASK

1. The agent's teacher, a rule, drives the training episodes. At each decision what the agent sees is kept, with what
   it should have forecast.
2. The fitted agent drives itself, `--rounds` - 1 times, and all that was kept is fitted again.

The matrices are written beside the agent's module, from where it takes them. The test split is never touched.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.forecast import Answers, LeastSquares, Ridge, matrices, place
from mmwave_gym.agents.loading import find, load_agent
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.agents.rule import Seen
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.files import replacing, try_place
from mmwave_gym.core.types import Float64Array

AT_ONCE = 64
"""Episodes that are driven side by side."""


class _Fit:
    """Equations of all windows."""

    def __init__(self, kind: type[LeastSquares]):
        self._kind = kind
        self._ridges: dict[str, Ridge] = {}

    def add(self, seen: Seen, features: Float64Array, answers: Answers, rows: NDArray[np.bool_]) -> None:
        """Features (rows, …, features), in their units, of the marked rows (rows,) with what `answers` says now."""
        for window in self._kind.windows:
            x, y = answers(seen, features, window)
            kept = np.repeat(rows, len(x) // len(rows))
            ridge = self._ridges.setdefault(window, Ridge(x.shape[1], y.shape[1]))
            ridge.add(x[kept], y[kept])

    def solved(self) -> dict[str, Float64Array]:
        """By window, weights (features + 1, outputs)."""
        return {window: ridge.solved() for window, ridge in self._ridges.items()}


def drive(driver: Any, watcher: LeastSquares, world: Task, episodes: Sequence[int], every: int, fit: _Fit) -> None:
    """Drive training episodes with one agent, and keep what another sees at every so manieth decision."""
    batch = Batch(world.scenario(), len(episodes), draws_ahead=False)
    batch.reset(world.keys(list(episodes), "train"))
    view, rollout = View(batch, "local"), Rollout.of(driver, batch)
    answers, memory = watcher.answers(View(batch, "hindsight")), watcher.remember(View(batch, "local"))
    playing, step = np.ones(len(episodes), bool), 0
    while playing.any():
        observation = rollout.observation.reshape(view.num_rows, -1)
        seen = Seen(view, memory, observation, rollout.started.ravel())
        features = watcher.features(seen)
        if step % every == 0:
            fit.add(seen, features, answers, np.repeat(playing, batch.scenario.num_agents) & seen.present)
        outcome = rollout.step()
        over = rollout.ended(outcome)
        playing &= ~over
        step += 1
        if over.any():  # what is over plays on unseen, from its start, so that it never runs over its end
            batch.rewind(np.flatnonzero(over))
            rollout.follow(outcome.terminated | over[:, None])


def fit(kind: type[LeastSquares], task: Task, episodes: int, rounds: int, every: int, path: Path) -> None:
    """Fit the agent of a task and write its matrices."""
    world, equations = task.for_training(), _Fit(kind)
    watcher: LeastSquares = kind()
    driver: Any = load_agent(kind.teacher, task.scenario_name, task)
    for number in range(rounds):
        for first in range(0, episodes, AT_ONCE):
            part = range(number * episodes + first, number * episodes + min(first + AT_ONCE, episodes))
            drive(driver, watcher, world, part, every, equations)
        found: dict[str, Any] = {window: weights.astype(np.float32) for window, weights in equations.solved().items()}
        with replacing(path, ".npz") as draft:
            np.savez_compressed(draft, **found)
        matrices.cache_clear()
        driver = kind(fitted_on=task.name)


def run(argv: Sequence[str] | None = None) -> None:
    """Fit: `argv` are the words of the command line."""
    parser = argparse.ArgumentParser(
        prog="mmwave-gym train least-squares", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--task", required=True)
    parser.add_argument("--episodes", type=int, default=128, help="training episodes of a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="every so manieth decision is kept")
    args = parser.parse_args(argv)
    for name in ("episodes", "rounds", "every"):
        at_least(f"--{name}", getattr(args, name), 1, integer=True)
    task = find_task(args.task)
    if reason := task.missing_data:
        raise ValueError(f"{task.name}: {reason}.")
    kind = find("least-squares", task.scenario_name)
    if not (isinstance(kind, type) and issubclass(kind, LeastSquares)):
        raise NotApplicable(f"least-squares of {task.scenario_name} is no agent that is fitted.")
    path = place(kind, task.name)
    try_place(path)
    began = time.process_time()
    fit(kind, task, args.episodes, args.rounds, args.every, path)
    print(
        f"{task.name}: fitted on {args.rounds} x {args.episodes} training episodes in "
        f"{time.process_time() - began:.0f} s of processor time, written to {path}"
    )
