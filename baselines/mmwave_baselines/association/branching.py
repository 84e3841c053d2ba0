"""Tighter than `bounds`: branch on jobs that base stations would share, in one part of the network after the other.

**What is branched on.** At its best prices the relaxation of `bounds` gives long jobs to two base stations by halves.
A real plan gives job j to one of its candidates. So the bound of a problem is at most the largest bound of the problems
in which j is with candidate 1, 2, …; in each of them j is forced where it is and gone elsewhere, and prices descend
anew. This may be repeated: the leaves of a tree of such choices hold every real plan, hence

    the network's bits <= the largest bound of a leaf.

**In parts.** Let base stations be split into parts, and call a job inner to a part that has all its candidates. For
prices pi, `bounds` says

    the network's bits <= sum over jobs j that are inner to none of lambda_j
                          + sum over parts P of [ sum over jobs inner to P of lambda_j + sum over b in P of D_b ],

D_b the best series of sets of base station b at these prices. With the prices of jobs that are inner to none held
fixed, the bracket of P bounds what P's base stations earn less what they pay for those, in every real plan: it is the
relaxation's bound of a problem of its own. So it may be replaced by that of a tree over P's inner jobs, whose prices
are free. Leaves of different parts need not be combined, which is what makes it affordable.

Tightness, measured on one world each: in a window of 16 s of 9 base stations and 64 UEs, from 26 % above the best plan
known to 5 % with 480 problems and to 2 % with 800, in one part. In an episode of `blocked-512` from 21 % to 14 % in a
minute, in parts of four base stations; to go on, parts must grow, since what they share stays shared.

Whoever is gone from a base station there costs `GONE`, more than all bits together: no real plan takes it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.association.bound_kernel import best_plans
from mmwave_baselines.association.bounds import Relaxation, best_prices, relaxation
from mmwave_baselines.association.world import known_worlds
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.types import BoolArray, FloatArray, IntArray
from mmwave_gym.scenarios.association.game import MBIT

GONE = 1e9
OUTWARD = 1e-9
"""Relative: added to a bound for the rounding of its sums."""
WHOLE_STEPS = 80
"""Of the whole network's descent, before its parts are branched in."""
FIRST_STEP, LAST_STEP = 0.3, 0.03
"""Of prices in a node, in bit/s/Hz, which begins with its parent's."""


@dataclass
class Part:
    """Some base stations of a relaxation as a problem of its own."""

    problem: Relaxation
    inner: BoolArray  # (job,): all its candidates are here
    pieces: IntArray  # (piece,): their numbers in the whole problem
    jobs: IntArray  # (job,): likewise


def part(whole: Relaxation, stations: IntArray) -> Part:
    """The part of these base stations (k,), with the jobs that may be theirs."""
    cells = np.concatenate([np.arange(whole.station[b], whole.station[b + 1]) for b in stations])
    pieces = np.concatenate([np.arange(whole.cell[c], whole.cell[c + 1]) for c in cells] or [np.empty(0, np.intp)])
    number = np.full(len(whole.link) + 1, -1)
    number[pieces] = np.arange(len(pieces))
    links, link = np.unique(whole.link[pieces], return_inverse=True)
    jobs, job = np.unique(whole.job[links], return_inverse=True)
    made = replace(
        whole,
        span_s=whole.span_s[jobs],
        cell_s=whole.cell_s[cells],
        links=whole.links[jobs],
        job=job,
        link=link,
        piece_s=whole.piece_s[pieces],
        bits=whole.bits[pieces],
        forced=whole.forced[pieces],
        cell=np.append(0, np.diff(whole.cell)[cells].cumsum()),
        onward=number[whole.onward[pieces]],
        fresh=whole.fresh[pieces],
        station=np.append(0, np.diff(whole.station)[stations].cumsum()),
        leave=whole.leave[cells],
        join=whole.join[cells],
        ue=whole.ue[jobs],
        epoch=whole.epoch[jobs],
        rank=whole.rank[links],
        bs=whole.bs[links],
    )
    return Part(made, np.bincount(job) == made.links, pieces, jobs)


