"""Agents that were trained here and are shipped: one network for all base stations of any cluster or network.

`python -m train.ppo MmwavePowerAllocation-v0` makes them on clusters of 6, 10 and 14 base stations. A base station sees
its own power, SINR and interference, and the sum of what the others ask for a mW; see docs/training.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation import optimisation as opt
from mmwave_baselines.power_allocation.acting import actions
from mmwave_baselines.power_allocation.planners import networks
from mmwave_baselines.shipped import Shipped
from mmwave_gym.agents.protocol import RowRng, begun
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import FloatArray
from mmwave_gym.scenarios.power_allocation.policy import ChangePolicy

SETTLED_AFTER = 20
"""Slots that a policy settles for before it is repaired; tasks score from there on."""


def clusters(task: Task) -> str:
    """One set of weights plays every task in which base stations see more than their ring."""
    return "clusters"


def sees_rings(task: Task) -> str | None:
    """Why a task cannot be played in which base stations see their ring only."""
    if task.kwargs.get("observation") == "local":
        return None
    return f"reads observation='local'; in {task.name} base stations see their ring."


Ppo = Shipped(
    __package__,
    "ppo",
    "PPO",
    "`python -m train.ppo`: acts on what the environment shows a base station.",
    trained_for=clusters,
    refuses=sees_rings,
)


@dataclass
class _Settling:
    playing: Any
    age: NDArray[np.int64]  # (N,): slots since the start or the last change
    phase: NDArray[np.int64]  # (N,)
    held_mw: FloatArray  # (N, A): powers that were repaired


class Repaired(ChangePolicy):
    """A policy that is repaired once it has settled, by somebody who knows all gains; repaired powers are kept.

    Base stations that come or go are a new beginning.
    """

    access = "central"

    def begin(self, view: View, rng: RowRng) -> Any:
        none = np.zeros(view.num_envs, np.int64)
        return _Settling(super().begin(view, rng), none - 1, none - 1, np.zeros((view.num_envs, view.num_agents)))

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        settling: _Settling = begun(state, self)
        action, settling.playing = super().predict(observation, settling.playing, episode_start, deterministic)
        view = settling.playing.view
        phase = view.look("phase")["phase"]
        new = phase != settling.phase
        if episode_start is not None:
            new |= np.asarray(episode_start, bool).reshape(view.num_envs, -1).all(axis=1)
        settling.age, settling.phase = np.where(new, 0, settling.age + 1), phase
        due = np.flatnonzero(settling.age == SETTLED_AFTER)
        if len(due):
            power_mw = view.look("power_mw")["power_mw"]
            for at, network in networks(view, due):
                settling.held_mw[at] = repaired(network, power_mw[at], view.constants["levels"])
        kept = np.repeat(settling.age >= SETTLED_AFTER, view.num_agents)
        return np.where(kept, actions(view, settling.held_mw), action), settling


def repaired(network: opt.Network | opt.Large, power_mw: FloatArray, levels: int | None) -> FloatArray:
    """Powers (N, A) mW near the given ones at which more users are satisfied; large networks are left as they are.

    On levels base stations improve in turn, which rounding what was repaired would undo.
    """
    if isinstance(network, opt.Large):
        return power_mw
    if levels is None:
        return opt.repair(network, power_mw)
    better = np.empty_like(power_mw)
    for can, worth in ((True, opt.penalised), (False, opt.served)):
        rows = np.flatnonzero(opt.feasible(network) == can)
        if len(rows):
            start = (power_mw[rows],)
            better[rows] = opt.coordinate_ascent(network.take(rows), levels, 0, starts=start, worth=worth)
    return better


PpoRepair = Shipped(
    __package__,
    "ppo",
    "PPO, repaired",
    "The networks of `ppo`; what they settle at is repaired.",
    kind=Repaired,
    access="central",
    trained_for=clusters,
    refuses=sees_rings,
)
