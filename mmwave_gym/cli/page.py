"""`mmwave-gym page`: the docs page of an environment, from its code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.benchmark.page import page as written
from mmwave_gym.cli.output import out
from mmwave_gym.core import files
from mmwave_gym.core.registration import entries, room_of


def page(
    env: Annotated[str | None, typer.Argument(help="an environment id; all without it")] = None,
    out_path: Annotated[
        Path, typer.Option("--out", help="a file ending in .md, or a folder: SCENARIO.md in it")
    ] = Path("docs"),
) -> None:
    """Write an environment's docs page: spaces, reward, metrics, keywords, tasks, agents."""
    if env is None and out_path.suffix == ".md":
        raise ValueError(f"--out must be a folder where no environment is named, got {str(out_path)!r}.")
    for env_id in [env] if env is not None else [e.id for e in entries()]:
        room = room_of(env_id)
        name = room.name if room.entries[0].id == env_id else env_id
        path = out_path if out_path.suffix == ".md" else out_path / f"{name}.md"
        text = written(env_id, path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text)
        out.print(str(path), highlight=False, soft_wrap=True)
