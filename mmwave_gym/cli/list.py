"""`mmwave-gym list`: environments, tasks and agents."""

from __future__ import annotations

from typing import Annotated

import typer

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.about import agent_rows
from mmwave_gym.cli.output import print_table
from mmwave_gym.core import rooms


def list_(
    what: Annotated[str, typer.Argument(help="envs, tasks or agents, or a scenario; all without it")] = "all",
    scenario: Annotated[str | None, typer.Argument(help="only those of this scenario")] = None,
    suites: Annotated[
        list[str] | None, typer.Option("--suite", help="only tasks of this suite, v1 or papers; may be repeated")
    ] = None,
) -> None:
    """List environments, tasks and agents, of all scenarios or of one."""
    if scenario is None and what in rooms.rooms():
        what, scenario = "all", what
    if what not in ("all", "envs", "tasks", "agents"):
        raise ValueError(f"list takes envs, tasks, agents or a scenario ({', '.join(rooms.rooms())}), got {what!r}.")
    if suites and what not in ("all", "tasks"):
        raise ValueError(f"--suite chooses tasks, not {what}: say `list tasks --suite {suites[0]}`.")
    if suites:
        what = "tasks"
    shown = [rooms.room(scenario)] if scenario else rooms.rooms().values()
    if what in ("all", "envs"):
        found = [(e.id, e.summary, _package(room)) for room in shown for e in room.entries]
        print_table("Environments", ("id", "what it is", "package"), found)
    if what in ("all", "tasks"):
        tasks = suite.all_tasks(scenario, suites)
        rows = [
            (t.name, t.suite, t.primary, t.description + (f" [{t.missing_data}]" if t.missing_data else ""))
            for t in tasks
        ]
        print_table("Tasks", ("name", "suite", "ranked by", "what it is"), rows)
    if what in ("all", "agents"):
        agents = [(name if scenario else f"{place}/{name}", *row) for place, name, *row in agent_rows(scenario)]
        print_table("Agents", ("name", "access", "kind", "what it is"), agents)


def _package(room: rooms.Room) -> str:
    """The package that a room comes from, empty for ours."""
    package = room.package.partition(".")[0]
    return "" if package == __name__.partition(".")[0] else package
