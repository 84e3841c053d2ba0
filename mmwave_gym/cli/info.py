"""`mmwave-gym info`: what a task, an agent or an environment is."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from mmwave_gym.benchmark.about import about
from mmwave_gym.cli import completion
from mmwave_gym.cli.output import out, print_table, progress


def info(
    name: Annotated[
        str,
        typer.Argument(
            metavar="TASK|AGENT|ENV",
            help="a task, SCENARIO/AGENT or an agent's name, an environment id, or a scenario",
            autocompletion=completion.names,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="print it as JSON")] = False,
) -> None:
    """Say what a task, an agent or an environment is, and who stands where by the committed rows."""
    with progress() as shown:
        shown.add_task("reading committed rows", total=None)
        found = about(name)
    if as_json:
        print(json.dumps([dataclasses.asdict(section) for section in found]))
        return
    for section in found:
        print_table(section.title, section.columns, section.rows, section.lines)
        out.print()
