"""The reproduction of arXiv 1507.00387: what is played and computed for Table I, Figs. 1 to 3 and every claim.

    mmwave-gym reproduce cell-selection --out runs/cell-selection [--quick]

Played are the product's agents in `MmwaveCellSelection-v0`, each in the same worlds. The paper's values stand in
`claims.json` beside this file. Choices that the text leaves open:

1. Rates are not printed. "fitted" has the one free number, the NLOS rate in units of the LOS rate, that comes nearest
   to Table I; "shannon" is derived with nothing fitted; "capped" is a robustness case.
2. Channel breaks ties at random, which fits Table I best; the other ways are in Figs. 1 and 2.
3. Algorithm 1 ends elsewhere from other random starts, so the MDP is the mean over four starts, and intervals resample
   starts, then episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mmwave_baselines.cell_selection.reproduction import policies
from mmwave_baselines.cell_selection.reproduction.claims import JUDGES
from mmwave_baselines.cell_selection.reproduction.figures import PICTURES
from mmwave_baselines.cell_selection.reproduction.measures import CLAIMS, Measured
from mmwave_baselines.cell_selection.reproduction.page import page
from mmwave_baselines.cell_selection.reproduction.plan import (
    CORNERS,
    DERIVED,
    EPISODES,
    FIGURE,
    POSSIBLE,
    ROBUST,
    SCHEMES,
    TABLE,
    WITH_MEMORY,
    Setting,
    matrix_table,
    scaling_table,
    starts,
    states_table,
)
from mmwave_baselines.reproduction.paper import Paper
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.benchmark.runs import Job
from mmwave_gym.scenarios.cell_selection.drive_test import irish_runs_are_here


def jobs(quick: bool) -> list[Job]:
    """Every run once. Quick: shorter episodes, one start of Algorithm 1, corners instead of whole tables."""
    plan: dict[tuple[Setting, str], None] = {}
    for setting in TABLE:
        corner = (setting.num_ues, setting.handover_cost) in CORNERS
        agents = ["channel", "mdp"]
        if not quick or corner:
            agents += ["channel-stay", "mdp-own-frame", "myopic"]
        if corner:
            agents.append("mdp-next")
        plan |= {(setting, agent): None for agent in agents}
    derived = [s for s in DERIVED if not quick or (s.num_ues, s.handover_cost) in CORNERS]
    plan |= {(s, agent): None for s in derived for agent in ("channel", "mdp", "mdp-next")}
    for s in POSSIBLE:
        if not quick or (s.num_ues, s.handover_cost) in CORNERS:
            plan |= {(s, agent): None for agent in ("rate-stay", "channel-stay", "team", "myopic")}
            if s.num_ues in WITH_MEMORY:
                plan[s, "team-memory"] = None
    here = irish_runs_are_here()  # data that is not part of this package
    robust = [s for s in ROBUST if here or s.transition != "drive_test"]
    plan |= {(s, agent): None for s in robust for agent in ("channel", "mdp", "mdp-next", "myopic")}
    for rates in ("fitted", "shannon"):
        schemes = [a for a in SCHEMES if not quick or a not in ("optimum", "genie")]
        plan |= {(Setting(*FIGURE, rates), agent): None for agent in schemes}
    return [
        Job(setting.task(quick), agent, seed, EPISODES)
        for setting, agent in plan
        for seed in starts(agent)[: 1 if quick else None]
    ]


def analyses(quick: bool) -> Mapping[str, Callable[[], Table]]:
    """Tables that need no play."""
    return {
        "matrix": matrix_table,
        "states": states_table,
        "simultaneous": partial(policies.simultaneous_table, quick),
        "policies": partial(policies.policies_table, quick),
        "present": policies.present_table,
        "exact": policies.exact_table,
        "search": partial(policies.search_table, quick),
        "scaling": partial(scaling_table, quick),
    }


PAPER = Paper(
    title="M. Mezzavilla et al., An MDP Model for Optimal Handover Decisions in mmWave Cellular Networks",
    budget_s=600.0,
    jobs=jobs,
    analyses=analyses,
    measured=Measured,
    printed=CLAIMS,
    judges=JUDGES,
    pictures=PICTURES,
    text=page,
)
