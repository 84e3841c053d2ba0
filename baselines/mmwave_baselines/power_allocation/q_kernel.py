"""The steps of `q_learning`: who transmits, who hears what, what tables learn, when they stop.

Written for numba, which compiles it; without numba the same lines run as plain Python, with the same results, some
three hundred times slower. Kernels take arrays one by one: numba counts references at every access to an array in a
tuple, which costs more than the arithmetic. They stand in one file because numba's cache looks at a function's own file
only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

UNCHANGED, UNCHANGED_STEPS = 1e-3, 1000
"""The authors' code stops when the sum of all tables has changed by less than that for more than so many steps."""
_WEAK = 1 / 3  # up to there six terms of the series are exact to 1e-9

F = TypeVar("F", bound=Callable[..., Any])


def _compiler() -> Callable[[F], F]:
    """numba's, or where it is missing what leaves functions as they are."""
    if find_spec("numba") is None:
        return lambda function: function
    from numba import njit

    compile_: Any = njit(cache=True, error_model="numpy")  # no division here has a divisor of 0, so none is checked
    return compile_


compiled = _compiler()


@compiled
def settle(table: Any, k: int, best: int, a: int, value: float) -> int:
    """Write `value` to level `a` of row k; the level that is best now, the lowest of equals. `best` was so before."""
    before = table[k, a]
    table[k, a] = value
    value = table[k, a]  # as it is stored, which may be rounded
    if a != best:
        top = table[k, best]
        return a if value > top or (value == top and a < best) else best
    if value >= before:
        return best
    best, top = 0, table[k, 0]
    for other in range(1, table.shape[1]):
        if table[k, other] > top:
            best, top = other, table[k, other]
    return best


@compiled
def transmit(
    first: Any, who: Any, gain: Any, own_gain: Any, far_gain: Any, noise_mw: Any, summed: bool, power_mw: Any,
    heard_mw: Any, capacity: Any, column: Any
) -> None:  # fmt: skip
    """What UEs hear and what capacity (A,) they have in bit/s/Hz.

    gain (pairs,): rows `first` to the next of UE i, from base stations `who`; or column (A, A). own_gain, far_gain,
    noise_mw, power_mw, heard_mw (A,).
    """
    mean_mw = 0.0
    for k in range(len(power_mw)):
        mean_mw += power_mw[k]
    mean_mw /= len(power_mw)
    for i in range(len(power_mw)):
        heard_mw[i] = far_gain[i] * mean_mw
    for j in range(len(column)):  # the same sums in the same order, for all UEs side by side
        for i in range(len(power_mw)):
            heard_mw[i] += column[j, i] * power_mw[j]
    total = 0.0
    for i in range(len(power_mw)):
        heard = heard_mw[i]
        if len(column) == 0:
            for e in range(first[i], first[i + 1]):
                heard += gain[e] * power_mw[who[e]]
        if summed:
            total += heard
            heard = total
        heard += noise_mw[i]
        heard_mw[i] = heard
        capacity[i] = math.log2(1.0 + power_mw[i] * own_gain[i] / heard)


@compiled
def count_harm(
    first: Any, who: Any, gain: Any, own_gain: Any, power_mw: Any, heard_mw: Any, capacity: Any, harm: Any,
    least_mw: float, aimed: float, penalty: float
) -> None:  # fmt: skip
    """What the utilities of others lose because a base station does not transmit the least power.

    gain (pairs,), as for `transmit`. own_gain, power_mw, heard_mw, capacity, harm (A,).
    """
    most = 0
    for i in range(len(harm)):
        harm[i] = 0.0
        most = max(most, first[i + 1] - first[i])
    less, more = np.empty(most), np.empty(most)
    for i in range(len(harm)):
        both = heard_mw[i] + power_mw[i] * own_gain[i]
        missing = max(aimed - capacity[i], 0.0)
        per_heard, per_both = 1.0 / heard_mw[i], 1.0 / both
        begin, links = first[i], first[i + 1] - first[i]
        # Loops of one kind of work each: the compiler then does several links at once.
        for e in range(links):
            less[e] = gain[begin + e] * (power_mw[who[begin + e]] - least_mw)
        for e in range(links):  # ln((1 - s) / (1 - t)) = 2 artanh(w), and a logarithm costs more than a few products
            t, s = less[e] * per_heard, less[e] * per_both
            w = (t - s) / (2.0 - t - s)
            z = w * w
            more[e] = w * (1.0 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11))))))
            more[e] *= 2.8853900817779268  # 2 / ln 2
        for e in range(links):
            lost = more[e]
            if less[e] * per_heard >= _WEAK:
                lost = math.log2((both - less[e]) / (heard_mw[i] - less[e])) - capacity[i]
            harm[who[begin + e]] += lost + penalty * (missing - max(missing - lost, 0.0) if missing > 0.0 else 0.0)


