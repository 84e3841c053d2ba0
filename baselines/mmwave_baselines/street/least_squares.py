"""Least squares in a street: each cell's rate in the next seconds, linear in all that the UE sees.

On a street that is known the weights hold its map: which cell comes next where these cells are heard like this.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mmwave_baselines.forecast import Answers, LeastSquares
from mmwave_baselines.street.fresh import measured_sinr_db, rate_bps_hz
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Float64Array, Int64Array


class StreetLeastSquares(LeastSquares):
    """The cell with the best forecast, where that is enough better than the serving cell's. Ours.

    The forecast is linear in the measured levels of all cells, their rates, the serving cell's SINRs in its own place,
    which cell serves, and the age of the measurements. Below `out_db` it never commands. Keywords: `LeastSquares`.
    """

    windows: ClassVar[tuple[str, ...]] = ("2", "1", "4")
    teacher: ClassVar[str] = "a3-fresh"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        expected, serving = self.forecast(self.features(seen)), seen["serving"].argmax(axis=1)
        row, best = np.arange(len(serving)), expected.argmax(axis=1)
        goes = expected[row, best] > expected[row, serving] + self.config["margin_bps_hz"]
        goes &= seen["sinr_db"][:, 0] >= seen.constants["out_db"]
        return np.where(goes, best, serving)

    def features(self, seen: Seen) -> Float64Array:
        """(rows, features): levels in dBm, rates in bit/s/Hz, SINRs in dB in the serving cell's place, mark, age."""
        serving, own_db = seen["serving"].astype(np.float64), seen["sinr_db"].astype(np.float64)
        levels = [part for name, part in seen.parts.items() if name.startswith("rsrp_")]
        rate = rate_bps_hz(measured_sinr_db(levels[0].astype(np.float64), seen.constants), seen.constants)
        at_serving = [serving * own_db[:, i : i + 1] for i in range(own_db.shape[1])]
        own_rate = serving * rate_bps_hz(own_db[:, :1], seen.constants)
        return np.concatenate((*levels, rate, *at_serving, own_rate, serving, seen["age_s"]), axis=1, dtype=np.float64)

    @classmethod
    def answers(cls, view: View) -> Answers:
        """What the forecast should have been: the mean rate of each cell in each window, from the drives themselves."""
        known = view.constants
        rate = rate_bps_hz(view.look("sinr_ahead_db")["sinr_ahead_db"].astype(np.float64), known)
        total = np.concatenate((np.zeros((len(rate), 1, rate.shape[2])), rate.cumsum(axis=1)), axis=1)
        row, last = np.arange(len(rate)), rate.shape[1]

        def at(seen: Seen, features: Float64Array, window: str) -> tuple[Float64Array, Float64Array]:
            tick = view.look("tick")["tick"]
            end = np.minimum(tick + round(float(window) / known["tick_s"]), last)
            return features, (total[row, end] - total[row, tick]) / (end - tick)[:, None]

        return at
