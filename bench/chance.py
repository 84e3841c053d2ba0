"""What the chance of an episode costs alone: its draws with the environment's keys and streams, and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from bench.measure import ENV_ID, seconds
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng


class _Recorder:
    """Stands in for a generator and notes what is drawn from it."""

    def __init__(self, rng: np.random.Generator, cause: str, notes: list[tuple[str, str, Any]]):
        self._rng, self._cause, self._notes = rng, cause, notes

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._rng, name)

        def draw(size: Any = None, **keywords: Any) -> Any:
            value = method(size, **keywords)
            self._notes.append((self._cause, name, np.shape(value)))
            return value

        return draw


class _RecordingRng(EpisodeRng):
    def __init__(self, key: EpisodeKey):
        super().__init__(key)
        self.notes: list[tuple[str, str, Any]] = []

    def __getitem__(self, cause: str) -> Any:
        return _Recorder(super().__getitem__(cause), cause, self.notes)


def draws_of_an_episode() -> list[tuple[str, str, Any]]:
    """(cause, method, shape) of every draw that an episode of the default environment makes."""
    rng = _RecordingRng(EpisodeKey(0))
    gym.make(ENV_ID).unwrapped.scenario.draw([rng])  # type: ignore[attr-defined]
    return rng.notes


def keyed_draws(episodes: int) -> Callable[[], float]:
    """CPU seconds an episode for its draws alone, with the environment's own keys and streams."""
    causes: dict[str, list[tuple[str, Any]]] = {}
    for cause, method, shape in draws_of_an_episode():
        causes.setdefault(cause, []).append((method, shape))

    def draw() -> None:
        for seed in range(episodes):
            rng = EpisodeRng(EpisodeKey(seed))
            for cause, calls in causes.items():
                stream = rng[cause]
                for method, shape in calls:
                    getattr(stream, method)(shape)

    return lambda: seconds(draw) / episodes


def unkeyed_draws(episodes: int) -> Callable[[], float]:
    """The same amount from one generator, so without what reproducible episodes cost."""
    stream = np.random.default_rng(0)
    calls = [(method, shape) for _, method, shape in draws_of_an_episode()]

    def draw() -> None:
        for _ in range(episodes):
            for method, shape in calls:
                getattr(stream, method)(shape)

    return lambda: seconds(draw) / episodes
