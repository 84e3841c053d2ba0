"""The suite: the tasks of every room."""

from __future__ import annotations

import difflib

from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms


def all_tasks(scenario: str | None = None) -> list[Task]:
    """The suite's tasks, of one scenario or of all, in the order of rooms."""
    found = [rooms.room(scenario)] if scenario is not None else rooms.rooms().values()
    return [task for room in found for task in room.load("tasks") or ()]


def tasks(scenario: str | None = None) -> list[str]:
    """Names of the suite's tasks, of one scenario or of all. ValueError for an unknown scenario."""
    return [t.name for t in all_tasks(scenario)]


def task(name: str | Task) -> Task:
    """The task of a name; ValueError with the known names otherwise."""
    if isinstance(name, Task):
        return name
    known = {t.name: t for t in all_tasks()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown task {name!r}.{hint} Known are {', '.join(known)}.")
    return known[name]
