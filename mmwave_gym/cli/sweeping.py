"""`mmwave-gym sweep`: many trainings with other settings, proposed by Optuna, and a report on them.

What is varied where nobody says it is an entry point of the group `mmwave_gym.spaces`: the algorithm's name, and a
mapping of options to values, written as on the command line.

    [project.entry-points."mmwave_gym.spaces"]
    reinforce = "their_package.spaces:REINFORCE"
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer

from mmwave_gym.benchmark import suite
from mmwave_gym.cli.options import everywhere, ray_is_there
from mmwave_gym.cli.output import err, out, progress
from mmwave_gym.cli.train import load_algorithm
from mmwave_gym.core import rooms
from mmwave_gym.core.errors import require
from mmwave_gym.core.keywords import pair

GROUP = "mmwave_gym.spaces"
USAGE = """usage: mmwave-gym sweep ALGORITHM --task TASK [--trials N] [options of the training]

  --trials N          trainings in all, those in the journal included; default 50
  --over KEY=VALUES   vary an option: 32,64,128 or 1e-4..1e-2 or 1e-4..1e-2,log; may be repeated. It replaces the
                      algorithm's own space; --also KEY=VALUES adds to it
  --out DIR           journal and report; default runs/sweep-ALGORITHM-TASK. The same command goes on there
  --jobs N            so many at once; default one a core
  --ray ADDRESS       on a Ray cluster (auto, HOST:6379)
  --sampler-seed N    of the settings proposed
  --no-prune          let every training run to its end

Every other option is the training's: --steps, --set, …. Trainings are judged on the task's training split."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"mmwave-gym sweep: {message}.")


def sweep(context: typer.Context) -> None:
    """Search the settings of a training: mmwave-gym sweep ppo --task TASK --trials N; --help lists the options."""
    words = context.args
    if not words or "--help" in words or words[0] == "-h":
        print(f"{USAGE}\n\nalgorithms with a space of their own: {', '.join(sorted(rooms.points(GROUP, 'space')))}")
        return
    require("a sweep", "optuna")
    load_algorithm(words[0])
    given, rest = _parsed(words[1:])
    ray_is_there(given.ray)
    from mmwave_gym.benchmark import sweep_report, sweeps

    task = suite.task(_option(rest, "task") or "")
    space = {name: sweeps.distribution(values) for name, values in _space(words[0], given).items()}
    steps = _option(rest, "steps")
    asked = sweeps.Sweep(
        algorithm=words[0],
        words=tuple(rest),
        trials=given.trials,
        space=space,
        metric="score" if task.ceiling and task.floor else task.primary,
        steps=int(steps) if steps and steps.isdigit() else 0,
        seed=given.sampler_seed,
        prune=not given.no_prune,
    )
    folder = Path(given.out or f"runs/sweep-{words[0]}-{task.name.replace('/', '-')}")
    with progress() as shown:
        bar = shown.add_task(f"{words[0]} in {task.name}", total=given.trials)

        def ended(text: str) -> None:
            shown.advance(bar)
            err.print(text, markup=False, highlight=False, soft_wrap=True)

        try:
            journal = sweeps.run(asked, folder, everywhere(given.jobs, given.ray), ended)
        except KeyboardInterrupt:
            err.print(f"Stopped. Finished trials are in {folder}: the same command goes on there.", soft_wrap=True)
            raise
    for path in sweep_report.write(journal, asked, folder):
        out.print(str(path), markup=False, highlight=False, soft_wrap=True)
    if (found := sweeps.best(journal)) is not None:
        out.print(sweep_report.command(found, asked), markup=False, highlight=False, soft_wrap=True)


def _parsed(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--over", action="append", default=[])
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--out")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--ray")
    parser.add_argument("--sampler-seed", type=int, default=0)
    parser.add_argument("--no-prune", action="store_true")
    given, rest = parser.parse_known_args(list(words))
    if taken := [word for word in rest if re.match(r"--(seed|seeds|resume)(=|$)", word)]:
        raise ValueError(
            f"mmwave-gym sweep: each trial has a training seed of its own, so {taken[0]} is not for sweeps."
        )
    return given, rest


def _space(algorithm: str, given: argparse.Namespace) -> dict[str, str]:
    """Option -> values as words: those of --over, else the algorithm's own, and those of --also."""
    found = dict(_pairs(given.over, "--over"))
    if not found:
        point = rooms.points(GROUP, "space").get(algorithm)
        if point is None:
            raise ValueError(
                f"{algorithm} has no space of its own: say what to vary, --over learning-rate=1e-4..1e-2,log."
            )
        loaded: Any = point.load()
        found = dict(loaded)
    return {**found, **_pairs(given.also, "--also")}


def _pairs(words: Sequence[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, values = pair(word, option)
        found[name.replace("_", "-")] = values
    return found


def _option(words: Sequence[str], name: str) -> str | None:
    """The value of an option of the training among its words."""
    for i, word in enumerate(words):
        if word == f"--{name}" and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(f"--{name}="):
            return word.removeprefix(f"--{name}=")
    return None
