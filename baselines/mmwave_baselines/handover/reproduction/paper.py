"""The reproduction of arXiv 1801.02077: what is computed for Table I, Figs. 8 to 10 and every claim.

    mmwave-gym reproduce handover --out runs/handover [--quick]

Learning is the exact simulation of `a3c`. A world is three rooms with cells and maps of their own; the paper's 100
runs are 100 worlds, its 500 test runs are five UEs that arrive in each of them. All methods meet the same UEs. The
paper's values stand in `claims.json` beside this file; its figures' values are in no text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mmwave_baselines.handover.reproduction import clusters, runs
from mmwave_baselines.handover.reproduction.claims import JUDGES
from mmwave_baselines.handover.reproduction.figures import PICTURES, POINTS
from mmwave_baselines.handover.reproduction.measures import CLAIMS, Measured
from mmwave_baselines.handover.reproduction.page import page
from mmwave_baselines.handover.reproduction.plan import TRADEOFF_WORLDS, chunks
from mmwave_baselines.reproduction.paper import Paper
from mmwave_gym.benchmark.reproduction import Table


def analyses(quick: bool) -> Mapping[str, Callable[[], Table]]:
    """All tables; a run trains networks and tests them on new UEs of the same rooms, in compiled code.

    Quick: four worlds, few runs of Table I, three numbers of UEs.
    """
    plan: dict[str, Callable[[], Table]] = {
        f"clusters-{name}": partial(clusters.index_table, name, quick) for name in clusters.CONVENTIONS
    }
    plan |= {name: partial(runs.worlds_table, worlds, TRADEOFF_WORLDS[quick]) for name, worlds in chunks(quick).items()}
    plan |= {f"speed-{name}": partial(runs.speed_table, name, quick) for name in runs.SPEEDS}
    return plan


PAPER = Paper(
    title=(
        "Z. Wang, L. Li, Y. Xu, H. Tian, S. Cui, Handover control in wireless systems via asynchronous multi-user "
        "deep reinforcement learning"
    ),
    budget_s=720.0,
    analyses=analyses,
    measured=Measured,
    printed=CLAIMS,
    judges=JUDGES,
    pictures=PICTURES,
    points=POINTS,
    text=page,
)
