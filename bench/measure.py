"""A line of the table, and contestants that are timed in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
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
    spread: tuple[float, float] | None = None
    """The same of the lower and of the upper quarter of the rounds."""


def in_turns(contestants: Mapping[Name, Callable[[], float]], rounds: int) -> dict[Name, list[float]]:
    """Costs of the contestants, round by round; they run in turns, A B A B, and each returns a cost."""
    costs: dict[Name, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            costs[name].append(run())
    return costs


def alternate(contestants: Mapping[Name, Callable[[], float]], rounds: int) -> dict[Name, float]:
    """The least cost of each contestant in so many rounds."""
    return {name: min(seen) for name, seen in in_turns(contestants, rounds).items()}


def ratio(above: Sequence[float], below: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The ratio of the least costs of two contestants, and its quartiles over the rounds.

    What else the machine does only adds to a cost, so the least is nearest to the truth; neighbours in time share a
    disturbance, so the ratios of rounds tell how sure it is.
    """
    rounds = [a / b for a, b in zip(above, below, strict=True)]
    low, _, high = statistics.quantiles(rounds, n=4) if len(rounds) > 1 else [rounds[0]] * 3
    return min(above) / min(below), (low, high)


def short(value: float) -> str:
    """Three digits, more of large numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start
