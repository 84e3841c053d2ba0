"""`mmwave-gym evaluate`: play an agent in a task, and say where it stands."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mmwave_gym.agents.formats import refuse_what_lacks
from mmwave_gym.agents.supervised import USUAL, Limits, playing
from mmwave_gym.benchmark.evaluation import evaluate as play, evaluate_together, metric_units
from mmwave_gym.benchmark.leaderboard import Run, read_rows
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.runs import Job, about_task, described, header, job_of, run
from mmwave_gym.benchmark.statistics import column_interval
from mmwave_gym.benchmark.verdict import Committed
from mmwave_gym.cli.options import (
    Agent,
    EnvName,
    LimitMemory,
    LimitStep,
    LimitTotal,
    Settings,
    TaskName,
    Trusted,
    chosen_task,
)
from mmwave_gym.cli.output import print_table, progress, say, say_what_is_trusted


def evaluate(
    agent: Agent,
    task: TaskName = None,
    env: EnvName = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="how many test episodes; the task's own number if not given")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the agent's own chance; committed rows have 0")] = 0,
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
    """Play an agent in a task: its means, its rank, and the verdict against the best rule and the leader."""
    found = chosen_task(task, env, settings)
    if reason := found.missing_data:
        raise ValueError(f"{found.name}: {reason}.")
    limits = Limits(step_s=limit_step_s, total_s=limit_s, memory_gib=limit_memory_gib)
    if out_dir is not None and jobs != 1:
        raise ValueError("--jobs and --out exclude each other: a file of rows is written by one process.")
    if out_dir is not None and seed:
        raise ValueError("--seed and --out exclude each other: rows of a leaderboard have the agent's seed 0.")
    refuse_what_lacks(agent)
    say_what_is_trusted(agent)
    job = job_of(found, agent, episodes, trusted, limits)
    with playing(agent, found.scenario_name, found, trusted=trusted, limits=limits) as player, progress() as shown:
        committed = Committed.of(found)  # damaged rows are told before an agent has played for an hour
        bar = shown.add_task(f"{agent} in {found.name}", total=job.episodes)
        if out_dir is not None:
            written = _written(job, out_dir, num_envs)
        else:
            more: dict[str, Any] = {
                "episodes": episodes,
                "num_envs": num_envs,
                "agent_seed": seed,
                "on_rows": lambda r: shown.advance(bar, len(r)),
            }
            if (processes := jobs or os.cpu_count() or 1) == 1:
                rows = play(player, found, **more)
            else:
                rows = evaluate_together(agent, found, processes, trusted=trusted, limits=limits, **more)
            written = Run(header(job, player, about_task(found, job.episodes, golden=False)), tuple(rows))
        shown.update(bar, total=None, description="comparing with the committed rows")
        place, note = committed.judge([written])
    units = metric_units(found.scenario())
    means = {metric: column_interval(written.episodes, metric) for metric in units}
    if as_json:
        values = {n: {"mean": m.mean, "low": m.low, "high": m.high} if m else None for n, m in means.items()}
        result = {
            "task": described(found, job.episodes),
            "agent": agent,
            "episodes": len(written.episodes),
            "means": values,
            "standing": place.as_json() if place else None,
            "note": note,
            "rows": [dict(row) for row in written.episodes],
        }
        print(json.dumps(result, default=str))
        return
    lines = [(name, number(mean.mean if mean else None, mean), ends(mean), units[name]) for name, mean in means.items()]
    title = f"{agent} in {found.name}, {len(written.episodes)} episodes"
    print_table(title, ("metric", "mean", "95 %", "unit"), lines)
    for text in (*(place.lines() if place else ()), note):
        say(text)


def _written(job: Job, out_dir: Path, num_envs: int) -> Run:
    """The run, played and written for a leaderboard."""
    path = run(job, out_dir / "rows", num_envs)
    written = next(r for r in read_rows(out_dir / "rows") if r.path == path)
    if written.failed or written.skipped:
        raise ValueError(f"{job.spec} did not play {job.task.name}: {written.failed or written.skipped}")
    return written
