"""What planners share: they know every route from the start, read the network at each epoch, and need numba."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import NotApplicable, RowRng, begun
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


@dataclass
class Plans:
    view: View
    rows: list[Plan]
    stale: NDArray[np.bool_] = field(init=False)  # (rows,): has this row decided already?

    def __post_init__(self) -> None:
        self.stale = np.zeros(len(self.rows), bool)


class Planner:
    """An agent that plans with `kernels`. Raises NotApplicable where numba is missing."""

    access = "trajectory"
    kind: str
    label: str
    config: dict[str, Any]

    def __init__(self) -> None:
        if find_spec("numba") is None:
            raise NotApplicable(
                f"{type(self).__name__} plans with numba, which is not installed: pip install 'mmwave-gym[baselines]'."
            )

    def begin(self, view: View, rng: RowRng) -> Plans:
        seeds = (rng.random() * 2.0**53).astype(np.uint64)
        worlds = known_epochs(view, range(view.num_rows))
        return Plans(view, [Plan(e, seeds[i : i + 1].copy()) for i, e in enumerate(worlds)])

    def predict(
        self,
        observation: NDArray[Any],
        state: Plans | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[Int64Array, Plans]:
        from mmwave_baselines.association.kernels import network_of

        plans: Plans = begun(state, self)
        if episode_start is not None:
            again = np.flatnonzero(np.asarray(episode_start, bool) & plans.stale)
            for i, epochs in zip(again.tolist(), known_epochs(plans.view, again) if len(again) else (), strict=True):
                plans.rows[i] = Plan(epochs, plans.rows[i].random)
        plans.stale[:] = True
        now = plans.view.look("epoch", "serving", "planned")
        cells = len(plans.view.constants["bs_m"]) + 1
        action = np.zeros(len(plans.rows), np.int64)
        for i, plan in enumerate(plans.rows):
            k = int(now["epoch"][i])
            if plan.epochs.choices[k] > 1:
                action[i] = self.decide(plan, network_of(now["serving"][i], now["planned"][i], cells), k)
        return action, plans

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
