"""How fast mmwave-gym is, as ratios that are measured in one run: `python -m bench [--quick] [--only NAME …]`.

Every ratio compares two things on one thread, in turns A B A B …, by CPU time, best of the rounds: what else runs on
the machine then hardly matters; the numbers in brackets are quartiles of the rounds. Speed is shown beside its goal and
is no assertion; the exit code is 0. Peers are mobile-env and linkgym from PyPI, and Gymnasium's CartPole as a yardstick
of overhead (`bench.peers`); where one does not run, its rows say why. --write PAGE: puts the table on a page of the
docs, between two marks.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

import mmwave_gym  # noqa: F401  (registers the environments)
from bench.association import association_epochs, association_worlds, sqa_speed
from bench.beating import time_to_beat
from bench.cell_selection import cell_selection_rate
from bench.cliffs import cliffs
from bench.compiled import compiled_draws, compiled_steps
from bench.hindsight import hindsight_time
from bench.measure import Row
from bench.page import write_between
from bench.power import clustering_time, difference_rate, power_rates
from bench.shared_street import shared_street_rate
from bench.stepping import against_chance, against_peers, same_as_single, worst_step
from bench.training import a3c_updates, ppo_frames, ppo_share, street_share

MARK = "<!-- python -m bench -->"
MEASURES: dict[str, Callable[[bool], Row | list[Row]]] = {
    measure.__name__: measure
    for measure in (
        *(against_peers, against_chance, worst_step, cell_selection_rate, shared_street_rate),
        *(compiled_draws, compiled_steps, cliffs),
        *(association_epochs, association_worlds, sqa_speed),
        *(hindsight_time, ppo_share, street_share, time_to_beat, ppo_frames, a3c_updates),
        *(power_rates, difference_rate, clustering_time, same_as_single),
    )
}


def cpu() -> str:
    """The processor's name."""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """What was measured, when, on which machine, and how busy that was."""
    versions = {}
    for package in ("mmwave-gym", "numpy", "numba", "gymnasium", "stable-baselines3", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    here = {"date": f"{date.today():%d %B %Y}", "cpu": cpu(), "cores": os.cpu_count(), "load 1/5/15 min": load}
    return {**here, "python": platform.python_version(), **versions}


def shown(row: Row) -> str:
    if row.value is None:
        return "-"
    if isinstance(row.value, bool):
        return "yes" if row.value else "NO"
    return number(row.value) + (f" ({number(row.spread[0])} to {number(row.spread[1])})" if row.spread else "")


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.2f}"


def markdown(rows: list[Row], host: dict[str, Any]) -> str:
    lines = ["| what | value | goal | set-up |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {shown(r)} | {r.goal} | {r.setup} |" for r in rows]
    return "\n".join([*lines, "", ", ".join(f"{k} {v}" for k, v in host.items()), ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for bench.json and bench.md")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page, whose text between the marks is replaced")
    parser.add_argument("--quick", action="store_true", help="shorter and rougher")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(MEASURES), help=", ".join(MEASURES))
    arguments = parser.parse_args()
    rows: list[Row] = []
    host = machine()  # before the bench itself loads it
    with threadpool_limits(1):
        for name in arguments.only or MEASURES:
            print(f"{name} …", file=sys.stderr, flush=True)
            measured = MEASURES[name](arguments.quick)
            rows += measured if isinstance(measured, list) else [measured]
    print(markdown(rows, host))
    if arguments.write:
        write_between(arguments.write, MARK, markdown(rows, host))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "bench.md").write_text(markdown(rows, host))
        (arguments.out / "bench.json").write_text(
            json.dumps({"machine": host, "rows": [asdict(r) for r in rows]}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
