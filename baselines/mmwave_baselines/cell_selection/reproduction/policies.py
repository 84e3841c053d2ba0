"""What Algorithm 1 of arXiv 1507.00387 ends with, computed and not played: tables of its reproduction.

Where all UEs answer at once, how different the policies of the UEs are, what their stationary law says they do, the
policies for every number of UEs present, and what `solve_exact` found about the best that anybody could do.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import numpy as np

from mmwave_baselines.cell_selection.best_response import Solution, best_response, solved
from mmwave_baselines.cell_selection.central import value_of_search
from mmwave_baselines.cell_selection.joint import measure, table_of
from mmwave_baselines.cell_selection.joint_value import solved_joint
from mmwave_baselines.cell_selection.loads import load_law
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reproduction.plan import CORNERS, COSTS, FIGURE, NUM_UES, TABLE, Setting, starts
from mmwave_baselines.cell_selection.team import TABLES
from mmwave_baselines.cell_selection.value_iteration import policy_law
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.core.types import Float64Array

_MOST_ROUNDS = 12
_LAW_SWEEPS = 10_000


def _cells(quick: bool) -> list[tuple[Setting, int]]:
    """Cells of Table I with each random start; quick: one start of the corners."""
    chosen = [s for s in TABLE if not quick or (s.num_ues, s.handover_cost) in CORNERS]
    return [(setting, seed or 0) for setting in chosen for seed in starts("mdp")[: 1 if quick else None]]


def simultaneous_table(quick: bool) -> Table:
    """Algorithm 1 with all UEs answering at once, from the same starts as one by one.

    The first start that oscillates also says what the policies of its last two rounds earn when they are played.
    """
    rows: Table = []
    shown = set()
    for setting, seed in _cells(quick):
        game = setting.game()
        found = best_response(game, seed=seed, simultaneous=True, max_rounds=_MOST_ROUNDS)
        rounds = len(found.changes) // game.num_ues
        changes = np.array(found.changes).reshape(rounds, -1).sum(axis=1)
        alternating = None
        if not found.converged and setting not in shown:
            shown.add(setting)
            before = best_response(game, seed=seed, simultaneous=True, max_rounds=rounds - 1)
            alternating = [_earned(game, solution, quick) for solution in (before, found)]
        rows.append(
            {
                "num_ues": setting.num_ues,
                "handover_cost": setting.handover_cost,
                "start": seed,
                "converged": found.converged,
                "cycle_rounds": found.cycle,
                "changed_share": (changes / found.policies.size).tolist(),
                "alternating_bps_hz": alternating,
            }
        )
    return rows


def _earned(game: Game, solution: Solution, quick: bool) -> float:
    """Sum rate a slot, within half a per cent or so."""
    tables = table_of(game, np.stack([game.to_network(policy) for policy in solution.policies]))
    return measure(game, tables, slots=100 if quick else 400).sum_rate_bps_hz


def policies_table(quick: bool) -> Table:
    """How Algorithm 1's N policies differ, and their steady state as the UE's own model has it (section III)."""
    rows: Table = []
    for setting, seed in _cells(quick):
        game = setting.game()
        found = solved(game, "same", "prev", 0.9, seed)
        policies = list(found.policies)
        pairs = list(itertools.combinations(policies, 2))
        laws = []
        for ue in range(game.num_ues):
            law = load_law(game, [p for x, p in enumerate(policies) if x != ue], "same")
            laws.append(policy_law(game, law, policies[ue], _LAW_SWEEPS))
        steady = [steady_state(game, law, policy) for law, policy in zip(laws, policies, strict=True)]
        rows.append(
            {
                "num_ues": setting.num_ues,
                "handover_cost": setting.handover_cost,
                "start": seed,
                "distinct": len({p.tobytes() for p in policies}),
                "differing_share": float(np.mean([laws[0][one != other].sum() for one, other in pairs])),
                **{name: np.mean([one[name] for one in steady], axis=0).tolist() for name in steady[0]},
            }
        )
    return rows


def steady_state(game: Game, law: Float64Array, policy: np.ndarray) -> dict[str, Any]:
    """Shares of a UE's slots; law (C, M) of its states, policy (C, M)."""
    state = np.take_along_axis(game.links, policy.astype(np.int64), axis=1)  # (C, M): of the link that is chosen
    kinds = np.arange(len(game.matrix))
    chosen = np.array([law[state == k].sum() for k in kinds])
    others = game.loads[:, 0]  # with oneself at the BS of the last slot
    return {
        "serving": [float(law[game.links[:, 0] == k].sum()) for k in kinds],
        "chosen": chosen,
        "outage": float(chosen @ game.matrix[:, -1]),
        "handovers": game.num_ues * float(law[policy != 0].sum()),
        "alone": float(law[:, others == 0].sum()),
    }


def present_table() -> Table:
    """Policies for every number of UEs present up to the paper's six, as section V has BSs disseminate them."""
    rows: Table = []
    for count in range(1, max(NUM_UES) + 1):
        game = Setting(*FIGURE).game().with_ues(count)
        began = time.process_time()
        found = best_response(game)
        rows.append(
            {
                "num_ues": count,
                "states": len(game.links) * len(game.loads),
                "updates": found.updates,
                "converged": found.converged,
                "solve_s": time.process_time() - began,
                "kilobytes": found.policies.nbytes / 1e3,
            }
        )
    return rows


def exact_table() -> Table:
    """The optima, proven bounds and exact policies that `solve_exact` wrote, with what they cost to find."""
    rows: Table = []
    for name, record in json.loads((TABLES / "exact.json").read_text("utf-8")).items():
        what, *rest = name.split()
        values = dict(part.split("=") for part in rest)
        rows.append(
            {
                "what": what,
                "num_ues": int(values["N"]),
                "handover_cost": float(values["cost"]),
                "rates": values["rates"],
                "low_bps_hz": record.get("low_bps_hz"),
                "high_bps_hz": record.get("high_bps_hz"),
                "cpu_s": record["cpu_s"],
                "peak_mb": record["peak_mb"],
            }
        )
    return rows


def search_table(quick: bool) -> Table:
    """What the exhaustive search earns at N = 3 beside the optimum of the joint game, both exactly."""
    rows: Table = []
    for rates in ("fitted",) if quick else ("fitted", "shannon"):
        for cost in COSTS:
            game = Setting(FIGURE[0], cost, rates).game()
            best = solved_joint(game)
            low, high = value_of_search(game)
            rows.append(
                {
                    "handover_cost": cost,
                    "rates": rates,
                    "search_bps_hz": [low, high],
                    "optimum_bps_hz": [best.low_bps_hz, best.high_bps_hz],
                }
            )
    return rows
