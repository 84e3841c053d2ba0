"""One training run, the same for every algorithm: its arguments, directory, scalars, checkpoint and saved policies.

A run is a directory: arguments.json, a checkpoint, curve.json, tensorboard/, and at the end policy.npz with its
policy.json. A killed run goes on from its last checkpoint with --resume.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from mmwave_baselines.training.command import Command, command, parse, script_of
from mmwave_baselines.training.curve import Curve
from mmwave_baselines.training.yardstick import Yardstick
from mmwave_gym.agents.files import save_policy
from mmwave_gym.agents.networks import AnyNetwork
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import write
from mmwave_gym.core.scenario import ObservationFields

A = TypeVar("A", bound=Command)
T = TypeVar("T")


class BadRun(ValueError):
    """Input that no training can begin with."""


def main(kind: type[A], train: Callable[[A, Console], Any], argv: Sequence[str] | None = None) -> None:
    """Run a script: exit code 2 and one line for bad input, 130 when interrupted (the last checkpoint is kept)."""
    console = Console(stderr=True, emoji=False)
    try:
        train(parse_checked(kind, argv), console)
    except KeyboardInterrupt:
        console.print(
            "interrupted; the same command with --resume continues from the last checkpoint, if there is one."
        )
        sys.exit(130)
    except (BadRun, AgentError) as error:
        console.print(f"train: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


def parse_checked(kind: type[A], argv: Sequence[str] | None = None) -> A:
    """The arguments, after everything that can be wrong with them was tried. Raises BadRun."""
    try:
        args = parse(kind, argv)
    except (ValueError, TypeError) as error:
        raise BadRun(str(error)) from error
    checked(args)
    return args


def checked(args: Command) -> Task:
    """The task that the arguments aim at. Raises BadRun where it cannot be trained on, or not with these arguments."""
    try:
        task = args.target()
        if reason := task.missing_data:
            raise BadRun(f"{task.name} cannot be trained on: {reason}.")
        task.scenario()
        args.check(task)
    except (ValueError, TypeError) as error:
        raise error if isinstance(error, BadRun) else BadRun(str(error)) from error
    return task


class Run(Generic[A]):
    """A run's directory, which must be new, or hold what is resumed. Raises BadRun.

    checkpoint: the file of the checkpoint, which the algorithm writes and reads. label: how the default name of the
    directory begins, by default the name of the script.
    """

    def __init__(self, args: A, checkpoint: str, console: Console, label: str = ""):
        self.args, self.console = args, console
        self._began = sum(os.times()[:4])
        self.task = checked(args)
        name = f"{label or script_of(type(args))}-{self.task.name.replace('/', '-')}-s{args.seed}"
        self.out = Path(args.out or Path("runs") / name)
        self.checkpoint = self.out / checkpoint
        self._writers: dict[str, SummaryWriter] = {}
        self._open()
        self.curve = self._curve(self.out / "curve.json")

    def _open(self) -> None:
        saved, given = self.out / "arguments.json", as_json(dataclasses.asdict(self.args))
        if not self.args.resume:
            if self.checkpoint.exists():
                raise BadRun(f"{self.out} holds a run already: --resume continues it, --out names another directory.")
            try:
                self.out.mkdir(parents=True, exist_ok=True)
                write(saved, json.dumps(given, indent=1) + "\n")
            except OSError as error:
                raise BadRun(f"cannot write to {self.out}: {error.strerror}.") from error
            return
        if not self.checkpoint.exists() or not saved.exists():
            raise BadRun(f"there is no checkpoint in {self.out}, so nothing to resume; leave out --resume to begin.")
        try:
            before = dict(json.loads(saved.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise BadRun(f"{saved} is damaged ({error}): begin again with another --out.") from error
        if changed := [k for k in given if k not in self.args.may_change and given[k] != before.get(k)]:
            changes = ", ".join(f"--{k.replace('_', '-')} was {before.get(k)!r}, is {given[k]!r}" for k in changed)
            raise BadRun(f"the run in {self.out} had other arguments: {changes}.")

    def _curve(self, path: Path) -> Curve:
        try:
            return Curve(path, self.task.primary, self.args.resume)
        except (ValueError, TypeError) as error:
            raise BadRun(f"{path} is damaged ({error}): delete it to go on without its points.") from error

    def restored(self, read: Callable[[Path], T]) -> T:
        """What `read` makes of the checkpoint. Raises BadRun where it is damaged: reading may then raise anything."""
        try:
            return read(self.checkpoint)
        except Exception as error:
            what, *_ = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
            reason = f"{type(error).__name__}: {what[:100]}" if what else type(error).__name__
            raise BadRun(f"{self.checkpoint} is damaged ({reason}): begin again with another --out.") from error

    def tell(self, text: str) -> None:
        """A line beside standard output."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @cached_property
    def yardstick(self) -> Yardstick:
        """Scores agents on the training split, beside the task's floor, reference and ceiling."""
        made = Yardstick(self.task, self.args.eval_episodes)
        for missing in made.missing:
            self.tell(f"no {missing}")
        return made

    def writer(self, part: str = "") -> SummaryWriter:
        """Where TensorBoard finds the scalars, in a folder of its own for each `part`."""
        if part not in self._writers:
            self._writers[part] = SummaryWriter(str(self.out / "tensorboard" / part))
        return self._writers[part]

    def record(self, scalars: Mapping[str, float], steps: int, part: str = "") -> None:
        """Write scalars for TensorBoard."""
        for name, value in scalars.items():
            self.writer(part).add_scalar(name, value, steps)

    def save(
        self,
        network: AnyNetwork,
        fields: ObservationFields,
        metadata: Mapping[str, Any],
        name: str = "policy.npz",
        task: str = "",
    ) -> Path:
        """Save a policy, print how to evaluate it (in `task`, by default that of the run), and return its path."""
        if not self.args.resume and "training" in metadata:  # what the parts before it took is not known
            spent = round((sum(os.times()[:4]) - self._began) / self.args.trained_together(), 1)
            metadata = {**metadata, "training": {**metadata["training"], "processor_s": spent}}
        if curve := self.curve.saved():
            metadata = {**metadata, "curve": curve}
        path = save_policy(self.out / name, network, fields, metadata)
        where = ["--task", task or self.args.task] if task or self.args.task else ["--env", self.task.env_id]
        settings = [w for pair in self.args.set for w in ("--set", pair)]
        print(shlex.join(["mmwave-gym", "evaluate", str(path), *where, *settings]))
        return path

    def close(self) -> None:
        """Write what is left of the scalars."""
        for writer in self._writers.values():
            writer.close()


