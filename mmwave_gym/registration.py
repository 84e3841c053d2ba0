"""The table of environments: id, scenario, what the id overrides, one line. Everything else is derived from it.

Another package adds its own when it is imported, and gets gymnasium.make, make_vec, PettingZoo and the rest:

    from mmwave_gym import registration
    registration.add(
        registration.Entry(id="TheirHandover-v0", scenario="theirs", summary="…"), "their.module:Scenario:Config"
    )
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import pettingzoo

from mmwave_gym.scenario import Scenario


@dataclass(frozen=True)
class Entry:
    """One registered environment. `scenario` is a name in `SCENARIOS`, `overrides` are defaults of this id."""

    id: str
    scenario: str
    summary: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    """One line for each version of the id: what changed the numbers."""
    others: str | None = None
    """With several agents: who plays all but the first where `gymnasium.make` is not told `others=…`."""


TABLE: list[Entry] = [
    Entry(
        id="MmwaveHandover-v0",
        scenario="handover",
        summary="a UE walks among small cells and chooses the one that serves it",
        history=("v0: first version",),
    ),
    Entry(
        id="MmwaveCellSelection-v0",
        scenario="cell_selection",
        summary="UEs whose links flip between line of sight, none and outage share a few cells",
        history=("v0: first version",),
        others="channel",
    ),
    Entry(
        id="MmwaveAssociation-v0",
        scenario="association",
        summary="UEs on known routes choose a base station whenever the ones in reach and in sight change",
        history=("v0: first version",),
    ),
    Entry(
        id="MmwaveStreet-v0",
        scenario="street",
        summary="a UE passes 28 GHz cells on lamp posts; a handover takes time and may fail",
        history=("v0: first version",),
    ),
    Entry(
        id="MmwavePowerAllocation-v0",
        scenario="power_allocation",
        summary="base stations choose their powers, each for its one UE, and disturb each other",
        history=("v0: first version",),
        others="full-power",
    ),
]

SCENARIOS: dict[str, str] = {
    "handover": "mmwave_gym.scenarios.handover:Handover:HandoverConfig",
    "cell_selection": "mmwave_gym.scenarios.cell_selection:CellSelection:CellSelectionConfig",
    "association": "mmwave_gym.scenarios.association:Association:AssociationConfig",
    "street": "mmwave_gym.scenarios.street:Street:StreetConfig",
    "power_allocation": "mmwave_gym.scenarios.power_allocation:PowerAllocation:PowerAllocationConfig",
}
"""Scenario name -> "module:Scenario:Config"; `add` puts others here."""

VARIANTS: dict[str, dict[str, str]] = {"handover": {"street": "street"}}
"""Scenario name -> keyword that makes it another scenario: `MmwaveHandover-v0` with a street is that of streets."""


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
    Numbers of NumPy and arrays are welcome; the configuration holds them as Python's own numbers and tuples.
    """
    for keyword, variant in VARIANTS.get(name, {}).items():
        if keywords.get(keyword) is not None:
            return make_scenario(variant, **keywords)
    scenario, config = scenario_classes(name)
    known = [f.name for f in dataclasses.fields(config)]
    for keyword in keywords:
        if keyword not in known:
            near = difflib.get_close_matches(keyword, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{name} has no keyword {keyword!r}.{hint} Its keywords are: {', '.join(known)}.")
    return scenario(config(**{name: _plain(value) for name, value in keywords.items()}))


def entry(env_id: str) -> Entry:
    """The table's entry of an id; ValueError with the known ids otherwise."""
    for candidate in TABLE:
        if candidate.id == env_id:
            return candidate
    raise ValueError(f"unknown environment {env_id!r}; known are {', '.join(e.id for e in TABLE)}.")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return tuple(_plain(x) for x in value) if isinstance(value, list | tuple) else value


def add(entry: Entry, classes: str) -> None:
    """Add an environment to the table; `classes` is "module:Scenario:Config". A second call changes nothing.

    Raises ValueError where the id or the scenario's name is taken by another.
    """
    if classes.count(":") != 2:
        raise ValueError(f"classes must be 'module:Scenario:Config', got {classes!r}.")
    if SCENARIOS.get(entry.scenario, classes) != classes:
        raise ValueError(f"the scenario name {entry.scenario!r} is taken by {SCENARIOS[entry.scenario]}.")
    if any(e.id == entry.id and e != entry for e in TABLE):
        raise ValueError(f"the id {entry.id!r} is taken: ids are versioned, use the next version.")
    SCENARIOS[entry.scenario] = classes
    if entry not in TABLE:
        TABLE.append(entry)
    register()


def register() -> None:
    """Register the table with Gymnasium and PettingZoo; a second call changes nothing."""
    for e in TABLE:
        if e.id not in gymnasium.registry:
            gymnasium.register(
                id=e.id,
                entry_point="mmwave_gym.envs:ScenarioEnv",
                vector_entry_point="mmwave_gym.envs:ScenarioVectorEnv",
                # Our own checks name the fault; the passive checker alone would cost more than the step itself.
                disable_env_checker=True,
                order_enforce=False,
                kwargs={"scenario": e.scenario, **({"others": e.others} if e.others else {}), **e.overrides},
            )
        if hasattr(pettingzoo, "register"):  # its registry is new in 1.27
            keywords = {"scenario": e.scenario, **e.overrides}
            if e.id not in pettingzoo.aec_registry:
                pettingzoo.register("aec", e.id, "mmwave_gym.multiagent:env", kwargs=keywords)
            if e.id not in pettingzoo.parallel_registry:
                pettingzoo.register("parallel", e.id, "mmwave_gym.multiagent:parallel_env", kwargs=keywords)
