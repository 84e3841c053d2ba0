"""Q-learning of powers in a world that stays: whole runs in one call, for a cluster or a network of any size.

CDP-Q and EXP-Q of R. Amiri and H. Mehrpouyan (arXiv 1804.05757, section IV), and learning on the difference reward. A
base station never moves, so its state (its ring) never changes and its table is one row of values, one a level. In
every step all choose a level at once; each then learns from the capacity that its UE reports:

    Q(a) += alpha (r + gamma max Q - Q(a))

Whose tables choose is eq. (6), whose text is lost. Three readings; ties go to the lowest level in all of them:

- "independent": one's own. The text argues for it.
- "code": the sum of those of the cluster's members in the same ring. In the authors' code all members send their
  tables, but those in other rings have never written to the row that is read.
- "eq6": the sum of those of all members, which therefore all choose the same level.

Written for numba, which compiles it; without numba the same lines run as plain Python, with the same results, some
three hundred times slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from mmwave_gym.core.checks import one_of
from mmwave_gym.core.types import FloatArray, Int64Array

RULES = ("independent", "code", "eq6")
REWARDS = ("paper", "exponential", "difference")
EXPLORING = 0.8
"""Share of a run in which base stations explore (authors' code)."""
UNCHANGED, UNCHANGED_STEPS = 1e-3, 1000
"""The authors' code stops when the sum of all tables has changed by less than that for more than so many steps."""
_CHUNK = 1 << 16  # random numbers drawn at a time: half a megabyte
_DENSE = 64  # so many columns of gains lie in the nearest cache
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


class Uniform(Protocol):
    """What a run draws its chance from: numpy's Generator, or anything that deals out numbers like it."""

    def random(self, size: tuple[int, int], /) -> NDArray[np.float64]:
        """Numbers in [0, 1), (steps, A)."""


class Air(NamedTuple):
    """Who hears whom; row i of the sparse matrix is UE i."""

    first: Int64Array  # (A + 1,)
    who: NDArray[np.int32]  # (links,): base stations
    gain: FloatArray  # (links,)
    own_gain: FloatArray  # (A,)
    far_gain: FloatArray  # (A,)
    noise_mw: FloatArray  # (A,)
    levels_mw: FloatArray  # (L,)
    summed: bool  # the authors' fault: UE i is charged with the interference of UEs 1 to i
    column: FloatArray  # (A, A): from j to i at [j, i], where few base stations all hear each other; else (0, 0)


class Tables(NamedTuple):
    """What all have learnt, and groups whose tables choose together."""

    q: FloatArray  # (A, L)
    best: Int64Array  # (A,): of the own table
    group: Int64Array  # (A,)
    first: Int64Array  # (groups + 1,)
    member: Int64Array  # (A,): by group
    shared: FloatArray  # (groups, L): sums
    chosen: Int64Array  # (groups,): best of them


class Now(NamedTuple):
    """The last step."""

    level: Int64Array  # (A,)
    power_mw: FloatArray  # (A,)
    heard_mw: FloatArray  # (A,): interference and noise
    capacity: FloatArray  # (A,) bit/s/Hz
    harm: FloatArray  # (A,): what others lose
    stopping: FloatArray  # (2, L): sum of all tables, and the one it is compared with
    unchanged: Int64Array  # (1,): steps


@dataclass(frozen=True)
class Learned:
    """A finished run. What the last step did is not always greedy: a run that stops early may end on an exploration."""

    level: Int64Array
    """(A,): of the last step"""
    power_mw: FloatArray
    """(A,): of the last step"""
    sinr: FloatArray
    """(A,): of the last step, linear"""
    capacity_bps_hz: FloatArray
    """(A,): of the last step"""
    greedy: Int64Array
    """(A,): the levels that the tables would choose now"""
    q: FloatArray
    """(A, L)"""
    steps: int
    """Steps played."""
    rate_bps_hz: FloatArray
    """(steps,): sum of capacities"""
    satisfied: FloatArray
    """(steps,): share of UEs that are satisfied"""
    satisfied_rate_bps_hz: FloatArray
    """(steps,): sum of their capacities"""


def run(
    gain: Any,
    own_gain: ArrayLike,
    noise_mw: ArrayLike,
    levels_mw: ArrayLike,
    ring: ArrayLike | None = None,
    *,
    rng: Uniform,
    cluster: ArrayLike | None = None,
    far_gain: ArrayLike | None = None,
    rule: str = "independent",
    reward: str = "paper",
    qos_sinr: float = 2.83,
    steps: int = 50_000,
    alpha: ArrayLike = 0.5,
    gamma: float = 0.9,
    epsilon: ArrayLike = 0.1,
    penalty: ArrayLike = 5.0,
    aimed_sinr: float | None = None,
    authors: bool = False,
    stop: bool = False,
    first_q: float = 0.0,
    dtype: Any = np.float64,
) -> Learned:
    """Learn for `steps` steps in a world of A base stations, from tables that are `first_q` throughout.

    gain: [i, j] from base station j to UE i, linear, (A, A) or scipy sparse; the diagonal is ignored. own_gain (A,).
    noise_mw: one or (A,). far_gain (A,): what UE i gets from those that are not in `gain` if all transmit 1 mW; it
    counts times the mean power. levels_mw (L,), rising.
    ring (A,) and cluster (A,): any integers; who shares both chooses together with rule "code", who shares the
    cluster with "eq6"; all are in one cluster by default.
    alpha: one or (steps,). epsilon: chance of a random level, for the first 80 % of the steps; or (steps,).
    penalty: what a bit/s/Hz that is missing to log2(1 + aimed_sinr) weighs in the difference reward, one or (steps,);
    aimed_sinr is qos_sinr unless given. authors: their fault in the interference. stop: their early stop.
    rng: one number a step and base station; the same numbers make the same run.
    ValueError: rule or reward is not one of `RULES` and `REWARDS`.
    """
    one_of("rule", rule, RULES)
    one_of("reward", reward, REWARDS)
    own = np.ascontiguousarray(own_gain, np.float64)
    count = len(own)
    levels = np.ascontiguousarray(levels_mw, np.float64)
    air = _air(gain, own, noise_mw, far_gain, levels, authors)
    cluster = np.zeros(count, np.int64) if cluster is None else np.asarray(cluster)
    ring = np.zeros(count, np.int64) if ring is None else np.asarray(ring)
    together = {"independent": np.arange(count), "code": _pairs(cluster, ring), "eq6": cluster}[rule]
    tables = _tables(together, np.full((count, len(levels)), first_q, dtype))
    now = _now(count, len(levels))
    explores = _by_step(np.where(np.arange(steps) < EXPLORING * steps, epsilon, 0.0) if np.ndim(epsilon) == 0
                        else epsilon, steps)  # fmt: skip
    rate, weighs = _by_step(alpha, steps), _by_step(penalty, steps)
    aimed = math.log2(1.0 + (qos_sinr if aimed_sinr is None else aimed_sinr))
    series = np.zeros((steps, 3))  # parts of it are contiguous, so that numba compiles once
    kind, played = REWARDS.index(reward), 0
    chunk = max(1, _CHUNK // count)
    while played < steps:
        part = slice(played, min(played + chunk, steps))
        uniform = rng.random((part.stop - part.start, count))
        done = advance(
            air, tables, now, uniform, rate[part], explores[part], weighs[part], series[part],
            kind, float(qos_sinr), aimed, float(gamma), stop, rule != "independent",
        )  # fmt: skip
        played += done
        if done < part.stop - part.start:
            break
    series = series[:played].T
    return Learned(
        level=now.level,
        power_mw=now.power_mw,
        sinr=now.power_mw * own / now.heard_mw,
        capacity_bps_hz=now.capacity,
        greedy=(tables.chosen[tables.group] if rule != "independent" else tables.best).copy(),
        q=tables.q,
        steps=played,
        rate_bps_hz=series[0],
        satisfied=series[1] / count,
        satisfied_rate_bps_hz=series[2],
    )


def _by_step(value: ArrayLike, steps: int) -> FloatArray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(value, np.float64), (steps,)))


