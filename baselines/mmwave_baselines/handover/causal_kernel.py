"""The loops of `causal`, compiled. Places are in metres, rates and values in bit/s/Hz."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

HEADINGS_X = np.array([1.0, 0.0, -1.0, 0.0])
HEADINGS_Y = np.array([0.0, -1.0, 0.0, 1.0])


@njit(cache=True)
def worth(snr: Any, fading: Any, shift: Any, price: float, kept: float, sweeps: int, leaves: bool) -> Any:
    """W (n, n, cell): what a cell is worth from the next slot on, on a grid of places, by value iteration.

    snr (n, n, cell): linear, averaged over fading; fading (draw, cell): its factors, alike at all places. shift (4,):
    weights of the neighbours on the grid, by heading, for the UE's next place. Where it `leaves`, nothing comes behind
    the border; else it stays inside, and W is relative to the middle.
    """
    n, _, cells = snr.shape
    rate = np.empty((n, n, len(fading), cells), np.float32)
    for i in range(n):
        for j in range(n):
            for s in range(len(fading)):
                for k in range(cells):
                    rate[i, j, s, k] = np.log2(1.0 + snr[i, j, k] * fading[s, k])
    ahead, now = np.zeros((n, n, cells)), np.zeros((n, n, cells))
    for _ in range(sweeps):
        for i in range(n):
            for j in range(n):
                for k in range(cells):
                    now[i, j, k] = 0.0
                for s in range(len(fading)):
                    change = -np.inf
                    for k in range(cells):
                        change = max(change, kept * rate[i, j, s, k] + ahead[i, j, k])
                    change -= price
                    for k in range(cells):
                        now[i, j, k] += max(rate[i, j, s, k] + ahead[i, j, k], change) / len(fading)
        level = 0.0 if leaves else now[n // 2, n // 2].max()
        for i in range(n):
            for j in range(n):
                for k in range(cells):
                    total = (1.0 - shift.sum()) * now[i, j, k]
                    for h in range(4):
                        a, b = i + int(HEADINGS_X[h]), j + int(HEADINGS_Y[h])
                        if a < 0 or b < 0 or a >= n or b >= n:
                            if leaves and shift[h] > 0.0:
                                continue
                            a, b = min(max(a, 0), n - 1), min(max(b, 0), n - 1)
                        total += shift[h] * now[a, b, k]
                    ahead[i, j, k] = total - level
    return ahead


@njit(cache=True)
def at(grid: Any, x: float, y: float, side: float, value: Any) -> None:
    """Put the grid (n, n, cell) at a place, linear between its points, into `value` (cell,)."""
    n = len(grid)
    u, v = min(max(x / side, 0.0), 1.0) * (n - 1), min(max(y / side, 0.0), 1.0) * (n - 1)
    i, j = min(int(u), n - 2), min(int(v), n - 2)
    f, g = u - i, v - j
    for k in range(len(value)):
        low = (1.0 - g) * grid[i, j, k] + g * grid[i, j + 1, k]
        value[k] = (1.0 - f) * low + f * ((1.0 - g) * grid[i + 1, j, k] + g * grid[i + 1, j + 1, k])


@njit(cache=True)
def loss(rate: Any, ahead: Any, price: float, kept: float, found: Any) -> None:
    """Add to `found` (cell,) what being with each cell loses against the best one, at most the price of a change.

    rate, ahead (cell,): of this slot, and W of the place.
    """
    best, change = -np.inf, -np.inf
    for k in range(len(rate)):
        best = max(best, rate[k] + ahead[k])
        change = max(change, kept * rate[k] + ahead[k] - price)
    for k in range(len(rate)):
        found[k] += max(rate[k] + ahead[k], change) - best


@njit(cache=True)
def penalties(
    rate: Any, place: Any, near_snr: Any, inside: Any, grid: Any, side: float, setting: Any, weight: Any, fading: Any
) -> Any:
    """d_t(a) of `causal`, (slot, cell), for the slots of `rate` (slot, cell).

    place (slot + 1, 2); near_snr (slot, 4, cell): linear, averaged over fading, after a step in each heading, and
    inside (slot, 4): whether the UE is still there then; weight (slot,): kappa. setting: step in metres, price, kept
    share, probabilities of the four headings, and the square's side if walls hold the UE, else 0. fading (slot, 4,
    draw, cell): factors that no policy sees.
    """
    (slots, cells), draws = rate.shape, fading.shape[2]
    step, price, kept, chances, walls = setting[0], setting[1], setting[2], setting[3:7], setting[7]
    found, ahead, now = np.zeros((slots, cells)), np.empty(cells), np.empty(cells)
    came, mean = np.empty(cells), np.empty(cells)
    for t in range(slots):
        if weight[t] == 0.0:
            continue
        came[:] = 0.0
        mean[:] = 0.0
        if t + 1 < slots:  # else the UE has left
            at(grid, place[t + 1, 0], place[t + 1, 1], side, ahead)
            loss(rate[t + 1], ahead, price, kept, came)
        for h in range(4):
            if not inside[t, h] or chances[h] == 0.0:
                continue
            x, y = place[t, 0] + step * HEADINGS_X[h], place[t, 1] + step * HEADINGS_Y[h]
            if walls > 0.0:
                x, y = min(max(x, 0.0), walls), min(max(y, 0.0), walls)
            at(grid, x, y, side, ahead)
            came_h = np.zeros(cells)
            for s in range(draws):
                for k in range(cells):
                    now[k] = np.log2(1.0 + near_snr[t, h, k] * fading[t, h, s, k])
                loss(now, ahead, price, kept, came_h)
            for k in range(cells):
                mean[k] += chances[h] / draws * came_h[k]
        for k in range(cells):
            found[t, k] = weight[t] * (came[k] - mean[k])
    return found


@njit(cache=True)
def viterbi(rate: Any, penalty: Any, price: float, kept: float, weight: float, value: Any) -> None:
    """The most that a series of cells has, by the cell before it, into `value` (cell,); rate, penalty (slot, cell)."""
    slots, cells = rate.shape
    value[:] = 0.0
    for t in range(slots - 1, -1, -1):
        change = -np.inf
        for k in range(cells):
            change = max(change, weight * (kept * rate[t, k] - price) - penalty[t, k] + value[k])
        for k in range(cells):
            value[k] = max(weight * rate[t, k] - penalty[t, k] + value[k], change)


@njit(cache=True)
def follow(rate: Any, place: Any, grid: Any, side: float, price: float, kept: float, serving: int) -> Any:
    """The sum of rewards of who changes where rate and W together gain more than the price; serving -1: free at first.

    rate (slot, cell), place (slot + 1, 2).
    """
    slots, cells = rate.shape
    ahead, total, cell = np.zeros(cells), 0.0, serving
    for t in range(slots):
        at(grid, place[t, 0], place[t, 1], side, ahead)
        if t == slots - 1:
            ahead[:] = 0.0
        target, most = 0, -np.inf
        for k in range(cells):
            if cell < 0 and rate[t, k] + ahead[k] > most:
                most, target = rate[t, k] + ahead[k], k
            if cell >= 0 and kept * rate[t, k] + ahead[k] - price > most:
                most, target = kept * rate[t, k] + ahead[k] - price, k
        if cell < 0:
            cell = target
        if most > rate[t, cell] + ahead[cell] and target != cell:
            total += kept * rate[t, target] - price
            cell = target
        else:
            total += rate[t, cell]
    return total
