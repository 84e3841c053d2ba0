"""Fig. 2 of arXiv 2201.05983, the network's rate second by second, and what SQA's planning costs."""

from __future__ import annotations

import zlib
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mmwave_baselines.association.reproduction.plan import FIVE, Setting
from mmwave_baselines.association.sqa_cost import sqa_cost
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.rollout import Player, Rollout
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch

SHOWN = (*FIVE, "msr")
SECONDS = {False: 100.0, True: 30.0}
"""The paper shows the first 100 s."""
CASES: tuple[dict[str, Any], ...] = (
    *({"num_ues": n} for n in (512, 1024, 1536, 2048)),
    *({"num_ues": n, "geometry": "blocked"} for n in (512, 2048)),
    *({"num_ues": 512, "iterations": i} for i in (10, 1000)),
    *({"num_ues": 512, "depth_epochs": d} for d in (64, 1024)),
)
_QUICK_CASES = tuple(case for case in CASES if case["num_ues"] <= 512)


def figure2_table(num_ues: int, quick: bool) -> Table:
    """The network's rate in each second of one world, 10 Mbit/s; all agents play the same world."""
    seconds = SECONDS[quick]
    task = Setting(num_ues).task(quick)
    task = replace(task, name=f"association/figure2-{num_ues}", kwargs={**task.kwargs, "duration_s": seconds})
    rates = second_by_second(task, SHOWN, int(seconds))
    return [
        {"num_ues": num_ues, "agent": agent, "rate_10mbps": (rate / 10.0).round(3).tolist()}
        for agent, rate in zip(SHOWN, rates, strict=True)
    ]


def second_by_second(task: Task, names: tuple[str, ...], seconds: int) -> np.ndarray:
    """The network's rate in Mbit/s, (agent, second), of agents that play the task's first episode side by side.

    What a step counts belongs to the second in which it ends, which is at most a few milliseconds wrong.
    """
    batch = Batch(task.scenario(), len(names), draws_ahead=False)
    batch.reset(task.keys([0]) * len(names))
    chance = [(0, zlib.crc32(task.name.encode()), 0, 0)]
    players = [
        Player(load_agent(name, task.scenario_name, task), batch, chance, slice(i, i + 1))
        for i, name in enumerate(names)
    ]
    mbit = np.zeros((len(names), seconds))
    for outcome, _ in Rollout(batch, players).first_episodes():  # all end together
        at = seconds - 1 if outcome.truncated[0] else min(int(batch.state.time_s[0]), seconds - 1)
        mbit[:, at] += outcome.metrics["network_rate_mbps"]
    return mbit


def cost_table(quick: bool) -> Table:
    """Planning time against UEs, iterations and depth, and whether it keeps up; in milliseconds of processor time."""
    rows = []
    for case in _QUICK_CASES if quick else CASES:
        cost = asdict(sqa_cost(**case, planned=10 if quick else 30))
        rows.append({"geometry": case.get("geometry", "paper"), "case": case, **cost})
    return rows
