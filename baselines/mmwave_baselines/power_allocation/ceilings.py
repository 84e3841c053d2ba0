"""What agents of power allocation can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from typing import Any

from mmwave_baselines.power_allocation.episode_bounds import METRIC, episode_bound
from mmwave_gym.benchmark.bounds import Bound, first_episodes, of_agent
from mmwave_gym.benchmark.task import Task

MOST_EPISODES = 32
"""Of a task that are certified: some seconds each."""
FEWER = {"power_allocation/network-1000": 4, "power_allocation/changing": 4, "power_allocation/melbourne": 16}
"""In networks: 125 base stations take eight seconds, a thousand minutes, and changing ones are nine networks."""


def _certified(task: Task, episode: Any) -> float:
    return episode_bound(task, episode).upper


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
        applies=_of_rate,
        **first_episodes(MOST_EPISODES, FEWER),
    ),
)
