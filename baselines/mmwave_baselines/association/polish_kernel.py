"""What `polish` plans with, compiled by numba: COVER on planned efficiencies, and simulated annealing of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mmwave_baselines.association.kernels import gain, join, leave, network_of, uniform

compiled: Any = njit(cache=True)


@compiled
def cover_plan(serving: Any, planned: Any, epochs: Any, free: Any, threshold: float) -> Any:
    """The ranks (K,) that COVER takes at all epochs; free (cell,): who takes only means from `threshold` on.

    serving, planned (ue,): the cells at the first one, and the mean efficiencies there.
    """
    network = network_of(serving, planned, len(free))
    rank = np.zeros(len(epochs.ue), np.int64)
    for k in range(len(epochs.ue)):
        leave(network, epochs.ue[k])
        best, most = 0, -np.inf
        for b in range(epochs.choices[k]):
            cell, mean = epochs.cell[k, b], epochs.mean[k, b]
            value = gain(network, cell, mean)
            if free[cell] and mean < threshold:
                value -= 1e6  # among those only, as a last resort
            if value > most:
                best, most = b, value
        rank[k] = best
        join(network, epochs.ue[k], epochs.cell[k, best], epochs.mean[k, best])
    return rank


@compiled
def total_bits(first, cell, bits, pick, load, total):
    """What a plan `pick` (job,) of links brings, bit/Hz; fills load and total (cells,), its UEs and their bits."""
    load[:], total[:] = 0.0, 0.0
    for link in pick:
        for i in range(first[link], first[link + 1]):
            load[cell[i]] += 1.0
            total[cell[i]] += bits[i]
    value = 0.0
    for c in range(len(load)):
        if load[c] > 0.0:
            value += total[c] / load[c]
    return value


@compiled
def anneal(first, cell, bits, choice, links, pick, load, total, moves, hot, cold, random):
    """The best plan of `moves` tries of one job at another link, at temperatures from `hot` to `cold` in bit/Hz.

    first (link + 1,): where each link's pieces begin. cell, bits (piece,): the cell of a piece and what it brings
    alone. links, choice: the links of the j-th job that has a choice are links[choice[j] : choice[j + 1]]. pick (jobs
    with a choice,): the plan, changed in place. load, total (cells,): of the whole plan, others included. random (1,)
    uint64. Returns the gain over the first plan and the best `pick`.
    """
    value, most, best = 0.0, 0.0, pick.copy()
    count = len(pick)
    for move in range(moves):
        j = int(uniform(random) * count)
        width = choice[j + 1] - choice[j]
        new = links[choice[j] + int(uniform(random) * width)]
        old = pick[j]
        if new == old:
            continue
        change = 0.0
        for i in range(first[old], first[old + 1]):
            c = cell[i]
            n, s = load[c], total[c]
            change -= s / n
            if n > 1.0:
                change += (s - bits[i]) / (n - 1.0)
        for i in range(first[new], first[new + 1]):
            c = cell[i]
            n, s = load[c], total[c]
            change += (s + bits[i]) / (n + 1.0)
            if n > 0.0:
                change -= s / n
        heat = hot * (cold / hot) ** (move / moves)
        if change < 0.0 and (change < -20.0 * heat or uniform(random) >= np.exp(change / heat)):
            continue
        for i in range(first[old], first[old + 1]):
            load[cell[i]] -= 1.0
            total[cell[i]] -= bits[i]
        for i in range(first[new], first[new + 1]):
            load[cell[i]] += 1.0
            total[cell[i]] += bits[i]
        pick[j] = new
        value += change
        if value > most + 1e-9:
            most = value
            best[:] = pick
    return most, best
