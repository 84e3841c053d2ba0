"""Least squares in UDN handover: by how much a cell will be better than the serving one, linear in what was heard.

Layouts are drawn anew in every episode, so all cells share their weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmwave_baselines.forecast import Answers, LeastSquares
from mmwave_baselines.handover.rules import num_cells, read
from mmwave_baselines.handover.saturated import BIT_DB
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Float64Array, Int64Array

SHARES = (0.3, 0.1, 0.03)
"""Weights of the newest slot in the running means that the forecast knows (ours)."""


@dataclass
class MeansMemory:
    mean: Float64Array  # (rows, cells, shares): running means of RSRQ, in bit/s/Hz
    slots: Int64Array  # (rows,): slots that they hold


class HandoverLeastSquares(LeastSquares):
    """The candidate whose mean gain over the serving cell is forecast to be greatest, where it is enough. Ours.

    The gain is linear in the differences of RSRQ between both cells, now and of running means, and in the serving
    cell's own. Keywords: `LeastSquares`.
    """

    windows: ClassVar[tuple[str, ...]] = ("2", "0.5", "8")
    teacher: ClassVar[str] = "saturated"

    def remember(self, view: View) -> MeansMemory:
        shape = (view.num_rows, num_cells(view), len(SHARES))
        return MeansMemory(np.zeros(shape), np.zeros(view.num_rows, np.int64))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now = read(seen)
        gain = self.forecast(self.features(seen))[..., 0]
        gain = np.where(now.candidate, gain, -np.inf)
        kept = np.where(now.of(now.candidate, now.serving), self.config["margin_bps_hz"], -1e9)
        gain[np.arange(len(gain)), now.serving] = np.where(now.of(now.allowed, now.serving), kept, -np.inf)
        best = gain.argmax(axis=1)
        return np.where(now.of(now.allowed, best), best, now.allowed.argmax(axis=1))

    def features(self, seen: Seen) -> Float64Array:
        """(rows, cells, features), bit/s/Hz; it moves the running means on by the slot that is seen."""
        now, memory = read(seen), seen.memory
        level = now.rsrq_db.astype(np.float64) / BIT_DB
        memory.slots = memory.slots + 1
        share = np.maximum(SHARES, 1.0 / memory.slots[:, None])[:, None, :]
        memory.mean = memory.mean + share * (level[:, :, None] - memory.mean)
        heard = np.concatenate((level[:, :, None], memory.mean), axis=2)
        own = heard[np.arange(len(level)), now.serving][:, None]
        return np.concatenate((heard - own, np.broadcast_to(own, heard.shape)), axis=2)

    @classmethod
    def answers(cls, view: View) -> Answers:
        """What the forecast should have been: the mean gain of each cell in each window, from the walks themselves."""
        rate = view.look("efficiency_bps_hz")["efficiency_bps_hz"].astype(np.float64)  # (N, slot, A, cell)
        rate = rate.swapaxes(1, 2).reshape(-1, rate.shape[1], rate.shape[3])
        total = np.concatenate((np.zeros((len(rate), 1, rate.shape[2])), rate.cumsum(axis=1)), axis=1)
        row, last = np.arange(len(rate)), rate.shape[1]

        def at(seen: Seen, features: Float64Array, window: str) -> tuple[Float64Array, Float64Array]:
            slot = seen.memory.slots - 1
            end = np.minimum(slot + max(round(float(window) / view.constants["step_s"]), 1), last)
            mean = (total[row, end] - total[row, slot]) / (end - slot)[:, None]
            gain = mean - mean[row, seen["serving"].argmax(axis=1)][:, None]
            return features.reshape(-1, features.shape[2]), gain.reshape(-1, 1)

        return at
