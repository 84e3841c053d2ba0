"""A line of the table, and contestants that are timed in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Name = TypeVar("Name", str, int)

ENV_ID = "MmwaveHandover-v0"
NUM_ENVS = 1024


@dataclass
class Row:
    """One line of the table; `value` is None where something needed is not installed, and `setup` says what."""

    what: str
    value: float | bool | None
    goal: str
    setup: str


def alternate(contestants: dict[Name, Callable[[], float]], rounds: int) -> dict[Name, float]:
    """Run the contestants in turns; each returns a cost, and its least one counts."""
    costs: dict[Name, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            costs[name].append(run())
    return {name: min(seen) for name, seen in costs.items()}


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start
