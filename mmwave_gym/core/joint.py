"""The centralised view: all agents of a scenario as one, `gymnasium.make(…, control="all")`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.checks import one_of
from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import EpisodeRng, Metric, ObservationFields, Outcome, Scenario

CONTROLS = ("first", "all")


def controlled(scenario: Scenario[Any, Any], control: str) -> Scenario[Any, Any]:
    """The scenario itself for control="first", its centralised view for "all"; ValueError otherwise."""
    one_of("control", control, CONTROLS)
    return JointScenario(scenario) if control == "all" else scenario


class JointScenario(Scenario[Any, Any]):
    """A scenario whose agents are played by one: observations and actions side by side, the sum of their rewards.

    Empty agent slots are observed as `fields.absent` and their actions mean nothing. The life of the one ends when no
    agent is left. A metric of agents becomes its mean over the agents present.
    """

    num_agents = max_agent_ids = 1

    def __init__(self, scenario: Scenario[Any, Any]):
        if scenario.turn_based:
            raise ValueError(f"control='all' is for agents that act at once; in {scenario.name} they act in turn.")
        self.scenario = scenario
        self.num_slots = slots = scenario.num_agents
        self.name = scenario.name
        self.agent_noun = f"all{scenario.agent_noun}s"
        self.action_meaning = f"for each {scenario.agent_noun}: {scenario.action_meaning}"
        self.reward_meaning = f"sum over {scenario.agent_noun}s: {scenario.reward_meaning}"
        self.reward_unit = scenario.reward_unit
        self.metrics: tuple[Metric, ...] = scenario.metrics
        self.masked = scenario.masked
        self.horizon = scenario.horizon
        self.fields = ObservationFields(
            f._replace(name=f"{scenario.agent_noun}_{i}_{f.name}", per="")
            for i in range(slots)
            for f in scenario.fields
        )
        self.action_space = _side_by_side(scenario.action_space, slots)

    def draw(self, rngs: Sequence[EpisodeRng]) -> Any:
        return self.scenario.draw(rngs)

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: Any, rows: NDArray[np.intp]) -> None:
        self.scenario.draw_into(rngs, episodes, rows)

    def start(self, episodes: Any) -> Any:
        return self.scenario.start(episodes)

    def step(self, episodes: Any, state: Any, action: NDArray[Any]) -> Outcome:
        n = len(episodes.row)
        own = self.scenario.action_space
        present = self.scenario.agent_ids(episodes, state) >= 0
        outcome = self.scenario.step(episodes, state, action.reshape(n, self.num_slots, *(own.shape or ())))
        left = np.all(self.scenario.agent_ids(episodes, state) < 0, axis=1, keepdims=True)
        metrics = outcome.metrics
        if any(value.ndim == 2 for value in metrics.values()):
            count = np.maximum(present.sum(axis=1), 1)
            metrics = {m: v.sum(axis=1) / count if v.ndim == 2 else v for m, v in metrics.items()}
        return Outcome(
            reward=outcome.reward.sum(axis=1, keepdims=True),
            terminated=left & outcome.terminated.any(axis=1, keepdims=True),
            truncated=outcome.truncated,
            elapsed_s=outcome.elapsed_s,
            metrics=metrics,
        )

    def observe(self, episodes: Any, state: Any) -> NDArray[np.float32]:
        return self.scenario.observe(episodes, state).reshape(len(episodes.row), 1, -1)

    def action_mask(self, episodes: Any, state: Any) -> NDArray[np.bool_] | None:
        mask = self.scenario.action_mask(episodes, state)
        return None if mask is None else mask.reshape(len(mask), 1, -1)

    def reveal(self, episodes: Any, state: Any, access: str) -> dict[str, NDArray[Any]]:
        return self.scenario.reveal(episodes, state, access)

    def constants(self) -> Mapping[str, Any]:
        return self.scenario.constants()

    def memory(self) -> Memory | None:
        return self.scenario.memory()


def _side_by_side(space: spaces.Space[Any], count: int) -> spaces.Space[Any]:
    if isinstance(space, spaces.Discrete):
        return spaces.MultiDiscrete([int(space.n)] * count)
    if isinstance(space, spaces.MultiDiscrete):
        return spaces.MultiDiscrete(np.tile(space.nvec, (count, *(1,) * (space.nvec.ndim - 1))))
    assert isinstance(space, spaces.Box)
    tiled = (count, *(1,) * (len(space.shape) - 1))
    if not space.shape:
        return spaces.Box(np.repeat(space.low, count), np.repeat(space.high, count), dtype=space.dtype.type)
    return spaces.Box(np.tile(space.low, tiled), np.tile(space.high, tiled), dtype=space.dtype.type)
