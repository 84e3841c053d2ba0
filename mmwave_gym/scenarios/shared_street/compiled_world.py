"""Episodes of shared streets drawn by compiled code where that pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio.street_maps import NOISE_DBM
from mmwave_gym.radio.units import NATS_PER_DB
from mmwave_gym.scenarios.shared_street import traffic
from mmwave_gym.scenarios.shared_street.world import MOVING_MPS, SharedStreetEpisodes, SharedStreetWorld

MOVING, WORLD = f"{__package__}.traffic_kernel", f"{__package__}.world_kernel"
A_SLOT_S = 100e-6
"""What NumPy loses against compiled code in a slot of an episode."""


class CompiledSharedStreetWorld(SharedStreetWorld):
    """The same episodes to the bit: `SharedStreetWorld` says what is drawn, and draws where numba is missing."""

    _compiled = False

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: SharedStreetEpisodes, rows: NDArray[np.intp]) -> None:
        self._compiled = compiled.pays(A_SLOT_S * self.slots * len(rngs))
        super().draw_into(rngs, episodes, rows)

    def move(self, movers: traffic.Movers) -> tuple[Any, Any, Any, Any]:
        if not self._compiled:
            return super().move(movers)
        c, shape = self.config, (self.slots, self.num_ues)
        along_m, speed_mps, present = np.empty(shape), np.empty(shape), np.empty(shape, bool)
        lanes, crossing = np.empty(shape, np.int16), self.crossing
        compiled.kernel(MOVING).move(
            movers.lane, movers.along_m, movers.desired_mps, movers.phase, movers.turn, c.num_cars,
            2.0 * float(c.arm_m), c.lights, float(c.turning), tuple(crossing.ways), crossing.street_of_lane, along_m,
            speed_mps, present, lanes,
        )  # fmt: skip
        return along_m, speed_mps, present, lanes

    def change(
        self, share: Any, ends: Any, begins: Any, u: NDArray[np.float32], anew: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        if not self._compiled:
            return super().change(share, ends, begins, u, anew)
        state = np.empty(u.shape, bool)
        flat = *u.shape[:2], u.size // max(anew.size, 1)
        compiled.kernel(WORLD).change(share, ends, begins, u.reshape(flat), anew, state.reshape(flat))
        return state

    def links(
        self,
        loss_db: NDArray[np.float32],
        lane: NDArray[np.int16],
        along_m: Float64Array,
        blocked: NDArray[np.bool_],
        rsrp_dbm: NDArray[np.float32],
        sinr_db: NDArray[np.float32],
    ) -> None:
        if not self._compiled:
            return super().links(loss_db, lane, along_m, blocked, rsrp_dbm, sinr_db)
        kernel, level = compiled.kernel(WORLD), np.empty(rsrp_dbm.shape)
        law_db = float(self.config.link_budget_db), float(self.config.blockage_db), NOISE_DBM
        scales = NATS_PER_DB, self.crossing.point_m
        kernel.levels(loss_db, lane, along_m, blocked, law_db, scales, rsrp_dbm, level)
        np.exp(level, out=level)
        kernel.interfered(level.reshape(-1, self.num_cells), self.interference)
        np.log10(level, out=level)
        np.multiply(level, 10.0, out=level)
        sinr_db[...] = level
        return None

    def measure(
        self,
        rsrp_dbm: NDArray[np.float32],
        present: NDArray[np.bool_],
        noise: NDArray[np.float32],
        measured_dbm: NDArray[np.float32],
    ) -> None:
        if not self._compiled:
            return super().measure(rsrp_dbm, present, noise, measured_dbm)
        error_db = float(self.config.measurement_error_db)
        return compiled.kernel(WORLD).measure(rsrp_dbm, present, noise, error_db, measured_dbm)

    def report(
        self,
        along_m: Float64Array,
        speed_mps: Float64Array,
        lane: NDArray[np.int16],
        present: NDArray[np.bool_],
        errors: Float64Array,
        reported_m: NDArray[np.float32],
        told_mps: NDArray[np.float32],
        told_lane: NDArray[np.int16],
    ) -> None:
        if not self._compiled:
            return super().report(along_m, speed_mps, lane, present, errors, reported_m, told_mps, told_lane)
        sizes = float(self.config.position_error_m), float(self.config.speed_error_mps), MOVING_MPS
        told = reported_m, told_mps, told_lane
        return compiled.kernel(WORLD).report(along_m, speed_mps, lane, present, errors, *sizes, *told)
