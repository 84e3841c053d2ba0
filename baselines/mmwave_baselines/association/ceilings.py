"""What agents of association can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from typing import Any

from mmwave_baselines.association import branching
from mmwave_baselines.association.bounds import TICKS, episode_bound
from mmwave_baselines.association.fair_bound import METRIC, episode_bound as fair_bound
from mmwave_gym.benchmark.bounds import Bound, of_agent
from mmwave_gym.benchmark.task import Task

LOOSE = ("association/blocked-512",)
"""Where the relaxation is far above the best known, and branching takes about a minute an episode."""


def _relaxed(task: Task, episode: Any) -> float:
    return episode_bound(task, episode) * (1.0 + TICKS)


def _branched(task: Task, episode: Any) -> float:
    return branching.episode_bound(task, episode) * (1.0 + TICKS)


def _fair(task: Task, episode: Any) -> float:
    return fair_bound(task, episode)


def _of_rate(task: Task) -> bool:
    return task.primary == "network_rate_mbps"


def _fairly(task: Task) -> bool:
    return task.primary == METRIC and not task.warmup_steps and task.scored_steps is None


BOUNDS: tuple[Bound, ...] = (
    of_agent(
        "optimum",
        "Backward induction over all joint associations of the drawn episode.",
        applies=lambda task: task.name == "association/small",
    ),
    Bound(
        name="relaxation",
        level="hindsight",
        kind="proven bound",
        what="Base stations may share a UE's interval at a price that leaves every real plan unharmed.",
        solve=_relaxed,
        applies=_of_rate,
        cheap=True,
    ),
    Bound(
        name="branching",
        level="hindsight",
        kind="proven bound",
        what="Each job is given to one base station: branching on long jobs in every part of the network.",
        solve=_branched,
        applies=lambda task: _of_rate(task) and task.name in LOOSE,
    ),
    of_agent(
        "polish",
        "COVER's plan, annealed in hindsight on the episode's true rates.",
        kind="best known",
        applies=lambda task: _of_rate(task) and task.name != "association/small",
    ),
    Bound(
        name="tangent",
        level="hindsight",
        kind="proven bound",
        what="The log of a rate lies below its tangents, so a weighted sum rate bounds fairness.",
        solve=_fair,
        applies=_fairly,
    ),
)
