"""Repair of given powers, so that more users reach their requirement."""

from __future__ import annotations

import numpy as np

from mmwave_baselines.power_allocation.optimisation.feasibility import aim, least_powers, towards
from mmwave_baselines.power_allocation.optimisation.network import (
    ROUND_OFF,
    SLACK,
    Network,
    capacity_bps_hz,
    satisfied,
    sinr,
)
from mmwave_gym.core.types import FloatArray

MARGINS = (SLACK, 0.05, 0.3, 1.0, 3.0)  # ours: repairs walk towards the least powers for q (1 + margin)


def repair(network: Network, power_mw: FloatArray) -> FloatArray:
    """Powers (N, A) mW near the given ones at which more users reach q: all of them wherever that is feasible.

    Infeasible networks: `repair_local`. Feasible ones: the nearest point on the line in ln p to the least powers for
    q, or for somewhat more than q. The satisfying powers are convex in ln p, so a bisection always ends in them, but
    everybody pays for one; never do it for a set that is infeasible. It starts from the powers as they are and from
    those repaired locally, without loss and at any (better the larger the network); the greatest sum rate stays.
    Powers that satisfy all are returned as they are.
    """
    given = np.clip(power_mw, network.least, network.greatest)
    power = repair_local(network, given)
    target, least, possible = aim(network, network.present)
    todo = np.flatnonzero(possible & (network.present & ~satisfied(network, given)).any(axis=1))
    rows, target = network.take(todo), target[todo]
    starts = (given[todo], power[todo], repair_local(rows, power[todo], loss=1.0))
    best, greatest = least[todo], capacity_bps_hz(rows, least[todo]).sum(axis=1)
    for margin in MARGINS:
        anchor, possible = least_powers(rows, target * (1.0 + margin))
        anchor = np.where(possible[:, None], anchor, least[todo])
        for start in starts:
            end = towards(rows, target, start, anchor)
            rate = capacity_bps_hz(rows, end).sum(axis=1)
            better = rate > greatest
            best[better], greatest[better] = end[better], rate[better]
    power[todo] = best
    return power


def repair_local(network: Network, power_mw: FloatArray, loss: float = 0.0) -> FloatArray:
    """Powers (N, A) mW at which at least as many users reach q; safe on networks where not all can.

    Ours. One violator at a time, the least short of q first. If it and all who are satisfied now can be satisfied
    together, it and the BSs that disturb it most (none, 2, 4, 8, or everybody) move a part of the way, in ln p, to
    the least powers of that set. The variant with the most satisfied users and, among those, the greatest sum of
    their rates is kept if it satisfies more users than before and costs at most the share `loss` of that sum.
    """
    power = np.clip(power_mw, network.least, network.greatest)
    tried = np.zeros(network.present.shape, dtype=bool)
    while True:
        happy = satisfied(network, power)
        left = network.present & ~happy & ~tried
        todo = np.flatnonzero(left.any(axis=1))
        if not len(todo):
            return power
        rows, now, reached = network.take(todo), power[todo], sinr(network, power)[todo]
        violator = np.where(left[todo], reached, -1.0).argmax(axis=1)
        place = np.arange(len(todo))
        tried[todo, violator] = True
        variants: list[list[FloatArray]] = [[] for _ in todo]
        for margin in MARGINS:
            aim = rows.qos_sinr * (1.0 + margin)
            goal = np.where(happy[todo], np.minimum(reached * (1.0 - 1e-12), aim), 0.0)
            goal[place, violator] = aim
            anchor, possible = least_powers(rows, goal)
            for k in np.flatnonzero(possible):
                variants[k].append(anchor[k])
        for at, anchors in enumerate(variants):
            if anchors:
                row = todo[at]
                one = network.take(slice(row, row + 1))
                power[row] = _move_some(one, now[at], np.array(anchors), int(violator[at]), loss)


def _move_some(network: Network, power: FloatArray, anchors: FloatArray, violator: int, loss: float) -> FloatArray:
    """The best of several parts of the way to anchors (K, A) by several neighbourhoods of one violator, (A,) mW."""
    size = network.present.shape[1]
    present = network.present[0]
    heard = np.where(np.arange(size) == violator, np.inf, network.coupling[0, violator] * power)
    rank = np.argsort(np.argsort(-heard, kind="stable"), kind="stable")
    steps = np.where(present, np.log(np.where(present, anchors, 1.0) / np.where(present, power, 1.0)), 0.0)
    nearest = [rank <= near for near in (0, 2, 4, 8, size)]
    parts = np.linspace(0.1, 1.0, 10)
    moves = [near * part * step for step in steps for near in nearest for part in parts]
    variants = power * np.exp(np.array([np.zeros(size), *moves]))
    ratio = variants / (variants @ network.coupling[0].T + network.noise[0])
    happy = present & (ratio >= network.qos_sinr * (1.0 - ROUND_OFF))
    count, total = happy.sum(axis=1), (happy * np.log1p(ratio)).sum(axis=1)
    allowed = (count > count[0]) & (total >= (1.0 - loss) * total[0])
    if not allowed.any():
        return power
    return variants[np.lexsort((total, count, allowed))[-1]]