def metadata_of(args: Command, task: Task, algorithm: str, **more: Any) -> dict[str, Any]:
    """What a policy that is saved says of its training, as JSON values."""
    about = {"algorithm": algorithm, "command": command(args), "env_id": task.env_id, "kwargs": dict(task.kwargs)}
    return as_json({**about, "seed": args.seed, "training": training_record(args, task), **more})


def training_record(args: Command, task: Task) -> dict[str, Any]:
    """What rows of the leaderboard tell of a training, see `mmwave_gym.agents.policy.training_of`."""
    settings = ",".join(f"{k}={v}" for k, v in sorted(task.kwargs.items()))
    place = args.task or (f"{task.env_id} {settings}" if settings else task.env_id)
    return {
        "teacher": args.teacher(),
        "oracle_regrets": args.sees_oracle_regrets(task),
        "trained_on": place,
        "processor_s": None,
    }


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples are lists."""
    return dict(json.loads(json.dumps(values)))


def in_words(scores: Mapping[str, float]) -> str:
    """Rewards and the score, for people."""
    return ", ".join(f"{k} {v:.4f}" for k, v in scores.items() if "reward" in k or k == "score")


__all__ = ["BadRun", "Run", "as_json", "checked", "in_words", "main", "metadata_of", "parse_checked", "training_record"]
