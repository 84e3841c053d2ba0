"""Numbers behind pictures and texts: sums of an episode's rewards and metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.metrics import Condenser
from mmwave_gym.core.scenario import Metric, Outcome
from mmwave_gym.core.types import Float64Array


class Totals:
    """Reward and metrics of environment 0 since its episode began, and in its last step, by agent slot."""

    def __init__(self, metrics: tuple[Metric, ...], num_agents: int):
        self.metrics = metrics
        self._condenser = Condenser(metrics, 1, num_agents)
        self._num_agents = num_agents
        self.last: dict[str, Float64Array] = {n: np.zeros(num_agents) for n in ("reward", *(m.name for m in metrics))}

    @property
    def num_steps(self) -> int:
        return int(self._condenser.steps[0])

    @property
    def time_s(self) -> float:
        return float(self._condenser.seconds[0])

    @property
    def sums(self) -> dict[str, Float64Array]:
        """Plain sums in their units, (slot,) each; a metric of the environment stands in every slot."""
        return {name: np.broadcast_to(self._condenser.sums(name)[0], self._num_agents) for name in self.last}

    def add(self, outcome: Outcome, present: NDArray[np.bool_]) -> None:
        """Count a step in which the slots `present`, (slot,), had an agent."""
        metrics = {m.name: outcome.metrics[m.name][:1] for m in self.metrics}
        self._condenser.add(
            Outcome(outcome.reward[:1], outcome.terminated[:1], outcome.truncated[:1], outcome.elapsed_s[:1], metrics),
            present[None],
        )
        for name, value in (("reward", outcome.reward), *metrics.items()):
            self.last[name] = np.broadcast_to(value[0], self._num_agents).astype(np.float64)

    def condensed(self, metric: Metric, slot: int | None = None) -> float:
        """A metric over the episode so far, as a leaderboard row has it; of all agents, or one. 0 at the beginning."""
        condensed = self._condenser.episodes() if slot is None else self._condenser.slot(slot)
        return float(np.nan_to_num(condensed[metric.name][0]))
