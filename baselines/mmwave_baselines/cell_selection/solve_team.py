"""Learns the tables of the `team` agents: python -m mmwave_baselines.cell_selection.solve_team --help.

For each number of UEs and handover cost it runs `team_rollouts.improve` and writes which actions are best for every
observation into `team.npz`, and what they earn into `team.json`, after every game, so that a stopped run loses little.
Cells that look alike share the chance, or the lowest name gets it, whichever earns more.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.team import TABLES, table_key
from mmwave_baselines.cell_selection.team_rollouts import (
    Estimate,
    Observations,
    greedy_chances,
    improve,
    measure_shared,
)
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.types import Float64Array


def solve(
    game: Game, memory: bool, slots: int, iterations: int, seed: int, start: Float64Array | None
) -> dict[str, Any]:
    """One table: chances (count, L), the best of the two ways to break ties, and what was measured.

    start (count, L): chances to begin with.
    """
    observations = Observations(game, memory)
    begun = time.process_time()

    def report(iteration: int, found: Estimate) -> None:
        print(f"  {iteration} {found.mean_bps_hz:.4f} {time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)

    rate = 20.0 if start is None else 80.0
    chances = improve(
        observations, iterations=iterations, slots=slots, seed=seed, start=start, rate=rate, report=report
    )
    shared = greedy_chances(chances)
    lowest = np.eye(game.num_cells)[shared.argmax(axis=1)]
    measured = [measure_shared(observations, table, slots=500) for table in (shared, lowest)]
    best = int(measured[1][0] > measured[0][0])
    mean, error, handovers = measured[best]
    return {
        "chances": chances,
        "table": (shared, lowest)[best] > 0.0,
        "record": {
            "sum_rate_bps_hz": mean,
            "standard_error_bps_hz": error,
            "handovers_per_slot": handovers,
            "ties": ("shared", "lowest")[best],
            "slots": slots,
            "iterations": iterations,
            "seed": seed,
            "cpu_s": round(time.process_time() - begun, 1),
        },
    }


def store(folder: Path, key: str, game: Game, found: dict[str, Any]) -> None:
    """Add a table to `team.npz` and `team.json`."""
    arrays, record = folder / "team.npz", folder / "team.json"
    tables = dict(np.load(arrays, allow_pickle=False)) if arrays.exists() else {}
    tables[key] = np.packbits(found["table"], axis=1)[:, 0]
    np.savez_compressed(arrays, **tables)
    records = json.loads(record.read_text("utf-8")) if record.exists() else {}
    records[key] = {
        "num_ues": game.num_ues,
        "num_cells": game.num_cells,
        "handover_cost": game.handover_cost,
        "transition": game.transition,
        "rate_bps_hz": game.rate_bps_hz,
        **found["record"],
    }
    record.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ues", type=int, nargs="+", default=[3, 4, 5, 6])
    parser.add_argument("--costs", type=float, nargs="+", default=[0.1, 0.03, 0.06, 0.3])
    parser.add_argument("--memory", action="store_true", help="remember one slot")
    parser.add_argument("--slots", type=int, default=1_500_000, help="an iteration")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=TABLES, help="folder of team.npz and team.json")
    asked = parser.parse_args(arguments)

    for ues in asked.ues:
        start = None
        for cost in asked.costs:
            constants = make_scenario("cell_selection", num_ues=ues, handover_cost=cost).constants()
            game = Game.of_constants(constants)
            key = table_key(game, asked.memory)
            print(key, file=sys.stderr, flush=True)
            # Costs are neighbours: the second begins where the first ended, and needs fewer iterations.
            rounds = asked.iterations if start is None else max(3, asked.iterations // 2)
            found = solve(game, asked.memory, asked.slots, rounds, asked.seed, start)
            start = found["chances"]
            store(asked.out, key, game, found)
            print(key, found["record"], flush=True)


if __name__ == "__main__":
    main()
