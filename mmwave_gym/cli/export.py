"""`mmwave-gym export`: an agent's play as a Minari data set, or the data sets of every environment."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mmwave_gym.agents.formats import refuse_what_lacks
from mmwave_gym.agents.supervised import USUAL, Limits
from mmwave_gym.benchmark import suite
from mmwave_gym.cli.options import EnvName, LimitMemory, LimitStep, LimitTotal, Settings, TaskName, Trusted, chosen_task
from mmwave_gym.cli.output import out, progress, say_what_is_trusted
from mmwave_gym.core.errors import require


def export(
    agent: Annotated[str | None, typer.Argument(help="as of mmwave-gym evaluate; none with --all")] = None,
    task: TaskName = None,
    env: EnvName = None,
    settings: Settings = None,
    episodes: Annotated[int, typer.Option(min=1, help="training episodes of the task")] = 64,
    minari: Annotated[str | None, typer.Option(metavar="NAME", help="the data set's name, such as mine/a3-v0")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="random, rule, learned and oracle play of every environment, mmwave/…")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="write over data sets of the same name")] = False,
    trusted: Trusted = False,
    limit_step_s: LimitStep = USUAL.step_s,
    limit_s: LimitTotal = USUAL.total_s,
    limit_memory_gib: LimitMemory = USUAL.memory_gib,
) -> None:
    """Keep an agent's play on training episodes as a Minari data set, with masks and metrics."""
    require("a data set", "minari")
    from mmwave_gym.benchmark.datasets import export as keep, sets

    limits = Limits(step_s=limit_step_s, total_s=limit_s, memory_gib=limit_memory_gib)
    if everything:
        if agent or task or env or minari or settings:
            raise ValueError(
                "--all names its agents, tasks and data sets itself: leave out AGENT, --task and --minari."
            )
        work: list[tuple[str, Any, str]] = [(p.agent, p.task, p.name) for p in sets(suite.all_tasks())]
    elif agent is None or minari is None:
        raise ValueError("name an agent and a data set: mmwave-gym export AGENT --task TASK --minari NAME, or --all.")
    else:
        work = [(agent, chosen_task(task, env, settings), minari)]
        refuse_what_lacks(agent)
        say_what_is_trusted(agent)
    for who, where, name in work:
        with progress() as shown:
            bar = shown.add_task(f"{who} in {where.name}", total=episodes)
            data = keep(
                who, where, episodes, name, replace=replace, on_episodes=lambda n, bar=bar: shown.advance(bar, n),  # type: ignore[misc]
                trusted=trusted, limits=limits,
            )  # fmt: skip
        size = f"{data.total_episodes:,} episodes of agents, {data.total_steps:,} steps"
        out.print(f"{name}: {who} in {where.name}, {size}", markup=False, highlight=False, soft_wrap=True)
