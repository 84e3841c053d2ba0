"""How fast mmwave-gym is, as ratios that are measured in one run: `python -m bench [--quick] [--only NAME …]`.

Every ratio compares two things on one thread, in turns A B A B …, by CPU time, best of the rounds: what else runs on
the machine then hardly matters. Speed is shown beside its goal and is no assertion; the exit code is 0. The peer is
mobile-env from PyPI, the most used environment of this field; without it, rows that need it say so.
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
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

import mmwave_gym  # noqa: F401  (registers the environments)
from bench.association import association_epochs, association_worlds, sqa_speed
from bench.cell_selection import cell_selection_rate
from bench.cliffs import cliffs
from bench.compiled import compiled_draws, compiled_steps
from bench.measure import Row
from bench.power import clustering_time, power_rates
from bench.stepping import against_chance, against_peer, same_as_single, worst_step
from bench.training import a3c_updates, ppo_frames, ppo_share

MEASURES: dict[str, Callable[[bool], Row | list[Row]]] = {
    measure.__name__: measure
    for measure in (
        *(against_peer, against_chance, worst_step, cell_selection_rate),
        *(compiled_draws, compiled_steps, cliffs),
        *(association_epochs, association_worlds, sqa_speed),
        *(ppo_share, ppo_frames, a3c_updates),
        *(power_rates, clustering_time, same_as_single),
    )
}


def machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    packages = ("mmwave-gym", "numpy", "gymnasium", "mobile-env", "stable-baselines3", "torch")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def shown(row: Row) -> str:
    if row.value is None:
        return "-"
    if isinstance(row.value, bool):
        return "yes" if row.value else "NO"
    return f"{row.value:,.0f}" if row.value >= 20 else f"{row.value:.2f}"


def markdown(rows: list[Row], host: dict[str, Any]) -> str:
    lines = ["| what | value | goal | set-up |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {shown(r)} | {r.goal} | {r.setup} |" for r in rows]
    return "\n".join([*lines, "", ", ".join(f"{k} {v}" for k, v in host.items()), ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for bench.json and bench.md")
    parser.add_argument("--quick", action="store_true", help="shorter and rougher")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(MEASURES), help=", ".join(MEASURES))
    arguments = parser.parse_args()
    rows: list[Row] = []
    with threadpool_limits(1):
        for name in arguments.only or MEASURES:
            print(f"{name} …", file=sys.stderr, flush=True)
            measured = MEASURES[name](arguments.quick)
            rows += measured if isinstance(measured, list) else [measured]
    host = machine()
    print(markdown(rows, host))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "bench.md").write_text(markdown(rows, host))
        (arguments.out / "bench.json").write_text(
            json.dumps({"machine": host, "rows": [asdict(r) for r in rows]}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
