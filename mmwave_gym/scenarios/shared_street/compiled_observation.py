"""Observations of shared streets by compiled code where that pays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.scenarios.shared_street import observation
from mmwave_gym.scenarios.shared_street.config import SharedStreetConfig
from mmwave_gym.scenarios.shared_street.observation import Observer
from mmwave_gym.scenarios.shared_street.state import SharedStreetState
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes, SharedStreetWorld

SEEING = f"{__package__}.observe_kernel"


class CompiledObserver(Observer):
    """The same observations to the bit: `Observer` says what they are."""

    compiled = False

    def __init__(self, config: SharedStreetConfig, world: SharedStreetWorld):
        super().__init__(config, world)
        self._middle = np.array([middle for _, middle in world.crossing.lane_axes])
        self._bounds = (
            observation.LEAST_DBM, observation.MOST_DBM, observation.LEAST_SINR_DB, observation.MOST_SINR_DB,
            observation.CHANGE_DB, observation.FARTHEST_M, observation.FASTEST_MPS, observation.LONG_S,
            float(config.t310_s),
        )  # fmt: skip

    def observe(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.float32]:
        if not self.compiled:
            return super().observe(episodes, state)
        seen = np.zeros((*state.id.shape, self.fields.size), np.float32)
        drawn = (
            episodes.row, episodes.reported_lane, self.now.active(episodes, state), episodes.rsrp_dbm,
            self.now.links(episodes, state), episodes.measured_dbm, episodes.reported_m, episodes.speed_mps,
            episodes.error_db,
        )  # fmt: skip
        its = (
            state.slot, state.id, state.serving, state.since, state.doing, state.out_slots, state.prepared,
            state.candidate, state.first, state.load, state.load_before, state.efficiency_bps_hz, state.change_db,
            state.known,
        )  # fmt: skip
        place = self.world.site_m, self._heading, self._middle, np.float32(self.world.crossing.arm_m)
        compiled.kernel(SEEING).observe(drawn, its, place, self._bounds, self.config.num_cars, seen)
        if self.now.queued:
            self.queue(state, self.fields.split(seen))
        return seen
