"""`mmwave-gym page`: the docs page of an environment, from its code, and the numbers that other pages quote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.benchmark.agents_page import agents_page
from mmwave_gym.benchmark.page import page as written
from mmwave_gym.benchmark.quoting import filled, source_of
from mmwave_gym.benchmark.words import explained
from mmwave_gym.cli.output import out
from mmwave_gym.core import files
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.registration import entries, room_of

OURS = "mmwave_gym"


def page(
    env: Annotated[
        str | None,
        typer.Argument(
            metavar="ENV|PAGE", help="an environment id, or a .md whose quotes are renewed; else all of --package"
        ),
    ] = None,
    out_path: Annotated[
        Path, typer.Option("--out", help="a file ending in .md, or a folder: SCENARIO.md in it")
    ] = Path("docs"),
    package: Annotated[str, typer.Option(help="without ENV: the Python package whose environments get pages")] = OURS,
    of_agents: Annotated[
        bool, typer.Option("--agents", help="the page of the scenario's agents: the rule of each in one formula")
    ] = False,
) -> None:
    """Write an environment's docs page: spaces, reward, metrics, keywords, tasks, agents. Of a page of yours: renew the
    numbers that it quotes from the board (`mmwave_gym.benchmark.quoting`), and its line of short forms."""
    if env is not None and env.endswith(".md"):
        own = Path(env)
        files.write(own, explained(filled(own.read_text("utf-8"), lambda: source_of(own))))
        out.print(str(own), highlight=False, soft_wrap=True)
        return
    if env is None and out_path.suffix == ".md":
        raise ValueError(f"--out must be a folder where no environment is named, got {str(out_path)!r}.")
    for env_id in [env] if env is not None else _ids_of(package):
        room = room_of(env_id)
        if of_agents and env is None and room.entries[0].id != env_id:
            continue  # one page a scenario
        name = room.name if of_agents or room.entries[0].id == env_id else env_id
        path = out_path if out_path.suffix == ".md" else out_path / f"{name}.md"
        text = agents_page(room.name) if of_agents else written(env_id, path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text)
        out.print(str(path), highlight=False, soft_wrap=True)


def _ids_of(package: str) -> list[str]:
    """The environments whose rooms lie in a package; ValueError where it has none."""
    packages = {e.id: room_of(e.id).package for e in entries()}
    ids = [env_id for env_id, home in packages.items() if f"{home}.".startswith(f"{package}.")]
    if not ids:
        known = sorted({home.partition(".")[0] for home in packages.values()})
        raise ValueError(unknown("package with environments", package, known))
    return ids
