"""A batch whose every step is checked: what may never happen in an environment, whatever is chosen in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.api.contract.cases import over
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import EpisodeKey, Outcome, Scenario


class Fault(AssertionError):
    """An environment broke its contract."""


class Watched:
    """`num_envs` environments played at random among the allowed actions, episode after episode from `seed` on."""

    def __init__(self, scenario: Scenario[Any, Any], num_envs: int, seed: int):
        self.batch, self.scenario = Batch(scenario, num_envs), scenario
        self.batch.reset([EpisodeKey(seed + i) for i in range(num_envs)])
        self._rng = np.random.default_rng(seed)
        self._lived = np.zeros(num_envs, np.int64)
        self._low, self._high = scenario.fields.low, scenario.fields.high
        self._together = not scenario.turn_based
        self._ids: NDArray[Any] = np.array(self.batch.agent_ids())
        self._latest = self._ids.max(axis=1)
        self._mask = self._seen()

    def step(self) -> int:
        """One decision of every agent, checked; how many agents decided. Raises Fault."""
        before = self._ids
        outcome = self.batch.step(self._action())
        self._lived += 1
        self._ids = np.array(self.batch.agent_ids())
        self._check(outcome, before)
        ended = over(self.batch, outcome)
        self._mask = self._seen(ended)
        if ended.any():
            at = np.flatnonzero(ended)
            self.batch.restart(at)
            self._lived[at] = 0
            self._ids = np.array(self.batch.agent_ids())
            self._mask = self._seen()
        _hold((self._ids[ended] >= 0)[:, 0].all(), "an episode begins without an agent in slot 0")
        return int((before >= 0).sum())

    def _action(self) -> NDArray[Any]:
        space, shape = self.scenario.action_space, self._ids.shape
        if isinstance(space, spaces.Box):
            u = self._rng.random((*shape, *space.shape))
            return space.low + u * (space.high.astype(np.float64) - space.low)
        if isinstance(space, spaces.MultiDiscrete):
            return (self._rng.random((*shape, *space.shape)) * space.nvec).astype(np.int64)
        assert isinstance(space, spaces.Discrete)
        if self._mask is None:
            return self._rng.integers(0, int(space.n), shape)
        rank = (self._rng.random(shape) * self._mask.sum(axis=-1)).astype(np.int64)
        return (self._mask.cumsum(axis=-1) > rank[..., None]).argmax(axis=-1)

    def _seen(self, ended: Any = False) -> NDArray[np.bool_] | None:
        """Check observations and masks; the masks."""
        seen = self.batch.observe()
        if not ((seen >= self._low) & (seen <= self._high)).all():  # not true of NaN either
            outside = ~((seen >= self._low) & (seen <= self._high))
            field = int(np.argwhere(outside)[0, -1])
            raise Fault(f"feature {field} is {seen[outside][0]}, not in [{self._low[field]}, {self._high[field]}]")
        mask = self.batch.action_mask()
        _hold(self.scenario.masked == (mask is not None), "masks come although none were declared, or do not")
        if mask is not None:
            _hold(mask.dtype == bool and mask.any(axis=-1).all(), "an action mask allows nothing")
        return mask

    def _check(self, outcome: Outcome, before: NDArray[Any]) -> None:
        ids, scenario = self._ids, self.scenario
        _hold(np.isfinite(outcome.reward).all(), "a reward is not finite")
        for name, value in outcome.metrics.items():
            _hold(np.isfinite(value).all(), f"{name} is not finite")
        _hold(np.isfinite(outcome.elapsed_s).all() and (outcome.elapsed_s > 0.0).all(), "a step took no time")
        _hold((ids < scenario.max_agent_ids).all() and (ids >= -1).all(), "an id is out of range")
        _hold((self._lived <= scenario.horizon).all(), "an episode is longer than the horizon")
        _hold(
            (outcome.truncated | (self._lived < scenario.horizon) | (ids < 0).all(axis=1)).all(),
            "an episode goes on at the horizon",
        )
        if not self._together:
            return
        _hold((outcome.terminated == ((before >= 0) & (ids < 0))).all(), "who left is not who was terminated")
        _hold(not ((before >= 0) & (ids >= 0) & (ids != before)).any(), "an agent slot changed hands at once")
        _hold((outcome.reward[before < 0] == 0.0).all(), "an empty agent slot was rewarded")
        came = (before < 0) & (ids >= 0)
        latest = np.where(self._lived == 1, before.max(axis=1), self._latest)
        _hold((ids > latest[:, None])[came].all() or scenario.max_agent_ids == ids.shape[1], "an agent came back")
        self._latest = np.maximum(latest, ids.max(axis=1))


def _hold(condition: Any, otherwise: str) -> None:
    if not condition:
        raise Fault(otherwise)
