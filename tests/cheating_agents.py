"""Agents that cheat, one in each way known to us. `tests/benchmark/test_verify.py` catches them all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark import suite
from mmwave_gym.core.batch import Batch, View

TASK = suite.task("street/walk-dense")
ORACLE = "oracle"
PUBLIC = 8
"""Public episodes that the agent who knows them has drawn again."""


class Upgraded:
    """Local, but takes itself a view of all that there is, and plays as the oracle."""

    label = "strongest cell, they say"
    access = "local"

    def begin(self, view: Any, rng: Any) -> Any:
        everything = View(view._batch, "hindsight", view._envs)
        self._oracle = load_agent(ORACLE, TASK.scenario_name, TASK)
        return self._oracle.begin(everything, rng)

    def predict(self, observation: Any, state: Any, episode_start: Any = None, deterministic: bool = True) -> Any:
        return self._oracle.predict(observation, state, episode_start, deterministic)


class Forger:
    """Writes into the worlds that it is measured in."""

    def begin(self, view: Any, rng: Any) -> Any:
        batch = view._batch
        for values in vars(batch.episodes).values():
            if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.size:
                values[:] = values.max()
        return view.look()

    def predict(self, observation: Any, state: Any, episode_start: Any = None, deterministic: bool = True) -> Any:
        return np.zeros(len(observation), np.int64), state


class Reader:
    """Draws the public episodes again, recognises them by what it observes first, and plays what the oracle played.

    What it does not recognise it plays badly. It keeps in a file what it has learnt by heart.
    """

    def __init__(self) -> None:
        self._file = Path(os.environ["LEARNT_BY_HEART"])

    def _learn_by_heart(self) -> None:
        batch = Batch(TASK.scenario(), PUBLIC)
        batch.reset(TASK.keys(list(range(PUBLIC))))
        first = batch.observe()[:, 0]
        rollout = Rollout.of(load_agent(ORACLE, TASK.scenario_name, TASK), batch)
        actions = []
        for _ in range(batch.scenario.horizon):
            actions.append(rollout.act()[:, 0])
            batch.step(actions[-1][:, None])
            rollout.follow()
        np.savez(self._file, first=first, actions=np.array(actions))

    def begin(self, view: Any, rng: Any) -> Any:
        if not self._file.exists():
            self._learn_by_heart()
        with np.load(self._file) as learnt:
            pairs = zip(learnt["first"], learnt["actions"].T, strict=True)
            self._known = {seen.tobytes(): play for seen, play in pairs}
        return 0, [None] * view.num_rows

    def predict(self, observation: Any, state: Any, episode_start: Any = None, deterministic: bool = True) -> Any:
        step, plays = state
        for row in np.flatnonzero(episode_start):
            plays[row] = (step, self._known.get(observation[row].tobytes()))
        action = np.zeros(len(observation), np.int64)
        for row, (start, play) in enumerate(plays):
            if play is not None:
                action[row] = play[step - start]
        return action, (step + 1, plays)


class Crowd:
    """Remembers on itself what all rows together have seen: its rows depend on how many there are."""

    def __init__(self) -> None:
        self._calls = 0

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        self._calls += 1
        return np.full(len(observation), self._calls // 40 % 4, np.int64), state
