"""What holds in the running slot of a shared street, whether it was drawn or depends on what agents do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.scenarios.shared_street.config import SharedStreetConfig
from mmwave_gym.scenarios.shared_street.state import SharedStreetState
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes


class Now:
    """Answers for one configuration."""

    def __init__(self, config: SharedStreetConfig):
        self.by_load, self.queued = config.interference == "load", config.demand == "queue"

    def links(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> tuple[Any, Any, Any]:
        """SINRs in dB (any, slot, ue, cell), and which rows (N,) and slots (N,) of them are the environments' now."""
        if not self.by_load:
            return episodes.sinr_db, episodes.row, state.slot
        n = len(state.slot)
        return state.sinr_db[:, None], np.arange(n), np.zeros(n, np.int64)

    def sinr_db(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.float32]:
        """(N, ue, cell): SINRs of the slot in dB."""
        table, row, slot = self.links(episodes, state)
        now_db: NDArray[np.float32] = table[row, slot]
        return now_db

    def active(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.bool_]:
        """(N, ue): for whom data are to be sent; of nobody, it means nothing."""
        if self.queued:
            return np.asarray((state.waiting > 0.0).any(axis=2))
        return episodes.active[episodes.row, state.slot]
