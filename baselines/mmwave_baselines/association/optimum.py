"""The best that anybody could have done in a small world: the hindsight-exact ceiling of association.

At any instant each UE is with one of the candidates of its latest epoch, so few joint associations are possible: 2^8
where eight UEs drive between two crossings, 3^6 where six have three candidates. Backward induction over epochs with
the joint association x as its state is therefore exact. With G_k(x) what the network brings from epoch k to the next,

    V_k(x without the UE of epoch k) = max_b [ G_k(x, b) + V_{k+1}((x, b) without the UE of epoch k + 1) ],
    G_k(x) = W sum_b (1 / n_b(x)) sum_{u on b} (integral of u's efficiency to b from epoch k to the next).

The integrals are true ones (Gauss's rule, relative error below 1e-6). The metric takes efficiencies at the middle of
ticks, and shares of a tick's mean; that is all by which another agent could seem better. The paper (arXiv 2201.05983)
proves the problem NP-hard and has no optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import FloatArray, IntArray

MOST_STATES = 500_000
"""Joint associations at an instant; with more of them the optimum is out of reach."""
MOST_UES = 12
"""Between crossings a UE has two candidates or more: 4,096 joint associations, and many times that at crossings."""


def best_plan(world: KnownWorld, first: int = 0, last: int | None = None) -> IntArray:
    """The candidate's rank at each epoch, (K,), that brings most from epoch `first` to epoch `last` (None: the end).

    Of equally good candidates the strongest. Raises NotApplicable with more than `MOST_STATES` joint associations.
    """
    # Entries: one a UE for what it has at first, then one an epoch; `held` is each UE's latest.
    num_ues, num_epochs = len(world.serving), len(world.ue)
    cells = np.full((num_ues + num_epochs, world.candidate.shape[1]), -1)
    cells[:num_ues, 0] = world.serving
    cells[num_ues:] = world.candidate
    count = np.maximum((cells >= 0).sum(axis=1), 1)  # without a candidate: nobody
    held = _latest(world)
    if (joint := count[held].prod(axis=1, dtype=np.float64).max(initial=1.0)) > MOST_STATES:
        raise NotApplicable(f"{num_ues} UEs have {joint:.0f} joint associations, more than {MOST_STATES}.")
    bits = _gap_bits(world, cells[held])

    value = np.zeros(count[held[-1]] if num_epochs else 0)
    best: list[NDArray[np.int8]] = []
    for k in range(num_epochs - 1, -1, -1):
        u = int(world.ue[k])
        if first <= k and (last is None or k < last):
            value = value + network_bits(cells[held[k]], bits[k], value.shape)
        best.append(value.argmax(axis=u).astype(np.int8))
        value = value.max(axis=u, keepdims=True)
        value = np.repeat(value, count[held[k - 1, u]] if k else 1, axis=u)
    rank = np.zeros(num_epochs, np.int64)
    now = [0] * num_ues
    for k, table in enumerate(reversed(best)):
        u = int(world.ue[k])
        now[u] = rank[k] = table[tuple(now[:u] + now[u + 1 :])]
    return rank


def network_bits(cells: IntArray, bits: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """What the network brings in a gap with each joint association, of `shape`, in bit/Hz.

    cells, bits: (ue, C), each UE's candidates and the integrals of their efficiencies over the gap.
    """
    rank = np.indices(shape).reshape(len(shape), -1)
    ue = np.arange(len(shape))[:, None]
    cell = cells[ue, rank]  # (ue, joint association)
    load = (cell[:, None] == cell[None]).sum(axis=1)
    return (bits[ue, rank] / load).sum(axis=0).reshape(shape)


def _latest(world: KnownWorld) -> IntArray:
    """(K, ue): each UE's entry from epoch k to the next."""
    num_ues = len(world.serving)
    entry = np.arange(num_ues)
    held = np.empty((len(world.ue), num_ues), np.intp)
    for k, u in enumerate(world.ue.tolist()):
        entry[u] = num_ues + k
        held[k] = entry
    return held


def _gap_bits(world: KnownWorld, cells: IntArray) -> FloatArray:
    """(K, ue, C): integrals of the efficiencies of `cells` (K, ue, C) from epoch k to the next, in bit/Hz."""
    gap, ue, _ = (index.ravel() for index in np.indices(cells.shape))
    return world.bits_per_hz(ue, cells.ravel(), world.time_s[gap], world.time_s[gap + 1]).reshape(cells.shape)


@dataclass
class Plan:
    """The best decisions of every environment copy, where it is, and the routes for which they were planned."""

    rank: IntArray  # (num_envs, epochs): the candidate to choose at each epoch, by its rank
    epoch: IntArray  # (num_envs,): the present epoch
    first_s: FloatArray  # (num_envs, ue): the start of each route; differs where an episode is a new one


class Optimum(Rule):
    """Solves every episode of its block when it begins, and plays the plan; for a dozen UEs at most.

    warmup_steps, scored_steps: the steps that do not count at first, and those that count then (None: all that
    follow), as in `Task`.
    """

    access = "hindsight"
    kind = "ceiling"
    label = "optimum (backward induction)"

    def __init__(self, warmup_steps: int = 0, scored_steps: int | None = None):
        at_least("warmup_steps", warmup_steps, 0, integer=True)
        if scored_steps is not None:
            at_least("scored_steps", scored_steps, 1, integer=True)
        self.config: dict[str, Any] = {"warmup_steps": int(warmup_steps), "scored_steps": scored_steps}

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Optimum:
        """The optimum of what `task` scores; of whole episodes without one."""
        if training_seed is not None:
            raise AgentError(f"optimum is not trained and has no training seeds, got {training_seed}.")
        if task is None:
            return cls()
        if task.primary not in ("network_rate_mbps", "reward"):
            raise NotApplicable(f"the optimum is that of the network's rate, and {task.name} ranks by {task.primary}.")
        if (num_ues := task.scenario().num_ues) > MOST_UES:
            raise NotApplicable(
                f"{num_ues} UEs have too many joint associations; the optimum takes {MOST_UES} at most."
            )
        return cls(task.warmup_steps, task.scored_steps)

    def remember(self, view: View) -> Plan:
        now = view.look("epoch", "first_s")
        plan = Plan(np.zeros((view.num_envs, view.horizon), np.int64), now["epoch"].copy(), now["first_s"])
        self._solve(plan, view, list(range(view.num_envs)))
        return plan

    def restart(self, memory: Plan, view: View, rows: NDArray[np.bool_]) -> Plan:
        first_s = view.look("first_s")["first_s"]
        others = np.flatnonzero((first_s != memory.first_s).any(axis=1))
        memory.first_s = first_s
        self._solve(memory, view, others.tolist())
        memory.epoch[rows] = 0
        return memory

    def act(self, seen: Seen, rng: RowRng) -> IntArray:
        plan: Plan = seen.memory
        action = plan.rank[np.arange(len(seen)), plan.epoch]
        plan.epoch += 1
        return action

    def _solve(self, plan: Plan, view: View, envs: list[int]) -> None:
        """Replace the plans of these environment copies from their present epochs on."""
        begin, scored = self.config["warmup_steps"], self.config["scored_steps"]
        end = begin + (view.horizon if scored is None else scored)
        now = view.look("epoch")["epoch"][envs]
        for i, epoch, world in zip(envs, now.tolist(), known_worlds(view, envs), strict=True):
            rank = best_plan(world, begin - epoch, end - epoch)
            plan.rank[i, epoch : epoch + len(rank)] = rank
