"""Deterministic rollout whose base charges the prices of `Score`, tuned for each world. Not in the paper."""

from __future__ import annotations

from typing import Any, ClassVar

from mmwave_baselines.association.planner import Plan
from mmwave_baselines.association.rollout import Rollout
from mmwave_baselines.association.scored import Score
from mmwave_gym.core.ranges import Allowed


class PricedRollout(Rollout):
    """What each candidate brings when `Score` decides for everybody in the next `depth_epochs` epochs.

    depth_epochs: at least 1, None for half as many as UEs. lam, kappa_bps_hz, opening_bps_hz: those of `Score`, whose
    default here is MSR. ValueError otherwise.
    """

    label = "rollout of the score"
    tunable: ClassVar[dict[str, Allowed]] = Score.tunable

    def __init__(
        self, depth_epochs: int | None = 1024, lam: float = 1.0, kappa_bps_hz: float = 0.0, opening_bps_hz: float = 0.0
    ):
        super().__init__(depth_epochs)
        self._prices = Score(lam, kappa_bps_hz, opening_bps_hz).config
        self.config = {**self.config, **self._prices}

    def decide(self, plan: Plan, network: Any, k: int) -> int:
        from mmwave_baselines.association.priced_kernel import rollout

        depth = max(len(network.serving) // 2, 1) if self._depth is None else self._depth
        prices = self._prices
        return int(
            rollout(
                network,
                plan.epochs,
                k,
                depth,
                float(prices["lam"]),
                float(prices["kappa_bps_hz"]),
                float(prices["opening_bps_hz"]),
            )
        )