@dataclass
class Leaf:
    """What is left to choose: links that are gone, prices, and how much of each job every candidate would have."""

    gone: BoolArray  # (link,)
    price: FloatArray  # (piece,), bit/s/Hz
    share: FloatArray  # (link,)
    bits: float


class Tree:
    """Branching within one part; only prices of inner jobs move."""

    def __init__(self, here: Part):
        self.here, self.problem = here, here.problem
        self.job = here.problem.job[here.problem.link]  # (piece,)
        self.first = np.searchsorted(here.problem.job, np.arange(len(here.problem.job_s) + 1))
        self.taken: NDArray[np.bool_] = np.empty(len(self.job), bool)

    def bits(self, price: FloatArray, gone: BoolArray, forced: BoolArray) -> float:
        """The bracket of the module's text, bit/Hz; `taken` becomes what base stations would have.

        price (piece,) bit/s/Hz. gone (link,). forced (piece,): jobs with one candidate left.
        """
        p = self.problem
        paid = price * p.piece_s
        back = np.full(len(p.job_s), -np.inf)
        left = np.flatnonzero(~gone)
        np.maximum.at(back, p.job[left], np.bincount(p.link, paid, len(p.job))[left])
        cost = np.where(gone[p.link], GONE, paid)
        total = float(back[self.here.inner].sum() + best_plans(*p.course, p.bits, cost, forced, NAMED, self.taken))
        return total + OUTWARD * float(p.bits.sum() + np.abs(paid).sum())

    def descend(self, gone: BoolArray, price: FloatArray, steps: int, first: float = FIRST_STEP) -> Leaf:
        """The least bound that `steps` find, from the prices (piece,), with the links `gone` (link,) gone.

        Prices of jobs that are not inner stay bit for bit: the other parts count on them.
        """
        p = self.problem
        left = np.bincount(p.job[~gone], minlength=len(p.job_s))
        forced = p.forced | ((left[self.job] == 1) & ~gone[p.link] & self.here.inner[self.job])
        still = forced | gone[p.link] | ~self.here.inner[self.job]
        best, least, averaged = price, np.inf, 0
        move, average, shares = np.zeros_like(price), price, np.zeros(len(p.job))
        for t in range(steps):
            bits = self.bits(price, gone, forced)
            if bits < least:
                best, least = price, bits
            share = np.bincount(p.link, p.piece_s * self.taken, len(p.job)) / p.job_s[p.job]
            served = np.bincount(p.job, share, len(p.job_s))
            slope = self.taken - share[p.link] + ((served - 1.0) / p.links)[self.job]
            move = 0.8 * move + 0.2 * np.where(still, 0.0, slope)
            price = price + first * (LAST_STEP / first) ** (t / steps) * move
            if 2 * t >= steps:
                averaged += 1
                average = average + (price - average) / averaged
                shares += (share - shares) / averaged
        bits = self.bits(average, gone, forced)
        if bits < least:
            best, least = average, bits
        return Leaf(gone, best, shares, least)

    def run(self, price: FloatArray, most_nodes: int, steps: int = 40, known_bits: float = -np.inf) -> float:
        """The bound of the part after about `most_nodes` problems, bit/Hz; they stop where it is `known_bits`.

        price (piece,): prices to begin with, bit/s/Hz. steps: of descent in each problem.
        """
        order, nodes = count(), 1
        root = self.descend(np.zeros(len(self.problem.job), bool), price, steps)
        heap = [(-root.bits, next(order), root)]
        settled = known_bits  # the largest bound of leaves without a choice
        while heap and nodes < most_nodes and -heap[0][0] > settled:
            leaf = heapq.heappop(heap)[2]
            job = self._undecided(leaf)
            if job is None:
                settled = max(settled, leaf.bits)
                continue
            for link in range(self.first[job], self.first[job + 1]):
                if leaf.gone[link]:
                    continue
                gone = leaf.gone.copy()
                gone[self.first[job] : self.first[job + 1]] = True
                gone[link] = False
                child = self.descend(gone, leaf.price, steps)
                child.bits = min(child.bits, leaf.bits)
                nodes += 1
                if child.bits > settled:
                    heapq.heappush(heap, (-child.bits, next(order), child))
        return max(settled, -heap[0][0]) if heap else settled

    def _undecided(self, leaf: Leaf) -> int | None:
        """The inner job that base stations would share for longest; None: no job has a choice."""
        p = self.problem
        open_ = ~leaf.gone & (np.bincount(p.job[~leaf.gone], minlength=len(p.job_s)) > 1)[p.job]
        open_ &= self.here.inner[p.job]
        if not open_.any():
            return None
        share = np.clip(leaf.share, 0.0, 1.0)
        shared_s = np.where(open_, (np.minimum(share, 1.0 - share) + 1e-9) * p.job_s[p.job], -1.0)
        return int(p.job[shared_s.argmax()])


