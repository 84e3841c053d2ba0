"""`mmwave-gym new`: a package of one's own, with a scenario or an agent that works before the first edit."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template
from typing import Annotated

import typer

from mmwave_gym.agents.registry import agents
from mmwave_gym.benchmark import suite
from mmwave_gym.cli.output import out
from mmwave_gym.core import rooms
from mmwave_gym.core.registration import entries, make_registered

TEMPLATES = "templates"
SUFFIX = ".in"
"""Of template files: what they hold is not Python yet."""
TOP = PurePosixPath()

new = typer.Typer(no_args_is_help=True, help="Write a package of your own that works before the first edit.")
Out = Annotated[Path | None, typer.Option("--out", help="the package's folder, new or empty; default mmwave-NAME")]


@new.command()
def scenario(
    name: Annotated[str, typer.Argument(help="the scenario's name, such as relay")], out_dir: Out = None
) -> None:
    """A scenario with its room, tasks, rules, training, guide and tests."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or _is_word_of_python(name):
        raise ValueError(f"a scenario's name is lower-case letters, digits and underscores, got {name!r}.")
    if name in rooms.rooms():
        raise ValueError(f"the scenario {name!r} exists already, in {rooms.room(name).package}: take another name.")
    env_id = f"{_camel(name)}-v0"
    if env_id in {e.id for e in entries()}:
        raise ValueError(f"the environment {env_id!r} exists already: take another name.")
    _write("scenario", f"mmwave_{name}", {"name": name, "Name": _camel(name), "id": env_id}, out_dir)


@new.command()
def agent(
    name: Annotated[str, typer.Argument(help="the agent's name, such as max-min")],
    scenario: Annotated[str, typer.Option(help="the scenario that it plays; mmwave-gym list")],
    out_dir: Out = None,
) -> None:
    """An agent for a scenario that is installed, with its tests."""
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name) or _is_word_of_python(name):
        raise ValueError(f"an agent's name is lower-case letters, digits and single hyphens, got {name!r}.")
    if name in agents(scenario):
        raise ValueError(f"{scenario} has an agent {name!r} already: take another name.")
    tasks = suite.tasks(scenario)
    if not tasks:
        raise ValueError(f"{scenario} has no tasks, so nothing to play an agent in.")
    first = suite.task(tasks[0])
    words = {
        "name": name,
        "Name": _camel(name),
        "scenario": scenario,
        "task": first.name,
        "fields": ", ".join(f.name for f in make_registered(first.env_id, **first.kwargs).fields),
    }
    _write("agent", f"mmwave_{scenario}_{name.replace('-', '_')}", words, out_dir)


def _is_word_of_python(name: str) -> bool:
    return keyword.iskeyword(name) or keyword.iskeyword(_camel(name))  # None, True


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in re.split("[-_]", name))


def _write(kind: str, package: str, words: Mapping[str, str], out_dir: Path | None) -> None:
    if importlib.util.find_spec(package) is not None:
        raise ValueError(f"there is a package {package} already: take another name.")
    distribution = package.replace("_", "-")
    folder = out_dir or Path(distribution)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists and is not an empty folder: name another one with --out.")
    known = {**words, "package": package, "distribution": distribution}
    templates = list(_templates(files("mmwave_gym.cli") / TEMPLATES / kind))
    if taken := [line for _, text in templates for line in text.splitlines() if _imports(line, words["Name"])]:
        raise ValueError(f"a class {words['Name']} would hide another one ({taken[0].strip()}): take another name.")
    for place, text in templates:
        parts = [{"package": package, f"test_NAME.py{SUFFIX}": f"test_{package}.py"}.get(p, p) for p in place.parts]
        path = folder.joinpath(*parts)
        path = path.with_suffix("") if path.suffix == SUFFIX else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(text).substitute(known), encoding="utf-8")
    install = shlex.join(["pip", "install", "-e", str(folder)])
    out.print(f"{folder}: see README.md there; {install}", markup=False, highlight=False, soft_wrap=True)


def _imports(line: str, name: str) -> bool:
    """Does a line of a template import this name, alone in its line or not?"""
    return bool(re.fullmatch(rf"((from [\w.]+ )?import .*\b{name}\b.*|\s+{name},|\s+\w+ as {name},)", line))


def _templates(folder: Traversable, place: PurePosixPath = TOP) -> Iterator[tuple[PurePosixPath, str]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _templates(item, place / item.name)
        elif item.name.endswith(SUFFIX):
            yield place / item.name, item.read_text("utf-8")
