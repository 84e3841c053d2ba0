"""Every agent of a task compared with every other, in every metric: what the task's page shows of any two."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.board import sample_of
from mmwave_gym.benchmark.leaderboard.entries import TaskBoard
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.files import plain
from mmwave_gym.core.shown import visible


def script(board: TaskBoard) -> str:
    """The file that a task's page loads when two agents are to be compared: one call with JSON, no other code."""
    return f"mmwaveBoard.pairs({json.dumps(pairs(board), default=plain, separators=(',', ':'))});\n"


def pairs(board: TaskBoard) -> dict[str, Any]:
    """Paired differences of all scored agents, as JSON values.

    agents: [name, label]; metrics: [name, unit], the primary one first. values: for each metric a list over the pairs
    (0, 1), (0, 2), …, (1, 2), … of [difference of the first less the second, low, high, 1 where told apart], or null
    where they share no episode. means: for each metric the mean of each agent.
    """
    entries = [e for e in board.entries if e.status == "scored"]
    primary = str(board.task["primary"])
    names = [primary, *(name for name in board.units if name != primary)]
    values, means = [], []
    for name in names:
        samples = [_sample(e.runs, name, board) for e in entries]
        means.append([_short(float(s.values.mean()), None) if s.episodes.size else None for s in samples])
        values.append([None if d is None else _row(d) for d in statistics.differences(samples)])
    return {
        "agents": [[visible(e.agent), visible(e.label)] for e in entries],
        "metrics": [[visible(name), visible(board.units.get(name, ""))] for name in names],
        "higher": bool(board.task["higher_is_better"]),
        "smallest": float(board.task.get("smallest_difference") or 0.0),
        "means": means,
        "values": values,
    }


def _sample(runs: Any, metric: str, board: TaskBoard) -> statistics.Sample:
    whole = [run for run in runs if run.failed is None and run.skipped is None and run.episodes]
    return sample_of(whole, metric, board.task.get("groups"))


def _row(difference: Interval) -> list[float | int | None]:
    ends = [_short(end, difference) for end in (difference.mean, difference.low, difference.high)]
    return [*ends, int(difference.excludes_zero)]


def _short(value: float | None, interval: Interval | None) -> float | None:
    """The value with three digits of its interval's half-width, else with six: a file of a thousand pairs is read."""
    if value is None or not math.isfinite(value):
        return None
    if interval is None or interval.low is None or interval.high is None or interval.high <= interval.low:
        return float(f"{value:.6g}")
    return float(np.round(value, 2 - math.floor(math.log10((interval.high - interval.low) / 2))))
