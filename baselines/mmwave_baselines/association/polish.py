"""The best known plans in hindsight: COVER's plans, annealed on the true rates of the very episode. Ours.

1. Play COVER on planned efficiencies from the present on. Play it again with the roles of base stations exchanged:
   in a grid of streets the others are a cover, too.
2. Take the jobs of the scored time (`bounds.relaxation`): intervals of a UE between two of its own epochs.
3. Anneal: give one job at a time to another of its candidates, by the exact integral of the network's rate.

Annealing hardly changes which base stations take many UEs, unless it begins hot. Then it finds the roles by itself,
which succeeds with nine base stations and fails with 64. So there are several runs, and the best counts.

Best known, not proven. `bounds.upper_bound` says how much more there can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmwave_baselines.association import bounds
from mmwave_baselines.association.optimum import Optimum, Plan
from mmwave_baselines.association.planner import known_epochs
from mmwave_baselines.association.rules import vertex_cover
from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.agents.protocol import AgentError, NotApplicable
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import BoolArray, IntArray

WARM, HOT, COLD = 0.3, 2.0, 0.03
"""Temperatures, bit/Hz: at which a plan is improved, at which it is forgotten, and at which every run ends."""
THRESHOLD_BPS_HZ = 2.0
"""COVER's."""


class Polish(Optimum):
    """COVER annealed in hindsight: the best known plan of an episode.

    moves: tries in each of three runs, 0 to play COVER's plan. warmup_steps, scored_steps: as in `Optimum`.
    """

    needs = ("numba",)
    label = "COVER annealed in hindsight"
    expensive = True  # some ten seconds an episode, whatever its size

    def __init__(self, warmup_steps: int = 0, scored_steps: int | None = None, moves: int = 10_000_000):
        super().__init__(warmup_steps, scored_steps)
        at_least("moves", moves, 0, integer=True)
        self.config["moves"] = int(moves)

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Polish:
        """The polish of what `task` scores; of whole episodes without one."""
        if training_seed is not None:
            raise AgentError(f"polish is not trained and has no training seeds, got {training_seed}.")
        if task is None:
            return cls()
        if task.primary not in ("network_rate_mbps", "reward"):
            raise NotApplicable(f"polish plans for the network's rate, and {task.name} ranks by {task.primary}.")
        return cls(task.warmup_steps, task.scored_steps)

    def _solve(self, plan: Plan, view: View, envs: list[int]) -> None:
        begin, scored = self.config["warmup_steps"], self.config["scored_steps"]
        now = view.look("epoch", "serving", "planned")
        covers = vertex_cover(len(view.constants["bs_m"]), view.constants["roads"])
        for i, world in zip(envs, known_worlds(view, envs), strict=True):
            epoch = int(now["epoch"][i])
            state = view, i, epoch, now["serving"][i], now["planned"][i]
            rank = self._cover(*state, np.append(~covers, False))
            first = max(begin - epoch, 0)
            last = len(world.ue) if scored is None else min(begin + scored - epoch, len(world.ue))
            if self.config["moves"] and last > first:
                others = self._cover(*state, np.append(covers, False))
                rank = polished(world, (rank, others), first, last, self.config["moves"])
            plan.rank[i, epoch : epoch + len(rank)] = rank

    @staticmethod
    def _cover(view: View, env: int, epoch: int, serving: Any, planned: Any, free: BoolArray) -> IntArray:
        from mmwave_baselines.association.polish_kernel import cover_plan

        (epochs,) = known_epochs(view, [env])
        parts: Any = [part[epoch:] for part in epochs]
        rest = type(epochs)(*parts)
        rank: IntArray = cover_plan(serving, planned.astype(np.float64), rest, free, THRESHOLD_BPS_HZ)
        return rank


def polished(world: KnownWorld, starts: Sequence[IntArray], first: int, last: int, moves: int) -> IntArray:
    """Ranks (K,) that bring most between the epochs `first` and `last`, of annealing runs from each start (K,).

    moves: tries in each run, one from each start and a hot one from the first. Decisions of jobs that are over before
    `first` or begin after `last` stay those of the start.
    """
    from mmwave_baselines.association.polish_kernel import anneal, total_bits

    problem = bounds.relaxation(world, world.time_s[first], world.time_s[last])
    order = np.lexsort((problem.pieces_cell, problem.link))
    first_piece = np.searchsorted(problem.link[order], np.arange(len(problem.job) + 1))
    cell, bits = problem.pieces_cell[order], problem.bits[order]
    begin = np.searchsorted(problem.job, np.arange(len(problem.job_s) + 1))
    able = np.flatnonzero(np.diff(begin) > 1)
    if not len(able):
        return starts[0].copy()
    links = np.concatenate([np.arange(begin[j], begin[j + 1]) for j in able])
    choice = np.append(0, np.diff(begin)[able].cumsum())
    load, total = np.empty((2, len(problem.leave)))
    found = []
    for number, (rank, hot) in enumerate([*((start, WARM) for start in starts), (starts[0], HOT)]):
        # a job that ran before the first epoch known has one link
        wanted = np.where(problem.epoch >= 0, rank[problem.epoch], 0)
        pick = begin[:-1] + np.minimum(wanted, np.diff(begin) - 1)
        value = total_bits(first_piece, cell, bits, pick, load, total)
        chance = np.array([number + 1], np.uint64)
        work = first_piece, cell, bits, choice, links, pick[able]
        gained, best = anneal(*work, load, total, moves, hot, COLD, chance)
        found.append((value + gained, rank, best))
    _, rank, best = max(found, key=lambda run: run[0])
    new = rank.copy()
    decided = problem.epoch[able] >= 0
    new[problem.epoch[able[decided]]] = problem.rank[best[decided]]
    return new
