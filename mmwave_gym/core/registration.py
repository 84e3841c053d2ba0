"""From the table of rooms to Gymnasium, PettingZoo and scenarios: what an id and its keywords stand for."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import gymnasium
import numpy as np
import pettingzoo

from mmwave_gym.core import rooms
from mmwave_gym.core.checks import nearest, unknown
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


def make_scenario(name: str, /, **keywords: Any) -> Scenario[Any, Any]:
    """A scenario from flat keywords.

    Raises TypeError for an unknown keyword (with the nearest known one) and ValueError for a value out of range.
    Numbers of NumPy and arrays are welcome; the configuration holds them as Python's own numbers and tuples.
    """
    room = rooms.room(name)
    for keyword, variant in room.variants.items():
        if keywords.get(keyword) is not None:
            return make_scenario(variant, **keywords)
    config = room.load("config")
    known = [f.name for f in dataclasses.fields(config)]
    for keyword in keywords:
        if keyword not in known:
            hint = nearest(keyword, known)
            raise TypeError(f"{name} has no keyword {keyword!r}.{hint} Its keywords are: {', '.join(known)}.")
    return room.load("scenario")(config(**{name: _plain(value) for name, value in keywords.items()}))


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
