"""The one loop of agents over a batch: begin, predict, check, step, learn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import AgentError, RowRng, as_array, learns, sees
from mmwave_gym.core.actions import one_number_each
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.joint import JointScenario
from mmwave_gym.core.scenario import Outcome, Scenario


class Player:
    """An agent on the rows of some environments of a batch, with its memory and its own chance.

    One call of `predict` gives the actions of all its rows. chance: a key (seeds) of each row's own generator,
    environments first; unused by agents without `begin`. envs: its environments.
    """

    def __init__(self, agent: Any, batch: Batch, chance: Iterable[Sequence[int]], envs: slice = slice(None)):
        self.agent, self.envs = agent, envs
        self.learns = learns(agent)
        self._scenario = batch.scenario
        self._memory = None
        if hasattr(agent, "begin"):
            rng = RowRng([np.random.default_rng(list(key)) for key in chance])
            with _centralised(batch.scenario, agent):
                self._memory = agent.begin(View(batch, sees(agent), envs), rng)

    def act(self, observation: NDArray[Any], started: NDArray[np.bool_]) -> NDArray[Any]:
        """Checked actions (N, A, …) for the observations (N, A, F) of its environments, in their units.

        started: (N, A), see `episode_start` of `Agent.predict`.

        Raises AgentError where the answer has the wrong form, shape or type, or leaves the action space.
        """
        with _centralised(self._scenario, self.agent):
            answer = self.agent.predict(
                _rows(observation), state=self._memory, episode_start=started.ravel(), deterministic=True
            )
            if not isinstance(answer, tuple) or len(answer) != 2:
                raise AgentError(f"predict must return (action, state), got {type(answer).__name__}.")
            action, self._memory = as_array(answer[0]), answer[1]
            action = one_number_each(self._scenario.action_space, action, (started.size,))
            check_action(self._scenario.action_space, action, started.size)
        return action.reshape(*started.shape, *action.shape[1:])

    def learn(
        self,
        observation: NDArray[Any],
        action: NDArray[Any],
        outcome: Outcome,
        following: NDArray[Any],
        done: NDArray[np.bool_],
    ) -> None:
        """Show the agent what a step of the whole batch brought to its environments.

        observation, following: (N, A, F), before and after the step; action: (N, A, …); done: (N, A); all of the batch.
        """
        at = self.envs
        info = {"elapsed_s": np.repeat(outcome.elapsed_s[at], done.shape[1])}
        self._memory = self.agent.learn(
            self._memory,
            _rows(observation[at]),
            _rows(action[at]),
            outcome.reward[at].flatten(),  # a copy: what is counted is not the agent's to write to
            _rows(following[at]),
            done[at].ravel(),
            info,
        )


class Rollout:
    """Players who together play all environments of a batch from its present state on.

    observation: what they observe now, (N, A, F). started: (N, A), whether an agent's episode begins with it.
    """

    def __init__(self, batch: Batch, players: Sequence[Player]):
        self.batch, self._players = batch, players
        self._learns = any(player.learns for player in players)
        self.observation = batch.observe()
        self.started = np.ones((batch.num_envs, batch.scenario.num_agents), bool)

    @classmethod
    def of(cls, agent: Any, batch: Batch, seed: int = 0) -> Rollout:
        """One agent plays all environments; `seed` is that of its own chance."""
        rows = batch.num_envs * batch.scenario.num_agents
        return cls(batch, [Player(agent, batch, ((seed, row) for row in range(rows)))])

    def act(self) -> NDArray[Any]:
        """The actions of all players now, (N, A, …), checked. Raises AgentError as `Player.act`."""
        return np.concatenate([p.act(self.observation[p.envs], self.started[p.envs]) for p in self._players])

    def step(self) -> Outcome:
        """One decision of every agent. Agents that learn are then shown its outcome."""
        real = isinstance(self.batch.scenario.action_space, spaces.Box)
        action = self.act().astype(np.float64 if real else np.int64, copy=False)
        outcome = self.batch.step(action)
        before = self.observation
        self.follow(outcome.terminated)
        if self._learns:
            done = outcome.terminated | outcome.truncated[:, None]
            for player in self._players:
                if player.learns:
                    player.learn(before, action, outcome, self.observation, done)
        return outcome

    def follow(self, started: NDArray[np.bool_] | None = None) -> None:
        """Observe the batch anew, after it was stepped, or after environments were restarted.

        started: (N, A), whether episodes begin now; None: nowhere.
        """
        self.observation = self.batch.observe()
        self.started = np.zeros(self.started.shape, bool) if started is None else started.copy()

    def first_episodes(self) -> Iterator[tuple[Outcome, NDArray[np.bool_]]]:
        """Step every environment to its first end.

        Yields and returns with each step's outcome (N,): True for each environment that played in it.
        """
        playing = np.ones(self.batch.num_envs, bool)
        while playing.any():
            outcome = self.step()
            yield outcome, playing.copy()
            over = self.ended(outcome)
            playing &= ~over
            if over.any():  # what is over plays on uncounted, from its start, so that it never runs over its end
                self.batch.rewind(np.flatnonzero(over))
                self.follow(outcome.terminated | over[:, None])

    def ended(self, outcome: Outcome) -> NDArray[np.bool_]:
        """(N,): True for each environment whose episode ended: at the horizon, or because its only agent ended."""
        return outcome.truncated | (outcome.terminated[:, 0] if outcome.terminated.shape[1] == 1 else False)


@contextlib.contextmanager
def _centralised(scenario: Scenario[Any, Any], agent: Any) -> Iterator[None]:
    """Errors of an agent in the centralised view say what that view is: most agents are made for one agent slot."""
    try:
        yield
    except Exception as error:
        if not isinstance(scenario, JointScenario):
            raise
        name, noun = getattr(agent, "label", type(agent).__name__), scenario.scenario.agent_noun
        reason = str(error) if isinstance(error, AgentError) else f"{type(error).__name__}: {error}"
        raise AgentError(
            f"{name} cannot play control='all', where one agent chooses for all {scenario.num_slots} {noun}s at once "
            f"and observes {scenario.fields[0].name} and so on. Leave control out, and it plays for each {noun} "
            f"({reason.rstrip('.: ')})."
        ) from error


def check_action(space: spaces.Space[Any], action: NDArray[Any], rows: int) -> None:
    """Raise AgentError unless an agent's actions (rows, …) lie in the action space."""
    shape = (rows, *(space.shape or ()))
    if action.shape != shape:
        raise AgentError(f"predict must return actions of shape {shape}, got {action.shape}.")
    discrete = not isinstance(space, spaces.Box)
    if action.dtype.kind not in ("iu" if discrete else "iuf"):
        numbers = "integers" if discrete else "numbers"
        raise AgentError(f"predict must return {numbers}, got dtype {action.dtype}.")
    count = getattr(space, "n", getattr(space, "nvec", None))
    low, high = (0, count - 1) if count is not None else (space.low, space.high)  # type: ignore[attr-defined]
    if not ((action >= low) & (action <= high)).all():
        raise AgentError(f"predict returned actions outside {space}: from {action.min()} to {action.max()}.")


def _rows(values: NDArray[Any]) -> NDArray[Any]:
    """(N, A, …) as (N * A, …)."""
    return values.reshape(-1, *values.shape[2:])
