"""Rate and channel with a hysteresis, with what is expected of the next slot, and with the expected load.

    score_n = g(channel_n) / (1 + load_n) (1 - c [n is another cell]) - margin [n is another cell]

g: rate of the channel, of now or as it is expected in the next slot. load_n: other UEs at the cell, those of now or as
many as are at a cell on average. c: the share of a slot that a handover costs. Ties stay. Ours.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reading import Reading
from mmwave_baselines.cell_selection.rules import ByScore
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Range
from mmwave_gym.core.types import Float64Array


class ExpectedLoad(ByScore):
    """The score of the module's text.

    margin_bps_hz: hysteresis. ahead: weight of the expected rate of the next slot, the rest is the rate of now.
    present: weight of the load of now, the rest is the mean load. Weights are from 0 to 1, ValueError otherwise.
    """

    name = "rate, expected load"
    shared: ClassVar[bool] = True
    """Is a slot shared with those who are at the cell?"""
    tunable: ClassVar[dict[str, Allowed]] = {
        "margin_bps_hz": Range(0.0, 4.0, "bit/s/Hz"),
        "ahead": Range(0.0, 1.0),
        "present": Range(0.0, 1.0),
    }

    def __init__(self, margin_bps_hz: float = 0.0, ahead: float = 1.0, present: float = 1.0):
        super().__init__("stay")
        at_least("margin_bps_hz", margin_bps_hz, -1e6)
        between("ahead", ahead, 0.0, 1.0)
        between("present", present, 0.0, 1.0)
        self._margin, self._ahead, self._present = float(margin_bps_hz), float(ahead), float(present)
        values = {"margin_bps_hz": self._margin, "ahead": self._ahead, "present": self._present}
        self.config = {name: value for name, value in values.items() if name in self.tunable}
        self.label = f"{self.name} ({margin_bps_hz:g})"

    def score(self, game: Game, seen: Reading) -> Float64Array:
        now, ahead = np.array(game.rate_bps_hz), game.expected_rate_bps_hz
        rate = ((1.0 - self._ahead) * now + self._ahead * ahead)[seen.channel]
        other = seen.serving[:, None] != np.arange(game.num_cells)
        if self.shared:
            mean = (game.num_ues - 1) / game.num_cells
            rate = rate / (1.0 + self._present * seen.others + (1.0 - self._present) * mean)
        return rate * (1.0 - game.handover_cost * other) - self._margin * other


class RateHysteresis(ExpectedLoad):
    """Rate with a hysteresis: the load is that of now. Keywords of `ExpectedLoad` but `present`."""

    name = "rate with hysteresis"
    tunable: ClassVar[dict[str, Allowed]] = {
        name: allowed for name, allowed in ExpectedLoad.tunable.items() if name != "present"
    }

    def __init__(self, margin_bps_hz: float = 0.0, ahead: float = 1.0):
        super().__init__(margin_bps_hz, ahead)


class ChannelHysteresis(RateHysteresis):
    """Channel with a hysteresis: nobody else counts. Keywords of `RateHysteresis`."""

    name = "channel with hysteresis"
    shared = False
