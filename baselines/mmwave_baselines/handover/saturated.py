"""A rule of two parameters for UDN handover: the newest slot, and a value of the mean that saturates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmwave_baselines.handover.rules import num_cells, read
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Range
from mmwave_gym.core.types import Float64Array, Int64Array

BIT_DB = 10.0 * np.log10(2.0)
"""3.01 dB of SNR are worth one bit/s/Hz where the SNR is high."""


@dataclass
class SaturatedMemory:
    mean_bps_hz: Float64Array  # (rows, cells): the running mean
    slots: Int64Array  # (rows,): slots that it holds


class Saturated(Rule):
    """Hands over where this slot's gain and the value of the mean's gain pay for the handover. Ours.

        gain_n = q_n - q_s + h tanh(T (f_n - f_s) / h) - h

    q: RSRQ / 3.01 dB, in bit/s/Hz. f: its running mean, f += max(alpha, 1 / t) (q - f). s: the serving cell. h: the
    handover's cost in bit/s/Hz, of the world. A cell that stays better for T slots is worth T (f_n - f_s), and never
    more than h, because for h the UE can go there later.

    slots: T, from 0. alpha: weight of the newest slot, 0 to 1. ValueError otherwise.
    """

    tunable: ClassVar[dict[str, Allowed]] = {"slots": Range(0.0, 20.0), "alpha": Range(0.0, 0.5)}

    def __init__(self, slots: float = 5.0, alpha: float = 0.1):
        at_least("slots", slots, 0.0)
        between("alpha", alpha, 0.0, 1.0)
        self._slots, self._alpha = float(slots), float(alpha)
        self.label = f"saturated mean ({self._slots:g} slots, {self._alpha:g})"
        self.config = {"slots": self._slots, "alpha": self._alpha}

    def remember(self, view: View) -> SaturatedMemory:
        return SaturatedMemory(np.zeros((view.num_rows, num_cells(view))), np.zeros(view.num_rows, np.int64))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now, memory, known = read(seen), seen.memory, seen.constants
        cost = known["beta"] * known["handover_energy_j"]
        level = now.rsrq_db.astype(np.float64) / BIT_DB
        memory.slots = memory.slots + 1
        share = np.maximum(self._alpha, 1.0 / memory.slots)[:, None]
        memory.mean_bps_hz = memory.mean_bps_hz + share * (level - memory.mean_bps_hz)
        better = memory.mean_bps_hz - now.of(memory.mean_bps_hz, now.serving)[:, None]
        worth = cost * np.tanh(self._slots * better / cost) if cost > 0.0 else 0.0
        gain = level - now.of(level, now.serving)[:, None] + worth - cost
        gain = np.where(now.candidate, gain, -np.inf)
        gain[np.arange(len(gain)), now.serving] = np.where(now.of(now.allowed, now.serving), 0.0, -np.inf)
        return gain.argmax(axis=1)
