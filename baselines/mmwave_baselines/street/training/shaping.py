"""Drives through a street solved in hindsight, for rewards that are regrets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.street.oracle import bound
from mmwave_gym.api.sb3 import ScenarioVecEnv

WAYS_AT_ONCE = 4
"""Drives that one call solves: with 32 their arrays are in no cache, and each takes three times as long."""


class StreetPotential:
    """V in hindsight along the decisions of a street; a handover or a lost link takes several decisions."""

    def __init__(self, base: ScenarioVecEnv):
        self._base = base
        self._constants = base.scenario.constants()
        self._values: NDArray[np.float64] | None = None

    def solve(self, begun: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V of all present states, (num_envs, 1), in bit/s/Hz times 100 ms, the unit of a sum of rewards.

        The environments that `begun` (num_envs,) marks are solved first.
        """
        batch, envs = self._base.batch, np.flatnonzero(begun)
        names = "sinr_ahead_db", "rsrp_ahead_dbm", "prepared_ahead"
        for first in range(0, len(envs), WAYS_AT_ONCE):
            some = envs[first : first + WAYS_AT_ONCE]
            shown = batch.scenario.reveal(batch.episodes.of(some), batch.state, "hindsight")
            sinr_db, rsrp_dbm, *prepared = (shown[name]() for name in names if name in shown)
            best = bound(sinr_db, rsrp_dbm, self._constants, *prepared)
            if self._values is None:
                self._values = np.zeros((batch.num_envs, *best.shape[1:]))
            self._values[some] = best
        return self._now()

    def _now(self) -> NDArray[np.float64]:
        assert self._values is not None
        state = self._base.batch.state
        decision = np.minimum(state.tick // self._constants["decision_ticks"], self._values.shape[1] - 1)
        return self._values[np.arange(len(decision)), decision, state.serving][:, None]

    def after(self, action: NDArray[np.int64], done: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V (num_envs, 1) after the actions (num_envs, 1), 0 where `done` (num_envs,) marks an end; unit as `solve`."""
        return np.where(done[:, None], 0.0, self._now())  # an environment that is done has restarted already
