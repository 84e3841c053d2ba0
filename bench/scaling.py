"""How cost grows with size, and where it bends: `python -m bench.scaling [--only TABLE …] [--write docs/speed.md]`.

One batch a line, on one thread, by CPU time: drawing its episodes, and a step with everybody's observation; random
actions. Episodes that follow are not drawn while steps are timed. Sizes that need more memory than MMWAVE_MEMORY_GIB
allows are not played, and the table shows what they need.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import mmwave_gym  # noqa: F401  (registers the environments)
from bench.measure import seconds, short
from bench.page import write_between
from mmwave_gym.benchmark.reproduction import markdown_table
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.memory import limit_gib
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

MARK = "<!-- python -m bench.scaling -->"
FLAT = 1.5
"""Within this many times the least, a cost counts as the least (ours)."""
ROUND_S = 0.05
ROUNDS = 4


@dataclass(frozen=True)
class Column:
    """What grows: a scenario, its keywords and copies at each size; costs are shown for each `unit`."""

    scenario: str
    keywords: Callable[[int], dict[str, Any]]
    copies: Callable[[int], int]
    units: Callable[[int], int]
    """How many units a step moves, in all copies."""
    most: int = 10**9
    """The largest size that the scenario takes."""


@dataclass(frozen=True)
class Table:
    """One table: a line for each size."""

    title: str
    size: str
    unit: str
    sizes: Sequence[int]
    columns: Sequence[Column]


NETWORK = {"layout": "poisson", "scope": "network", "interference": "network", "interference_range_m": 200.0}
BS_PER_M2 = 120e-6
FEW = 16


def _copies(scenario: str, **keywords: Any) -> Column:
    return Column(scenario, lambda n: keywords, lambda n: n, lambda n: n)


def _keyword(scenario: str, name: str, copies: int = 1, most: int = 10**9, each: bool = False, **more: Any) -> Column:
    """A keyword grows; `each`: costs are shown for each of what it counts, not for each copy."""
    return Column(
        scenario, lambda n: {name: n, **more}, lambda n: copies, lambda n: copies * (n if each else 1), most
    )  # fmt: skip


TABLES = {
    "copies": Table(
        "Environment copies", "copies", "copy", (1, 16, 256, 1024, 4096, 16_384),
        (_copies("handover"), _copies("street"), _copies("cell_selection")),
    ),
    "cells": Table(
        "Cells", "cells", "copy", (2, 6, 20, 50, 100, 200),
        (_keyword("handover", "num_cells", FEW), _keyword("cell_selection", "num_cells", FEW)),
    ),
    "ues": Table(
        "User equipments (UEs)", "UEs", "UE (association: decision)", (1, 10, 100, 1000, 10_000),
        (
            _keyword("handover", "num_ues", each=True, horizon=100),
            _keyword("cell_selection", "num_ues", most=1000, each=True, horizon=100),
            Column("association", lambda n: {"num_ues": n, "duration_s": 30.0}, lambda n: 1, lambda n: 1),
        ),
    ),
    "horizon": Table(
        "Horizon", "slots", "copy", (100, 1000, 10_000, 100_000),
        (_keyword("handover", "horizon", boundary="stay"), _keyword("cell_selection", "horizon")),
    ),
    "bs": Table(
        "Base stations", "base stations", "base station", (100, 1000, 10_000, 100_000),
        tuple(
            Column(
                "power_allocation",
                lambda n, seen=seen: {**NETWORK, "side_m": (n / BS_PER_M2) ** 0.5, "observation": seen},  # type: ignore[misc]
                lambda n: 1, lambda n: n,
            )
            for seen in ("ring", "local")
        ),
    ),
}  # fmt: skip


def measured(column: Column, size: int) -> tuple[float, float] | str:
    """CPU seconds of drawing an episode of one copy, and of a step for one unit; or why neither was measured."""
    if size > column.most:
        return f"at most {column.most:,}"
    scenario, copies = make_scenario(column.scenario, **column.keywords(size)), column.copies(size)
    memory = scenario.memory()
    if memory is not None and (gib := memory.total(copies) / 2**30) > limit_gib():
        return f"{gib:.1f} GiB"
    batch = Batch(scenario, copies, draws_ahead=False)
    rounds = 1 if copies * size > 10_000 else 2
    drawn_s = min(seconds(lambda: batch.reset([EpisodeKey(i) for i in range(copies)])) for _ in range(rounds))
    rng, space = np.random.default_rng(0), scenario.action_space
    actions = rng.integers(0, space.n, (8, copies, scenario.num_agents))  # type: ignore[attr-defined]

    def play(steps: int) -> Callable[[], None]:
        def work() -> None:
            for t in range(steps):
                batch.step(actions[t % 8])
                batch.observe()

        return work

    one_s = seconds(play(1))
    steps = max(1, min(int(ROUND_S / max(one_s, 1e-5)), scenario.horizon - 2, 40))
    costs = []
    for _ in range(ROUNDS):
        batch.rewind(np.arange(copies))
        costs.append(seconds(play(steps)) / steps)
    return drawn_s / copies, min(costs) / column.units(size)


def bend(sizes: Sequence[int], costs: Sequence[float]) -> str:
    """Where a cost is least, about, and where it is more than that."""
    least = min(costs)
    flat = [size for size, cost in zip(sizes, costs, strict=True) if cost <= FLAT * least]
    words = [f"least at {flat[0]:,}" if len(flat) == 1 else f"least from {flat[0]:,} to {flat[-1]:,}"]
    if sizes[0] < flat[0]:
        words.append(f"{costs[0] / least:.1f} times as much at {sizes[0]:,}")
    if sizes[-1] > flat[-1]:
        words.append(f"{costs[-1] / least:.1f} times as much at {sizes[-1]:,}")
    return ", ".join(words)


def report(names: Sequence[str]) -> str:
    """The tables in Markdown."""
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    _load_kernels()
    parts = []
    for name in names:
        table, lines, found = TABLES[name], [], {}
        labels = [_label(column, table) for column in table.columns]
        for size in table.sizes:
            cells: list[str] = [f"{size:,}"]
            for label, column in zip(labels, table.columns, strict=True):
                got = measured(column, size)
                print(f"{name} {size:,} {label}: {got}", file=sys.stderr, flush=True)
                if isinstance(got, str):
                    cells += [got, ""]
                    continue
                found.setdefault(label, []).append((size, *got))
                cells += [short(1e3 * got[0]), short(1e6 * got[1])]
            lines.append(tuple(cells))
        head = [table.size, *(w for label in labels for w in (f"{label}: ms a draw", "us a step"))]
        bends = "\n".join(
            f"* {label}, a step for each {table.unit}: {bend([s for s, *_ in rows], [step for *_, step in rows])}."
            for label, rows in found.items()
        )
        parts.append(
            f"### {table.title}\n\nA draw is that of one copy's episode; a step is for each {table.unit}.\n\n"
            f"{markdown_table(head, lines)}\n{bends}\n"
        )
    told = f"Measured on {date.today():%d %B %Y}, {os.cpu_count()} cores, load {load}, limit {limit_gib():g} GiB."
    return "\n".join([told, "", *parts])


def _label(column: Column, table: Table) -> str:
    seen = column.keywords(table.sizes[0]).get("observation")
    return f"{column.scenario.replace('_', ' ')}{f', {seen}' if seen else ''}"


def _load_kernels() -> None:
    """Draw and step so much that compiled code is loaded where there is any."""
    for name in ("handover", "street"):
        make_scenario(name).draw([EpisodeRng(EpisodeKey(i)) for i in range(300)])
        Batch(make_scenario(name), 64).reset([EpisodeKey(i) for i in range(64)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="TABLE", choices=list(TABLES), help=", ".join(TABLES))
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page, whose text between the marks is replaced")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        told = report(arguments.only or list(TABLES))
    print(told)
    if arguments.write:
        write_between(arguments.write, MARK, told)


if __name__ == "__main__":
    main()
