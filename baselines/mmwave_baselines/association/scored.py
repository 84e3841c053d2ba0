"""MSR with three prices, alone and on top of COVER: one score, constants for each world."""

from __future__ import annotations

from typing import ClassVar

from mmwave_baselines.association.reading import Reading
from mmwave_baselines.association.rules import ByScore, Cover
from mmwave_gym.agents.rule import Seen
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Allowed, Range
from mmwave_gym.core.types import Float64Array

_PRICE = Range(-8.0, 8.0, "bit/s/Hz")


class Score(ByScore):
    """MSR and PRICE with a weight on what the cell's UEs lose and a price of opening a free cell. Ours.

        score = (m - lam S) / (n + 1) - kappa / ((n + 1) (n + 2)) - opening [n = 0]

    m: mean efficiency of the UE's link with the candidate. S, n: mean efficiency and number of the candidate's other
    UEs. MSR is lam = 1 and nothing else, PRICE has kappa = 3 besides, which is the default.

    lam: a number. kappa_bps_hz, opening_bps_hz: prices, below 0 rewards. ValueError for what is not finite.
    """

    label = "score (three prices)"
    tunable: ClassVar[dict[str, Allowed]] = {"lam": Range(0.0, 2.0), "kappa_bps_hz": _PRICE, "opening_bps_hz": _PRICE}

    def __init__(self, lam: float = 1.0, kappa_bps_hz: float = 3.0, opening_bps_hz: float = 0.0):
        self.config = {"lam": lam, "kappa_bps_hz": kappa_bps_hz, "opening_bps_hz": opening_bps_hz}
        for parameter, value in self.config.items():
            at_least(parameter, value, -1e6)
        self._lam = lam
        self._kappa, self._opening = kappa_bps_hz, opening_bps_hz

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        own = (now.mean - self._lam * now.cell_mean) / (now.load + 1.0)
        return own - prices(now, self._kappa, self._opening)


class CoverScore(Cover):
    """COVER with the prices of `Score`: what joining crowds later, and what opening a free cell takes. Ours.

    threshold_bps_hz: COVER's, at least 0. kappa_bps_hz, opening_bps_hz: prices, below 0 rewards. The default is COVER.
    ValueError otherwise.
    """

    label = "COVER with prices"
    tunable: ClassVar[dict[str, Allowed]] = {
        "threshold_bps_hz": Range(0.0, 5.0, "bit/s/Hz"),
        "kappa_bps_hz": _PRICE,
        "opening_bps_hz": _PRICE,
    }

    def __init__(self, threshold_bps_hz: float = 2.0, kappa_bps_hz: float = 0.0, opening_bps_hz: float = 0.0):
        super().__init__(threshold_bps_hz)
        self._kappa, self._opening = kappa_bps_hz, opening_bps_hz
        more = {"kappa_bps_hz": kappa_bps_hz, "opening_bps_hz": opening_bps_hz}
        for parameter, value in more.items():
            at_least(parameter, value, -1e6)
        self.config = {**self.config, **more}

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        return super().score(seen, now) - prices(now, self._kappa, self._opening)


def prices(now: Reading, kappa_bps_hz: float, opening_bps_hz: float) -> Float64Array:
    """What crowding and opening cost each candidate, (rows, candidate), in bit/s/Hz."""
    return kappa_bps_hz / ((now.load + 1.0) * (now.load + 2.0)) + opening_bps_hz * (now.load == 0.0)
