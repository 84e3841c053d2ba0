"""A proven bound on what anybody can earn on an episode whose optimum is out of reach.

**Statement.** A job is a UE between two of its own epochs, T seconds in which one of its candidates serves it. Base
station b pays pi_jb(t) a second while it has job j, and j gets back lambda_j = max_b (integral of pi_jb over the job).
For all prices pi,

    int sum_b mean_b dt <= sum_j lambda_j + sum_b D_b(pi),
    D_b(pi) >= max over plans of int ( mean_b - sum_{j on b} pi_jb ) dt.

**Proof.** A real plan leaves each job with one base station all the time, so jobs get back at least what is paid for
them: add sum_j lambda_j - int sum_jb pi_jb >= 0. What is left is a sum over base stations, each at most its maximum.
This is Lagrangian duality (A. Geoffrion, Mathematical Programming Study 2 (1974), 82-114).

**The maximum of a base station.** A cell is a stretch of time in which no job that could be b's begins or ends, so that
a plan has one set S of jobs on b throughout it, and with integrals s of efficiency and p of price it has there

    (1/|S|) sum_{j in S} s_j - sum_{j in S} p_j.

S holds the jobs without another candidate. From cell to cell it loses those that end and wins some of those that begin.
Backward induction over all such S is exact and too long. `bound_kernel` knows the members of S only where few lasting
jobs are in it, up to `named`; of larger sets it knows the size, and of brief jobs (under `BRIEF_S`) the number. More
series are allowed then than there are, so that its maximum is at least D_b. Of sets of one size the best is a sort.

All this holds for every price function. How it was found does not matter to the proof: by subgradient descent, because
the bound is convex in the prices.

**It bounds the metric,** not only the true integral: s are those of the efficiency that is paid (`paid`).

**What makes it tight.** With exact D_b it was the optimum in all small worlds that were tried. Where members are
forgotten, a base station takes half of every job, the best one of each moment, and the bound is 20 % too large or more.
In two windows of 16 s of 9 base stations and 64 UEs it is 10 and 8 % above the best plan known as `CLOSE` ends. It is
12 and 6 % with `BRIEF_S` = 1 and `named` = 2 at most, 4.5 and 1.8 % with 3. The plans are `polish`'s: without its hot
run the first one is 10 % worse, and looks like a loose bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.association.bound_kernel import best_plans
from mmwave_baselines.association.paid import Paid
from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.types import FloatArray, IntArray
from mmwave_gym.scenarios.association.game import MBIT

BRIEF_S = 3.0
"""Ours: jobs under it are only counted. Between crossings jobs take 12 s, at crossings half a second."""
OUTWARD = 1e-9
"""Relative: added for the rounding of sums, thousands of times what double precision loses."""


@dataclass(frozen=True)
class Stage:
    """A part of the descent: whose members are known, steps, and by how much prices change at first and at last."""

    named: int
    steps: int
    first_step: float = 1.0
    last_step: float = 0.02


QUICK = (Stage(1, 80),)
"""In bit/s/Hz. A tenth of a second a step with 512 UEs."""
FEW = (Stage(1, 30, 1.0, 0.05),)
"""Two seconds a step with 2,048 UEs."""
CLOSE = (Stage(1, 40, 1.0, 0.05), Stage(2, 20, 0.3, 0.03))
"""Ten seconds an episode with 512 UEs. `Stage(3, 12, 0.1, 0.02)` behind it takes as long again and 2 % off."""


@dataclass(frozen=True)
class Relaxation:
    """Jobs, their links to base stations, and pieces of links, one for each cell; pieces are ordered by cell."""

    span_s: FloatArray  # (job, 2): from when to when it takes
    cell_s: FloatArray  # (cells, 2): likewise
    links: FloatArray  # (job,): how many candidates it has
    job: IntArray  # (link,)
    link: IntArray  # (piece,)
    piece_s: FloatArray  # (piece,): how long its cell is
    bits: FloatArray  # (piece,): integral of the efficiency, bit/Hz
    forced: NDArray[np.bool_]  # (piece,): the job has no other candidate
    cell: IntArray  # (cells + 1,): the first piece of each cell
    onward: IntArray  # (piece,): the piece of the same link in the next cell, -1: the job has ended
    fresh: NDArray[np.bool_]  # (piece,): the job begins with this cell
    brief: NDArray[np.bool_]  # (piece,): the job takes less than `BRIEF_S`
    station: IntArray  # (bs + 1,): the first cell of each base station
    leave: IntArray  # (cells,): jobs that end with it
    join: IntArray  # (cells,): jobs that begin with it
    seconds: float
    ue: IntArray  # (job,)
    epoch: IntArray  # (job,): the epoch at which it is decided, -1: it runs already
    rank: IntArray  # (link,): of the base station among the candidates of its job
    bs: IntArray  # (link,)

    @property
    def job_s(self) -> FloatArray:
        """(job,): how long each takes."""
        return self.span_s[:, 1] - self.span_s[:, 0]

    @property
    def pieces_cell(self) -> IntArray:
        """(piece,): the cell of each piece."""
        return np.repeat(np.arange(len(self.leave)), np.diff(self.cell))

    @property
    def course(self) -> tuple[NDArray[Any], ...]:
        """The arrays that say which sets may follow which, as `best_plans` takes them.

        Returns indices: station (bs + 1,), cell (cells + 1,), leave (cells,), join (cells,), onward (piece,); fresh and
        brief (piece,).
        """
        return self.station, self.cell, self.leave, self.join, self.onward, self.fresh, self.brief


def relaxation(world: KnownWorld, begin_s: float, end_s: float, paid: Paid | None = None) -> Relaxation:
    """The jobs of a world between two instants; what runs at `begin_s` may be with any of its candidates.

    paid: the efficiencies that a metric counts, instead of the true ones.
    """
    num_ues, num_epochs, most = len(world.serving), len(world.ue), world.candidate.shape[1]
    ue = np.concatenate((np.arange(num_ues), world.ue))
    start = np.concatenate((np.full(num_ues, world.time_s[0]), world.time_s[:-1]))
    order = np.lexsort((np.arange(len(ue)), ue))
    following = np.full(len(ue), world.time_s[-1])
    same = ue[order[1:]] == ue[order[:-1]]
    following[order[:-1][same]] = start[order[1:][same]]
    start, finish = np.clip(start, begin_s, end_s), np.clip(following, begin_s, end_s)
    cells = np.full((num_ues + num_epochs, most), -1)
    cells[:num_ues, 0] = np.where(world.serving < len(world.bs_m), world.serving, -1)
    cells[num_ues:] = world.candidate
    keep = (finish > start) & (cells[:, 0] >= 0)
    epoch = np.maximum(np.arange(num_ues + num_epochs) - num_ues, -1)[keep]
    ue, start, finish, cells = ue[keep], start[keep], finish[keep], cells[keep]
    job, rank = np.nonzero(cells >= 0)
    bs = cells[job, rank]
    links = (cells >= 0).sum(axis=1)

    pieces: list[tuple[IntArray, FloatArray, FloatArray, IntArray]] = []  # link, begins, ends, cell
    station, leave, join, cell_s = [0], [], [], []
    for b in range(len(world.bs_m)):
        mine = np.flatnonzero(bs == b)
        times = np.unique(np.concatenate((start[job[mine]], finish[job[mine]])))
        cells_here = max(len(times) - 1, 0)
        first, last = np.searchsorted(times, start[job[mine]]), np.searchsorted(times, finish[job[mine]])
        count = last - first
        link = np.repeat(mine, count)
        at = np.arange(len(link)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
        by_cell = np.argsort(at, kind="stable")
        link, at = link[by_cell], at[by_cell]
        pieces.append((link, times[at], times[at + 1], at + station[-1]))
        cell_s.append(np.stack((times[:-1], times[1:]), axis=1) if len(times) else np.empty((0, 2)))
        station.append(station[-1] + cells_here)
        leave.append(np.bincount(last - 1, minlength=cells_here))
        join.append(np.bincount(first, minlength=cells_here))
    link, begins, ends, cell = (np.concatenate(part) for part in zip(*pieces, strict=True))
    by_link = np.lexsort((cell, link))
    goes_on = link[by_link[1:]] == link[by_link[:-1]]
    onward, fresh = np.full(len(link), -1), np.ones(len(link), bool)
    onward[by_link[:-1][goes_on]] = by_link[1:][goes_on]
    fresh[by_link[1:][goes_on]] = False
    return Relaxation(
        span_s=np.stack((start, finish), axis=1),
        cell_s=np.concatenate(cell_s),
        links=links.astype(np.float64),
        job=job,
        link=link,
        piece_s=ends - begins,
        bits=(paid or world).bits_per_hz(ue[job[link]], bs[link], begins, ends),
        forced=links[job[link]] == 1,
        cell=np.searchsorted(cell, np.arange(station[-1] + 1)),
        onward=onward,
        fresh=fresh,
        brief=(finish - start < BRIEF_S)[job[link]],
        station=np.array(station),
        leave=np.concatenate(leave),
        join=np.concatenate(join),
        seconds=end_s - begin_s,
        ue=ue,
        epoch=epoch,
        rank=rank,
        bs=bs,
    )


def bound_bits_per_hz(problem: Relaxation, price: FloatArray, taken: NDArray[np.bool_], named: int = 1) -> float:
    """What no plan exceeds, by prices (piece,) in bit/s/Hz; `taken` (piece,) becomes what base stations would have."""
    p, paid = problem, price * problem.piece_s
    back = np.full(len(p.job_s), -np.inf)
    np.maximum.at(back, p.job, np.bincount(p.link, paid, len(p.job)))
    found = float(back.sum() + best_plans(*p.course, p.bits, paid, p.forced, named, taken))
    return found + OUTWARD * float(p.bits.sum() + np.abs(paid).sum())


def upper_bound(problem: Relaxation, stages: Sequence[Stage] = QUICK) -> float:
    """No plan makes the network's mean rate larger than this, in bit/s/Hz: the sum over base stations.

    The least of what the descent finds; the average of each second half is tried, too. See the text of the module.
    """
    least: float = np.inf
    price: FloatArray = np.zeros(len(problem.link))
    for stage in stages:
        bits, price = descend(problem, price, stage)
        least = min(least, bits)
    return least / problem.seconds


def descend(problem: Relaxation, price: FloatArray, stage: Stage) -> tuple[float, FloatArray]:
    """The least bound of a stage that begins with these prices (piece,), in bit/Hz, and the prices that it comes from.

    Prices are in bit/s/Hz.
    """
    p, best, least = problem, price, np.inf
    move, average, averaged = np.zeros_like(price), np.zeros_like(price), 0
    taken = np.empty(len(price), bool)
    job_s, job = p.job_s, p.job[p.link]
    for t in range(stage.steps):
        bits = bound_bits_per_hz(p, price, taken, stage.named)
        if bits < least:
            least, best = bits, price
        share = np.bincount(p.link, p.piece_s * taken, len(p.job)) / job_s[p.job]
        served = np.bincount(p.job, share, len(job_s))
        # Prices rise where jobs are taken, and what a job gets back changes alike with all its candidates.
        slope = taken - share[p.link] + ((served - 1.0) / p.links)[job]
        slope[p.forced] = 0.0
        move = 0.8 * move + 0.2 * slope
        price = price + stage.first_step * (stage.last_step / stage.first_step) ** (t / stage.steps) * move
        if 2 * t >= stage.steps:
            averaged += 1
            average += (price - average) / averaged
    bits = bound_bits_per_hz(p, average, taken, stage.named)
    return (bits, average) if bits < least else (least, best)


@dataclass(frozen=True)
class Scored:
    """What a task scores of a test episode, by the metric's own efficiencies. mbps: Mbit/s of 1 bit/s/Hz."""

    world: KnownWorld
    problem: Relaxation
    mbps: float


def scored(task: Task, episode: int) -> Scored:
    """What a task scores of a test episode.

    The first scored step still pays for what came after the last payment before it, so time counts from there on.
    """
    batch = Batch(task.scenario(), 1)
    batch.reset(task.keys([episode]))
    view = View(batch, "hindsight")
    (world,) = known_worlds(view)
    last = len(world.ue) if task.scored_steps is None else min(task.warmup_steps + task.scored_steps, len(world.ue))
    begin_s, end_s = world.time_s[task.warmup_steps], world.time_s[last]
    paid = Paid(world, float(view.constants["settle_s"]))
    problem = relaxation(world, paid.payments.before(begin_s), end_s, paid)
    return Scored(world, replace(problem, seconds=end_s - begin_s), float(view.constants["bandwidth_hz"]) * MBIT)


def episode_bound(task: Task, episode: int, stages: Sequence[Stage] = QUICK) -> float:
    """A bound on the network's rate over what a task scores of a test episode, in Mbit/s."""
    found = scored(task, episode)
    return upper_bound(found.problem, stages) * found.mbps
