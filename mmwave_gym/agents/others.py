"""The one-agent view of a scenario of several: agent 0 is played from outside, a policy plays the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.loading import find, load_agent
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.core import rooms
from mmwave_gym.core.actions import checked_action
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.joint import FirstAgent
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng, Outcome, Scenario


class Others:
    """Those who are not played from outside.

    This is no `agents.rollout`: the user steps and restarts environments, and others' chance belongs to the episode.
    `batch` is a `Batch` of the whole scenario, or what looks like one.
    """

    def __init__(self, batch: Any, policy: Any):
        if policy is None:
            raise ValueError(
                f"this environment has {batch.scenario.num_agents} agents and one of them is controlled: "
                "name the policy of the others, others='…' (mmwave_gym.agents() lists names) or an object with predict."
            )
        self.policy = load_agent(policy, batch.scenario.name)
        self._batch = batch
        self._memory: Any = None
        self._rng: Any = None
        self._started = np.ones(batch.num_envs * batch.scenario.num_agents, bool)

    def reset(self) -> None:
        self._memory = None
        self._started[:] = True
        if hasattr(self.policy, "begin"):
            batch = self._batch
            view = View(batch, getattr(self.policy, "access", "local"))
            self._rng = RowRng(self._generators(np.arange(batch.num_envs)), batch.scenario.num_agents)
            self._memory = self.policy.begin(view, self._rng)

    def restarted(self, envs: NDArray[np.intp]) -> None:
        """Begin a new episode in the environments `envs` (n,)."""
        self._started.reshape(self._batch.num_envs, -1)[envs] = True
        if self._rng is not None:
            self._rng.restart(envs, self._generators(envs))

    def _generators(self, envs: NDArray[np.intp]) -> list[np.random.Generator]:
        """The others' chance belongs to the episode, so that it does not depend on `num_envs`."""
        return [EpisodeRng(self._batch.key(i))["others"] for i in envs.tolist()]

    def actions(self, first: NDArray[Any]) -> NDArray[Any]:
        """Joint actions (N, A, …) with `first` (N, …) in agent slot 0."""
        observation = self._batch.observe()
        n, a = observation.shape[:2]
        rows = observation.reshape(n * a, -1)
        action, self._memory = self.policy.predict(
            rows, state=self._memory, episode_start=self._started, deterministic=True
        )
        self._started = np.zeros(n * a, bool)
        try:
            joint = checked_action(self._batch.scenario.action_space, action, (n * a,))
        except (TypeError, ValueError) as error:
            raise type(error)(f"the policy of the others, {self.policy!r}: {error}") from error
        joint = np.array(joint).reshape(n, a, *first.shape[1:])
        joint[:, 0] = first
        return joint


def others_of(batch: Batch, policy: Any) -> Others | None:
    """Who plays beside the one agent that is controlled, None where a scenario has one only.

    policy: as `others=` of `gymnasium.make`. Raises AgentError for one that is none, even where it has nobody to play.
    """
    if batch.scenario.num_agents > 1:
        return Others(batch, policy)
    if isinstance(policy, str):
        room = rooms.rooms().get(batch.scenario.name)
        if room is None or policy not in [entry.others for entry in room.entries]:  # the ids' own need no import
            find(policy, batch.scenario.name)
    elif policy is not None and not callable(getattr(policy, "predict", None)):
        raise AgentError(f"others must be an agent's name or an object with predict, got {policy!r}.")
    return None


class _Whole:
    """All agents of a batch that shows one of them."""

    def __init__(self, batch: Batch, scenario: Scenario[Any, Any]):
        self.scenario, self.num_envs, self.key = scenario, batch.num_envs, batch.key
        self._batch = batch

    @property
    def episodes(self) -> Any:
        return self._batch.episodes

    @property
    def state(self) -> Any:
        return self._batch.state

    def observe(self) -> NDArray[np.float32]:
        """Observations, (N, A, F), in the units of the scenario's fields."""
        return self.scenario.observe(self.episodes, self.state)

    def action_mask(self) -> NDArray[np.bool_] | None:
        """Allowed actions, (N, A, actions), or None."""
        return self.scenario.action_mask(self.episodes, self.state)


class OthersBatch(Batch):
    """Environments of one agent each, whose others play along; `step` takes the one's actions (N, 1, …)."""

    def __init__(self, scenario: FirstAgent, num_envs: int, draws_ahead: bool = True):
        super().__init__(scenario, num_envs, draws_ahead)
        self.others = Others(_Whole(self, scenario.scenario), scenario.others)

    def reset(self, keys: Sequence[EpisodeKey]) -> None:
        super().reset(keys)
        self.others.reset()

    def rewind(self, envs: NDArray[np.intp]) -> None:
        super().rewind(envs)
        if len(envs):
            self.others.restarted(envs)

    def step(self, action: NDArray[Any]) -> Outcome:
        return super().step(self.others.actions(action[:, 0]))


def batch_of(scenario: Scenario[Any, Any], num_envs: int, draws_ahead: bool = True) -> Batch:
    """A batch of the scenario, in which others play along where it names them. Raises ValueError as `Batch`."""
    kind = OthersBatch if isinstance(scenario, FirstAgent) else Batch
    return kind(scenario, num_envs, draws_ahead)  # type: ignore[arg-type]
