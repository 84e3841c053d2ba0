"""Rooms: all that generic code needs to know of a scenario, and how rooms are found.

A room is an entry point of the group `mmwave_gym.scenarios`: its name is the scenario's, its object a `Room`. Another
package adds one by installing, with one line in its pyproject.toml:

    [project.entry-points."mmwave_gym.scenarios"]
    relay = "their_package.room:ROOM"

The room has a module of its own, and their package's `__init__` imports `mmwave_gym`: then its ids are registered
whichever of both is imported first. `mmwave-gym new scenario NAME` writes such a package.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any

from mmwave_gym.core.checks import unknown
from mmwave_gym.core.errors import error_text

GROUP = "mmwave_gym.scenarios"
OURS = "mmwave-gym"
"""The distribution whose entry points nobody can replace."""
BROKEN = (Exception, SystemExit)
"""What an import of somebody else's package may raise without stopping ours."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One registered environment."""

    id: str
    summary: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Keywords that this id sets differently from the scenario's defaults."""
    history: tuple[str, ...] = ()
    """One line for each version of the id: what changed the numbers."""
    others: str | None = None
    """With several agents: who plays all but the first where `gymnasium.make` is not told `others=…`."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """A scenario and what belongs to it. References are "module:attribute" below `package`, loaded when needed."""

    name: str
    """The scenario's name, that of its entry point."""
    package: str
    """`__name__` of the package that holds the room."""
    entries: tuple[Entry, ...]
    """The environment ids of this scenario."""
    scenario: str
    """The `Scenario` class."""
    config: str
    """Its frozen dataclass of keywords."""
    tasks: str | None = None
    """A tuple of `Task`s for the suite."""
    scene: str | None = None
    """How an episode is drawn, see `rendering.renderer.Scene`; a generic scene without it."""
    table: str | None = None
    """`f(scenario, others) -> tabular model`, for scenarios with few states."""
    policies: str | None = None
    """`f(metadata) -> class or None`: which class plays a saved network of this scenario, None for the usual one."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Verbs of `mmwave-gym` that only this scenario has: name -> function."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Keyword -> name of the scenario that is meant where the keyword is given."""
    grants: Mapping[str, str] = field(default_factory=dict)
    """What an agent of each access level may know here beside the levels below: level -> a sentence."""
    documented: Mapping[str, Any] = field(default_factory=dict)
    """Keywords with which the docs page shows the observation a second time."""
    guide: str = "guide.md"
    """The text of the docs page, a file of the package."""

    def load(self, what: str) -> Any:
        """The object behind a reference such as "scene", None where the room has none."""
        reference = getattr(self, what)
        return None if reference is None else self.resolve(reference)

    def resolve(self, reference: str) -> Any:
        """The object behind "module:attribute" of this room's package; ":attribute" is the package's own."""
        module, _, attribute = reference.partition(":")
        return getattr(importlib.import_module(f"{self.package}.{module}" if module else self.package), attribute)

    def text(self) -> str:
        """The guide, empty where the room has none."""
        if not hasattr(importlib.import_module(self.package), "__path__"):
            return ""  # a module alone, such as a script, has no files beside it
        file = files(self.package) / self.guide
        return file.read_text("utf-8") if file.is_file() else ""


_added: dict[str, Room] = {}


def add(room: Room) -> None:
    """Add a room that no entry point names, until the process ends. A second call with the same room does nothing.

    Raises ValueError where its name or one of its ids is taken by another room.
    """
    found = rooms()
    if found.get(room.name, room) != room:
        raise ValueError(f"the scenario name {room.name!r} is taken by {found[room.name].package}.")
    if reason := _taken(room, [r for r in found.values() if r.name != room.name]):
        raise ValueError(reason)
    _added[room.name] = room


def added() -> tuple[Room, ...]:
    """The rooms that no entry point names, as `add` was given them: another process does not find them by itself."""
    return tuple(_added.values())


def rooms() -> dict[str, Room]:
    """All rooms by the scenario's name. A room that cannot be loaded is left out with a warning."""
    return {**_installed(), **_added}


def room(name: str) -> Room:
    """The room of a scenario; ValueError with the known names otherwise."""
    found = rooms()
    if name not in found:
        raise ValueError(unknown("scenario", name, found))
    return found[name]


@lru_cache(maxsize=1)
def _installed() -> dict[str, Room]:
    found: dict[str, Room] = {}
    for point in points(GROUP, "scenario").values():
        try:
            loaded = point.load()
            if not isinstance(loaded, Room):
                raise TypeError(f"a Room is needed, got {type(loaded).__name__}")
            if loaded.name != point.name:
                raise ValueError(f"its room is named {loaded.name!r}, not as the entry point")
            if reason := _taken(loaded, found.values()):
                raise ValueError(reason)
        except BROKEN as error:  # somebody else's package must not stop `import mmwave_gym`
            leave_out(f"the scenario {point.name}", point, error)
            continue
        found[loaded.name] = loaded
    return found


@lru_cache
def points(group: str, what: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, ours first; `what` one stands for is said in warnings.

    A name that is taken is left out with a warning, so that no other package can replace what is ours.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda e: (package_of(e) != OURS, e.name, package_of(e))):
        if (first := found.setdefault(point.name, point)) is not point and first.value != point.value:
            leave_out(f"the {what} {point.name}", point, ValueError(f"{package_of(first)} has one of this name"))
    return found


def leave_out(what: str, point: EntryPoint, error: BaseException) -> None:
    """Warn that something of somebody else's package does not work, and which package that is."""
    warnings.warn(f"{what} of {package_of(point)} ({point.value}) is left out: {why(error)}.", stacklevel=3)


def why(error: BaseException) -> str:
    """What an error says, at least its kind."""
    return error_text(error).rstrip(".") if isinstance(error, Exception) and str(error) else f"{error!r} was raised"


def package_of(point: EntryPoint) -> str:
    """The distribution of an entry point, as pip writes its name."""
    return re.sub(r"[-_.]+", "-", point.dist.name).lower() if point.dist else "an unknown package"


def _taken(room: Room, others: Any) -> str:
    """Why a room's ids cannot be had, or an empty text."""
    if odd := [e.id for e in room.entries if not re.fullmatch(r"[\w-]+-v\d+", e.id)]:
        return f"the id {odd[0]!r} is none: letters, digits and hyphens, then a version, such as 'Relay-v0'"
    if room.name in room.variants.values():
        return "it names itself among its variants"
    if len({e.id for e in room.entries}) < len(room.entries):
        return "two of its entries have the same id"
    ids = {e.id: other.package for other in others for e in other.entries}
    return next(
        (
            f"the id {e.id!r} is taken by {ids[e.id]}: ids are versioned, use the next version"
            for e in room.entries
            if e.id in ids
        ),
        "",
    )
