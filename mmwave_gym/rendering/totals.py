"""Numbers behind pictures and texts: sums of an episode's rewards and metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import Metric, Outcome
from mmwave_gym.core.types import Float64Array


class Totals:
    """Sums of reward and metrics since the episode began, by agent place."""

    def __init__(self, metrics: tuple[Metric, ...], num_agents: int):
        self.metrics = metrics
        self.time_s = 0.0
        self.num_steps = 0
        self.steps = np.zeros(num_agents, np.int64)  # lived by each place
        self.seconds = np.zeros(num_agents)
        self.sums: dict[str, Float64Array] = {m.name: np.zeros(num_agents) for m in metrics}
        self.last: dict[str, Float64Array] = {m.name: np.zeros(num_agents) for m in metrics}
        self.sums["reward"], self.last["reward"] = np.zeros(num_agents), np.zeros(num_agents)
        self._shared: set[str] = set()  # metrics of the environment, which stand once and not once an agent

    def add(self, outcome: Outcome, present: NDArray[np.bool_]) -> None:
        """Count a step in which the places `present` had an agent."""
        elapsed_s = float(outcome.elapsed_s[0])
        self.time_s += elapsed_s
        self.num_steps += 1
        self.steps += present
        self.seconds += elapsed_s * present
        for name in self.sums:
            value = outcome.reward if name == "reward" else outcome.metrics.get(name)
            if value is None:
                continue
            if value.ndim == 1:
                self._shared.add(name)
            self.last[name] = np.broadcast_to(value[0], self.steps.shape).astype(np.float64)
            self.sums[name] = self.sums[name] + self.last[name]

    def condensed(self, metric: Metric, place: int | None = None) -> float:
        """A metric over the episode so far, as a row of the leaderboard would have it; for all agents, or one."""
        chosen = slice(None) if place is None else slice(place, place + 1)
        if metric.name in self._shared:
            total, steps, seconds = float(self.sums[metric.name][0]), float(self.num_steps), self.time_s
        else:
            total = float(self.sums[metric.name][chosen].sum())
            steps, seconds = float(self.steps[chosen].sum()), float(self.seconds[chosen].sum())
        divisor = {"step": steps, "second": seconds}.get(metric.per, 1.0)
        return total / divisor if divisor else 0.0
