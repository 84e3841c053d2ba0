"""A proven bound on proportional fairness, `mean_log_rate`: a weighted sum rate bounds it, and `bounds` bounds that.

With r_u the mean rate of UE u, e the least rate that counts and any weights w_u > 0,

    ln max(r, e) <= w r + c(w),    c(w) = max(-1 - ln w, ln e),

because the concave ln lies below its tangent at 1 / w, and below e the left side is ln e while w r >= 0. So

    sum_u ln max(r_u, e) <= max over plans of sum_u w_u r_u + sum_u c(w_u).

The maximum is that of the network's rate with UE u's efficiencies multiplied by w_u, which `bounds.upper_bound` bounds
for every price: its proof uses nothing of efficiencies but that they are not negative. Any weights and prices give a
bound. They descend together: prices by subgradients, each weight towards 1 / r_u of the relaxation's own plans, which
is where the bound is least in w_u.

Rates count from the first epoch after `settle_s` on, as the metric's do, and so do its efficiencies (`paid`).
"""

from __future__ import annotations

import numpy as np

from mmwave_baselines.association.bound_kernel import best_plans
from mmwave_baselines.association.bounds import OUTWARD, Relaxation, relaxation
from mmwave_baselines.association.paid import Paid
from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.types import FloatArray
from mmwave_gym.scenarios.association.fairness import LEAST_RATE_MBPS, SHORTEST_PRESENCE_S
from mmwave_gym.scenarios.association.game import MBIT

METRIC = "mean_log_rate"
FIRST_STEP, LAST_STEP = 1.0, 0.02
"""Of prices, in bit/s/Hz, as in `bounds.upper_bound`."""
PATIENCE = 15
"""Steps of prices alone, before the weights follow."""
NAMED = 1, 2
"""Of base stations' sets the members that are known, see `bounds`: during the first two thirds of steps and then."""


class Weighted:
    """The relaxation of one world whose UEs count with weights.

    counts (ue,): which UEs the mean is over. mbps (ue,): mean rate in Mbit/s of 1 bit/Hz of the whole time.
    """

    def __init__(self, problem: Relaxation, counts: FloatArray, mbps: FloatArray):
        self.problem, self.counts, self.mbps = problem, counts, mbps
        self.job = problem.job[problem.link]  # (piece,)
        self.ue = problem.ue[self.job]
        self.cell = problem.pieces_cell
        self.taken = np.empty(len(problem.link), bool)

    def bound(self, price: FloatArray, weight: FloatArray, named: int = 1) -> float:
        """What no plan's mean of log2 rates exceeds, for prices (piece,) bit/s/Hz and weights (ue,) s/Mbit, above 0.

        `taken` becomes what base stations would have.
        """
        p = self.problem
        factor = (weight * self.counts * self.mbps)[self.ue]
        paid, bits = price * p.piece_s * factor, p.bits * factor
        back = np.full(len(p.job_s), -np.inf)
        np.maximum.at(back, p.job, np.bincount(p.link, paid, len(p.job)))
        rate = float(back.sum() + best_plans(*p.course, bits, paid, p.forced, named, self.taken))
        constant = np.maximum(-1.0 - np.log(weight), np.log(LEAST_RATE_MBPS)) * self.counts
        rounding = OUTWARD * float(bits.sum() + np.abs(paid).sum() + np.abs(constant).sum())
        return (rate + float(constant.sum()) + rounding) / float(self.counts.sum()) / float(np.log(2.0))

    def rates_mbps(self) -> FloatArray:
        """(ue,): what each UE gets of the plans that were `taken` last."""
        p = self.problem
        load = np.bincount(self.cell, self.taken, len(p.leave))
        got = self.taken * p.bits / np.maximum(load[self.cell], 1.0)
        return np.asarray(np.bincount(self.ue, got, len(self.counts)) * self.mbps)

    def slope(self) -> FloatArray:
        """(piece,): where prices in bit/s/Hz should go, as in `bounds.upper_bound`; a direction, of unit 1."""
        p = self.problem
        share = np.bincount(p.link, p.piece_s * self.taken, len(p.job)) / p.job_s[p.job]
        served = np.bincount(p.job, share, len(p.job_s))
        slope = self.taken - share[p.link] + ((served - 1.0) / p.links)[self.job]
        return np.where(p.forced, 0.0, slope)

    def descend(self, steps: int) -> float:
        """The least bound that `steps` of descent find."""
        price = np.zeros(len(self.job))
        move, average = np.zeros_like(price), np.zeros_like(price)
        weight = np.full(len(self.counts), 0.25)
        mean = np.zeros(len(weight))
        least = np.inf
        for t in range(steps):
            least = min(least, self.bound(price, weight, NAMED[3 * t >= 2 * steps]))
            pace = max(2.0 / (t + 2), 0.02)
            mean += pace * (self.rates_mbps() - mean)
            move = 0.8 * move + 0.2 * self.slope()
            price = price + FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (t / steps) * move
            if t >= PATIENCE:
                weight = weight**0.9 / np.maximum(mean, LEAST_RATE_MBPS) ** 0.1
            if 2 * t >= steps:
                average += (price - average) / (t - steps // 2 + 1)
        return min(least, self.bound(average, weight, NAMED[-1]))


def mean_log_rate_bound(
    world: KnownWorld,
    settle_s: float,
    present_s: FloatArray,
    mbit_hz: float,
    steps: int = 240,
    paid: Paid | None = None,
) -> float:
    """No plan has a larger `mean_log_rate`, in log2 of Mbit/s.

    settle_s: from the first epoch at or after it rates count. present_s (ue, 2): when each UE comes and goes.
    mbit_hz: Mbit/s of 1 bit/s/Hz. paid: the efficiencies that count, instead of the true ones. ValueError where no UE
    counts.
    """
    begin = int(np.searchsorted(world.time_s, settle_s))
    begin_s, end_s = float(world.time_s[min(begin, len(world.time_s) - 1)]), float(world.time_s[-1])
    there_s = np.ptp(np.clip(present_s, begin_s, end_s), axis=1)
    counts = (there_s > 0.0) & (there_s >= min(SHORTEST_PRESENCE_S, end_s - begin_s))
    if not counts.any():
        raise ValueError(f"no UE counts between {begin_s:g} s and {end_s:g} s: nobody is there for long enough.")
    mbps = np.where(counts, mbit_hz / np.where(counts, there_s, 1.0), 0.0)
    return Weighted(relaxation(world, begin_s, end_s, paid), counts.astype(float), mbps).descend(steps)


def episode_bound(task: Task, episode: int, steps: int = 240) -> float:
    """A bound on `mean_log_rate` of a whole test episode, in log2 of Mbit/s."""
    batch = Batch(task.scenario(), 1)
    batch.reset(task.keys([episode]))
    view = View(batch, "hindsight")
    (world,) = known_worlds(view)
    mbit_hz = float(view.constants["bandwidth_hz"]) * MBIT
    present_s = view.look("present_s")["present_s"][0]
    settle_s = float(view.constants["settle_s"])
    return mean_log_rate_bound(world, settle_s, present_s, mbit_hz, steps, Paid(world, settle_s))
