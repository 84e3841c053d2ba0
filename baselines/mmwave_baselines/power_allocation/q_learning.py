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

`q_kernel` has the steps, compiled where numba is installed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from mmwave_baselines.power_allocation.q_kernel import advance
from mmwave_gym.core.checks import one_of
from mmwave_gym.core.types import FloatArray, Int64Array

RULES = ("independent", "code", "eq6")
REWARDS = ("paper", "exponential", "difference")
EXPLORING = 0.8
"""Share of a run in which base stations explore (authors' code)."""
_CHUNK = 1 << 16  # random numbers drawn at a time: half a megabyte
_DENSE = 64  # so many columns of gains lie in the nearest cache


class Uniform(Protocol):
    """What a run draws its chance from: numpy's Generator, or anything that deals out numbers like it."""

    def random(self, size: tuple[int, int], /) -> NDArray[np.float64]:
        """Numbers in [0, 1), (steps, A)."""


class Air(NamedTuple):
    """Who hears whom; row i of the sparse matrix is UE i."""

    first: Int64Array  # (A + 1,)
    who: NDArray[np.uint32]  # (links,): base stations; numba asks of signed indices whether they are negative
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
    alpha: share of an update, one or (steps,). epsilon: chance of a random level, for the first 80 % of the steps, or
    (steps,).
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
        who=links.indices[counts].astype(np.uint32),
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
