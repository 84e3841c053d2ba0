"""What agents of shared streets may know beyond their observations, by access level."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_gym.core.types import FloatArray
from mmwave_gym.scenarios.shared_street.config import SLOT_S
from mmwave_gym.scenarios.shared_street.state import SharedStreetState
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes

NEXT_S = 1.2
"""How far ahead "trajectory" knows the own links."""


def revealed(game: Any, episodes: SharedStreetEpisodes, state: SharedStreetState, access: str) -> dict[str, Any]:
    """Arrays by name; game: a `SharedStreet`.

    From "central": `slot` (N,); `rsrp_dbm`, `sinr_db` (N, ue, cell) now; `serving` (N, ue), `candidate` (N, ue,
    choice), cells, -1 for none; `sharing` (N, cell), active UEs that share each cell now. From "trajectory":
    `map_seed` (N,), `lane` and `along_m` (N, slot, ue), and `sinr_next_db` (N, ue, slots of 1.2 s, cell), the own
    links from now on. "hindsight" adds `sinr_ahead_db`, `rsrp_ahead_dbm` (N, slot, ue, cell), `measured_ahead_dbm` (N,
    measurement, ue, cell), `active_ahead` and `present_ahead` (N, slot, ue), of the whole episode.

    Where interference follows load, SINRs of later slots are those with all cells interfering. With queues,
    `active_ahead` says when files come.
    """
    row, at = episodes.row, (episodes.row, state.slot)
    known: dict[str, Any] = {
        "slot": state.slot,
        "rsrp_dbm": lambda: episodes.rsrp_dbm[at],
        "sinr_db": lambda: game.now.sinr_db(episodes, state),
        "serving": state.serving,
        "candidate": state.candidate,
        "sharing": lambda: game.sharing(episodes, state),
    }
    if access != "central":
        known |= {"map_seed": lambda: episodes.map_seed[row], "lane": lambda: episodes.lane[row]}
        known |= {
            "along_m": lambda: episodes.along_m[row],
            "sinr_next_db": lambda: _next(game.horizon, episodes, state),
        }
    if access == "hindsight":
        known["sinr_ahead_db"] = lambda: episodes.sinr_db[row]
        known["rsrp_ahead_dbm"] = lambda: episodes.rsrp_dbm[row]
        known["measured_ahead_dbm"] = lambda: episodes.measured_dbm[row]
        known["active_ahead"] = lambda: episodes.active[row]
        known["present_ahead"] = lambda: episodes.present[row]
    return known


def _next(horizon: int, episodes: SharedStreetEpisodes, state: SharedStreetState) -> FloatArray:
    slots = np.minimum(state.slot[:, None] + np.arange(round(NEXT_S / SLOT_S)), horizon)
    return episodes.sinr_db[episodes.row[:, None], slots].transpose(0, 2, 1, 3)
