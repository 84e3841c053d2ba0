"""Agents of strangers that keep the contract: each uses another part of it. They play in processes of their own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from mmwave_gym.agents import NotApplicable, Rule


def _actions(view: Any, numbers: np.ndarray, mask: Any) -> np.ndarray:
    """Actions of whatever space from numbers in [0, 1), (rows,)."""
    space = view.action_space
    if isinstance(space, spaces.Box):
        share = numbers.reshape(-1, *(1,) * len(space.shape))
        return (space.low + share * (space.high - space.low)).astype(np.float64)
    if isinstance(space, spaces.MultiDiscrete):
        return (numbers[:, None] * space.nvec).astype(np.int64)
    allowed = np.ones((len(numbers), int(space.n)), bool) if mask is None else mask
    rank = (numbers * allowed.sum(axis=1)).astype(np.int64)
    return (allowed.cumsum(axis=1) > rank[:, None]).argmax(axis=1)


class Patient(Rule):
    """A rule with memory, chance, masks and constants."""

    label = "patient"
    config: ClassVar = {"share": 0.5, "name": "Ä"}

    @dataclass
    class Memory:
        seen: np.ndarray

    def remember(self, view: Any) -> Any:
        return self.Memory(np.zeros(view.num_rows))

    def act(self, seen: Any, rng: Any) -> np.ndarray:
        seen.memory.seen = 0.5 * seen.memory.seen + seen.observation.sum(axis=1, dtype=np.float64)
        turn = rng.random() + seen.memory.seen + len(seen.constants)
        return _actions(seen.view, turn % 1.0, seen.mask)


class Looker(Patient):
    """Looks at all that it is granted, at the start, at every step, and after it."""

    access = "hindsight"

    def remember(self, view: Any) -> Any:
        return self.Memory(np.full(view.num_rows, _sum(view)))

    def act(self, seen: Any, rng: Any) -> np.ndarray:
        seen.memory.seen = seen.memory.seen + _sum(seen.view)
        return super().act(seen, rng)

    def learn(self, state, observation, action, reward, next_observation, done, info):
        state.memory.seen = state.memory.seen + reward + done + info["elapsed_s"] + _sum(state.view)
        state.memory.seen += action.reshape(len(action), -1).sum(axis=1) + next_observation.sum(axis=1)
        if (mask := state.view.action_mask()) is not None:
            state.memory.seen += mask.sum(axis=1)
        return state


def _sum(view: Any) -> float:
    return sum(float(np.asarray(a, np.float64)[np.isfinite(a)].sum()) for a in view.look().values())


class Local(Looker):
    access = "local"


class Central(Looker):
    access = "central"


class Foresighted(Looker):
    access = "trajectory"


class Plain:
    """No more than `predict`, with a state of its own."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        count = np.zeros(len(observation)) if state is None else state
        count = np.where(episode_start, 0, count + 1)
        return (count % 2).astype(np.int64), count


class Slow(Plain):
    def predict(self, *args, **kwargs):
        time.sleep(0.2)
        return super().predict(*args, **kwargs)


class Elsewhere(Plain):
    @classmethod
    def for_task(cls, task, training_seed):
        raise NotApplicable(f"not made for {task.name}")
