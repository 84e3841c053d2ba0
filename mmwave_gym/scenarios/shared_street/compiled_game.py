"""Shared streets stepped by compiled code where that pays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.scenarios.shared_street import radio_map
from mmwave_gym.scenarios.shared_street.compiled_observation import CompiledObserver
from mmwave_gym.scenarios.shared_street.compiled_world import CompiledSharedStreetWorld
from mmwave_gym.scenarios.shared_street.config import SharedStreetConfig
from mmwave_gym.scenarios.shared_street.game import SharedStreet
from mmwave_gym.scenarios.shared_street.state import SharedStreetState
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes

MEASURING = f"{__package__}.measure_kernel"
A_STEP_S, A_COPY_S = 500e-6, 10e-6
"""What NumPy loses against compiled code in a step, and for each environment copy in it."""


class CompiledSharedStreet(SharedStreet):
    """The same steps and observations to the bit: `SharedStreet` says what they are, and plays where numba is missing."""

    def __init__(self, config: SharedStreetConfig):
        super().__init__(config)
        self._most = self.num_agents, len(radio_map.AHEAD_S), self.num_cells

    def _world(self) -> CompiledSharedStreetWorld:
        return CompiledSharedStreetWorld(self.config)

    def _observer(self) -> CompiledObserver:
        return CompiledObserver(self.config, self.world)

    def arrive(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> None:
        self.observer.compiled = compiled.pays(A_STEP_S + A_COPY_S * len(state.slot))  # type: ignore[attr-defined]
        super().arrive(episodes, state)

    def _measured(
        self,
        episodes: SharedStreetEpisodes,
        state: SharedStreetState,
        comes: NDArray[np.bool_],
        number: NDArray[np.int64],
    ) -> None:
        if not self.observer.compiled:  # type: ignore[attr-defined]
            return super()._measured(episodes, state, comes, number)
        n = len(state.slot)
        look_ups = np.empty((n * self.num_agents, *self._most[1:]), np.float32)
        who = np.empty((n * self.num_agents, 2), np.int64)
        drawn = (
            episodes.row, episodes.lane, episodes.sinr_db, episodes.measured_dbm, episodes.reported_m,
            episodes.speed_mps, episodes.reports,
        )  # fmt: skip
        its = (
            state.slot, state.id, state.serving, state.doing, state.order, state.candidate, state.prepared,
            state.map_dbm, state.map_count, state.change_db, state.known,
        )  # fmt: skip
        out_db, shared = np.float32(self.config.out_db), bool(self.config.shared_map)
        count = compiled.kernel(MEASURING).measured(drawn, its, comes, out_db, shared, look_ups, who)
        env, ue = who[:count].T
        state.efficiency_bps_hz[env, ue] = self.world.estimated_bps_hz(look_ups[:count])
        return None
