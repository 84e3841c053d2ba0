"""Deterministic rollout: what each candidate brings when MSR decides for everybody afterwards. Not in the paper.

As many plays of a few epochs as there are candidates, instead of SQA's hundred series.
"""

from __future__ import annotations

from typing import Any

from mmwave_baselines.association.planner import Plan, Planner
from mmwave_gym.core.checks import at_least


class Rollout(Planner):
    """depth_epochs: how many epochs are played, at least 1 (ValueError otherwise); None: half as many as UEs."""

    kind = "rule"
    label = "rollout of MSR"

    def __init__(self, depth_epochs: int | None = None):
        if depth_epochs is not None:
            at_least("depth_epochs", depth_epochs, 1, integer=True)
        self._depth = depth_epochs
        self.config: dict[str, Any] = {"depth_epochs": depth_epochs}

    def decide(self, plan: Plan, network: Any, k: int) -> int:
        from mmwave_baselines.association.kernels import rollout

        depth = max(len(network.serving) // 2, 1) if self._depth is None else self._depth
        return int(rollout(network, plan.epochs, k, depth))


class LongRollout(Rollout):
    """A rollout of 1024 epochs whatever the number of UEs: in blocked streets far more than half as many as UEs pays
    at 512 UEs, and little more at 2048."""

    label = "rollout of MSR, 1024 epochs"

    def __init__(self, depth_epochs: int | None = 1024):
        super().__init__(depth_epochs)
