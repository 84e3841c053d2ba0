"""`mmwave-gym replay`: several agents side by side on the same episode, as one page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.side_by_side import recorded, replay_page
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli import completion
from mmwave_gym.cli.options import Trusted
from mmwave_gym.cli.output import err, out, progress, say_what_is_trusted
from mmwave_gym.core import files
from mmwave_gym.core.errors import require

MOST_AGENTS = 6
PAGE = ".html"
"""How the file of a page ends."""


def replay(
    task: Annotated[str, typer.Argument(help="a task of the suite", autocompletion=completion.tasks)],
    agents: Annotated[str, typer.Option(help="who plays, between commas: names, ppo@3, package:Class or files")],
    episode: Annotated[int, typer.Option(min=0, help="which of the task's test episodes")] = 0,
    out_file: Annotated[Path, typer.Option("--out", help="a file ending in .html")] = Path("replay.html"),
    trusted: Trusted = False,
) -> None:
    """Play several agents on the same episode and write a page that shows them side by side."""
    if out_file.suffix != PAGE:
        raise ValueError(f"--out must end in .html, got {str(out_file)!r}.")
    names = [name.strip() for name in agents.split(",") if name.strip()]
    if not 1 <= len(names) <= MOST_AGENTS:
        raise ValueError(f"--agents must name one to {MOST_AGENTS} agents between commas, got {agents!r}.")
    write_replay(names, suite.task(task), episode, out_file, trusted)


def write_replay(names: Sequence[str], found: Task, episode: int, out_file: Path, trusted: bool = False) -> None:
    """Play the agents on a test episode of a task, and write the page that shows them."""
    if found.missing_data:
        raise ValueError(f"{found.name} cannot be played: {found.missing_data}.")
    require("a replay", "jinja2")
    say_what_is_trusted(*names)
    files.try_place(out_file)
    recordings = []
    with progress() as shown:
        for name in names:
            bar = shown.add_task(name, total=None)
            on_step = partial(shown.advance, bar)
            recordings.append(recorded(name, found, episode, trusted=trusted, on_step=on_step))
    page, notes = replay_page(recordings)
    files.write(out_file, page)
    err.print(" ".join(notes), highlight=False, soft_wrap=True)
    out.print(str(out_file), highlight=False, soft_wrap=True)
