"""What agents of power allocation can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmwave_baselines.power_allocation.episode_bounds import METRIC, episode_bound
from mmwave_gym.benchmark.bounds import Bound, of_agent
from mmwave_gym.benchmark.task import Task

MOST_EPISODES = 64
"""Of a task that are certified: some seconds each."""


def _certified(task: Task, episode: Any) -> float:
    return episode_bound(task, episode).upper


def _first_episodes(task: Task, episodes: Sequence[int]) -> list[int]:
    return list(episodes)[:MOST_EPISODES]


def _padded(task: Task, episodes: Sequence[int], found: Sequence[float]) -> list[float | None]:
    return [*found, *[None] * (len(episodes) - len(found))]


def _of_rate(task: Task) -> bool:
    return task.primary == METRIC


def _counts_first(task: Task) -> bool:
    return _of_rate(task) and task.kwargs.get("missed_bps_hz", 0.0) is None


BOUNDS: tuple[Bound, ...] = (
    of_agent(
        "sca-sets",
        "SCA over every largest set of UEs that can be satisfied together.",
        level="central",
        kind="best known",
        applies=_counts_first,
    ),
    Bound(
        name="certificate",
        level="hindsight",
        kind="proven bound",
        what="Branch and bound over who is satisfied and over SINRs; of networks its root.",
        solve=_certified,
        pieces=_first_episodes,
        combine=_padded,
        applies=_of_rate,
    ),
)
