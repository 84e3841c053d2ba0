"""The suite: the tasks of every room."""

from __future__ import annotations

import warnings
from functools import lru_cache

from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.rooms import BROKEN, Room, why


def all_tasks(scenario: str | None = None) -> list[Task]:
    """The suite's tasks, of one scenario or of all, in the order of rooms. ValueError for an unknown scenario.

    Of all, those of a room whose tasks cannot be loaded are left out with a warning.
    """
    if scenario is not None:
        return list(_tasks_of(rooms.room(scenario)))
    return [task for room in rooms.rooms().values() for task in _loadable(room)]


def _tasks_of(room: Room) -> tuple[Task, ...]:
    found = tuple(room.load("tasks") or ())
    if wrong := [t for t in found if not isinstance(t, Task) or t.name.partition("/")[0] != room.name]:
        raise ValueError(f"the tasks of {room.name} must be Tasks named '{room.name}/…', got {wrong[0]!r}.")
    if wrong := [t for t in found if t.scenario_name != room.name]:
        raise ValueError(f"{wrong[0].name} is a task of {wrong[0].env_id}, which is {wrong[0].scenario_name}'s.")
    if len(names := [t.name for t in found]) > len(set(names)):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two tasks are named {twice!r}: rows of the one would be taken for the other's.")
    return found


@lru_cache
def _broken(name: str, package: str, error: str) -> None:
    """Warn once."""
    warnings.warn(f"the tasks of the scenario {name} of {package} are left out: {error}.", stacklevel=4)


def _loadable(room: Room) -> tuple[Task, ...]:
    try:
        return _tasks_of(room)
    except BROKEN as error:  # somebody else's package must not stop the suite
        _broken(room.name, room.package, why(error))
        return ()


def tasks(scenario: str | None = None) -> list[str]:
    """Names of the suite's tasks, of one scenario or of all. ValueError for an unknown scenario."""
    return [t.name for t in all_tasks(scenario)]


def task(name: str | Task) -> Task:
    """The task of a name; ValueError with the known names otherwise."""
    if isinstance(name, Task):
        return name
    known = {t.name: t for t in all_tasks()}
    if name not in known:
        raise ValueError(unknown("task", name, known))
    return known[name]