@compiled
def share(q: Any, level: Any, group: Any, first: Any, member: Any, shared: Any, chosen: Any) -> None:
    """Groups hear what their members have learnt."""
    for k in range(len(level)):
        g, a = group[k], level[k]
        total = 0.0
        for m in range(first[g], first[g + 1]):
            total += q[member[m], a]
        chosen[g] = settle(shared, g, chosen[g], a, total)


@compiled
def has_settled(stopping: Any, unchanged: Any) -> bool:
    """Have the tables not changed for long? As in the authors' code."""
    change = 0.0
    for a in range(stopping.shape[1]):
        change += abs(stopping[0, a] - stopping[1, a])
        if change >= UNCHANGED:
            break
    if change < UNCHANGED:
        unchanged[0] += 1
        return unchanged[0] > UNCHANGED_STEPS
    unchanged[0] = 0
    for a in range(stopping.shape[1]):
        stopping[1, a] = stopping[0, a]
    return False


@compiled
def advance(
    air: Any, tables: Any, now: Any, uniform: Any, alpha: Any, epsilon: Any, penalty: Any, series: Any, kind: int,
    qos_sinr: float, aimed: float, gamma: float, stops: bool, shares: bool
) -> int:  # fmt: skip
    """Play as many steps as there are rows of `uniform` (steps, A), or until it is over; how many were played."""
    first, who, gain, own_gain, far_gain, noise_mw, levels_mw, summed, column = air
    q, best, group, group_first, member, shared, chosen = tables
    level, power_mw, heard_mw, capacity, harm, stopping, unchanged = now
    line, needed = math.log2(qos_sinr), math.log2(1.0 + qos_sinr)
    enough = qos_sinr * (1.0 - 1e-9)  # a requirement that is met exactly is met
    levels = len(levels_mw)
    for t in range(len(uniform)):
        for k in range(len(level)):
            u = uniform[t, k]
            if u < epsilon[t]:  # a small number stands for a random level
                a = min(int(u / epsilon[t] * levels), levels - 1)
            else:
                a = chosen[group[k]] if shares else best[k]
            level[k] = a
            power_mw[k] = levels_mw[a]
        transmit(first, who, gain, own_gain, far_gain, noise_mw, summed, power_mw, heard_mw, capacity, column)
        if kind == 2:
            count_harm(first, who, gain, own_gain, power_mw, heard_mw, capacity, harm, levels_mw[0], aimed, penalty[t])
        rate = satisfied = satisfied_rate = 0.0
        for k in range(len(level)):
            c = capacity[k]
            rate += c
            if power_mw[k] * own_gain[k] >= enough * heard_mw[k]:
                satisfied += 1.0
                satisfied_rate += c
            if kind == 0:  # (C - |C - 2 L|) / (2 L), written so that it is exactly 1 where it saturates
                reward = min(c, 2.0 * line) / line - 1.0
            elif kind == 1:
                reward = math.exp(-((c - needed) ** 2))
            else:
                reward = c - penalty[t] * max(aimed - c, 0.0) - harm[k]
            a = level[k]
            before = q[k, a]
            best[k] = settle(q, k, best[k], a, before + alpha[t] * (reward + gamma * q[k, best[k]] - before))
            stopping[0, a] += q[k, a] - before
        series[t, 0], series[t, 1], series[t, 2] = rate, satisfied, satisfied_rate
        if shares:
            share(q, level, group, group_first, member, shared, chosen)
        if stops and has_settled(stopping, unchanged):
            return t + 1
    return len(uniform)
