"""From the table of rooms to Gymnasium, PettingZoo and scenarios: what an id and its keywords stand for."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import pettingzoo

from mmwave_gym.core import rooms
from mmwave_gym.core.checks import nearest, unknown
from mmwave_gym.core.joint import viewed
from mmwave_gym.core.rooms import Entry, Room
from mmwave_gym.core.scenario import Scenario

ENTRY_POINT = "mmwave_gym.api.gymnasium:ScenarioEnv"


def entries() -> list[Entry]:
    """Every registered environment, in the order of rooms."""
    return [entry for room in rooms.rooms().values() for entry in room.entries]


def room_of(env_id: str) -> Room:
    """The room of an environment's id; ValueError with the known ids otherwise."""
    for room in rooms.rooms().values():
        if any(e.id == env_id for e in room.entries):
            return room
    raise ValueError(unknown("environment", env_id, [e.id for e in entries()]))


def entry(env_id: str) -> Entry:
    """The entry of an environment's id; ValueError with the known ids otherwise."""
    return next(e for e in room_of(env_id).entries if e.id == env_id)


VIEWS = ("control", "always_present", "others")
"""Keywords of every scenario that say who is seen of it, see `core.joint.viewed`."""


def make_scenario(name: str, /, **keywords: Any) -> Scenario[Any, Any]:
    """A scenario from flat keywords: its own, those that scenarios share (`_common`), and `VIEWS`.

    Raises TypeError for an unknown keyword (with the nearest known one) and ValueError for a value out of range.
    Numbers of NumPy and arrays are welcome; the configuration holds them as Python's own numbers and tuples.
    """
    view = {keyword: keywords.pop(keyword) for keyword in VIEWS if keyword in keywords}
    made = _make(name, keywords)
    if made.num_agents == 1 and view.get("others") is not None:
        raise ValueError(
            f"others={view['others']!r} has nobody to play: {name} has one agent with these keywords. Leave it out, or "
            f"ask for more {made.agent_noun}s."
        )
    return viewed(made, **view)


def _make(name: str, keywords: dict[str, Any]) -> Scenario[Any, Any]:
    room = rooms.room(name)
    for keyword, variant in room.variants.items():
        if keywords.get(keyword) is not None:
            _check_variant(room, keyword, variant, keywords)
            return _make(variant, keywords)
    config, scenario = room.load("config"), room.load("scenario")
    known = [f.name for f in dataclasses.fields(config)]
    own = _common(name, config, known, keywords)
    asked = own.pop(f"num_{scenario.agent_noun}s", None) if f"num_{scenario.agent_noun}s" not in known else None
    for keyword in own:
        if keyword not in known:
            hint = nearest(keyword, (*known, *VIEWS))
            raise TypeError(
                f"{name} got an unexpected keyword argument {keyword!r}.{hint} Its keywords are: {', '.join(known)}."
            )
    made: Scenario[Any, Any] = scenario(config(**{name: _plain(value) for name, value in own.items()}))
    if asked is not None and asked != made.num_agents:
        raise ValueError(f"num_{made.agent_noun}s must be {made.num_agents} in {name}, got {asked!r}.")
    return made


def _check_variant(room: Room, keyword: str, variant: str, keywords: Mapping[str, Any]) -> None:
    """ValueError where keywords set a version of `room` apart and mean nothing in the scenario that is meant."""
    known = {f.name for f in dataclasses.fields(rooms.room(variant).load("config"))}
    for e in room.entries:
        if any(name in keywords and name not in known for name in e.overrides):
            plain = " or ".join(other.id for other in room.entries if not other.overrides)
            ids = ", ".join(other.id for other in rooms.room(variant).entries)
            raise ValueError(
                f"{keyword}={keywords[keyword]!r} is the scenario {variant}, where {', '.join(e.overrides)} of {e.id} "
                f"means nothing: use {plain} with {keyword}=…, or {ids}."
            )


def _common(name: str, config: Any, known: Sequence[str], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords with words that all scenarios understand turned into the scenario's own.

    `max_cycles`, PettingZoo's word, is `horizon`. A config's `same_as` names its own word for one that others use; its
    `of_horizon(horizon, keywords)` gives the keywords of episodes of so many steps, where it has no `horizon`.
    """
    own = dict(keywords)
    has_horizon = "horizon" in known or hasattr(config, "of_horizon")
    words = {**({"max_cycles": "horizon"} if has_horizon else {}), **getattr(config, "same_as", {})}
    for word, theirs in words.items():
        if own.get(word) is not None and own.get(theirs) is not None:
            raise ValueError(f"{word} and {theirs} are the same in {name}: give one of both.")
        if word in own and word not in known:
            own[theirs] = own.pop(word)
    if "horizon" in own and "horizon" not in known and has_horizon:
        own = config.of_horizon(own.pop("horizon"), own)
    return own


def make_registered(env_id: str, /, **keywords: Any) -> Scenario[Any, Any]:
    """The scenario that an id stands for, with these keywords; errors as of `make_scenario`."""
    return make_scenario(room_of(env_id).name, **{**entry(env_id).overrides, **keywords})


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return tuple(_plain(x) for x in value) if isinstance(value, list | tuple) else value


def add(room: Room) -> None:
    """Add a room that no entry point names, until the process ends, and register its ids.

    Raises ValueError where its name or one of its ids is taken by another room.
    """
    rooms.add(room)
    register()


def register() -> None:
    """Register every room's ids with Gymnasium and PettingZoo; a second call changes nothing."""
    for room in rooms.rooms().values():
        for e in room.entries:
            _register(room, e)


def _register(room: Room, e: Entry) -> None:
    taken = gymnasium.registry.get(e.id)
    if taken is not None and taken.entry_point != ENTRY_POINT:
        warnings.warn(f"{e.id} of {room.package} is not registered: {taken.entry_point} has this id.", stacklevel=3)
    if taken is None:
        gymnasium.register(
            id=e.id,
            entry_point=ENTRY_POINT,
            vector_entry_point="mmwave_gym.api.gymnasium:ScenarioVectorEnv",
            # Our own checks name the fault; the passive checker alone would cost more than the step itself.
            disable_env_checker=True,
            order_enforce=False,
            kwargs={"scenario": room.name, **({"others": e.others} if e.others else {}), **e.overrides},
        )
    if hasattr(pettingzoo, "register"):  # its registry is new in 1.27
        keywords = {"scenario": room.name, **e.overrides}
        if e.id not in pettingzoo.aec_registry:
            pettingzoo.register("aec", e.id, "mmwave_gym.api.pettingzoo:env", kwargs=keywords)
        if e.id not in pettingzoo.parallel_registry:
            pettingzoo.register("parallel", e.id, "mmwave_gym.api.pettingzoo:parallel_env", kwargs=keywords)
