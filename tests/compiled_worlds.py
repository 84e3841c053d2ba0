"""The same episodes drawn and played by NumPy and by compiled code."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

KEYS = [EpisodeKey(seed, number, stream) for seed in (0, 7, 2**63 - 1) for number in (0, 3) for stream in ("", "test")]


def drawn(scenario: Any, keys: list[EpisodeKey], compiled: bool, patch: pytest.MonkeyPatch) -> Any:
    """Episodes drawn by one of both."""
    patch.setenv("MMWAVE_NUMBA", "1" if compiled else "0")
    return scenario.draw([EpisodeRng(key) for key in keys])


def differing(name: str, keywords: dict[str, Any], patch: pytest.MonkeyPatch) -> list[str]:
    """Which arrays of the drawn episodes differ, in a bit or in their type: all keys at once, and the last alone."""
    scenario = make_scenario(name, **keywords)
    found = []
    for keys in (KEYS, KEYS[-1:]):
        ours, numpys = (drawn(scenario, keys, compiled, patch) for compiled in (True, False))
        for field in dataclasses.fields(numpys):
            a, b = getattr(ours, field.name), getattr(numpys, field.name)
            if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
                found.append(field.name)
    return found


def stepped_apart(name: str, keywords: dict[str, Any], seldom: float, patch: pytest.MonkeyPatch) -> list[str]:
    """Which observations, outcomes and states differ in a bit or in their type, over a few episodes of 8 copies.

    Each agent takes a random action with the chance `seldom`, else its last one.
    """
    batches = [Batch(make_scenario(name, **keywords), 8) for _ in range(2)]
    chance, found = np.random.default_rng(0), set()
    for numba, batch in enumerate(batches):
        patch.setenv("MMWAVE_NUMBA", str(numba))
        batch.reset([EpisodeKey(i) for i in range(8)])
    action = np.zeros((8, batches[0].scenario.num_agents), np.int64)
    for _ in range(int(2.5 * batches[0].scenario.horizon) + 2):
        other = chance.integers(batches[0].scenario.action_space.n, size=action.shape)
        action = np.where(chance.random(action.shape) < seldom, other, action)
        seen = []
        for numba, batch in enumerate(batches):
            patch.setenv("MMWAVE_NUMBA", str(numba))
            outcome = batch.step(action)
            numbers = {**vars(outcome), **outcome.metrics, **outcome.own}
            told = {**numbers, **vars(batch.state), "observation": batch.observe()}
            seen.append({what: _bits(value) for what, value in told.items() if what not in ("metrics", "own")})
            over = outcome.truncated | outcome.terminated.all(axis=1)
            if over.any():
                batch.restart(np.flatnonzero(over))
        found |= {what for what in seen[0] if seen[0][what] != seen[1][what]}
    return sorted(found)


def _bits(array: Any) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.tobytes()
