"""The table of environments: id, scenario, what the id overrides, one line. Everything else is derived from it."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium

from mmwave_gym.scenario import Scenario


@dataclass(frozen=True)
class Entry:
    """One registered environment. `scenario` names the module in `mmwave_gym.scenarios`."""

    id: str
    scenario: str
    summary: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    """One line for each version of the id: what changed the numbers."""


TABLE: tuple[Entry, ...] = (
    Entry(
        id="MmwaveHandover-v0",
        scenario="handover",
        summary="a UE walks among small cells and chooses the one that serves it",
        history=("v0: first version",),
    ),
)

# Other packages, and the tests, add scenarios here: name -> "module:Scenario:Config".
SCENARIOS: dict[str, str] = {"handover": "mmwave_gym.scenarios.handover:Handover:HandoverConfig"}


def scenario_classes(name: str) -> tuple[type[Scenario[Any, Any]], type]:
    """The Scenario and configuration classes of a scenario's name."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}; known are {', '.join(SCENARIOS)}.")
    module, scenario, config = SCENARIOS[name].split(":")
    loaded = importlib.import_module(module)
    return getattr(loaded, scenario), getattr(loaded, config)


def make_scenario(name: str, /, **keywords: Any) -> Scenario[Any, Any]:
    """A scenario from flat keywords.

    Raises TypeError for an unknown keyword (with the nearest known one) and ValueError for a value out of range.
    """
    scenario, config = scenario_classes(name)
    known = [f.name for f in dataclasses.fields(config)]
    for keyword in keywords:
        if keyword not in known:
            near = difflib.get_close_matches(keyword, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{name} has no keyword {keyword!r}.{hint} Its keywords are: {', '.join(known)}.")
    return scenario(config(**keywords))


def entry(env_id: str) -> Entry:
    """The table's entry of an id; ValueError with the known ids otherwise."""
    for candidate in TABLE:
        if candidate.id == env_id:
            return candidate
    raise ValueError(f"unknown environment {env_id!r}; known are {', '.join(e.id for e in TABLE)}.")


def register() -> None:
    """Register the table with Gymnasium; a second call changes nothing."""
    for e in TABLE:
        if e.id not in gymnasium.registry:
            gymnasium.register(
                id=e.id,
                entry_point="mmwave_gym.envs:ScenarioEnv",
                vector_entry_point="mmwave_gym.envs:ScenarioVectorEnv",
                # Our own checks name the fault; the passive checker would cost more than the step itself.
                disable_env_checker=True,
                kwargs={"scenario": e.scenario, **e.overrides},
            )
