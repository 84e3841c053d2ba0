"""What a shell offers where a name is asked for: tasks, agents, environments. `--install-completion` turns it on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import typer

from mmwave_gym.agents import registry
from mmwave_gym.benchmark import suite
from mmwave_gym.core import registration, rooms


def tasks(incomplete: str) -> list[str]:
    """Tasks whose names begin so."""
    return _beginning(incomplete, suite.tasks)


def envs(incomplete: str) -> list[str]:
    """Environment ids that begin so."""
    return _beginning(incomplete, lambda: (entry.id for entry in registration.entries()))


def agents(ctx: typer.Context, incomplete: str) -> list[str]:
    """Agents whose names begin so: those of the scenario of --task or --env where one is given."""
    task, env = (str(ctx.params.get(name) or "") for name in ("task", "env"))

    def known() -> Iterable[str]:
        if task.partition("/")[0] in rooms.rooms():
            return registry.agents(task.partition("/")[0])
        if any(entry.id == env for entry in registration.entries()):
            return registry.agents(registration.room_of(env).name)
        return dict.fromkeys(name.partition("/")[2] for name in registry.agents())

    return _beginning(incomplete, known)


def names(incomplete: str) -> list[str]:
    """Whatever `mmwave-gym info` knows: tasks, agents as SCENARIO/AGENT, environments and scenarios."""
    return [
        *tasks(incomplete),
        *_beginning(incomplete, registry.agents),
        *envs(incomplete),
        *_beginning(incomplete, rooms.rooms),
    ]


def _beginning(incomplete: str, known: Callable[[], Iterable[str]]) -> list[str]:
    """The known names that begin so; none where they cannot be found: a shell shows no errors."""
    try:
        return [name for name in known() if name.startswith(incomplete)]
    except Exception:
        return []
