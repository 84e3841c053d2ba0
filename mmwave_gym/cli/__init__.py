"""Environments, agents and a leaderboard for mobility and resource control in mmWave cellular networks."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import gymnasium
import typer

from mmwave_gym.cli.audit import audit
from mmwave_gym.cli.bound import bound
from mmwave_gym.cli.channel import channel
from mmwave_gym.cli.compare import compare
from mmwave_gym.cli.evaluate import evaluate
from mmwave_gym.cli.export import export
from mmwave_gym.cli.hub import load, push
from mmwave_gym.cli.import_ import import_
from mmwave_gym.cli.info import info
from mmwave_gym.cli.leaderboard import leaderboard
from mmwave_gym.cli.list import list_
from mmwave_gym.cli.new import new
from mmwave_gym.cli.output import err, line
from mmwave_gym.cli.page import page
from mmwave_gym.cli.render import render
from mmwave_gym.cli.replay import replay
from mmwave_gym.cli.reproduce import reproduce
from mmwave_gym.cli.ship import ship
from mmwave_gym.cli.sweeping import sweep
from mmwave_gym.cli.train import FORWARD, train
from mmwave_gym.cli.tune import tune
from mmwave_gym.cli.verify import verify
from mmwave_gym.core import rooms
from mmwave_gym.core.processes import stopped_by_signals
from mmwave_gym.version import __version__


def add_command(to: typer.Typer, name: str, function: Any) -> None:
    """Add a room's command. Raises where typer could not run it: one bad command would stop them all."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError("a command's name is lower-case letters, digits and hyphens")
    alone = typer.Typer()
    alone.command(name)(function)
    typer.main.get_command(alone)
    to.command(name)(function)


def version(wanted: bool) -> None:
    """Print the version, and end."""
    if wanted:
        print(f"mmwave-gym {__version__}")
        raise typer.Exit


app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(help=__doc__)
def before_commands(
    shown: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""


app.command("list")(list_)
app.command("import")(import_)
for verb in (
    evaluate, compare, info, load, push, export, leaderboard, audit, bound, reproduce, render, replay, page, ship, tune,
    verify,
):  # fmt: skip
    app.command()(verb)
app.command(context_settings=FORWARD)(sweep)
app.command(context_settings=FORWARD)(train)
app.add_typer(new, name="new")
app.add_typer(channel, name="channel")
ours = {"list", "import", "new", "channel", *(c.callback.__name__ for c in app.registered_commands if c.callback)}
for room in rooms.rooms().values():
    for name, reference in room.commands.items():
        try:
            if name in ours:
                raise ValueError("mmwave-gym has a command of this name")
            add_command(app, name, room.resolve(reference))
            ours.add(name)
        except rooms.BROKEN as error:  # somebody else's package must not stop the command line
            warnings.warn(f"the command {name!r} of {room.package} is left out: {rooms.why(error)}.", stacklevel=1)


def main(words: Sequence[str] | None = None) -> None:
    """Entry point, by default with the words of the process: bad input is one line on stderr and exit code 2.

    Ctrl-C, SIGTERM and SIGHUP stop cleanly with 130, 143 and 129, and what is finished stays.
    """
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)  # a script has its own folder there instead; `package:Class` is a file beside one's work
    try:
        with stopped_by_signals():
            app(words, prog_name="mmwave-gym")
    except (ValueError, TypeError, OSError, gymnasium.error.Error, ImportError) as error:
        if os.environ.get("MMWAVE_DEBUG"):
            raise
        err.print(f"mmwave-gym: {line(error)}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