def _pairs(a: NDArray[Any], b: NDArray[Any]) -> Int64Array:
    """A number for every pair of integers."""
    return np.unique(np.stack((a, b), axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def _air(
    gain: Any,
    own_gain: FloatArray,
    noise_mw: ArrayLike,
    far_gain: ArrayLike | None,
    levels_mw: FloatArray,
    summed: bool,
) -> Air:
    count = len(own_gain)
    links = sparse.csr_array(gain).astype(np.float64)
    if links.shape != (count, count):
        raise ValueError(f"gain must have shape {(count, count)} as own_gain has {count}, got {links.shape}.")
    of = np.repeat(np.arange(count), np.diff(links.indptr))
    counts = (links.indices != of) & (links.data != 0.0)
    first = np.append(0, np.cumsum(np.bincount(of[counts], minlength=count))).astype(np.int64)
    return Air(
        first=first,
        who=links.indices[counts].astype(np.int32),
        gain=links.data[counts],
        own_gain=own_gain,
        far_gain=np.zeros(count) if far_gain is None else np.ascontiguousarray(far_gain, np.float64),
        noise_mw=np.broadcast_to(np.asarray(noise_mw, np.float64), (count,)).copy(),
        levels_mw=levels_mw,
        summed=summed,
        column=links.toarray().T.copy()
        if count <= _DENSE and 2 * counts.sum() > count**2 - count
        else np.zeros((0, 0)),
    )


def _tables(together: Int64Array, q: FloatArray) -> Tables:
    names, group = np.unique(together, return_inverse=True)
    member = np.argsort(group, kind="stable")
    first = np.searchsorted(group[member], np.arange(len(names) + 1))
    return Tables(
        q=q,
        best=np.zeros(len(q), np.int64),
        group=group.astype(np.int64),
        first=first.astype(np.int64),
        member=member.astype(np.int64),
        shared=np.add.reduceat(q[member].astype(np.float64), first[:-1], axis=0),
        chosen=np.zeros(len(names), np.int64),
    )


def _now(count: int, levels: int) -> Now:
    powers, heard, capacity, harm = np.zeros((4, count))
    stopping = np.stack((np.zeros(levels), np.full(levels, np.inf)))
    return Now(np.zeros(count, np.int64), powers, heard, capacity, harm, stopping, np.zeros(1, np.int64))


# ---------------------------------------------------------------------- compiled
# Kernels take arrays one by one: numba counts references at every access to an array in a tuple, which costs more than
# the arithmetic.


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
    """What UEs hear and what capacity they have."""
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
    """What the utilities of others lose because a base station does not transmit the least power."""
    for i in range(len(harm)):
        harm[i] = 0.0
    for i in range(len(harm)):
        both = heard_mw[i] + power_mw[i] * own_gain[i]
        missing = max(aimed - capacity[i], 0.0)
        per_heard, per_both = 1.0 / heard_mw[i], 1.0 / both
        for e in range(first[i], first[i + 1]):
            less = gain[e] * (power_mw[who[e]] - least_mw)
            t = less * per_heard
            if t < _WEAK:  # ln((1 - s) / (1 - t)) = 2 artanh(w), and a logarithm costs more than a few products
                s = less * per_both
                w = (t - s) / (2.0 - t - s)
                z = w * w
                more = w * (1.0 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11))))))
                more *= 2.8853900817779268  # 2 / ln 2
            else:
                more = math.log2((both - less) / (heard_mw[i] - less)) - capacity[i]
            harm[who[e]] += more + penalty * (missing - max(missing - more, 0.0) if missing > 0.0 else 0.0)


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
