"""Powers that optimise a network whose gains are known: what a policy is compared with, and how one is repaired.

Many networks of A base stations at once, each base station (BS) with one UE, all on one channel:
SINR_i = p_i g_ii / (sum_j g_ij p_j + n_i). Wanted: the largest sum of log2(1 + SINR_i) with SINR_i >= q and
Pmin <= p_i <= Pmax, problem (5) of Amiri and Mehrpouyan, arXiv 1804.05757. In y = ln p the constraints are convex
(ln SINR is concave), the sum rate is not: `sca` returns the best local optimum that several starts reach.

Everywhere F = g_ij / g_ii and eta = n_i / g_ii, so that SINR_i = p_i / (F p + eta)_i, and everything is a function of
F, eta, q and the box. A BS that is not `present` has power 0, disturbs nobody and counts nowhere.

Where no powers satisfy every user, `sca` satisfies those that `admitted` chooses, and maximises their rates alone.
"""

from mmwave_baselines.power_allocation.optimisation.feasibility import (
    admitted,
    clipped_fixed_point,
    feasible,
    foschini_miljanic,
    least_powers,
    max_min_sinr,
)
from mmwave_baselines.power_allocation.optimisation.large import (
    Large,
    foschini_miljanic_large,
    full_power_large,
    max_min_large,
    penalty_optimum,
    selected_large,
    wmmse_large,
)
from mmwave_baselines.power_allocation.optimisation.levels import (
    brute_force,
    coordinate_ascent,
    least_levels,
    levels_mw,
    on_levels,
    penalised,
    penalised_sum,
    served,
)
from mmwave_baselines.power_allocation.optimisation.network import (
    LN2,
    ROUND_OFF,
    SLACK,
    Network,
    capacity_bps_hz,
    full_power,
    interference,
    satisfied,
    satisfied_rate,
    sinr,
)
from mmwave_baselines.power_allocation.optimisation.repairs import MARGINS, repair, repair_local
from mmwave_baselines.power_allocation.optimisation.selection import selected
from mmwave_baselines.power_allocation.optimisation.sum_rate import sca, wmmse

__all__ = [
    "LN2",
    "MARGINS",
    "ROUND_OFF",
    "SLACK",
    "Bools",
    "Floats",
    "Large",
    "Network",
    "admitted",
    "brute_force",
    "capacity_bps_hz",
    "clipped_fixed_point",
    "coordinate_ascent",
    "feasible",
    "foschini_miljanic",
    "foschini_miljanic_large",
    "full_power",
    "full_power_large",
    "interference",
    "least_levels",
    "least_powers",
    "levels_mw",
    "max_min_large",
    "max_min_sinr",
    "on_levels",
    "penalised",
    "penalised_sum",
    "penalty_optimum",
    "repair",
    "repair_local",
    "satisfied",
    "satisfied_rate",
    "sca",
    "selected",
    "selected_large",
    "served",
    "sinr",
    "wmmse",
    "wmmse_large",
]
