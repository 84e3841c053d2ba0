"""What planners share: they know every route from the start, read the network at each epoch, and need numba."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, RuleState, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Int64Array

if TYPE_CHECKING:
    from mmwave_baselines.association.kernels import Epochs

STATIC = "time_s", "ue", "candidate", "foreseen"


@dataclass
class Plan:
    """What a planner remembers of one row's episode."""

    epochs: Epochs
    random: NDArray[np.uint64]  # (1,): the state of its chance
    table: NDArray[np.float64] | None = None  # (epoch, candidate): what it has learnt


class Planner(Rule):
    """An agent that plans with `kernels`."""

    access = "trajectory"
    needs = ("numba",)

    def begin(self, view: View, rng: RowRng | None = None) -> RuleState:
        state = super().begin(view, rng)
        seeds = (state.rng.random() * 2.0**53).astype(np.uint64)
        worlds = known_epochs(view, range(view.num_rows))
        state.memory = [Plan(e, seeds[i : i + 1].copy()) for i, e in enumerate(worlds)]
        return state

    def restart(self, memory: list[Plan], view: View, rows: NDArray[np.bool_]) -> list[Plan]:
        """The memory with new plans in the marked `rows` (rows,): learnt tables go, random states stay.

        `memory` has one plan for each row and changes in place.
        """
        new = np.flatnonzero(rows)
        for i, epochs in zip(new.tolist(), known_epochs(view, new), strict=True):
            memory[i] = Plan(epochs, memory[i].random)
        return memory

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        from mmwave_baselines.association.kernels import network_of

        now = seen.look("epoch", "serving", "planned")
        cells = len(seen.constants["bs_m"]) + 1
        action = np.zeros(len(seen), np.int64)
        for i, plan in enumerate(seen.memory):
            k = int(now["epoch"][i])
            if plan.epochs.choices[k] > 1:
                action[i] = self.decide(plan, network_of(now["serving"][i], now["planned"][i], cells), k)
        return action

    def decide(self, plan: Plan, network: Any, k: int) -> int:
        """The rank to choose at epoch k, which has several candidates; the network may be changed."""
        raise NotImplementedError


def known_epochs(view: View, rows: Any) -> list[Epochs]:
    """The epochs of the episodes that now run in some rows."""
    from mmwave_baselines.association.kernels import Epochs

    world = view.look(*STATIC)
    nobody = len(view.constants["bs_m"])
    found = []
    for i in rows:
        last = int((world["ue"][i] >= 0).sum())
        candidate = world["candidate"][i, :last].astype(np.int64)
        found.append(
            Epochs(
                ue=world["ue"][i, :last].astype(np.int64),
                choices=(candidate >= 0).sum(axis=1),
                cell=np.where(candidate >= 0, candidate, nobody),
                efficiency=world["foreseen"][i, :last, :, 0].astype(np.float64),
                mean=world["foreseen"][i, :last, :, 1].astype(np.float64),
                gap_s=np.diff(world["time_s"][i, : last + 1]),
            )
        )
    return found
