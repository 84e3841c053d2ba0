"""Exact results that take minutes: python -m mmwave_baselines.cell_selection.solve_exact --help.

* `optimum`: the centralised optimum by relative value iteration (N = 3 half a second, N = 4 half a minute and 140 MB).
* `bound`: the proven bound on all policies, for any cost (N = 6 a minute or two).
* `local`: the proven bound on all local policies, with any memory (N = 2 or 3).
* `team`: the best local policy without memory, by exact mirror descent (N = 2 or 3).
* `shipped`: what the table of the agent `team` earns, exactly (N = 2 or 3).

Each result is added to `exact.json` with what it cost; rates are in bit/s/Hz of the default world.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.bounds import joint_bound
from mmwave_baselines.cell_selection.joint_value import solve_joint
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.team import TABLES, table
from mmwave_baselines.cell_selection.team_bound import local_bound
from mmwave_baselines.cell_selection.team_exact import ExactTeam, mirror_descent
from mmwave_baselines.cell_selection.team_rollouts import Observations
from mmwave_gym.core.registration import make_scenario


def _progress(*numbers: Any) -> None:
    print("  ", *numbers, f"{time.process_time():.0f} s", file=sys.stderr, flush=True)


def optimum(game: Game) -> dict[str, Any]:
    found = solve_joint(game, report=_progress)
    return {"low_bps_hz": found.low_bps_hz, "high_bps_hz": found.high_bps_hz, "sweeps": found.sweeps}


def bound(game: Game) -> dict[str, Any]:
    found = joint_bound(game)
    return {"high_bps_hz": found.sum_rate_bps_hz, "potential_bps_hz": found.potential.round(12).tolist()}


def local(game: Game) -> dict[str, Any]:
    """The better of leaving the cost out and a potential in proportion to the cost (ours, found at N = 2)."""
    weight: NDArray[Any] = np.zeros(len(game.rate_bps_hz))
    if game.handover_cost > 0.0:
        # By expected rate, so that P w rises with it; the factor .3 is the minimum at N = 2 and 30 %, nearly.
        weight = 0.3 * game.handover_cost * np.linalg.solve(game.matrix, game.expected_rate_bps_hz)
    found = local_bound(game, weight, report=lambda i, n: None if i % 50 else _progress(i, n))
    return {"high_bps_hz": found.sum_rate_bps_hz, "potential_bps_hz": weight.tolist(), "pasts": found.pasts}


def team(game: Game) -> dict[str, Any]:
    _, value = mirror_descent(game, iterations=30, report=_progress)
    return {"low_bps_hz": value}


def shipped(game: Game) -> dict[str, Any]:
    best = table(game, memory=False).astype(float)
    chances = (best / best.sum(axis=1, keepdims=True)).reshape(1, *Observations(game).shape, game.num_cells)
    return {"low_bps_hz": ExactTeam(game).evaluate(chances).sum_rate_bps_hz}


WHAT: dict[str, Callable[[Game], dict[str, Any]]] = {
    "optimum": optimum,
    "bound": bound,
    "local": local,
    "team": team,
    "shipped": shipped,
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--ues", type=int, nargs="+", default=[3])
    parser.add_argument("--costs", type=float, nargs="+", default=[0.1])
    parser.add_argument("--rates", default="shannon", help="name of the rates, see MmwaveCellSelection-v0")
    parser.add_argument("--out", type=Path, default=TABLES, help="folder of exact.json")
    asked = parser.parse_args(arguments)

    path = asked.out / "exact.json"
    for ues in asked.ues:
        for cost in asked.costs:
            scenario = make_scenario("cell_selection", num_ues=ues, handover_cost=cost, rate_bps_hz=asked.rates)
            game = Game.of_constants(scenario.constants())
            begun = time.process_time()
            record = WHAT[asked.what](game)
            value = record["high_bps_hz"] if "high_bps_hz" in record else record["low_bps_hz"]
            record["in_los_rates"] = value / max(game.rate_bps_hz)
            record["cpu_s"] = round(time.process_time() - begun, 1)
            record["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            known = json.loads(path.read_text("utf-8")) if path.exists() else {}
            known[f"{asked.what} N={ues} cost={cost:g} rates={asked.rates}"] = record
            path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
            print(asked.what, ues, cost, {k: v for k, v in record.items() if "potential" not in k}, flush=True)


if __name__ == "__main__":
    main()
