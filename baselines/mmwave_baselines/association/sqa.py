"""SQA, the sequence Q-learning algorithm (Ning et al., arXiv 2201.05983, section III): the paper's proposal.

Before each epoch series of decisions are sampled, for this epoch and those that follow, and the returns of the series
teach a table Q (epoch, candidate). Each decision of a series is drawn by the rank of its candidate in the table: with
a chance proportional to beta to the number of candidates of smaller Q. At the epoch the highest Q decides. What is
planned depends on nothing later than the decision before, so all planning may be done between two epochs.

The paper's formulas and three of its numbers are lost. Ours: returns by Monte Carlo, backwards along the series
("backtracking"); a table that starts from RBH playing all epochs; alpha, gamma and beta of `Sqa` chosen because they
come near the paper's Table I, those of `SqaBest` because they earn most. What is said: 100 series, half as long as
there are UEs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_baselines.association.planner import Plan, Planner
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core.checks import at_least

EXPENSIVE_STEPS = 1.5e9
"""More steps of exploration than this in a task, a minute or more, mark an agent as expensive."""


class Sqa(Planner):
    """SQA. alpha: share of a new return in Q, (0, 1]. gamma: discount an epoch, [0, 1]. beta: at least 1. iterations:
    series an epoch. depth_epochs: length of a series; None: half as many as UEs. ValueError names what is wrong."""

    kind = "paper"
    carries = True  # its chance, not its table
    label = "SQA (as in the paper)"
    expensive = False

    def __init__(
        self,
        alpha: float = 0.1,
        gamma: float = 1.0,
        beta: float = 10.0,
        iterations: int = 100,
        depth_epochs: int | None = None,
    ):
        if not 0.0 < alpha <= 1.0:
            raise ValueError(f"alpha must be above 0 and at most 1, got {alpha!r}.")
        if not 0.0 <= gamma <= 1.0:
            raise ValueError(f"gamma must be between 0 and 1, got {gamma!r}.")
        at_least("beta", beta, 1.0)
        at_least("iterations", iterations, 1, integer=True)
        if depth_epochs is not None:
            at_least("depth_epochs", depth_epochs, 1, integer=True)
        self._alpha, self._gamma, self._beta = float(alpha), float(gamma), float(beta)
        self._iterations, self._depth = int(iterations), depth_epochs
        self.config: dict[str, Any] = {
            "alpha": alpha, "gamma": gamma, "beta": beta, "iterations": iterations, "depth_epochs": depth_epochs
        }  # fmt: skip

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Sqa:
        """SQA, marked as expensive where it takes long."""
        if training_seed is not None:
            raise AgentError(f"{cls.label} has no training seeds, got {training_seed}.")
        made = cls()
        if task is not None and not task.missing_data:
            world = task.scenario()
            # About half of the epochs that a horizon has room for come and leave a choice.
            free = 0.5 * min(world.horizon, task.warmup_steps + (task.scored_steps or world.horizon)) * task.episodes
            made.expensive = free * made._iterations * max(world.max_agent_ids // 2, 1) > EXPENSIVE_STEPS
        return made

    def decide(self, plan: Plan, network: Any, k: int) -> int:
        from mmwave_baselines.association import kernels

        depth = max(len(network.serving) // 2, 1) if self._depth is None else self._depth
        if plan.table is None:
            horizon = depth if self._gamma == 1.0 else (1.0 - self._gamma**depth) / (1.0 - self._gamma)
            plan.table = kernels.first_table(kernels.copy_of(network), plan.epochs, k, horizon)
        weights = self._beta ** np.arange(plan.epochs.cell.shape[1])
        settings = self._alpha, self._gamma, weights, plan.random
        kernels.explore(network, plan.epochs, k, depth, self._iterations, plan.table, *settings)
        return int(plan.table[k, : plan.epochs.choices[k]].argmax())


class SqaBest(Sqa):
    """SQA with the discount and the exploration that earn most: gamma 0.9, beta 3."""

    label = "SQA (best setting)"

    def __init__(
        self,
        alpha: float = 0.1,
        gamma: float = 0.9,
        beta: float = 3.0,
        iterations: int = 100,
        depth_epochs: int | None = None,
    ):
        super().__init__(alpha, gamma, beta, iterations, depth_epochs)
