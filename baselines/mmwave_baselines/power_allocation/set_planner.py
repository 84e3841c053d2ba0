"""The best known powers where not all can be satisfied: every set of users of the largest size is tried."""

from __future__ import annotations

from mmwave_baselines.power_allocation import optimisation as opt
from mmwave_baselines.power_allocation.optimisation import Large, Network
from mmwave_baselines.power_allocation.optimisation.sets import sca_over_sets
from mmwave_baselines.power_allocation.planners import Planner
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.core.types import FloatArray

MOST_SEARCHED = 24
"""Base stations of the largest network whose sets are tried one by one."""


class SetSca(Planner):
    """The most satisfied users, then the largest sum rate found: SCA over all sets of users of that size."""

    kind = "ceiling"
    label = "SCA over sets of users"

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        if isinstance(network, Large) or network.present.shape[1] > MOST_SEARCHED:
            raise NotApplicable(f"{self.label} is for at most {MOST_SEARCHED} base stations; sca is for more.")
        power = sca_over_sets(network)
        if levels is None:
            return power
        return opt.coordinate_ascent(network, levels, starts=(power,), chosen=opt.satisfied(network, power))
