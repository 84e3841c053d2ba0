"""The reproduction of arXiv 2201.05983: what is played and computed for Table I, Fig. 2 and every claim.

    mmwave-gym reproduce association --out runs/association [--quick]

Played are the product's agents in `MmwaveAssociation-v0`, all in the same worlds; the first 20 s are not scored. The
paper's values stand in `claims.json` beside this file, its lost formulas and numbers are rebuilt as the environment's
and the agents' texts say. SQA's work grows with the square of the number of UEs and with time, so the denser a network,
the fewer seconds and worlds are played.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mmwave_baselines.association.reproduction import search, series
from mmwave_baselines.association.reproduction.claims import JUDGES
from mmwave_baselines.association.reproduction.figures import PICTURES
from mmwave_baselines.association.reproduction.measures import CLAIMS, Measured
from mmwave_baselines.association.reproduction.page import page
from mmwave_baselines.association.reproduction.plan import BESIDE, FIVE, READINGS, Setting, densities, search_task
from mmwave_baselines.reproduction.paper import Paper
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.benchmark.runs import Job


def jobs(quick: bool) -> list[Job]:
    """Every run once, the longest first. Quick: two densities, short, and two worlds of the search."""
    tasks = [Setting(n).task(quick) for n in densities(quick)]
    planners = [(task, agent) for agent in ("sqa", "sqa-best") for task in reversed(tasks)]
    plan = planners + [(task, a) for a in (*FIVE, *BESIDE) for task in tasks if (task, a) not in planners]
    worlds = search.QUICK_WORLDS if quick else search.WORLDS
    for world in worlds:
        readings = [a for column, some in READINGS.items() if column != "sqa" for a in some] + ["msr"]
        if world in search.WITH_SQA:
            readings += READINGS["sqa"][:1] if quick else READINGS["sqa"]
        plan += [(search_task(world, quick), agent) for agent in readings]
    return [Job(task, agent, None, task.episodes) for task, agent in plan]


def analyses(quick: bool) -> Mapping[str, Callable[[], Table]]:
    """Tables that are no scores of whole episodes."""
    second_by_second = {f"figure2-{n}": partial(series.figure2_table, n, quick) for n in densities(quick)}
    return {**second_by_second, "cost": partial(series.cost_table, quick)}


PAPER = Paper(
    title="W. Ning et al., Sequence Q-Learning Algorithm for Optimal Mobility-Aware User Association",
    budget_s=900.0,
    jobs=jobs,
    analyses=analyses,
    measured=Measured,
    printed=CLAIMS,
    judges=JUDGES,
    pictures=PICTURES,
    text=page,
)
