"""Other views of a scenario: all agents as one (`control="all"`), nobody comes or goes (`always_present=True`), and the
first agent alone while a policy plays the others (`others=…`)."""

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


def viewed(
    scenario: Scenario[Any, Any], *, control: str = "first", always_present: bool = False, others: Any = None
) -> Scenario[Any, Any]:
    """The scenario in the view that is asked for, itself where none is. Raises ValueError for what does not fit."""
    one_of("control", control, CONTROLS)
    if not isinstance(always_present, bool | np.bool_):
        raise ValueError(f"always_present must be True or False, got {always_present!r}.")
    if control == "all":
        if others is not None:
            raise ValueError("control='all' leaves nobody for others=… to play: give one of both.")
        return JointScenario(scenario)
    if always_present and scenario.num_agents > 1:
        scenario = AlwaysPresent(scenario)
    return scenario if others is None or scenario.num_agents == 1 else FirstAgent(scenario, others)


class _Wrapped(Scenario[Any, Any]):
    """A scenario that shows another one; what it does not change is the other's."""

    def __init__(self, scenario: Scenario[Any, Any]):
        self.scenario = scenario
        for name in ("name", "agent_noun", "action_meaning", "reward_meaning", "reward_unit", "metrics", "own"):
            setattr(self, name, getattr(scenario, name))
        self.masked, self.horizon = scenario.masked, scenario.horizon
        self.num_agents, self.max_agent_ids = scenario.num_agents, scenario.max_agent_ids
        self.fields, self.action_space = scenario.fields, scenario.action_space

    def draw(self, rngs: Sequence[EpisodeRng]) -> Any:
        return self.scenario.draw(rngs)

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: Any, rows: NDArray[np.intp]) -> None:
        self.scenario.draw_into(rngs, episodes, rows)

    def start(self, episodes: Any) -> Any:
        return self.scenario.start(episodes)

    def step(self, episodes: Any, state: Any, action: NDArray[Any]) -> Outcome:
        return self.scenario.step(episodes, state, action)

    def observe(self, episodes: Any, state: Any) -> NDArray[np.float32]:
        return self.scenario.observe(episodes, state)

    def action_mask(self, episodes: Any, state: Any) -> NDArray[np.bool_] | None:
        return self.scenario.action_mask(episodes, state)

    def reveal(self, episodes: Any, state: Any, access: str) -> dict[str, NDArray[Any]]:
        return self.scenario.reveal(episodes, state, access)

    def constants(self) -> Mapping[str, Any]:
        return self.scenario.constants()

    def memory(self) -> Memory | None:
        return self.scenario.memory()


class JointScenario(_Wrapped):
    """A scenario whose agents are played by one: observations and actions side by side, the sum of their rewards.

    Empty agent slots are observed as `fields.absent` and their actions mean nothing. The life of the one ends when no
    agent is left. A metric of agents becomes its mean over the agents present.
    """

    def __init__(self, scenario: Scenario[Any, Any]):
        if scenario.turn_based:
            raise ValueError(f"control='all' is for agents that act at once; in {scenario.name} they act in turn.")
        super().__init__(scenario)
        self.num_agents = self.max_agent_ids = 1
        self.own = ()
        self.num_slots = slots = scenario.num_agents
        self.agent_noun = f"all{scenario.agent_noun}s"
        self.action_meaning = f"for each {scenario.agent_noun}: {scenario.action_meaning}"
        self.reward_meaning = f"sum over {scenario.agent_noun}s: {scenario.reward_meaning}"
        self.fields = ObservationFields(
            f._replace(name=f"{scenario.agent_noun}_{i}_{f.name}", per="")
            for i in range(slots)
            for f in scenario.fields
        )
        self.action_space = _side_by_side(scenario.action_space, slots)

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

    def agent_ids(self, episodes: Any, state: Any) -> NDArray[np.int64]:
        return np.zeros((len(episodes.row), 1), np.int64)


class AlwaysPresent(_Wrapped):
    """A scenario in which every agent slot is one agent for the whole episode, whoever sits in it.

    An empty slot is observed as `fields.absent`, earns 0, and its actions mean nothing; `info["present"]` is then 0.
    All agents end together: at the horizon, or when nobody is left. For libraries that cannot take agents who come
    and go.
    """

    def __init__(self, scenario: Scenario[Any, Any]):
        super().__init__(scenario)
        self.max_agent_ids = scenario.num_agents
        self.own = (*scenario.own, Metric("present", "1", "step", "1 where the slot had an agent in this step, else 0"))

    def step(self, episodes: Any, state: Any, action: NDArray[Any]) -> Outcome:
        present = self.scenario.agent_ids(episodes, state) >= 0
        outcome = self.scenario.step(episodes, state, action)
        over = self.agent_ids(episodes, state) < 0
        own = {**outcome.own, "present": present.astype(np.float64)}
        return Outcome(outcome.reward, over, outcome.truncated, outcome.elapsed_s, outcome.metrics, own)

    def agent_ids(self, episodes: Any, state: Any) -> NDArray[np.int64]:
        left = np.all(self.scenario.agent_ids(episodes, state) < 0, axis=1, keepdims=True)
        return np.where(left, -1, np.arange(self.num_agents))


class FirstAgent(_Wrapped):
    """The agent in slot 0 of a scenario, as `gymnasium.make` shows it, while the policy `others` plays the rest.

    Its `step` takes the joint action: `agents.others.OthersBatch` asks the others.
    """

    def __init__(self, scenario: Scenario[Any, Any], others: Any):
        super().__init__(scenario)
        self.others = others
        self.num_agents = 1

    def step(self, episodes: Any, state: Any, action: NDArray[Any]) -> Outcome:
        outcome = self.scenario.step(episodes, state, action)
        return Outcome(
            reward=outcome.reward[:, :1],
            terminated=outcome.terminated[:, :1],
            truncated=outcome.truncated,
            elapsed_s=outcome.elapsed_s,
            metrics={m: v[:, :1] if v.ndim == 2 else v for m, v in outcome.metrics.items()},
            own={m: v[:, :1] for m, v in outcome.own.items()},
        )

    def observe(self, episodes: Any, state: Any) -> NDArray[np.float32]:
        return self.scenario.observe(episodes, state)[:, :1]

    def action_mask(self, episodes: Any, state: Any) -> NDArray[np.bool_] | None:
        mask = self.scenario.action_mask(episodes, state)
        return None if mask is None else mask[:, :1]

    def agent_ids(self, episodes: Any, state: Any) -> NDArray[np.int64]:
        return self.scenario.agent_ids(episodes, state)[:, :1]


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
