"""Powers from a finite set of levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmwave_baselines.power_allocation.optimisation.network import (
    LN2,
    ROUND_OFF,
    Network,
    full_power,
    interference,
    sinr,
)
from mmwave_gym.core.types import BoolArray, FloatArray

Worth = Callable[[BoolArray, FloatArray, float], FloatArray]
"""Who is present, SINRs and q to what each user is worth."""


def levels_mw(network: Network, count: int) -> FloatArray:
    """Powers equally spaced in dB from Pmin to Pmax, (count,) mW."""
    return np.geomspace(*network.power_mw, count)


def on_levels(network: Network, power_mw: FloatArray, count: int) -> FloatArray:
    """The levels nearest to powers in dB, (N, A) mW."""
    low, high = np.log(network.power_mw)
    share = (np.log(np.clip(power_mw, *network.power_mw)) - low) / (high - low)
    return np.where(network.present, levels_mw(network, count)[np.rint(share * (count - 1)).astype(np.int64)], 0.0)


def least_levels(network: Network, count: int) -> FloatArray:
    """The least levels (N, A) mW at which each UE reaches q, or its base station is at Pmax.

    Foschini-Miljanic on a grid: from the lowest levels, each takes the least that suffices; they only grow.
    """
    grid, power = levels_mw(network, count), network.least
    for _ in range(count * network.present.shape[1]):
        need = network.target * interference(network, power) * (1.0 - ROUND_OFF)
        new = np.where(network.present, grid[np.minimum(np.searchsorted(grid, need), count - 1)], 0.0)
        if (new <= power).all():
            break
        power = np.maximum(new, power)
    return power


def penalised_sum(network: Network, power_mw: FloatArray, weight: float = 1000.0) -> FloatArray:
    """Sum of log2(1 + SINR) less `weight` x sum of max(0, log2(q / SINR)), (N,), at powers (N, A)."""
    ratio = sinr(network, power_mw)
    return penalised(network.present, ratio, network.qos_sinr, weight).sum(axis=-1)


def served(present: BoolArray, ratio: FloatArray, qos: float) -> FloatArray:
    """log2(1 + SINR) in bit/s/Hz of users that are present and reach q, 0 for others: (…, A), element-wise.

    present (…, A). ratio (…, A): linear SINRs. qos: q, linear.
    """
    return np.where(present & (ratio >= qos * (1.0 - ROUND_OFF)), np.log1p(ratio) / LN2, 0.0)


def penalised(present: BoolArray, ratio: FloatArray, qos: float, weight: float = 1000.0) -> FloatArray:
    """Each user's term of `penalised_sum` in bit/s/Hz, 0 for whoever is absent: (…, A), element-wise.

    present (…, A). ratio (…, A): linear SINRs. qos: q, linear.
    """
    missed = np.log(qos / np.minimum(np.maximum(ratio, 1e-300), qos))
    return np.where(present, (np.log1p(ratio) - weight * missed) / LN2, 0.0)


def coordinate_ascent(
    network: Network,
    levels: int = 32,
    restarts: int = 30,
    seed: int = 0,
    *,
    starts: Sequence[FloatArray] = (),
    worth: Worth = penalised,
    chosen: BoolArray | None = None,
) -> FloatArray:
    """Powers (N, A) mW on a grid of levels that no single BS can improve: the best of full power and random starts.

    Maximises `penalised_sum`, or the sum of another `worth` of the users. Every network has the same random starts, so
    rows do not depend on their batch. `starts`: powers (N, A) to begin at as well. `chosen` (N, A): only these
    users count, for where not all can be satisfied the penalties of the others would rule.
    """
    counted = network.present if chosen is None else chosen
    power, value = full_power(network), np.full(len(network), -np.inf)
    grid = levels_mw(network, levels)
    index = np.random.default_rng(seed).integers(levels, size=(restarts, network.present.shape[1]))
    drawn = (np.where(network.present, grid[at], 0.0) for at in index)
    for start in (full_power(network), *(on_levels(network, p, levels) for p in starts), *drawn):
        found, reached = _ascend(network, grid, start, worth, counted)
        better = reached > value
        power[better], value[better] = found[better], reached[better]
    return power


def _ascend(
    network: Network, grid: FloatArray, power: FloatArray, worth: Worth, counted: BoolArray, sweeps: int = 50
) -> tuple[FloatArray, FloatArray]:
    value = worth(counted, sinr(network, power), network.qos_sinr).sum(axis=1)
    todo = np.arange(len(network))
    for _ in range(sweeps):
        rows, now, users = network.take(todo), power[todo], counted[todo]
        for bs in np.flatnonzero(rows.present.any(axis=0)):
            others = interference(rows, now) - rows.coupling[:, :, bs] * now[:, [bs]]
            tried = np.repeat(now[:, None, :], len(grid), axis=1)
            tried[:, :, bs] = np.where(rows.present[:, [bs]], grid, 0.0)
            ratio = tried / (others[:, None, :] + rows.coupling[:, None, :, bs] * tried[:, :, [bs]])
            best = worth(users[:, None], ratio, network.qos_sinr).sum(axis=2).argmax(axis=1)
            now[:, bs] = tried[np.arange(len(now)), best, bs]
        reached = worth(users, sinr(rows, now), network.qos_sinr).sum(axis=1)
        grown = reached > value[todo] + ROUND_OFF
        power[todo], value[todo] = now, reached
        todo = todo[grown]
        if not len(todo):
            break
    return power, value


def brute_force(network: Network, levels: int = 32) -> FloatArray:
    """Powers (N, A) mW on a grid of levels with the largest `penalised_sum`, of all levels^A; A at most 4."""
    size = network.present.shape[1]
    if size > 4:
        raise ValueError(f"brute_force takes at most 4 base stations, got {size}; use coordinate_ascent.")
    grid = levels_mw(network, levels)
    axes = np.meshgrid(*[grid] * size, indexing="ij", sparse=True)
    power = np.empty(network.present.shape)
    for row, present in enumerate(network.present):
        mine = [axis if here else 0.0 * axis for axis, here in zip(axes, present, strict=True)]
        total: Any = 0.0
        for i in range(size):
            heard: Any = network.noise[row, i]
            for k in range(size):
                heard = heard + network.coupling[row, i, k] * mine[k]
            total = total + penalised(present[i], mine[i] / heard, network.qos_sinr)
        best = np.unravel_index(np.argmax(total), total.shape)
        power[row] = np.where(present, grid[np.array(best)], 0.0)
    return power
