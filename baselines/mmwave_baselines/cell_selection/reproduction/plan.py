"""What is played for Table I and Figs. 1 to 3 of arXiv 1507.00387: settings, schemes, tables."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass

import numpy as np

from mmwave_baselines.cell_selection import counting
from mmwave_baselines.cell_selection.loads import load_law
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.value_iteration import value_iteration
from mmwave_gym.agents.registry import training_seeds
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.benchmark.task import Task
from mmwave_gym.radio import nyu_28ghz as akdeniz
from mmwave_gym.scenarios.cell_selection import markov
from mmwave_gym.scenarios.cell_selection.config import PRINTED_MATRIX, recipe_matrix

NUM_UES = (3, 4, 5, 6)
COSTS = (0.03, 0.06, 0.10, 0.30)
CORNERS = tuple((n, cost) for n in (3, 6) for cost in (0.03, 0.30))
FIGURE = (3, 0.10)  # Figs. 1 and 2
TIES = "mmwave_baselines.cell_selection.rules"
RULES = ("load", "rate", "rate-stay", f"{TIES}:RateLowest", "channel", "channel-stay", f"{TIES}:ChannelLowest")
SCHEMES = (*RULES, "mdp", "mdp-next", "myopic", "optimum", "genie")
WITH_MEMORY = (3, 6)  # numbers of UEs that `team-memory` has tables for
MOST_UES_COUNTED = 15
EPISODES = 64  # one block of the evaluator
_SLOTS = {False: 500, True: 60}


@dataclass(frozen=True)
class Setting:
    """A cell of a table: rates and matrix by name."""

    num_ues: int
    handover_cost: float
    rates: str = "fitted"
    transition: str = "printed"

    def task(self, quick: bool) -> Task:
        """The task that measures it."""
        cost = round(100 * self.handover_cost)
        return Task(
            env_id="MmwaveCellSelection-v0",
            name=f"cell_selection/n{self.num_ues}-cost{cost}-{self.rates}-{self.transition}-{_SLOTS[quick]}slots",
            kwargs={
                "num_ues": self.num_ues,
                "handover_cost": self.handover_cost,
                "rate_bps_hz": self.rates,
                "transition": self.transition,
                "horizon": _SLOTS[quick],
            },
            episodes=EPISODES,
            primary="spectral_efficiency_bps_hz",
        )

    def game(self) -> Game:
        """The same as the game that solvers take."""
        return Game.of_constants(self.task(False).scenario().constants())


TABLE = [Setting(n, cost) for n in NUM_UES for cost in COSTS]
DERIVED = [Setting(n, cost, "shannon") for n in NUM_UES for cost in COSTS]
POSSIBLE = [Setting(n, cost, "shannon") for n in NUM_UES for cost in (0.10, 0.30)]  # team policies have these rates
ROBUST = [
    Setting(n, cost, rates, transition)
    for rates, transition in (("fitted", "recipe"), ("fitted", "drive_test"), ("capped", "printed"))
    for n, cost in CORNERS
]


def starts(agent: str) -> tuple[int | None, ...]:
    """An agent's random starts."""
    return training_seeds(agent, "cell_selection")


def matrix_table() -> Table:
    """Stationary laws and mean sojourns of the printed matrix and of the recipe's, beside what the text asks for."""
    recipe = np.array(recipe_matrix())
    printed = np.array(PRINTED_MATRIX)
    return [
        {"name": "disc", "law": list(akdeniz.state_law()), "sojourn_slots": None, "matrix": None},
        *(
            {
                "name": name,
                "law": markov.stationary_law(matrix).tolist(),
                "sojourn_slots": (1.0 / (1.0 - np.diag(matrix))).tolist(),
                "matrix": matrix.tolist(),
            }
            for name, matrix in (("printed", printed), ("recipe", recipe))
        ),
    ]


def states_table() -> Table:
    """State counts by the printed formulas, by the repaired one and by enumeration."""
    return [
        {
            "num_cells": cells,
            "num_ues": n,
            "printed": counting.states(cells, n, formula="printed"),
            "repaired": counting.states(cells, n, formula="repaired"),
            "loads_printed": counting.load_combinations(cells, n, "printed"),
            "loads_true": sum(counting.partitions(m, k) for m in range(n + 1) for k in range(cells)),
            "orbits": counting.states_by_orbits(cells, n),
            "tables": counting.states_without_symmetry(cells, n),
        }
        for cells in (2, 3, 4, 5)
        for n in range(1, MOST_UES_COUNTED + 1)
    ]


def scaling_table(quick: bool) -> Table:
    """Value iteration's state count, processor time and peak memory as N and L grow."""
    wanted = {2: (3, 6, 12, 24, 48), 3: (3, 6, 12, 24, 48), 4: (3, 6, 10, 15), 5: (3, 5, 7, 10, 15)}
    if quick:
        wanted = {2: (6, 12, 24), 3: (3, 6, 12, 24), 4: (3, 6), 5: (3,)}
    return [_measured(cells, n) for cells, counts in wanted.items() for n in counts]


def _measured(cells: int, num_ues: int) -> dict[str, float]:
    game = Game.of(PRINTED_MATRIX, Setting(3, 0.1).game().rate_bps_hz, num_ues=num_ues, num_cells=cells)
    shape = (num_ues - 1, len(game.links), len(game.loads))
    others = np.random.default_rng(0).integers(cells, size=shape, dtype=np.int8)
    began = time.process_time()
    law = load_law(game, list(others))
    law_s = time.process_time() - began
    reward = game.reward()
    began = time.process_time()
    found = value_iteration(game, law, reward, stop="span")
    solve_s = time.process_time() - began
    del law
    tracemalloc.start()
    value_iteration(game, load_law(game, list(others)), reward, epsilon=1e9)  # one sweep: memory does not grow
    peak = tracemalloc.get_traced_memory()[1] + reward.nbytes
    tracemalloc.stop()
    return {
        "num_cells": cells,
        "num_ues": num_ues,
        "states": len(game.links) * len(game.loads),
        "sweeps": found.sweeps,
        "law_s": law_s,
        "solve_s": solve_s,
        "sweep_s": solve_s / (found.sweeps + 1),
        "peak_mb": peak / 1e6,
    }
