"""Streets stepped by compiled code where that pays."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.scenarios.street import game
from mmwave_gym.scenarios.street.config import TICK_S, StreetConfig
from mmwave_gym.scenarios.street.game import Street, StreetState
from mmwave_gym.scenarios.street.world import StreetEpisodes

STEP_S, A_COPY_S = 100e-6, 1.5e-6
"""What NumPy loses against compiled code in a step, and for each environment copy in it (a little less than that)."""
_NOTHING = np.empty((1, 1, 1, 2), np.int16), np.empty(0, np.int64)
"""No prepared cells."""
STEPPING, SEEING = f"{__package__}.step_kernel", f"{__package__}.observe_kernel"


class CompiledStreet(Street):
    """The same steps and observations to the bit: `Street` says what they are, and plays where numba is missing."""

    def __init__(self, config: StreetConfig):
        super().__init__(config)
        after = self.handover_ticks - self._preparation - self._interruption
        self._seen = self.fields.size
        self._compiled = False  # was the last step? An observation is the same either way
        self._most_heard = max(self.decision_ticks, self.lost_ticks, self._preparation + after)
        values = (getattr(config, field.name) for field in dataclasses.fields(config))
        # NumPy's own scalars raise the precision of the reference, and sums of many ticks are made by halves there.
        plain = not any(isinstance(value, np.generic) for value in values)
        self._covered = plain and max(self._preparation, after) <= compiled.MOST_SUMMED

    def step(self, episodes: StreetEpisodes, state: StreetState, action: NDArray[Any]) -> Outcome:
        n = len(state.tick)
        self._compiled = self._covered and compiled.pays(STEP_S + A_COPY_S * n)
        if not self._compiled:
            return super().step(episodes, state, action)
        kernel, times, limits, target = compiled.kernel(STEPPING), self._times, self._limits, action[:, 0].copy()
        kind = kernel.CONDITIONAL if self.conditional else kernel.FAILS if self._fails else kernel.STAYS
        sinr_db, kept = np.empty(n * self._most_heard, np.float32), np.empty(n, np.int64)
        drive, its = (episodes.row, episodes.rsrp_dbm, episodes.sinr_db), _arrays(state)
        count = kernel.heard(
            drive, its, target, self._ready(episodes, state), kind, times, limits, self.config.refinement_db, kept,
            sinr_db,
        )  # fmt: skip
        rate = self.rate_bps_hz(sinr_db[:count])
        column, truncated = np.empty((8, n)), np.empty(n, bool)
        over = kernel.settle(drive, its, target, kept, rate, kind, times, limits, column, truncated)
        low = self._low_windows(state, truncated) if over else np.zeros(n)
        reward, took_s, rate_s, failures, handovers, back, silent_s, energy_j = column
        return Outcome(
            reward=reward[:, None],
            terminated=np.zeros((n, 1), bool),
            truncated=truncated,
            elapsed_s=took_s,
            metrics={
                "rate_bps_hz": rate_s,
                "failures_per_min": failures,
                "handovers_per_s": handovers,
                "ping_pongs_per_s": back,
                "no_data_fraction": silent_s,
                "handover_energy_w": energy_j,
                "window_p5_bps_hz": low,
            },
        )

    def observe(self, episodes: StreetEpisodes, state: StreetState) -> NDArray[np.float32]:
        if not self._compiled:
            return super().observe(episodes, state)
        seen = np.empty((len(state.tick), 1, self._seen), np.float32)
        times = self._measurement, game.PAST_MEASUREMENTS
        kernel, its, bounds = compiled.kernel(SEEING), _arrays(state), self._bounds
        kernel.observe(episodes.row, episodes.measured_dbm, its, times, bounds, seen)
        if self.conditional:
            at = state.tick // self.decision_ticks
            kernel.observe_prepared(episodes.row, self._ready(episodes, state), episodes.now_dbm, at, its, bounds, seen)
        return seen

    def _ready(self, episodes: StreetEpisodes, state: StreetState) -> tuple[NDArray[Any], ...]:
        """Prepared cells, and which measurement's (n,) are prepared now, as the kernels take them."""
        if not self.conditional:
            return _NOTHING
        return episodes.prepared, self.world.newest_prepared(state.tick)

    @cached_property
    def _times(self) -> tuple[int, ...]:
        """The times of `step_kernel`, in ticks."""
        handover = self._preparation, self._interruption, self._refinement, self.handover_ticks
        return self.decision_ticks, *handover, self._reestablishment, self._t310, self.ticks, self.lost_ticks

    @cached_property
    def _limits(self) -> tuple[float, ...]:
        """The limits of `step_kernel`."""
        c = self.config
        levels_db = float(c.out_db), float(c.in_db)
        return *levels_db, TICK_S, game.PING_PONG_S, float(c.handover_energy_j), game.WINDOW_TICKS

    @cached_property
    def _bounds(self) -> tuple[float, ...]:
        """The bounds of `observe_kernel.observe`."""
        level_dbm, sinr_db = (game.LEAST_DBM, game.MOST_DBM), (game.LEAST_SINR_DB, game.MOST_SINR_DB)
        return *level_dbm, *sinr_db, game.LONG_S, float(self.config.t310_s), TICK_S


def _arrays(state: StreetState) -> tuple[NDArray[Any], ...]:
    """The state as compiled code takes it, in the order of its fields."""
    return (
        state.tick, state.serving, state.previous, state.handover_tick, state.out_ticks, state.past_sinr_db,
        state.window,
    )  # fmt: skip
