"""The best known powers of networks in which a missing user has a price: SCA with swaps of users."""

from __future__ import annotations

import numpy as np

from mmwave_baselines.power_allocation.episode_bounds import dense
from mmwave_baselines.power_allocation.optimisation import Large, Network
from mmwave_baselines.power_allocation.optimisation.swaps import sca_with_swaps
from mmwave_baselines.power_allocation.planners import Planner
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.core.types import FloatArray


class SwapSca(Planner):
    """The largest rate less the price of missing users that swaps of users find; for any powers, not for levels.

    missed_bps_hz: the price of a missing user.
    """

    label = "SCA with swaps of users"

    def __init__(self, missed_bps_hz: float):
        self.config = {"missed_bps_hz": float(missed_bps_hz)}

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        if levels is not None:
            raise NotApplicable(f"{self.label} is for any powers, not for levels.")
        price = self.config["missed_bps_hz"]
        if isinstance(network, Large):
            return sca_with_swaps(dense(network), price)
        return np.stack([sca_with_swaps(network.take(slice(row, row + 1)), price) for row in range(len(network))])
