"""The tables over all tasks of a scenario in one suite, and why a cell of them is empty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.entries import Entry, Overall, OverallRow, TaskBoard
from mmwave_gym.core.access import ACCESS_LEVELS

LEVELS = (*ACCESS_LEVELS, "bound")


def overall_tables(boards: Sequence[TaskBoard]) -> tuple[Overall, ...]:
    """One table per suite and scenario with scores on more than one task, in the order of the boards."""
    kinds = dict.fromkeys((board.suite, board.scenario) for board in boards)
    tables = [
        _overall(suite, scenario, [b for b in boards if (b.suite, b.scenario) == (suite, scenario)], boards)
        for suite, scenario in kinds
    ]
    return tuple(table for table in tables if len(table.tasks) > 1 and table.rows)


def _overall(suite: str, scenario: str, boards: Sequence[TaskBoard], everywhere: Sequence[TaskBoard]) -> Overall:
    known: dict[str, list[Entry]] = defaultdict(list)
    for entry in (e for board in everywhere if board.scenario == scenario for e in board.entries):
        known[entry.agent].append(entry)
    rows = []
    for agent in sorted({entry.agent for board in boards for entry in board.entries}):
        here = [board.entry(agent) for board in boards]
        shown = [e for e in here if e is not None and e.score is not None]
        if not shown:
            continue
        scores = tuple(e.score.mean if e is not None and e.score is not None else None for e in here)
        empty = tuple(why_empty(board, agent, known[agent]) for board in boards)
        labels = {e.label for e in shown}
        label = labels.pop() if len(labels) == 1 else agent  # a label may tell how it was tuned for a task
        values = np.array([score for score in scores if score is not None])
        means = (
            (float(values.mean()), statistics.interquartile_mean(values)) if len(shown) == len(here) else (None,) * 2
        )
        rows.append(OverallRow(shown[-1], label, scores, empty, *means))
    rows.sort(key=lambda row: (LEVELS.index(row.entry.group), not row.whole, -(row.mean or 0.0), row.entry.agent))
    return Overall(suite, scenario, tuple(board.name for board in boards), tuple(rows))


def why_empty(board: TaskBoard, agent: str, known: Sequence[Entry]) -> str:
    """Why an agent has no score on a task, in three words; empty where it has one.

    known: the agent's entries on all tasks of the scenario: who was trained elsewhere was not trained here.
    """
    entry = next((e for e in board.entries if e.agent == agent), None)
    if entry is not None and entry.status == "scored":
        if entry.score is not None:
            return ""
        return "no common episode" if board.ceiling(entry.access) is not None else "no ceiling yet"
    if entry is not None and entry.status == "failed":
        return "it failed here"
    if entry is not None and entry.status == "empty":
        return "no scored episode"
    if agent in board.outdated:
        return "rows are outdated"
    if entry is None and board.task.get("needs_data"):
        return "needs measured data"
    if entry is None and board.task.get("expensive"):
        return "too slow here"
    if any(e.training is not None for e in known):
        return "not trained here"
    return "cannot play here" if entry is not None else "not played here"
