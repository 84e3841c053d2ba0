"""Options that several commands share, and the task that they name."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.keywords import keywords as parse
from mmwave_gym.core.registration import room_of

Agent = Annotated[str, typer.Argument(help="a name (a3, ppo@3), package.module:Class, or a file (.npz, .zip)")]
TaskName = Annotated[str | None, typer.Option("--task", help="a task of the suite; mmwave-gym list tasks")]
Trusted = Annotated[
    bool, typer.Option("--trusted", help="play agents that are not shipped in this process too, without limits")
]
LimitStep = Annotated[
    float, typer.Option("--limit-step-s", help="seconds for one call of an agent that is not shipped")
]
LimitTotal = Annotated[float, typer.Option("--limit-s", help="seconds for all its calls in a run")]
LimitMemory = Annotated[float, typer.Option("--limit-memory-gib", help="its memory in GiB")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="an environment keyword")]


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
    return dataclasses.replace(found, name=f"{found.name},{described}", kwargs={**found.kwargs, **keywords})
