"""What an agent is: anything with `predict`, the signature that Stable-Baselines3 models already have."""

from __future__ import annotations

import inspect
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import EXTRAS, InputError

_BLOCK = 512


class AgentError(InputError):
    """An agent that cannot be found, loaded or used; the text says which, why and what to do."""


class NotApplicable(AgentError):
    """An agent that has no business in a task, for instance one without weights for it; the text is the reason."""


class NotInstalled(AgentError):
    """An agent that needs the library of an extra, which is not installed here; the text says how to get it."""

    def __init__(self, agent: str, library: str):
        super().__init__(agent, library)
        self.library = library

    def __str__(self) -> str:
        agent, library = self.args
        return f"{agent} needs {library}, which is not installed: pip install 'mmwave-gym[{EXTRAS[library]}]'."


class UnknownAgent(AgentError):
    """A name that stands for no agent: a slip of the pen rather than a fault of an agent."""


@runtime_checkable
class Agent(Protocol):
    """The protocol. Only `predict` is required.

    Optional attributes: `access` ("local" by default, see `core.access.ACCESS_LEVELS`), `label`, `kind` (see
    `core.access.KINDS`), `config` (a dict of JSON values), `weights_sha256`, `training` (a dict,
    see `policy.training_of`), `training_seeds`,
    `needs` (names of libraries that it imports only when it plays, such as "numba"),
    `carries` (True: what it has learnt outlives an episode, so `episode_start` does not reset it).
    Optional methods:

    * `for_task(task, training_seed)`, on a class or factory: the agent made for a task (None: for any).
    * `begin(view, rng) -> state`, when episodes begin. `view` is a `View` at the agent's access level, `rng` a
      `RowRng`: the agent's own chance.
    * `learn(state, observation, action, reward, next_observation, done, info) -> state`, after every step.
    """

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (rows, …) for observations (rows, features), and the new state.

        All memory lives in `state`, so that rows are independent. A row is an agent slot of an environment,
        environments first. `episode_start` (rows,) marks rows whose episode begins with this observation.
        """


class RowRng:
    """An agent's own chance, one generator for each `rows_each` rows, so that draws do not depend on neighbours."""

    def __init__(self, generators: list[np.random.Generator], rows_each: int = 1):
        self._generators = generators
        self._shape = (max(1, _BLOCK // rows_each), rows_each)
        self._block = np.empty((len(generators), 0, rows_each))
        self._used = 0

    @classmethod
    def from_seed(cls, seed: int, rows: int) -> RowRng:
        return cls([np.random.default_rng([seed, row]) for row in range(rows)])

    def random(self) -> NDArray[np.float64]:
        """One uniform number in [0, 1) a row, shape (rows,)."""
        if self._used == self._block.shape[1]:
            self._block = np.stack([g.random(self._shape) for g in self._generators])
            self._used = 0
        self._used += 1
        return self._block[:, self._used - 1].ravel().copy()

    def restart(self, groups: NDArray[np.intp], generators: list[np.random.Generator]) -> None:
        """Give some groups of `rows_each` rows new generators: their next draws are the first of these generators.

        groups: (n,), indices of the groups; generators: one for each of them.
        """
        for group, generator in zip(groups.tolist(), generators, strict=True):
            self._generators[group] = generator
            self._block[group, self._used :] = generator.random(self._block[group, self._used :].shape)

    def choice(self, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """One of the allowed indices a row, uniformly; allowed: (rows, n) with at least one True a row."""
        rank = (self.random() * allowed.sum(axis=1)).astype(np.int64)
        return (allowed.cumsum(axis=1) > rank[:, None]).argmax(axis=1)


def as_array(action: Any) -> NDArray[Any]:
    """An agent's actions as an array, of whatever shape; AgentError where they are none, for instance ragged lists."""
    try:
        return np.asarray(action)
    except Exception as error:  # objects that pretend to be arrays may raise anything
        raise AgentError(f"predict must return an array of actions: {type(error).__name__} {error}.") from None


def begun(state: Any, agent: object) -> Any:
    """`state`, or an AgentError that says how to begin: for agents that need `begin` first."""
    if state is None:
        raise AgentError(
            f"{type(agent).__name__} must begin before it predicts: "
            "state = agent.begin(env.unwrapped.view(agent.access), RowRng.from_seed(0, rows)) after each reset."
        )
    return state


def learns(agent: Any) -> bool:
    """Does this agent learn while it plays? The `learn(total_timesteps, …)` of Stable-Baselines3 trains instead."""
    method = getattr(agent, "learn", None)
    return callable(method) and "total_timesteps" not in inspect.signature(method).parameters


def sees(agent: Any) -> str:
    """The access level that an agent declares."""
    return str(getattr(agent, "access", "local"))
