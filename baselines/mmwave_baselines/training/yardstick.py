"""Scores of agents on training episodes, beside the task's floor, reference and ceiling on the same episodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.task import Task


class Yardstick:
    """Scores agents on the same training episodes as the task's floor, reference and ceiling."""

    def __init__(self, task: Task, episodes: int):
        self._task, self._episodes = task, episodes
        self.missing: list[str] = []
        self._known: dict[str, float] = {}
        for role in ("floor", "reference", "ceiling"):
            name = getattr(task, role)
            if name is None:
                continue
            try:
                self._known[role] = self._play(name)[task.primary]
            except AgentError as error:
                self.missing.append(f"{role} {name!r}: {error}")

    def score(self, agent: Any) -> dict[str, float]:
        """Means of the agent's metrics, `reference_reward`, `ceiling_reward`, and `score`: 0 floor, 1 ceiling."""
        found = self._play(agent)
        floor, ceiling = self._known.get("floor"), self._known.get("ceiling")
        for role in ("reference", "ceiling"):
            if role in self._known:
                found[f"{role}_{self._task.primary}"] = self._known[role]
        if floor is not None and ceiling is not None and floor != ceiling:
            found["score"] = (found[self._task.primary] - floor) / (ceiling - floor)
        return found

    def _play(self, agent: Any) -> dict[str, float]:
        rows = evaluate(agent, self._task, episodes=self._episodes, split="train")
        names = [n for n in rows[0] if n == "reward" or n in {m.name for m in self._task.scenario().metrics}]
        columns = {n: [row[n] for row in rows if row[n] is not None] for n in names}
        return {n: float(np.mean(column)) for n, column in columns.items() if column}


__all__ = ["Yardstick"]
