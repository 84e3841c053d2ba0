"""Powers from a finite set of levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_baselines.power_allocation.optimisation.network import (
    LN2,
    ROUND_OFF,
    Bools,
    Floats,
    Network,
    full_power,
    interference,
    sinr,
)


def levels_mw(network: Network, count: int) -> Floats:
    """`count` powers equally spaced in dB over the box, mW."""
    return np.geomspace(*network.power_mw, count)


def penalised_sum(network: Network, power_mw: Floats, weight: float = 1000.0) -> Floats:
    """Sum of log2(1 + SINR) less `weight` x sum of max(0, log2(q / SINR)), (N,)."""
    ratio = sinr(network, power_mw)
    return penalised(network.present, ratio, network.qos_sinr, weight).sum(axis=-1)


def penalised(present: Bools, ratio: Floats, qos: float, weight: float) -> Floats:
    missed = np.log(qos / np.minimum(np.maximum(ratio, 1e-300), qos))
    return np.where(present, (np.log1p(ratio) - weight * missed) / LN2, 0.0)


def coordinate_ascent(network: Network, levels: int = 32, restarts: int = 30, seed: int = 0) -> Floats:
    """Powers (N, A) mW on a grid of levels that no single BS can improve: the best of full power and random starts.

    Maximises `penalised_sum`. Every network has the same random starts, so rows do not depend on their batch.
    """
    power, value = full_power(network), np.full(len(network), -np.inf)
    grid = levels_mw(network, levels)
    index = np.random.default_rng(seed).integers(levels, size=(restarts, network.present.shape[1]))
    for start in [np.full(network.present.shape[1], levels - 1), *index]:
        found, reached = _ascend(network, grid, np.where(network.present, grid[start], 0.0))
        better = reached > value
        power[better], value[better] = found[better], reached[better]
    return power


def _ascend(network: Network, grid: Floats, power: Floats, sweeps: int = 50) -> tuple[Floats, Floats]:
    value = penalised_sum(network, power)
    todo = np.arange(len(network))
    for _ in range(sweeps):
        rows, now = network.take(todo), power[todo]
        for bs in np.flatnonzero(rows.present.any(axis=0)):
            others = interference(rows, now) - rows.coupling[:, :, bs] * now[:, [bs]]
            tried = np.repeat(now[:, None, :], len(grid), axis=1)
            tried[:, :, bs] = np.where(rows.present[:, [bs]], grid, 0.0)
            ratio = tried / (others[:, None, :] + rows.coupling[:, None, :, bs] * tried[:, :, [bs]])
            best = penalised(rows.present[:, None], ratio, network.qos_sinr, 1000.0).sum(axis=2).argmax(axis=1)
            now[:, bs] = tried[np.arange(len(now)), best, bs]
        reached = penalised_sum(rows, now)
        grown = reached > value[todo] + ROUND_OFF
        power[todo], value[todo] = now, reached
        todo = todo[grown]
        if not len(todo):
            break
    return power, value


def brute_force(network: Network, levels: int = 32) -> Floats:
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
            total = total + penalised(present[i], mine[i] / heard, network.qos_sinr, 1000.0)
        best = np.unravel_index(np.argmax(total), total.shape)
        power[row] = np.where(present, grid[np.array(best)], 0.0)
    return power
