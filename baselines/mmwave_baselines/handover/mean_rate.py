"""A rule of two parameters for UDN handover with a real receiver: what the mean signals are worth in rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.handover.rules import num_cells, read
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Range
from mmwave_gym.core.types import Float64Array, Int64Array


@dataclass
class MeanRateMemory:
    mean_db: Float64Array  # (rows, cells): the running mean of RSRQ
    slots: Int64Array  # (rows,): slots that it holds


class MeanRate(Rule):
    """Hands over where the rate of the mean signal pays for the handover within so many slots. Ours.

        gain_n = T (r_n - r_s) - h - w r_s

    r: the rate that a cell's mean signal would have. The mean is that of RSRQ in dB,
    f += max(alpha, 1 / t) (q - f), as layer 3 filters it (3GPP TS 38.331, 5.5.3.2). s: the serving cell. h: the
    handover's cost in bit/s/Hz; w: the slots that it interrupts, both of the world. It takes the largest gain above 0.

    slots: T, from 0. alpha: weight of the newest slot, 0 to 1. ValueError otherwise.
    """

    tunable: ClassVar[dict[str, Allowed]] = {"slots": Range(0.0, 40.0), "alpha": Range(0.0, 0.6)}

    def __init__(self, slots: float = 6.0, alpha: float = 0.2):
        at_least("slots", slots, 0.0)
        between("alpha", alpha, 0.0, 1.0)
        self._slots, self._alpha = float(slots), float(alpha)
        self.label = f"rate of the mean ({self._slots:g} slots, {self._alpha:g})"
        self.config = {"slots": self._slots, "alpha": self._alpha}

    def remember(self, view: View) -> MeanRateMemory:
        return MeanRateMemory(np.zeros((view.num_rows, num_cells(view))), np.zeros(view.num_rows, np.int64))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now, memory, known = read(seen), seen.memory, seen.constants
        memory.slots = memory.slots + 1
        share = np.maximum(self._alpha, 1.0 / memory.slots)[:, None]
        memory.mean_db = memory.mean_db + share * (now.rsrq_db.astype(np.float64) - memory.mean_db)
        rate = rates_of(memory.mean_db, known.get("interference_db"), known.get("most_bps_hz"))
        own = now.of(rate, now.serving)
        cost = known["beta"] * known["handover_energy_j"] + known["interruption_s"] / known["step_s"] * own
        gain = self._slots * (rate - own[:, None]) - cost[:, None]
        gain = np.where(now.candidate, gain, -np.inf)
        gain[np.arange(len(gain)), now.serving] = np.where(now.of(now.allowed, now.serving), 0.0, -np.inf)
        return gain.argmax(axis=1)


def rates_of(rsrq_db: NDArray[Any], interference_db: float | None, most_bps_hz: float | None) -> Float64Array:
    """The rates (rows, cells) in bit/s/Hz that signals would have without noise, which a UE does not report.

    rsrq_db: (rows, cells) in dB. Without interference the rates are up to a constant, the same for all cells.
    """
    share = 10.0 ** (rsrq_db / 10.0)
    share /= share.sum(axis=1, keepdims=True)
    if interference_db is None:
        return np.log2(share)
    others = np.maximum(1.0 - share, 1e-12)  # of a lone cell nothing is left
    rate: Float64Array = np.log2(1.0 + share / (10.0 ** (interference_db / 10.0) * others))
    return rate if most_bps_hz is None else np.minimum(rate, most_bps_hz)
