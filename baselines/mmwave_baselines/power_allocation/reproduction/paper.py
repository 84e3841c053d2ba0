"""The reproduction of arXiv 1804.05757: what is computed for Figs. 1 to 7 and every claim.

    mmwave-gym reproduce power-allocation --out runs/power-allocation [--quick]

Worlds are drawn, and powers played, by `MmwavePowerAllocation-v0`; CDP-Q and EXP-Q learn in `q_learning`. The paper's
values stand in `claims.json` beside this file. Formulas and numbers that its text lost, and the way in which runs are
drawn, are those of the authors' public code. Every table is computed by one process, one after the other: a run of
several hundred worlds takes no workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mmwave_baselines.power_allocation.reproduction import learning, networks
from mmwave_baselines.power_allocation.reproduction.claims import JUDGES
from mmwave_baselines.power_allocation.reproduction.figures import PICTURES, POINTS
from mmwave_baselines.power_allocation.reproduction.measures import CLAIMS, Measured
from mmwave_baselines.power_allocation.reproduction.page import page
from mmwave_baselines.power_allocation.reproduction.plan import SETTINGS, VARIANT_SIZES
from mmwave_baselines.reproduction.paper import Paper
from mmwave_gym.benchmark.reproduction import Table


def analyses(quick: bool) -> Mapping[str, Callable[[], Table]]:
    """All tables; a learner needs 50,000 steps in one world, and all its steps are one call of `q_learning`.

    Quick: three sizes, ten runs of 10,000 steps, two draws of each network.
    """
    plan: dict[str, Callable[[], Table]] = {"reward": learning.reward_table}
    for density in networks.FIGURE_DENSITIES:
        plan[f"map-{density}"] = partial(networks.map_table, density)
        plan[f"floc-{density}"] = partial(networks.floc_table, density, quick)
    plan["scale"] = partial(networks.scale_table, quick)
    plan["healing"] = partial(networks.healing_table, quick)
    for setting in SETTINGS:
        for n in learning.sizes(quick):
            plan[f"cluster-{setting}-{n}"] = partial(learning.cluster_table, setting, n, quick)
    for n in VARIANT_SIZES:
        plan[f"variants-{n}"] = partial(learning.variants_table, n, quick)
    for radius_m in learning.RADII_M:
        plan[f"radius-{radius_m:g}"] = partial(learning.radius_table, radius_m, quick)
    for density in networks.NETWORK_DENSITIES:
        plan[f"network-{density}"] = partial(networks.network_table, density, quick)
    return plan


PAPER = Paper(
    title=(
        "R. Amiri, H. Mehrpouyan, Self-organizing mmWave networks: a power allocation scheme based on machine learning"
    ),
    budget_s=900.0,
    analyses=analyses,
    measured=Measured,
    printed=CLAIMS,
    judges=JUDGES,
    pictures=PICTURES,
    points=POINTS,
    text=page,
)
