"""What agents of power allocation can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmwave_baselines.power_allocation.episode_bounds import METRIC, episode_bound
from mmwave_baselines.power_allocation.swap_planner import SwapSca
from mmwave_gym.benchmark.bounds import Bound, first_episodes, of_agent
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.task import Task

MOST_EPISODES = 128
"""Of a task that are certified: as many as have rows, so that scores are measured on all of them."""
SEARCHED = 32
"""Of these each takes some seconds, of the others half a second."""
THOROUGHLY, BRIEFLY = 20_000, 1000
"""Nodes of the search."""
FEWER = {
    "power_allocation/hard-14-levels": 64,
    "power_allocation/network-1000": 4,
    "power_allocation/changing": 16,
    "power_allocation/melbourne": 48,
}
"""Where as many have rows, or an episode is a network of a thousand base stations, or nine networks."""


def _certified(task: Task, episode: int) -> float:
    return episode_bound(task, episode, THOROUGHLY if episode < SEARCHED else BRIEFLY).upper


def _swapped(task: Task, episodes: Sequence[int]) -> list[float]:
    scenario: Any = task.scenario()
    # a block of a short task is short
    rows = evaluate(SwapSca(scenario.missed_bps_hz), replace(task, episodes=len(episodes)))
    return [float(row[task.primary]) for row in rows]


def _at_once(task: Task, episodes: Sequence[int]) -> list[list[int]]:
    """One piece: an agent's turn takes as long for one episode as for all."""
    return [list(episodes)[: FEWER.get(task.name, MOST_EPISODES)]]


def _first(task: Task, episodes: Sequence[int], found: Sequence[Sequence[float]]) -> list[float | None]:
    return [*found[0], *[None] * (len(episodes) - len(found[0]))]


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
        name="swaps",
        level="central",
        kind="best known",
        what="SCA of the satisfied UEs of networks, who join, leave and replace each other while that brings more.",
        solve=_swapped,
        applies=lambda task: _of_rate(task) and not _counts_first(task) and task.kwargs.get("levels", 0) is None,
        pieces=_at_once,
        combine=_first,
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
