"""A proven bound on what anybody can earn on an episode whose optimum is out of reach.

A job is a UE between two of its own epochs, T seconds in which one of its candidates serves it. A base station can use
it for a moment and pass the rest on to another; a job cannot. The bound lets jobs do so, at a price: base station b
pays pi_jb(t) a second while it has job j, and the job gets back lambda_j = max_b (integral of pi_jb over the job). A
real plan leaves each job with one base station all the time, so it gets back at least what is paid for it, and

    int sum_b mean_b dt <= sum_j lambda_j + sum_b int ( mean_b - sum_{j on b} pi_jb ) dt
                        <= sum_j lambda_j + sum_b max_S sum_cells [ (1/|S|) sum_{j in S} s_jbc - sum_{j in S} p_jbc ].

A cell is a stretch of time in which no job that could be b's begins or ends, so that a real plan has one set S of jobs
on b throughout it; s and p are the integrals of efficiency and price over it. S must hold the jobs that have no other
candidate; from cell to cell its size falls by no more than the jobs that end and rises by no more than those that
begin, and a job that is alone stays while it lasts. So each base station's best series of sets is found by backward
induction over sizes (for each size the best set is a sort) and over jobs that are alone.

All this holds for every price function. How it was found does not matter to the proof: by subgradient descent, because
the bound is convex in the prices. At its least it is the relaxation in which a base station may mix several series of
sets and a job may be with several base stations by halves.

Tightness: in small worlds of the paper's geometry the optimum; in `association/small` 0.8 % above it,
in small blocked worlds with 2.5 to 3.3 UEs a base station 4 to 9 %. With 512 UEs COVER reaches 99 % of it in the
paper's geometry and 76 % in the blocked one. An episode of 512 UEs takes about half a minute for 80 steps on one core.

It bounds the true integral. The metric takes efficiencies at the middle of ticks: 0.1 % more or less (0.04 % seen).
"""

from __future__ import annotations

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

TICKS = 1e-3
"""Relative: what the metric's efficiencies at the middle of ticks may give above the true integral; .0004 was seen."""


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

        Returns indices: station (bs + 1,), cell (cells + 1,), leave (cells,), join (cells,), onward (piece,), fresh
        (piece,).
        """
        return self.station, self.cell, self.leave, self.join, self.onward, self.fresh


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
        station=np.array(station),
        leave=np.concatenate(leave),
        join=np.concatenate(join),
        seconds=end_s - begin_s,
        ue=ue,
        epoch=epoch,
        rank=rank,
        bs=bs,
    )


def bound_bits_per_hz(problem: Relaxation, price: FloatArray, taken: NDArray[np.bool_]) -> float:
    """What no plan exceeds, by prices (piece,) in bit/s/Hz; `taken` (piece,) becomes what base stations would have."""
    p, paid = problem, price * problem.piece_s
    back = np.full(len(p.job_s), -np.inf)
    np.maximum.at(back, p.job, np.bincount(p.link, paid, len(p.job)))
    return float(back.sum() + best_plans(*p.course, p.bits, paid, p.forced, named, taken))


def upper_bound(problem: Relaxation, steps: int = 100, first_step: float = 1.0, last_step: float = 0.02) -> float:
    """No plan makes the network's mean rate larger than this, in bit/s/Hz: the sum over base stations.

    The least of what `steps` of subgradient descent find. A step changes prices by `first_step` bit/s/Hz at first and
    `last_step` at last; the average of the second half is tried too. See the text of the module for the proof.
    """
    return best_prices(problem, steps, first_step, last_step)[0]


def best_prices(
    problem: Relaxation, steps: int = 100, first_step: float = 1.0, last_step: float = 0.02
) -> tuple[float, FloatArray]:
    """`upper_bound`, and the prices (piece,) in bit/s/Hz that it comes from."""
    price = np.zeros(len(problem.link))
    move, average = np.zeros_like(price), np.zeros_like(price)
    taken = np.empty(len(price), bool)
    least, best = np.inf, price
    job = problem.job[problem.link]
    for t in range(steps):
        bits = bound_bits_per_hz(problem, price, taken)
        if bits < least:
            least, best = bits, price
        share = np.bincount(problem.link, problem.piece_s * taken, len(problem.job)) / problem.job_s[problem.job]
        served = np.bincount(problem.job, share, len(problem.job_s))
        # Prices rise where jobs are taken, and what a job gets back changes alike with all its candidates.
        slope = taken - share[problem.link] + ((served - 1.0) / problem.links)[job]
        slope[problem.forced] = 0.0
        move = 0.8 * move + 0.2 * slope
        price = price + first_step * (last_step / first_step) ** (t / steps) * move
        if 2 * t >= steps:
            average += (price - average) / (t - steps // 2 + 1)
    bits = bound_bits_per_hz(problem, average, taken)
    if bits < least:
        least, best = bits, average
    return least / problem.seconds, best


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


def episode_bound(task: Task, episode: int, steps: int = 80) -> float:
    """A bound on the network's rate over what a task scores of a test episode, in Mbit/s."""
    found = scored(task, episode)
    return upper_bound(found.problem, steps) * found.mbps
