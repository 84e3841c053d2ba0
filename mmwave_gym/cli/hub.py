"""`mmwave-gym push` and `mmwave-gym load`: weights in the layout of a model hub, given and taken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.benchmark import hub, suite
from mmwave_gym.cli.output import err, out


def push(
    agents: Annotated[
        list[str], typer.Argument(metavar="AGENT...", help="a shipped agent (ppo), or runs or files, one a seed")
    ],
    task: Annotated[list[str], typer.Option(help="the task; may be repeated for a shipped agent")],
    folder: Annotated[Path, typer.Option("--out", help="where the folders are written")] = Path("runs/hub"),
    repository: Annotated[
        str | None, typer.Option("--repo", metavar="USER/NAME", help="also upload to this repository of huggingface.co")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="test episodes for the card's score; the task's own number if not given")
    ] = None,
) -> None:
    """Write weights and a model card for each task, and upload them."""
    if repository is not None:
        hub.ready(repository)
    work = [(found, hub.trained(agents, found)) for found in map(suite.task, task)]
    for found, policies in work:
        made = hub.publish(policies, found, folder, episodes)
        out.print(str(made / "README.md"), markup=False, highlight=False, soft_wrap=True)
    if repository is not None:
        out.print(hub.push(folder, repository), markup=False, highlight=False, soft_wrap=True)


def load(
    source: Annotated[str, typer.Argument(help="a folder, or a repository of huggingface.co: user/name")],
    task: Annotated[str, typer.Option(help="the task that the weights are for")],
    revision: Annotated[str | None, typer.Option(help="a commit, tag or branch of the repository")] = None,
) -> None:
    """Take weights from a folder or a repository, and say how to evaluate them."""
    err.print("Weights are arrays without pickles: nothing in them is run.", highlight=False, soft_wrap=True)
    for path in hub.fetch(source, suite.task(task).name, revision):
        out.print(f"mmwave-gym evaluate {path} --task {task}", markup=False, highlight=False, soft_wrap=True)
