"""Planners for shared streets: each values every candidate over a short horizon, with loads held as broadcast.

Staying is worth the sum over slots of ln(efficiency / active UEs + 0.01). A handover loses 0.4 in its first slot, 1 in
each of two silent ones (a silent slot takes a tenth of its second's rate, ln 0.9 for ten slots), has a wide beam in the
fourth, and 10 where the access would fail. What a planner takes for the future efficiencies makes the difference.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.shared_street.rules import Commanding, own_efficiency, sharing
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.rule import Seen
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Count, Range
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.shared_street.config import SLOT_S
from mmwave_gym.scenarios.shared_street.observation import LATER
from mmwave_gym.scenarios.shared_street.radio_map import AHEAD_S
from mmwave_gym.scenarios.shared_street.scores import LEAST_BPS_HZ

COMMAND_LOSS, SILENT_LOSS, REFUSED_LOSS = 0.4, 1.0, 10.0
WIDE_BPS_HZ, WIDE_SHARE, REFUSED_BPS_HZ = 2.0, 0.4, 0.4
"""6 dB take 2 bit/s/Hz of a good link, about 60 % of a weak one; below 0.4 bit/s/Hz an access is likely refused."""


class Planner(Commanding):
    """Base of planners: commands the candidate whose plan is worth most, `margin` above staying.

    horizon: slots of 0.1 s.
    """

    def __init__(self, horizon: int = 8, margin: float = 2.0, **condition: Any):
        super().__init__(**condition)
        at_least("horizon", horizon, 4, integer=True)
        self.horizon, self.margin = int(horizon), float(margin)
        self.config = {"horizon": self.horizon, "margin": self.margin, **self.config}

    def gain(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        efficiency = self.future(seen, rows)
        among = sharing(seen, rows)[..., None]
        each = np.log(efficiency / among + LEAST_BPS_HZ)  # (rows, choices, horizon)
        stays = each[:, :1].sum(axis=2)
        goes = each[:, 1:]
        wide = efficiency[:, 1:, 3]
        left = np.where(wide > WIDE_BPS_HZ, wide - WIDE_BPS_HZ, WIDE_SHARE * wide)
        value = each[:, :1, 0] - COMMAND_LOSS + goes[..., 1:3].sum(axis=2) - 2.0 * SILENT_LOSS
        value += np.log(left / among[:, 1:, 0] + LEAST_BPS_HZ) + goes[..., 4:].sum(axis=2)
        value -= np.where(self.refused(seen, rows, wide), REFUSED_LOSS, 0.0)
        return value - stays - self.margin

    def future(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        """(rows, choices, horizon): efficiencies in bit/s/Hz from this slot on."""
        raise NotImplementedError

    def refused(self, seen: Seen, rows: NDArray[np.intp], wide: Float64Array) -> NDArray[np.bool_]:
        """(rows, choices but the serving cell): would access fail? wide: efficiency in its slot, bit/s/Hz."""
        return wide < REFUSED_BPS_HZ


class MapPlanner(Planner):
    """Plans by the radio map: now what is measured, over 0.6 s more and more what the map says of where the UE will be.

    Commands are planned; the condition beside them catches what neither foresaw.
    """

    tunable: ClassVar[Any] = {
        "horizon": Count(5, 20, "slots"),
        "margin": Range(0.0, 6.0),
        "offset_db": Commanding.condition["offset_db"],
        "below_db": Commanding.condition["below_db"],
    }
    trusts_s = 0.6

    def __init__(self, horizon: int = 8, margin: float = 2.0, offset_db: float = 6.0, below_db: float = -6.0):
        super().__init__(horizon, margin, conditional=True, offset_db=offset_db, below_db=below_db)
        self.label = f"map planner + CHO ({self.horizon} slots, {self.margin:g})"

    def future(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        now = own_efficiency(seen, rows)
        # Knots of the map's look-ups; at 0 s the measurement stands.
        knots = np.stack([now, *(seen[f"ahead_{text}_bps_hz"][rows].astype(np.float64) for text in LATER)])
        at_s = np.minimum(SLOT_S * np.arange(self.horizon), AHEAD_S[-1])
        later = np.searchsorted(AHEAD_S, at_s, side="right").clip(1, len(AHEAD_S) - 1)
        begin, end = np.array(AHEAD_S)[later - 1], np.array(AHEAD_S)[later]
        part = (at_s - begin) / (end - begin)
        # Before the first knot the map's nearest look-up stands for the map.
        low = np.where(later == 1, 1, later - 1)
        mapped = (1.0 - part) * np.moveaxis(knots[low], 0, -1) + part * np.moveaxis(knots[later], 0, -1)
        trust = np.clip(1.0 - at_s / self.trusts_s, 0.0, 1.0)
        return trust * now[..., None] + (1.0 - trust) * mapped


class Clairvoyant(Planner):
    """Plans by the true links of the coming slots; of the loads it knows the broadcast alone."""

    access = "trajectory"
    tunable: ClassVar[Any] = {"horizon": Count(5, 12, "slots"), "margin": Range(0.0, 4.0)}

    def __init__(self, horizon: int = 10, margin: float = 2.0):
        super().__init__(horizon, margin)
        self.label = f"clairvoyant ({self.horizon} slots)"

    def future(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        self._sinr_db = next_of_candidates(seen, rows)
        most, out_db = seen.constants["most_bps_hz"], seen.constants["out_db"]
        sinr_db = self._sinr_db[..., : self.horizon]
        rate = np.minimum(np.log2(1.0 + 10.0 ** (0.1 * sinr_db)), most)
        return np.where(sinr_db < out_db, 0.0, rate)

    def refused(self, seen: Seen, rows: NDArray[np.intp], wide: Float64Array) -> NDArray[np.bool_]:
        return self._sinr_db[:, 1:, 3] < seen.constants["in_db"]


class GreedyNow(Commanding):
    """Greedy by the true efficiencies and loads of now, of all cells: what lateness costs a greedy rule."""

    access = "central"
    tunable: ClassVar[Any] = {"hysteresis": Range(0.1, 2.0)}

    def __init__(self, hysteresis: float = 0.7):
        super().__init__()
        self.hysteresis = float(hysteresis)
        self.config = {"hysteresis": self.hysteresis}
        self.label = f"greedy, all of now ({self.hysteresis:g})"

    def gain(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        known = seen.look("sinr_db", "sharing", "candidate")
        env = rows // seen.view.num_agents
        cell = known["candidate"].reshape(-1, known["candidate"].shape[2])[rows]
        sinr_db = np.take_along_axis(known["sinr_db"].reshape(len(seen), -1)[rows], np.maximum(cell, 0), axis=1)
        load = known["sharing"][env[:, None], np.maximum(cell, 0)]
        load[:, 0] -= seen["active"][rows, 0]
        rate = np.minimum(np.log2(1.0 + 10.0 ** (0.1 * sinr_db.astype(np.float64))), seen.constants["most_bps_hz"])
        rate = np.where(sinr_db < seen.constants["out_db"], 0.0, rate)
        value = np.log(rate / (load + 1.0) + LEAST_BPS_HZ)
        gain = value[:, 1:] - value[:, :1] - self.hysteresis
        return np.where(sinr_db[:, 1:] > seen.constants["in_db"] + 2.0, gain, -1.0)


def next_of_candidates(seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
    """(rows, choices, slots): SINR in dB of each candidate from this slot on, as access level "trajectory" has it."""
    if seen.view.access not in ("trajectory", "hindsight"):
        raise AgentError("a clairvoyant needs access level 'trajectory'.")
    known = seen.look("sinr_next_db", "candidate")
    ahead = known["sinr_next_db"]
    ahead = ahead.reshape(-1, *ahead.shape[2:])[rows]
    cell = np.maximum(known["candidate"].reshape(len(seen), -1)[rows], 0)
    return np.moveaxis(np.take_along_axis(ahead, cell[:, None, :], axis=2), 1, 2).astype(np.float64)
