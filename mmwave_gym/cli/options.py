"""Options that several commands share, and the task that they name."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.jobs import Done, run_all
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli import completion
from mmwave_gym.core.errors import require
from mmwave_gym.core.keywords import keywords as parse
from mmwave_gym.core.registration import room_of
from mmwave_gym.core.suites import OWN

WHO = "a name (a3, ppo@3), package.module:Class, or a file (.npz .zip .onnx .pt, RLlib folder)"
Agent = Annotated[str, typer.Argument(help=WHO, autocompletion=completion.agents)]
TaskName = Annotated[
    str | None,
    typer.Option("--task", help="a task of the suite; mmwave-gym list tasks", autocompletion=completion.tasks),
]
TaskNames = Annotated[
    list[str] | None, typer.Option("--task", help="only these tasks; may be repeated", autocompletion=completion.tasks)
]
EnvName = Annotated[
    str | None, typer.Option("--env", help="an environment id, for a task of your own", autocompletion=completion.envs)
]
Trusted = Annotated[
    bool, typer.Option("--trusted", help="play agents that are not shipped in this process too, without limits")
]
LimitStep = Annotated[
    float, typer.Option("--limit-step-s", help="seconds for one call of an agent that is not shipped")
]
LimitTotal = Annotated[float, typer.Option("--limit-s", help="seconds for all its calls in a run")]
LimitMemory = Annotated[float, typer.Option("--limit-memory-gib", help="its memory in GiB")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="an environment keyword")]

Jobs = Annotated[int, typer.Option("--jobs", min=0, help="processes; 0 is one a core")]


def ray_is_there(address: str | None) -> str | None:
    """The address of a cluster; ImportError, before any work, where Ray is not installed."""
    if address is not None:
        require("a Ray cluster", "ray")
    return address


Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="a Ray cluster instead: auto or HOST:6379", callback=ray_is_there),
]


def everywhere(jobs: int, ray: str | None) -> Callable[..., None]:
    """`run_all` on the processes or on the cluster that the options name."""
    if ray is None:
        return partial(run_all, workers=jobs or os.cpu_count() or 1)
    return partial(run_all, executor="ray", address=ray, workers=jobs)


class Nodes:
    """How many jobs each node of a cluster has done, for a progress bar."""

    def __init__(self) -> None:
        self._done: Counter[str] = Counter()

    def description(self, label: str, done: Done) -> str:
        """What a progress bar says after this job."""
        if not done.where:
            return label
        self._done[done.where] += 1
        counts = ", ".join(f"{node} {count}" for node, count in sorted(self._done.items()))
        return f"{label} ({len(self._done)} nodes: {counts})"


def chosen_tasks(
    names: Sequence[str] | None, suites: Sequence[str] | None, otherwise: Sequence[str] | None = None
) -> list[Task]:
    """The tasks named, else those of the suites ("all" means every one), else those of the suites `otherwise`."""
    if names and suites:
        raise ValueError("--task and --suite both choose tasks: give one of them.")
    if names:
        return [suite.task(name) for name in names]
    wanted = suites or otherwise
    return suite.all_tasks(suites=None if wanted is None or "all" in wanted else wanted)


def chosen_task(name: str | None, env: str | None, settings: list[str] | None) -> Task:
    keywords = parse(settings or (), "--set")
    if name is None:
        if env is None:
            raise ValueError("name a task (--task, see `mmwave-gym list tasks`) or an environment (--env).")
        return Task(name=f"{room_of(env).name}/custom", env_id=env, kwargs=keywords)
    found = suite.task(name)
    if env is not None:
        raise ValueError("--task and --env exclude each other: a task has its environment.")
    if not keywords:
        return found
    # Other keywords make another task: its rows must not pass for the suite's.
    described = ",".join(f"{k}={v}" for k, v in sorted(keywords.items()))
    return dataclasses.replace(
        found, name=f"{found.name},{described}", kwargs={**found.kwargs, **keywords}, suite=OWN, why=""
    )
