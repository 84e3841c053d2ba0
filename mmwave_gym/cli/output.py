"""What commands print: tables on standard output, progress and errors beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mmwave_gym.agents.formats import trust
from mmwave_gym.core.errors import error_text
from mmwave_gym.core.shown import visible

WIDE = 160
"""Characters of a line where nobody says how wide the screen is, such as in a pipe: ours."""

out = Console(emoji=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE)
err = Console(stderr=True, emoji=False)


def line(error: Exception) -> str:
    """What a user is told of an error, a place that cannot be read or written included; what a terminal would take for
    a command is shown escaped."""
    return visible(_line(error))


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be used ({error.strerror}): choose another place or change its permissions."
    return error_text(error).partition(" was raised from the environment creator")[0]  # Gymnasium adds all keywords


def say(text: str) -> None:
    """A line on standard output as it is, what a terminal would take for a command shown escaped; none of nothing."""
    if text:
        out.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def say_what_is_trusted(*agents: str) -> None:
    """One line for each agent that is a file: what reading it trusts."""
    for text in map(trust, filter(os.path.exists, agents)):
        if text:
            err.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def print_table(
    title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], lines: Sequence[str] = ()
) -> None:
    """A title, lines under it, and a table; without columns there is none."""
    out.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)  # no narrow table breaks it
    for text in lines:
        say(text)
    if not columns:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=any(columns))
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=i == 0)  # a name in two lines cannot be copied
    for row in rows:
        table.add_row(*row)
    out.print(table)


def progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
