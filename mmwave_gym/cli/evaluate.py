"""`mmwave-gym evaluate`: play an agent in a task."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mmwave_gym.agents.supervised import USUAL, Limits, playing
from mmwave_gym.benchmark.evaluation import evaluate as play, evaluate_together, metric_units
from mmwave_gym.benchmark.leaderboard import read_rows
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.runs import Job, described, run
from mmwave_gym.benchmark.statistics import column_interval
from mmwave_gym.cli.options import Agent, LimitMemory, LimitStep, LimitTotal, Settings, TaskName, Trusted, chosen_task
from mmwave_gym.cli.output import print_table, progress, say_what_is_trusted


def evaluate(
    agent: Agent,
    task: TaskName = None,
    env: Annotated[str | None, typer.Option(help="an environment id, for a task of your own")] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="how many test episodes; the task's own number if not given")
    ] = None,
    num_envs: Annotated[int, typer.Option(min=1, help="how many run at once; the rows do not depend on it")] = 128,
    jobs: Annotated[int, typer.Option("--jobs", min=0, help="processes that share the episodes; 0: one a core")] = 1,
    settings: Settings = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="keep the rows in this directory, for a leaderboard")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    trusted: Trusted = False,
    limit_step_s: LimitStep = USUAL.step_s,
    limit_s: LimitTotal = USUAL.total_s,
    limit_memory_gib: LimitMemory = USUAL.memory_gib,
) -> None:
    """Play an agent in a task and print its means with the leaderboard's 95 % intervals."""
    found = chosen_task(task, env, settings)
    if reason := found.missing_data:
        raise ValueError(f"{found.name}: {reason}.")
    limits = Limits(step_s=limit_step_s, total_s=limit_s, memory_gib=limit_memory_gib)
    count = episodes or found.episodes
    if out_dir is not None and jobs != 1:
        raise ValueError("--jobs and --out exclude each other: a file of rows is written by one process.")
    say_what_is_trusted(agent)
    loaded = playing(agent, found.scenario_name, found, trusted=trusted, limits=limits)
    with loaded as player, progress() as shown:  # fails before the first row
        bar = shown.add_task(f"{agent} in {found.name}", total=count)
        if out_dir is None:
            more: dict[str, Any] = {
                "episodes": episodes,
                "num_envs": num_envs,
                "on_rows": lambda r: shown.advance(bar, len(r)),
            }
            if (processes := jobs or os.cpu_count() or 1) == 1:
                rows = play(player, found, **more)
            else:
                rows = evaluate_together(agent, found, processes, trusted=trusted, limits=limits, **more)
        else:
            name, _, seed = agent.partition("@")
            path = run(
                Job(found, name, int(seed) if seed else None, count, trusted, limits), out_dir / "rows", num_envs
            )
            shown.advance(bar, count)
            written = next(r for r in read_rows(out_dir / "rows") if r.path == path)
            if written.failed or written.skipped:
                raise ValueError(f"{agent} did not play {found.name}: {written.failed or written.skipped}")
            rows = [dict(row) for row in written.episodes]
    units = metric_units(found.scenario())
    means = {name: column_interval(rows, name) for name in units}
    if as_json:
        values = {n: {"mean": m.mean, "low": m.low, "high": m.high} if m else None for n, m in means.items()}
        result = {"task": described(found, count), "agent": agent, "episodes": len(rows), "means": values, "rows": rows}
        print(json.dumps(result, default=str))
        return
    lines = [(name, number(mean.mean if mean else None, mean), ends(mean), units[name]) for name, mean in means.items()]
    print_table(f"{agent} in {found.name}, {len(rows)} episodes", ("metric", "mean", "95 %", "unit"), lines)
