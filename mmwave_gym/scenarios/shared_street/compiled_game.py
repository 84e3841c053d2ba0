"""Shared streets stepped by compiled code where that pays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.scenarios.shared_street import radio_map
from mmwave_gym.scenarios.shared_street.compiled_observation import CompiledObserver
from mmwave_gym.scenarios.shared_street.compiled_world import CompiledSharedStreetWorld
from mmwave_gym.scenarios.shared_street.config import SharedStreetConfig
from mmwave_gym.scenarios.shared_street.game import SharedStreet
from mmwave_gym.scenarios.shared_street.state import CANDIDATES, SharedStreetState
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes

MEASURING, STEPPING = f"{__package__}.measure_kernel", f"{__package__}.step_kernel"
A_STEP_S, A_COPY_S = 500e-6, 10e-6
"""What NumPy loses against compiled code in a step, and for each environment copy in it."""


class CompiledSharedStreet(SharedStreet):
    """The same steps and observations to the bit: `SharedStreet` says what they are, and plays without numba."""

    observer: CompiledObserver

    def __init__(self, config: SharedStreetConfig):
        super().__init__(config)
        self._levels = np.float32(config.out_db), np.float32(config.in_db)
        self._ways = config.handover != "conditional", config.handover != "command"
        self._shared = bool(config.shared_map)

    def _world(self) -> CompiledSharedStreetWorld:
        return CompiledSharedStreetWorld(self.config)

    def _observer(self) -> CompiledObserver:
        return CompiledObserver(self.config, self.world)

    @property
    def _kernel(self) -> Any:
        """The functions of a step; None where NumPy makes it."""
        return compiled.kernel(STEPPING) if self.observer.compiled else None

    def arrive(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> None:
        self.observer.compiled = compiled.pays(A_STEP_S + A_COPY_S * len(state.slot))
        super().arrive(episodes, state)

    def allowed(self, state: SharedStreetState) -> NDArray[np.bool_]:
        if not (kernel := self._kernel):
            return super().allowed(state)
        may = np.zeros((*state.id.shape, CANDIDATES), bool)
        kernel.allowed((state.slot, state.id, state.doing, state.candidate, state.prepared), self._ways, may)
        return may

    def _go(self, episodes: SharedStreetEpisodes, state: SharedStreetState, action: NDArray[Any]) -> Any:
        if not (kernel := self._kernel):
            return super()._go(episodes, state, action)
        moves, back = np.zeros((2, *state.id.shape), bool)
        its = (
            state.slot, state.id, state.serving, state.previous, state.since, state.target, state.doing, state.left,
            state.out_slots, state.prepared, state.candidate,
        )  # fmt: skip
        kernel.go(self.now.links(episodes, state), its, action, self._ways, self._levels[0], moves, back)
        return moves, back

    def _counted(self, state: SharedStreetState, active: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Float64Array]:
        if not (kernel := self._kernel):
            return super()._counted(state, active)
        cell, load = np.empty(state.id.shape, np.int64), np.zeros((len(state.slot), self.num_cells))
        kernel.count((state.id, state.serving, state.target, state.doing, state.left), active, cell, load)
        return cell, load

    def _serve(self, episodes: SharedStreetEpisodes, state: SharedStreetState, active: NDArray[np.bool_]) -> Any:
        if not (kernel := self._kernel):
            return super()._serve(episodes, state, active)
        state.cell, load = self._counted(state, active)
        shape = state.id.shape
        link_db, (share, sharing) = np.empty(shape, np.float32), np.empty((2, *shape))
        joins, refused = np.empty((2, *shape), bool)
        limits = self._levels[1], np.float32(self.config.refinement_db)
        its = state.doing, state.left, state.cell
        links = self.now.links(episodes, state)
        kernel.serve(links, its, load, limits, link_db, share, sharing, joins, refused)
        return link_db, share, sharing, joins, refused

    def _end(self, state: SharedStreetState, sinr_db: FloatArray, joins: Any, refused: Any) -> NDArray[np.bool_]:
        if not (kernel := self._kernel):
            return super()._end(state, sinr_db, joins, refused)
        fails = np.empty(state.id.shape, bool)
        its = (
            state.slot, state.id, state.serving, state.since, state.target, state.doing, state.left, state.out_slots,
        )  # fmt: skip
        kernel.end(its, sinr_db, joins, refused, self._levels, (self._t310, self._back), fails)
        return fails

    def _begin(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.bool_]:
        if not (kernel := self._kernel):
            return super()._begin(episodes, state)
        comes = np.empty(state.id.shape, bool)
        its = (
            state.slot, state.id, state.born, state.serving, state.previous, state.since, state.doing, state.left,
            state.out_slots, state.prepared, state.first,
        )  # fmt: skip
        sums = state.received, state.active_slots, state.value
        kernel.begin(episodes.row, episodes.present, episodes.rsrp_dbm, its, sums, comes)
        return comes

    def _measured(self, episodes: SharedStreetEpisodes, state: SharedStreetState, comes: NDArray[np.bool_]) -> None:
        if not self.observer.compiled:
            return super()._measured(episodes, state, comes)
        most = state.id.size
        look_ups = np.empty((most, len(radio_map.AHEAD_S), self.num_cells), np.float32)
        who = np.empty((most, 2), np.int64)
        drawn = (
            episodes.row, episodes.reported_lane, self.now.links(episodes, state), episodes.measured_dbm,
            episodes.reported_m, episodes.speed_mps, episodes.reports,
        )  # fmt: skip
        its = (
            state.slot, state.id, state.serving, state.doing, state.order, state.candidate, state.prepared,
            state.map_dbm, state.map_count, state.change_db, state.known,
        )  # fmt: skip
        count = compiled.kernel(MEASURING).measured(drawn, its, comes, self._levels[0], self._shared, look_ups, who)
        env, ue = who[:count].T
        state.efficiency_bps_hz[env, ue] = self._estimated(state, env, look_ups[:count])
        return None
