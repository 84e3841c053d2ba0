"""Options of every training script: a dataclass that is also the command line."""

from __future__ import annotations

import argparse
import dataclasses
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from mmwave_baselines.training.recipes import preset
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import registration
from mmwave_gym.core.checks import nearest
from mmwave_gym.core.keywords import keywords

A = TypeVar("A", bound="Command")


def option(default: Any, help: str) -> Any:
    """A field of `Command` with its line of help."""
    return dataclasses.field(default=default, metadata={"help": help})


@dataclass(kw_only=True)
class Command:
    """Options of every training script."""

    may_change: ClassVar[tuple[str, ...]] = ("resume", "out", "eval_every", "eval_episodes")
    """Options that the command which resumes a run may set otherwise."""

    env_id: str = option("", "environment to train on; not needed with --task")
    task: str = option("", "a task of the suite: its environment and keywords")
    set: tuple[str, ...] = option((), "KEY=VALUE: a keyword of the environment")
    seed: int = option(0, "training seed; seeds share no world")
    steps: int = option(1_000_000, "decisions to train on")
    out: str = option("", "directory of the run; default runs/<algorithm>-<task>-s<seed>")
    resume: bool = option(False, "continue the run in --out from its checkpoint")
    eval_every: int = option(250_000, "steps between evaluations on the training split; 0 for none but the last")
    eval_episodes: int = option(64, "episodes of an evaluation")

    def check(self, task: Task) -> None:
        """ValueError or TypeError where these options do not fit the task."""

    def teacher(self) -> str:
        """The agent that is imitated first, empty for none."""
        return str(getattr(self, "imitate", ""))

    def sees_oracle_regrets(self, task: Task) -> bool:
        """Whether rewards are shaped by the optimum in hindsight."""
        return False

    def trained_together(self) -> int:
        """How many training seeds one run trains."""
        return 1

    def at_least(self, least: float, *names: str) -> None:
        """ValueError where one of these options is less."""
        for name in names:
            if getattr(self, name) < least:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {least:g}, got {getattr(self, name)}.")

    def positive(self, *names: str) -> None:
        """ValueError where one of these options is 0 or less."""
        for name in names:
            if getattr(self, name) <= 0:
                raise ValueError(f"--{name.replace('_', '-')} must be above 0, got {getattr(self, name)}.")

    def target(self) -> Task:
        """The task that training aims at: that of --task, or the environment with floor and ceiling of its suite."""
        settings = keywords(self.set)
        if self.task:
            found = suite.task(self.task)
            if self.env_id and self.env_id != found.env_id:
                raise ValueError(f"{self.task} is a task of {found.env_id}, not of {self.env_id}.")
            if not settings:
                return found
            described = ",".join(f"{k}={v}" for k, v in sorted(settings.items()))
            return dataclasses.replace(found, name=f"{found.name},{described}", kwargs={**found.kwargs, **settings})
        if not self.env_id:
            known = ", ".join(e.id for e in registration.entries())
            raise ValueError(f"name an environment ({known}) or a --task, see `mmwave-gym list tasks`.")
        scenario = registration.room_of(self.env_id).name
        like = next((t for t in suite.all_tasks(scenario) if t.env_id == self.env_id), None)
        bounds = {n: getattr(like, n) for n in ("floor", "ceiling", "reference")} if like else {}
        return Task(env_id=self.env_id, kwargs=settings, name=f"{scenario}/custom", **bounds)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line and exit code 2, with the nearest option: the usage of so many options hides what is wrong."""
        unknown = re.split("[= ]", message.removeprefix("unrecognized arguments: "))[0]
        near = nearest(unknown, self._option_string_actions) if unknown.startswith("--") else ""
        self.exit(2, f"{self.prog}: {message}.{near} --help lists the options.\n")


def parse(kind: type[A], argv: Sequence[str] | None = None) -> A:
    """The dataclass `kind` from the command line, the rest from the scenario's presets and the defaults of the class.

    argparse ends bad command lines with exit code 2.
    """
    parser = _Parser(
        prog=f"mmwave-gym train {script_of(kind)}",
        description=kind.__doc__,
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("env_id", nargs="?", default="", help="environment to train on; not needed with --task")
    for f in dataclasses.fields(kind):
        flag = f"--{f.name.replace('_', '-')}"
        if f.name == "env_id":
            continue
        if isinstance(f.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=f.default, help=f.metadata["help"])
        elif isinstance(f.default, tuple):
            text = f.metadata["help"] + "; may be repeated"
            parser.add_argument(flag, action="append", metavar="KEY=VALUE", default=None, help=text)
        else:
            parser.add_argument(flag, type=type(f.default), default=f.default, help=f.metadata["help"])
    before = _preset(kind, parser.parse_args(argv))
    parser.set_defaults(**{k: v for k, v in before.items() if not isinstance(v, tuple)})  # argparse would add to those
    given = {
        k: tuple(v) if isinstance(v, list) else v for k, v in vars(parser.parse_args(argv)).items() if v is not None
    }
    return kind(**{**before, **given})


def _preset(kind: type[Command], given: Any) -> dict[str, Any]:
    """The preset of the environment or task that `given` names; none for unknown ones, which fail elsewhere."""
    found = next((t for t in suite.all_tasks() if t.name == given.task), None)
    try:
        scenario = registration.room_of(found.env_id if found else given.env_id).name
    except ValueError:
        return {}
    return preset(script_of(kind), scenario, given.task)


def script_of(kind: type[Command]) -> str:
    """The name of the algorithm whose options `kind` holds: ppo for Ppo, recurrent_ppo for RecurrentPpo."""
    return re.sub(r"(?<=.)(?=[A-Z])", "_", kind.__name__).lower()


def command(args: Command) -> str:
    """The command that repeats this training, without where it is kept: what differs from the defaults of the class.

    So it says what a preset said, and repeats the training after the preset has changed.
    """
    in_preset = _preset(type(args), args)
    words = _launcher(type(args))
    if args.env_id:
        words.append(args.env_id)
    for f in dataclasses.fields(args):
        value = getattr(args, f.name)
        if f.name in ("env_id", "out", "resume") or (value == f.default and f.name not in in_preset):
            continue
        flag = f"--{f.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif isinstance(value, tuple):
            words += [w for v in value for w in (flag, v)]
        else:
            words += [flag, str(value)]
    return shlex.join(words)


def _launcher(kind: type[Command]) -> list[str]:
    """How this training was started: as a script of a checkout, or by the command line, as every stranger's is."""
    started = Path(sys.argv[0])
    by_command_line = started.stem == "mmwave-gym" or started.parent.parts[-2:] == ("mmwave_gym", "cli")
    ours = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    if by_command_line or not ours:
        return ["mmwave-gym", "train", script_of(kind)]
    return ["python", "-m", f"train.{script_of(kind)}"]
