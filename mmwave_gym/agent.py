"""What an agent is, and how agents are found: by name, by `package:Class`, by file, or as an object.

An agent is anything with `predict`, the signature that Stable-Baselines3 models already have. Names come from entry
points of the group `mmwave_gym.agents`, called `<scenario>/<agent>`, so another package adds agents by installing.
"""

from __future__ import annotations

import importlib
import inspect
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.scenario import View

GROUP = "mmwave_gym.agents"
_BLOCK = 512


class AgentError(ValueError):
    """An agent that cannot be found, loaded or used; the text says which, why and what to do."""


class NotApplicable(AgentError):
    """An agent that has no business in a task, for instance one without weights for it; the text is the reason."""


@runtime_checkable
class Agent(Protocol):
    """The protocol. Only `predict` is required.

    Optional attributes: `access` ("local" by default, see `scenario.ACCESS_LEVELS`), `label`, `kind` ("rule",
    "paper", "learned", "floor", "ceiling"), `config` (a dict of JSON values), `weights_sha256`, `training_seeds`.
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

        All memory lives in `state`, one row a copy, so that rows are independent. `episode_start` marks rows whose
        episode begins with this observation.
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
        """Give groups of `rows_each` rows fresh generators: their next draws are the first of those."""
        for group, generator in zip(groups.tolist(), generators, strict=True):
            self._generators[group] = generator
            self._block[group, self._used :] = generator.random(self._block[group, self._used :].shape)

    def choice(self, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """One of the allowed indices a row, uniformly; allowed: (rows, n) with at least one True a row."""
        rank = (self.random() * allowed.sum(axis=1)).astype(np.int64)
        return (allowed.cumsum(axis=1) > rank[:, None]).argmax(axis=1)


def begun(state: Any, agent: object) -> Any:
    """`state`, or an AgentError that says how to begin: for agents that need `begin` first."""
    if state is None:
        raise AgentError(
            f"{type(agent).__name__} must begin before it predicts: "
            "state = agent.begin(env.unwrapped.view(agent.access), RowRng.from_seed(0, rows)) after each reset."
        )
    return state


@lru_cache(maxsize=1)
def _found() -> dict[str, EntryPoint]:
    return {e.name: e for e in sorted(entry_points(group=GROUP), key=lambda e: e.name)}


def agents(scenario: str | None = None) -> list[str]:
    """Names of the agents found: "a3", … of a scenario, or "handover/a3", … of all."""
    if scenario is None:
        return list(_found())
    return [name.split("/", 1)[1] for name in _found() if name.split("/", 1)[0] == scenario]


def load_agent(agent: Any, scenario: str | None = None, task: Any = None) -> Any:
    """The agent behind a name, a name with a training seed ("ppo@3"), "package.module:Class", a file or an object.

    A file is a policy saved by the training scripts (.npz beside its .json) or a Stable-Baselines3 archive (.zip).
    An archive holds pickles: load only what you trust. `task` is a `Task`; `scenario` completes short names.
    Raises AgentError.
    """
    if not isinstance(agent, str | Path):
        return _prepared(agent, task, None)
    text = str(agent)
    if text.endswith((".npz", ".zip", ".json")):
        from mmwave_gym.policy import load_policy  # only files need it

        return load_policy(text)
    name, _, seed = text.partition("@")
    if seed and not seed.isdigit():
        raise AgentError(f"the training seed in {text!r} must be a number, as in 'ppo@3'.")
    found = _named(name, scenario) if ":" not in name else _imported(name)
    return _prepared(found, task, int(seed) if seed else None)


def training_seeds(agent: str, scenario: str, task: Any = None) -> tuple[int | None, ...]:
    """The training seeds that a named agent ships for a task, (None,) for one that is not trained."""
    if ":" in agent or "@" in agent or agent.endswith((".npz", ".zip", ".json")):
        return (None,)
    seeds = getattr(_named(agent, scenario), "training_seeds", None)
    found = seeds(task) if callable(seeds) else seeds
    return tuple(found) if found else (None,)


def _named(name: str, scenario: str | None) -> Any:
    full = name if "/" in name else f"{scenario}/{name}"
    found = _found()
    if "/" not in name and scenario is None:
        full = next((f for f in found if f.split("/", 1)[1] == name), name)
    if full not in found:
        known = ", ".join(agents(scenario)) or "none (is mmwave-gym installed?)"
        where = f" for {scenario}" if scenario else ""
        raise AgentError(f"unknown agent {name!r}{where}; known are {known}. Others: 'package:Class' or a file.")
    try:
        return found[full].load()
    except (ImportError, AttributeError) as error:
        raise AgentError(f"the agent {full!r} ({found[full].value}) cannot be loaded: {error}.") from error


def policy_class(name: str) -> Any:
    """The class that plays the networks of an installed, shipped agent, "<scenario>/<agent>"."""
    kind = getattr(_named(name, None), "kind", None)
    if not isinstance(kind, type):
        raise AgentError(f"the agent {name!r} has no networks.")
    return kind


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, ValueError) as error:  # ValueError: an empty name
        raise AgentError(f"cannot import {module!r} for the agent {name!r}: {error}.") from error
    except AttributeError:
        raise AgentError(f"the module {module!r} has no {attribute!r}.") from None


def _prepared(found: Any, task: Any, training_seed: int | None) -> Any:
    if hasattr(found, "for_task") and (isinstance(found, type) or not hasattr(found, "predict")):
        made = found.for_task(task, training_seed)  # an agent that exists already is played as it is
    elif training_seed is not None:
        raise AgentError(f"{found!r} has no training seeds.")
    elif isinstance(found, type):
        try:
            made = found()
        except TypeError as error:
            raise AgentError(f"cannot make a {found.__name__} without arguments: {error}.") from error
    else:
        made = found
    if not callable(getattr(made, "predict", None)):
        raise AgentError(
            f"an agent needs a method predict(observation, state, episode_start, deterministic); {made!r} has none."
        )
    return made


def learns(agent: Any) -> bool:
    """Does this agent learn while it plays? The `learn(total_timesteps, …)` of Stable-Baselines3 trains instead."""
    method = getattr(agent, "learn", None)
    return callable(method) and "total_timesteps" not in inspect.signature(method).parameters


def sees(agent: Any) -> str:
    """The access level that an agent declares."""
    return str(getattr(agent, "access", "local"))


__all__ = [
    "Agent",
    "AgentError",
    "NotApplicable",
    "RowRng",
    "View",
    "agents",
    "learns",
    "load_agent",
    "policy_class",
    "sees",
    "training_seeds",
]
