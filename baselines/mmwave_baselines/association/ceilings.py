"""What agents of association can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from typing import Any

from mmwave_baselines.association.bounds import CLOSE, FEW, episode_bound
from mmwave_baselines.association.fair_bound import METRIC, episode_bound as fair_bound
from mmwave_gym.benchmark.bounds import Bound, first_episodes, of_agent
from mmwave_gym.benchmark.task import Task

MEMBERS = {"association/blocked-512": CLOSE, "association/blocked-2048": FEW, "association/paper-2048": FEW}
"""Where an episode takes ten seconds or more, and how the bound of each descends."""
MOST_EPISODES = 32
FEWER = {"association/blocked-2048": 12, "association/paper-2048": 4}
"""Episodes of a task that are bounded: minutes each with 2,048 UEs."""
POLISHED = {"association/blocked-2048": 4, "association/paper-2048": 4}
"""Episodes that are polished."""


DESCENT = 1e-3
"""Relative: where a descent ends depends on the last digits; a bound it is wherever it ends."""


def _relaxed(task: Task, episode: Any) -> float:
    return episode_bound(task, episode)


def _by_members(task: Task, episode: Any) -> float:
    return episode_bound(task, episode, MEMBERS[task.name])


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
        applies=lambda task: _of_rate(task) and task.name not in MEMBERS,
        version=2,
        cheap=True,
        rounding=DESCENT,
    ),
    Bound(
        name="members",
        level="hindsight",
        kind="proven bound",
        what="The relaxation of large networks; where it is loose, base stations keep a few UEs in mind.",
        solve=_by_members,
        applies=lambda task: _of_rate(task) and task.name in MEMBERS,
        **first_episodes(MOST_EPISODES, FEWER),
    ),
    of_agent(
        "polish",
        "COVER's plans, annealed in hindsight on the episode's true rates.",
        kind="best known",
        applies=lambda task: _of_rate(task) and task.name != "association/small",
        fewer=POLISHED,
    ),
    Bound(
        name="tangent",
        level="hindsight",
        kind="proven bound",
        what="The log of a rate lies below its tangents, so a weighted sum rate bounds fairness.",
        solve=_fair,
        applies=_fairly,
        **first_episodes(MOST_EPISODES),
    ),
)
