"""`mmwave-gym leaderboard`: play every agent in every task and write the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmwave_gym.agents.supervised import USUAL, Limits
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.jobs import Done
from mmwave_gym.benchmark.leaderboard import read_rows, summarise, write
from mmwave_gym.benchmark.playing import play_all
from mmwave_gym.benchmark.runs import suite_jobs
from mmwave_gym.cli.options import Jobs, LimitMemory, LimitStep, LimitTotal, Nodes, Ray, Trusted, everywhere
from mmwave_gym.cli.output import err, out, progress


def leaderboard(
    out_dir: Annotated[Path, typer.Option("--out", help="where rows and pages go; an interrupted run resumes")],
    task: Annotated[list[str] | None, typer.Option(help="only these tasks")] = None,
    agent: Annotated[list[str] | None, typer.Option(help="only these agents")] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="an agent of your own beside them: package:Class or a file")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="episodes a task, instead of the task's own number")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="a few episodes and one training seed each: to see that it works")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="also tasks and agents marked as expensive")] = False,
    committed: Annotated[Path | None, typer.Option(help="rows to show for what is not run here")] = None,
    jobs: Jobs = 0,
    ray: Ray = None,
    trusted: Trusted = False,
    limit_step_s: LimitStep = USUAL.step_s,
    limit_s: LimitTotal = USUAL.total_s,
    limit_memory_gib: LimitMemory = USUAL.memory_gib,
) -> None:
    """Play every agent in every task and write Markdown, CSV and an HTML page."""
    limits = Limits(step_s=limit_step_s, total_s=limit_s, memory_gib=limit_memory_gib)
    chosen = [suite.task(name) for name in task] if task else suite.all_tasks()
    for absent in [t for t in chosen if t.missing_data]:
        err.print(f"{absent.name} is not played: {absent.missing_data}.", highlight=False, soft_wrap=True)
        chosen.remove(absent)
    for dear in [t for t in chosen if t.expensive and not full and not task]:
        err.print(f"{dear.name} is not played: it takes long; --full, or its name, plays it.", highlight=False)
        chosen.remove(dear)
    work = suite_jobs(
        chosen,
        agent or (),
        also or (),
        8 if quick and not episodes else episodes,
        full,
        1 if quick else None,
        trusted,
        limits,
    )
    with progress() as shown:
        bar, nodes = shown.add_task("playing", total=len(work)), Nodes()

        def done(job: Any, end: Done) -> None:
            shown.update(bar, advance=1, description=nodes.told(f"{job.task.name} {job.spec}", end))

        play_all(work, out_dir / "rows", everywhere(jobs, ray), done)
    runs = read_rows(out_dir / "rows", committed=committed)
    played = {(job.task.name, job.agent) for job in work}
    for run in runs:
        name = run.agent["name"]
        if run.failed and (run.task["name"], name) in played:
            err.print(
                f"{name} failed in {run.task['name']}: {run.failed}", markup=False, highlight=False, soft_wrap=True
            )
    pages = write(summarise(runs), out_dir)
    for page in pages:
        out.print(str(page), highlight=False, soft_wrap=True)
