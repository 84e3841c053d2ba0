"""How agents are found: by name, by `package:Class`, by file, or as an object.

Names come from entry points of the group `mmwave_gym.agents`, called `<scenario>/<agent>`, so another package adds
agents by installing.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mmwave_gym.agents.protocol import AgentError

GROUP = "mmwave_gym.agents"


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
        from mmwave_gym.agents.policy import load_policy  # only files need it

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
