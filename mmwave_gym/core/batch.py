"""Many environment copies of a scenario played as one, and what an agent may look at in them."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.memory import check_fits
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng, ObservationFields, Outcome, Scenario, arrays_of, assign


class View:
    """What an agent may know: the form of the task, and at any time what its access level grants."""

    def __init__(self, batch: Batch, access: str, envs: slice = slice(None)):
        if access not in ACCESS_LEVELS:
            raise ValueError(f"access must be one of {', '.join(ACCESS_LEVELS)}, got {access!r}.")
        self._access = access
        self.fields: ObservationFields = batch.scenario.fields
        self.action_space: spaces.Space[Any] = batch.scenario.action_space
        self.num_envs: int = len(range(batch.num_envs)[envs])
        self.num_agents: int = batch.scenario.num_agents
        self.horizon: int = batch.scenario.horizon
        self.constants: Mapping[str, Any] = batch.scenario.constants()
        self._batch = batch
        self._envs = envs

    @property
    def access(self) -> str:
        """The access level, which nobody raises afterwards."""
        return self._access

    @property
    def num_rows(self) -> int:
        """Rows that `predict` gets: one for each environment and agent slot, environments first."""
        return self.num_envs * self.num_agents

    def look(self, *names: str) -> dict[str, NDArray[Any]]:
        """What the access level grants now, by name: read-only arrays (num_envs, …) in the units of the scenario.

        With `names` only these, which saves copying large worlds again and again. Raises KeyError for a name that is
        not granted.
        """
        batch = self._batch
        revealed = batch.scenario.reveal(batch.episodes, batch.state, self.access)
        seen = {}
        for name in names or revealed:
            value = revealed[name]
            seen[name] = np.array((value() if callable(value) else value)[self._envs])
            seen[name].flags.writeable = False
        return seen

    def action_mask(self) -> NDArray[np.bool_] | None:
        """(num_rows, actions): True for each action that is allowed now; None where all are. Granted at every level."""
        mask = self._batch.action_mask()
        return None if mask is None else mask[self._envs].reshape(self.num_rows, -1)


DRAWN_AT_ONCE = 64
"""Episodes that one call draws at most: more would only be in memory twice."""


def _storage(like: Any, size: int) -> Any:
    """A record as `like` with `size` unset rows in every array."""
    arrays = {n: getattr(like, n) for n in arrays_of(like)}
    return dataclasses.replace(like, **{n: np.empty((size, *a.shape[1:]), a.dtype) for n, a in arrays.items()})


class Batch:
    """N environment copies: it holds their episodes and states, starts episodes and draws the next ones ahead.

    Storage has two rows for each: the running episode and the next one. Each step draws a few next episodes, so that
    a thousand environments that all end in one step wait for nothing.
    """

    def __init__(self, scenario: Scenario[Any, Any], num_envs: int, draws_ahead: bool = True):
        at_least("num_envs", num_envs, 1, integer=True)
        check_fits(scenario.name, scenario.memory(), int(num_envs), getattr(scenario, "config", None))
        self.scenario = scenario
        self.num_envs = num_envs = int(num_envs)
        # Alone, nobody else is kept waiting, and many a single episode is never followed by another.
        self._draws_ahead = draws_ahead and num_envs > 1
        self.episodes: Any = None
        self.state: Any = None
        self._all = np.arange(num_envs)
        self._first_keys = [EpisodeKey(0)] * num_envs
        self._nth = np.zeros(num_envs, np.int64)  # which episode since `reset` each environment plays
        self._ready = np.zeros(num_envs, bool)  # is the next episode drawn?
        self._waiting: deque[int] = deque()  # environments whose next episode is not drawn, oldest episode first
        self._credit = 0.0  # next episodes that should be drawn by now, beyond those that are
        self._steps = np.zeros(num_envs, np.int64)
        self._started: tuple[Any, Any] = (None, None)  # environments last put back to their start, and the state there
        self._mean_length = float(scenario.horizon)
        self._cut = False  # did the last restart cut episodes short?
        self._group = min(4, max(1, num_envs // 64))  # next episodes that are worth a call

    @property
    def keys(self) -> tuple[EpisodeKey, ...]:
        """Which episode each environment plays."""
        return tuple(self.key(i) for i in range(self.num_envs))

    def key(self, env: int, later: int = 0) -> EpisodeKey:
        """Which episode environment `env` plays, or will play after `later` more."""
        first = self._first_keys[env]
        return first._replace(number=first.number + int(self._nth[env]) + later)

    def reset(self, keys: Sequence[EpisodeKey]) -> None:
        """Start the episodes named by `keys`, one for each environment."""
        if len(keys) != self.num_envs:
            raise ValueError(f"one key for each environment is needed: {self.num_envs}, got {len(keys)}.")
        self._first_keys = list(keys)
        self._nth[:] = 0
        self._store(keys, self._all)
        self.episodes.row = self._all.copy()
        self.state = self.scenario.start(self.episodes)
        self._started = (None, None)
        self._ready[:] = False
        self._waiting = deque(range(self.num_envs))
        self._credit = 0.0
        self._steps[:] = 0

    def begin(self, envs: NDArray[np.intp], keys: Sequence[EpisodeKey]) -> None:
        """Start the episodes named by `keys` in the environments `envs` (n,); the others play on."""
        for env, key in zip(envs.tolist(), keys, strict=True):
            self._first_keys[env] = key
        self._nth[envs] = 0
        self._store(keys, self.episodes.row[envs])
        self._ready[envs] = False
        self._waiting.extend(envs.tolist())
        self._started = (None, None)
        self.rewind(envs)

    def restart(self, envs: NDArray[np.intp], ended: bool = True) -> None:
        """Start the next episode of the environments `envs`, (n,); not `ended`: theirs are cut short by somebody."""
        self._draw_next(envs[~self._ready[envs]].tolist())
        self._nth[envs] += 1
        if ended or self._cut:  # that episodes are cut once says nothing of the next ones
            weight = 1.0 - 0.9 ** len(envs)  # the mean of about the last ten ends, or of all that end together
            mean_length = self._mean_length + weight * (float(self._steps[envs].mean()) - self._mean_length)
            self._mean_length = max(mean_length, 1.0)  # resets without a step between them count as nothing
        self._cut = not ended
        self._steps[envs] = 0
        self.episodes.row[envs] = self._spare(envs)
        self._ready[envs] = False
        self._waiting.extend(envs.tolist())
        self._started = (None, None)
        self.rewind(envs)

    def rewind(self, envs: NDArray[np.intp]) -> None:
        """Put the environments `envs`, (n,), back to the start of their running episode."""
        if len(envs):  # scenarios start one environment at least
            if envs is not self._started[0]:  # vector environments rewind at once whom they have restarted
                self._started = envs, self.scenario.start(self.episodes.of(envs))
            assign(self.state, envs, self._started[1])
            self._steps[envs] = 0

    def step(self, action: NDArray[Any]) -> Outcome:
        """One decision of every agent, `action` (N, A) or (N, A, parts); see `Scenario.step`."""
        outcome = self.scenario.step(self.episodes, self.state, action)
        if self._draws_ahead:
            self._steps += 1
            self._draw_ahead()
        return outcome

    def observe(self) -> NDArray[np.float32]:
        """Observations, (N, A, F); see `Scenario.observe`."""
        return self.scenario.observe(self.episodes, self.state)

    def action_mask(self) -> NDArray[np.bool_] | None:
        """Allowed actions, (N, A, actions), or None; see `Scenario.action_mask`."""
        return self.scenario.action_mask(self.episodes, self.state)

    def agent_ids(self) -> NDArray[np.int64]:
        """Who sits in each agent slot, (N, A), -1 for nobody."""
        return self.scenario.agent_ids(self.episodes, self.state)

    def _spare(self, envs: NDArray[np.intp]) -> NDArray[np.intp]:
        """The storage rows (n,) that the environments `envs` do not play from."""
        return 2 * envs + self.num_envs - self.episodes.row[envs]  # rows i and i + num_envs belong to environment i

    def _draw_ahead(self) -> None:
        # A tenth more than is needed on average: episodes do not all have the mean length.
        self._credit = min(self._credit + 1.1 * self.num_envs / self._mean_length, self.num_envs)
        count = int(self._credit)
        if count < self._group:
            return
        self._credit -= count
        chosen: list[int] = []
        while self._waiting and len(chosen) < count:
            i = self._waiting.popleft()
            if not self._ready[i] and i not in chosen:
                chosen.append(i)
        self._draw_next(chosen)

    def _draw_next(self, chosen: list[int]) -> None:
        if not chosen:
            return
        envs = np.array(chosen)
        self._store([self.key(i, later=1) for i in chosen], self._spare(envs))
        self._ready[envs] = True

    def _store(self, keys: Sequence[EpisodeKey], rows: NDArray[np.intp]) -> None:
        """Draw the episodes named by `keys` into the storage rows (n,)."""
        for first in range(0, len(keys), DRAWN_AT_ONCE):
            group = slice(first, first + DRAWN_AT_ONCE)
            rngs = [EpisodeRng(key) for key in keys[group]]
            if self.episodes is None:
                drawn = self.scenario.draw(rngs)
                self.episodes = _storage(drawn, 2 * self.num_envs)
                assign(self.episodes, rows[group], drawn)
            else:
                self.scenario.draw_into(rngs, self.episodes, rows[group])