def parts_of(bs_m: FloatArray, most: int) -> list[IntArray]:
    """Base stations at `bs_m` (bs, 2) in groups of at most `most`, by halving the longer side again and again."""
    todo, done = [np.arange(len(bs_m))], []
    while todo:
        group = todo.pop()
        if len(group) <= most:
            done.append(np.sort(group))
            continue
        place_m = bs_m[group]
        axis = int(np.ptp(place_m, axis=0).argmax())
        order = np.lexsort((place_m[:, 1 - axis], place_m[:, axis]))
        half = len(group) // 2
        todo += [group[order[:half]], group[order[half:]]]
    return sorted(done, key=lambda group: int(group[0]))


def branched_bound(
    whole: Relaxation, price: FloatArray, parts: list[IntArray], most_nodes: int, steps: int = 40, known: float = 0.0
) -> float:
    """No plan makes the network's mean rate larger than this, in bit/s/Hz.

    price (piece,): good prices in bit/s/Hz, of `bounds.best_prices`. parts: indices of base stations (k,) each, every
    one in one part. most_nodes: in each part. known: a rate that a plan reaches, bit/s/Hz, at which a lone part stops.
    """
    paid = np.bincount(whole.link, price * whole.piece_s, len(whole.job))
    back = np.full(len(whole.job_s), -np.inf)
    np.maximum.at(back, whole.job, paid)
    total = 0.0
    stop = known * whole.seconds if len(parts) == 1 else -np.inf
    for stations in parts:
        here = part(whole, stations)
        total += Tree(here).run(price[here.pieces], most_nodes, steps, stop)
        back[here.jobs[here.inner]] = 0.0
    return (total + float(back.sum()) + OUTWARD * float(np.abs(paid).sum())) / whole.seconds


def episode_bound(task: Task, episode: int, most_bs: int = 4, most_nodes: int = 40, steps: int = 14) -> float:
    """A bound on the network's rate over what a task scores of a test episode, in Mbit/s, less the metric's ticks.

    most_bs: base stations of a part. most_nodes, steps: problems in each part, and steps of descent in each problem.
    """
    batch = Batch(task.scenario(), 1)
    batch.reset(task.keys([episode]))
    view = View(batch, "hindsight")
    (world,) = known_worlds(view)
    last = len(world.ue) if task.scored_steps is None else task.warmup_steps + task.scored_steps
    whole = relaxation(world, world.time_s[task.warmup_steps], world.time_s[min(last, len(world.ue))])
    _, price = best_prices(whole, WHOLE_STEPS)
    found = branched_bound(whole, price, parts_of(world.bs_m, most_bs), most_nodes, steps)
    return found * float(view.constants["bandwidth_hz"]) * MBIT
