"""Cells that share their bandwidth equally among their UEs: who is where, and what everybody had of it, exactly.

Between two moves of UEs a cell's load n and the sum S of its UEs' efficiencies are constant, so integrals over time of
shares and of marginal contributions are sums over moves. A move touches two cells only; each cell keeps its integrals
up to the time at which it was touched last.

The last cell is nobody's: who has no candidate is there. Its load is infinite, so it gives no share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import Float64Array

# Columns of `Sharing.cells`. The integrals are those of 1/n; of what the cell's other UEs lose to one of them beside
# its own rate, S/n - S/(n-1); and of what one of them adds per unit of its efficiency, 1/(n-1), alone 1.
LOAD, TOTAL, TOUCHED_S, INTEGRALS = 0, 1, 2, slice(3, 6)
# Columns of `Sharing.ues`. `THEN` are the integrals of the UE's cell when it came, the first one those at `SINCE_S`.
PLANNED, SINCE_S, THEN = 0, 1, slice(2, 5)


class Move(NamedTuple):
    """What a UE of each environment leaves and finds; all (N,)."""

    before: NDArray[np.int64]  # the cell it leaves
    since_s: Float64Array  # from when on it was not paid
    share_s: Float64Array  # integral of its share since then
    credit: Float64Array  # what it added to the network since its last move, bit/Hz with planned efficiencies
    load: Float64Array  # of the cell it joins, without it
    total: Float64Array


@dataclass
class Sharing:
    """N envs of a network. Numbers that are used together lie together: an access costs more than arithmetic."""

    serving: NDArray[np.int64]  # (N, ue): cells
    ues: Float64Array  # (N, ue, 5): PLANNED (mean efficiency over the UE's interval), SINCE_S, THEN
    cells: Float64Array  # (N, cell, 6): LOAD, TOTAL (sum of planned efficiencies), TOUCHED_S, INTEGRALS

    @staticmethod
    def begin(serving: NDArray[np.int64], planned: Float64Array, time_s: Float64Array, num_cells: int) -> Sharing:
        """UEs at serving cells (N, ue) with planned efficiencies (N, ue) in bit/s/Hz, at times (N,)."""
        n = len(serving)
        flat = (serving + np.arange(n)[:, None] * num_cells).ravel()
        cells = np.zeros((n, num_cells, 6))
        cells[..., LOAD] = np.bincount(flat, minlength=n * num_cells).reshape(n, num_cells)
        cells[..., TOTAL] = np.bincount(flat, planned.ravel(), n * num_cells).reshape(n, num_cells)
        cells[..., TOUCHED_S] = time_s[:, None]
        cells[:, -1, LOAD] = np.inf
        ues = np.zeros((*serving.shape, 5))
        ues[..., PLANNED] = planned
        ues[..., SINCE_S] = time_s[:, None]
        return Sharing(serving, ues, cells)

    @property
    def planned(self) -> Float64Array:
        """(N, ue): mean efficiency over each UE's interval, bit/s/Hz."""
        return self.ues[..., PLANNED]

    @property
    def load(self) -> Float64Array:
        """(N, cell): UEs that each cell serves; infinite for nobody's cell."""
        return self.cells[..., LOAD]

    @property
    def efficiency(self) -> Float64Array:
        """(N,): the network's, a sum over cells of their UEs' mean planned efficiency."""
        return (self.cells[..., TOTAL] / np.maximum(self.cells[..., LOAD], 1.0)).sum(axis=1)

    def move(self, ue: NDArray[Any], cell: NDArray[Any], efficiency: Float64Array, now_s: Float64Array) -> Move:
        """One UE of each environment goes to a cell, perhaps to the same again.

        ue, cell (N,): indices. efficiency (N,), bit/s/Hz: at that cell. now_s (N,).
        """
        n = len(ue)
        envs = np.arange(n)
        mine = envs * self.serving.shape[1] + ue
        serving, ues, cells = self.serving.reshape(-1), self.ues.reshape(-1, 5), self.cells.reshape(-1, 6)
        before = serving.take(mine)
        at = (np.array((before, cell)) + envs * self.cells.shape[1]).ravel()
        both = cells.take(at, axis=0)
        _touch(both, np.concatenate((now_s, now_s)))
        cells[at] = both
        own, left = ues.take(mine, axis=0), both[:n]
        got = left[:, INTEGRALS] - own[:, THEN]
        planned, since_s = own[:, PLANNED].copy(), own[:, SINCE_S].copy()

        left[:, LOAD] -= 1.0
        left[:, TOTAL] -= planned
        cells[at[:n]] = left
        joined = cells.take(at[n:], axis=0)  # read again: it may be the one just left
        load, total = joined[:, LOAD].copy(), joined[:, TOTAL].copy()
        joined[:, LOAD] += 1.0
        joined[:, TOTAL] += efficiency
        cells[at[n:]] = joined

        own[:, PLANNED], own[:, SINCE_S], own[:, THEN] = efficiency, now_s, joined[:, INTEGRALS]
        ues[mine] = own
        serving[mine] = cell
        return Move(before, since_s, got[:, 0], got[:, 1] + planned * got[:, 2], load, total)

    def pay(self, envs: NDArray[np.intp], until_s: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Everybody's share is counted up to `until_s` (envs,): its integral and since when, both (envs, ue)."""
        cells = self.cells[envs]
        _touch(cells, until_s[:, None])
        self.cells[envs] = cells
        share_s = np.take_along_axis(cells[..., INTEGRALS.start], self.serving[envs], axis=1)
        ues = self.ues[envs]
        paid_s, since_s = share_s - ues[..., THEN.start], ues[..., SINCE_S].copy()
        ues[..., THEN.start], ues[..., SINCE_S] = share_s, until_s[:, None]
        self.ues[envs] = ues
        return paid_s, since_s


def _touch(cells: Float64Array, now_s: Float64Array) -> None:
    """Bring the integrals of cells (..., 6) up to times (...)."""
    load = cells[..., LOAD]
    passed_s = now_s - cells[..., TOUCHED_S]
    share = passed_s / np.maximum(load, 1.0)
    without_one = passed_s / np.maximum(load - 1.0, 1.0)
    cells[..., 3] += share
    cells[..., 4] += cells[..., TOTAL] * (share - without_one)  # 0 for who is alone
    cells[..., 5] += without_one
    cells[..., TOUCHED_S] = now_s
