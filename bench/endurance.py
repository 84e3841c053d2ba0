"""Plays many agent-steps and checks every one: `python -m bench.endurance [--steps 1e8] [--minutes M]`.

Worlds of all scenarios take turns in chunks. After each chunk the file of --out holds what was played, and the same
command goes on from there with episodes that were not played yet. The count that is printed is of agents' decisions:
an agent in one environment deciding once is one. A fault names its world and chunk, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.watched import Fault, Watched
from mmwave_gym.core.files import write
from mmwave_gym.core.registration import make_registered

_NETWORK = {"layout": "poisson", "scope": "network", "observation": "local", "reward": "difference"}
WORLDS: dict[str, tuple[str, dict[str, Any], int]] = {
    "handover": ("MmwaveHandover-v0", {}, 512),
    "handover: leaving": ("MmwaveHandover-v0", {"mobility": "A3", "start": "uniform", "horizon": 400}, 512),
    "handover: network of UEs": ("MmwaveHandover-v0", {"num_ues": 40, "num_cells": 12, "area_side_m": 60.0}, 32),
    "cell selection": ("MmwaveCellSelection-v0", {}, 512),
    "cell selection: many UEs": ("MmwaveCellSelection-v0", {"num_ues": 30, "num_cells": 8, "load": "served"}, 128),
    "association": ("MmwaveAssociation-v0", {"num_ues": 128, "duration_s": 60.0}, 64),
    "association: blocked": ("MmwaveAssociation-v0", {"geometry": "blocked", "num_ues": 64, "duration_s": 40.0}, 64),
    "power": ("MmwavePowerAllocation-v0", {}, 256),
    "power: one cluster of many": (
        "MmwavePowerAllocation-v0",
        {"layout": "poisson", "levels": None, "observation": "local", "reward": "team", "start": "random"},
        128,
    ),
    "power: changing network": (
        "MmwavePowerAllocation-v0",
        {**_NETWORK, "interference": "network", "changes": 8, "levels": None, "action": "change"},
        32,
    ),
    "power: far network": (
        "MmwavePowerAllocation-v0",
        {**_NETWORK, "interference": "network", "interference_range_m": 150.0, "side_m": 2000.0},
        8,
    ),
    "street": ("MmwaveStreet-v0", {"maps": (1, 2, 3)}, 256),
    "street: dense": ("MmwaveStreet-v0", {"cells": "dense", "maps": (1, 2)}, 256),
    "street: dense, on foot": ("MmwaveStreet-v0", {"cells": "dense", "users": "pedestrian", "decision_s": 0.4}, 128),
}
SECONDS = 3.0
"""A chunk plays its world for so long."""


def chunk(name: str, number: int, seconds: float = SECONDS, most: float = float("inf")) -> int:
    """Play a world for so long, episodes of chunk `number`; how many agent-steps. Raises Fault."""
    env_id, keywords, num_envs = WORLDS[name]
    scenario = make_registered(env_id, **keywords)
    watched = Watched(scenario, num_envs, number << 20)
    began, played = time.process_time(), 0
    while played < most and time.process_time() - began < seconds:
        try:
            played += watched.step()
        except Fault as fault:
            raise Fault(f"{name}, chunk {number}, after {played} agent-steps: {fault}") from fault
    return played


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=float, default=1e8, help="agent-steps in all; default %(default)g")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long at the latest")
    parser.add_argument("--out", type=Path, default=Path("runs/endurance.json"), help="default %(default)s")
    parser.add_argument("--world", nargs="+", metavar="NAME", choices=list(WORLDS), default=list(WORLDS), help="some")
    arguments = parser.parse_args()
    done: dict[str, list[int]] = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    until = time.monotonic() + 60.0 * arguments.minutes

    def total() -> int:
        return sum(played for _, played in done.values())

    while total() < arguments.steps and time.monotonic() < until:
        name = min(arguments.world, key=lambda n: done.get(n, [0, 0])[0])  # the one with the fewest chunks
        chunks, played = done.get(name, [0, 0])
        try:
            played += chunk(name, chunks)
        except Fault as fault:
            print(fault)
            return 1
        done[name] = [chunks + 1, played]
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        write(arguments.out, json.dumps(done, indent=1) + "\n")
        print(f"{total():,} agent-steps, last {name}", file=sys.stderr, flush=True)
    for name, (chunks, played) in done.items():
        print(f"{played:14,} agent-steps in {chunks} chunks: {name}")
    print(f"{total():14,} agent-steps in all, every one checked, of {arguments.steps:,.0f} wanted")
    return 0 if total() >= arguments.steps else 3


if __name__ == "__main__":
    sys.exit(main())
