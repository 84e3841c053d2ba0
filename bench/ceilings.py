"""What a ceiling costs an episode, one of each kind: `python -m bench.ceilings [--write docs/ceilings.md]`.

Processor seconds on one thread, once compiled: the median of a task's first episodes. The goals are ours.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

import mmwave_gym  # noqa: F401  (registers the environments)
from bench.measure import seconds, short
from bench.page import write_between
from mmwave_gym.benchmark.bounds import bounds
from mmwave_gym.benchmark.reproduction import markdown_table
from mmwave_gym.benchmark.suite import task as find_task

MARK = "<!-- python -m bench.ceilings -->"


@dataclass(frozen=True)
class Cost:
    """A bound of a task, and the processor seconds an episode that it should take at most."""

    task: str
    bound: str
    goal_s: float


COSTS = (
    Cost("handover/a3-beta25", "causal", 2.0),
    Cost("street/car-sparse-v1", "causal", 2.0),
    Cost("association/blocked-512", "members", 60.0),
    Cost("association/blocked-256-fair", "tangent", 60.0),
    Cost("association/paper-512", "relaxation", 60.0),
    Cost("power_allocation/overfull-14", "certificate", 10.0),
    Cost("power_allocation/hard-14", "certificate", 10.0),
    Cost("power_allocation/changing", "certificate", 10.0),
)


def cost_s(cost: Cost, episodes: int) -> float:
    """The median over the first episodes, so that compiling does not count with three or more."""
    task = find_task(cost.task)
    (bound,) = (one for one in bounds(task) if one.name == cost.bound)
    pieces = list(bound.pieces(task, range(episodes)))
    return statistics.median(seconds(lambda piece=piece: bound.solve(task, piece)) for piece in pieces)


def report(episodes: int) -> str:
    heads = ["task", "ceiling", "processor seconds an episode", "goal", "reached"]
    lines = []
    for cost in COSTS:
        found = cost_s(cost, episodes)
        reached = "yes" if found <= cost.goal_s else "no"
        lines.append([f"`{cost.task}`", cost.bound, short(found), f"<= {short(cost.goal_s)}", reached])
    return markdown_table(heads, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=3, help="of each task, the first ones (default: 3)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page, whose text between the marks is replaced")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        told = report(arguments.episodes)
    print(told)
    if arguments.write:
        write_between(arguments.write, MARK, told)


if __name__ == "__main__":
    main()
