"""Proven bounds on what anybody can have in episodes of a task of association, whatever they know.

`network_rate_mbps` by `bounds`, `mean_log_rate` by `fair_bound`. Both bound true integrals; the metric takes
efficiencies at the middle of ticks, for which `TICKS` is added.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mmwave_baselines.association.bounds import relaxation, upper_bound
from mmwave_baselines.association.fair_bound import TICKS, mean_log_rate_bound
from mmwave_baselines.association.world import known_worlds
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.scenarios.association.game import MBIT

RATE, FAIR = "network_rate_mbps", "mean_log_rate"


@dataclass(frozen=True)
class EpisodeBound:
    """An episode's bound in the unit of the task's metric; processor time in s."""

    episode: int
    upper: float
    seconds: float


def episode_bound(task: Task, episode: int, steps: int = 100, split: str = "test") -> EpisodeBound:
    """The bound of one episode of `task`, after `steps` of descent.

    Raises NotApplicable where the task ranks by another metric, or scores a part of an episode by fairness.
    """
    scenario = task.scenario()
    batch = Batch(scenario, 1)
    batch.reset(task.keys([episode], split))
    view = View(batch, "hindsight")
    (world,) = known_worlds(view)
    began = time.process_time()
    mbit_hz = view.constants["bandwidth_hz"] * MBIT
    if task.primary == RATE:
        last = len(world.ue) if task.scored_steps is None else task.warmup_steps + task.scored_steps
        problem = relaxation(world, world.time_s[task.warmup_steps], world.time_s[min(last, len(world.ue))])
        upper = upper_bound(problem, steps) * mbit_hz * (1.0 + TICKS)
    elif task.primary == FAIR and task.scored_steps is None:
        present_s = view.look("present_s")["present_s"][0]
        upper = mean_log_rate_bound(world, view.constants["settle_s"], present_s, mbit_hz, steps)
    else:
        raise NotApplicable(
            f"bounds of association are on {RATE} and, of whole episodes, on {FAIR}; {task.name} ranks by "
            f"{task.primary}."
        )
    return EpisodeBound(episode, upper, time.process_time() - began)
