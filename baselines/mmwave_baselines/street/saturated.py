"""The saturated rule of UDN handover, in a street: rates of now, and a value of their means that saturates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmwave_baselines.street.fresh import Fresh, rate_bps_hz
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Range
from mmwave_gym.core.types import Float64Array, Int64Array


@dataclass
class SaturatedMemory:
    mean_bps_hz: Float64Array  # (rows, cells): the running mean
    decisions: Int64Array  # (rows,): decisions that it holds


class Saturated(Fresh):
    """Hands over where the gain of now and the value of the mean's gain pay for the handover. Ours.

        gain_n = r_n - r_s + h tanh(T (f_n - f_s) / h) - h

    r: rate in bit/s/Hz, of the serving cell by its SINR of now, of the others by their measurements. f: its running
    mean over decisions, f += max(alpha, 1 / t) (r - f). s: the serving cell. h: what a handover costs.

    decisions: T, from 0. alpha: weight of the newest decision, 0 to 1. cost_bps_hz: h, above 0. past: weight of the
    past in the filter of measurements, 0 to below 1. ValueError otherwise. Below `out_db` it never commands.
    """

    tunable: ClassVar[dict[str, Allowed]] = {
        "decisions": Range(0.0, 30.0),
        "alpha": Range(0.0, 0.5),
        "cost_bps_hz": Range(0.1, 10.0, "bit/s/Hz"),
        "past": Range(0.0, 0.9),
    }

    def __init__(self, *, decisions: float = 10.0, alpha: float = 0.2, cost_bps_hz: float = 3.0, past: float = 0.0):
        super().__init__(past=past)
        at_least("decisions", decisions, 0.0)
        between("alpha", alpha, 0.0, 1.0)
        at_least("cost_bps_hz", cost_bps_hz, 1e-6)
        self.config = {
            "decisions": float(decisions),
            "alpha": float(alpha),
            "cost_bps_hz": float(cost_bps_hz),
            "past": float(past),
        }
        self.label = f"saturated mean ({decisions:g} decisions, {alpha:g})"

    def remember(self, view: View) -> SaturatedMemory:  # type: ignore[override]
        shape = (view.num_rows, int(view.constants["num_cells"]))
        return SaturatedMemory(np.zeros(shape), np.zeros(view.num_rows, np.int64))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        its, memory, known, serving = self.config, seen.memory, seen.constants, seen["serving"].argmax(axis=1)
        row, own_db = np.arange(len(serving)), seen["sinr_db"][:, 0].astype(np.float64)
        sinr_db = self.measured_db(seen)
        sinr_db[row, serving] = own_db
        rate = rate_bps_hz(sinr_db, known)
        memory.decisions = memory.decisions + 1
        share = np.maximum(its["alpha"], 1.0 / memory.decisions)[:, None]
        memory.mean_bps_hz = memory.mean_bps_hz + share * (rate - memory.mean_bps_hz)
        better = memory.mean_bps_hz - memory.mean_bps_hz[row, serving][:, None]
        cost = its["cost_bps_hz"]
        gain = rate - rate[row, serving][:, None] + cost * np.tanh(its["decisions"] * better / cost) - cost
        gain[row, serving] = 0.0
        return np.where(own_db < known["out_db"], serving, gain.argmax(axis=1))
