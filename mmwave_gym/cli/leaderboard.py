"""`mmwave-gym leaderboard`: play what is new, show what is committed, and write the pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from mmwave_gym.agents.supervised import USUAL, Limits
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.committed import Plan, clear, committed_runs, plan
from mmwave_gym.benchmark.describing import cards
from mmwave_gym.benchmark.jobs import Done
from mmwave_gym.benchmark.leaderboard import PAGES, RowsError, Run, pack as pack_rows, summarise, unpack, write
from mmwave_gym.benchmark.playing import outcomes, play_all
from mmwave_gym.benchmark.runs import Job, is_expensive, jobs_of, refuse_what_lacks, suite_jobs
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli.options import (
    Jobs,
    LimitMemory,
    LimitStep,
    LimitTotal,
    Nodes,
    Ray,
    TaskNames,
    Trusted,
    chosen_tasks,
    everywhere,
)
from mmwave_gym.cli.output import err, out, progress, say_what_is_trusted
from mmwave_gym.core.errors import require
from mmwave_gym.core.files import try_place
from mmwave_gym.core.suites import RECORD

QUICK_EPISODES = 8


def leaderboard(
    out_dir: Annotated[Path, typer.Option("--out", help="where rows and pages go; an interrupted run resumes")],
    task: TaskNames = None,
    suites: Annotated[
        list[str] | None,
        typer.Option(
            "--suite", help="the tasks of this suite (v1, papers, all); may be repeated. Without it: all but papers"
        ),
    ] = None,
    agent: Annotated[list[str] | None, typer.Option(help="only these agents")] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="an agent of your own beside them: package:Class or a file")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="episodes a task, instead of the task's own number")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="play a few episodes and one training seed each: to see that it works")
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="also play what is marked as expensive, and episodes that committed rows lack"),
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="play everything here instead of showing committed rows that are current")
    ] = False,
    as_committed: Annotated[
        bool, typer.Option("--as-committed", help="play and check nothing: committed rows as they are, in a minute")
    ] = False,
    committed: Annotated[
        Path | None, typer.Option(help="a folder of packed rows to use, instead of those of installed packages")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(help="also pack the board's rows into this folder, to commit them")
    ] = None,
    recheck: Annotated[
        int, typer.Option(min=0, help="keep rows of an agent whose code changed if so many of them repeat")
    ] = 0,
    jobs: Jobs = 0,
    ray: Ray = None,
    trusted: Trusted = False,
    limit_step_s: LimitStep = USUAL.step_s,
    limit_s: LimitTotal = USUAL.total_s,
    limit_memory_gib: LimitMemory = USUAL.memory_gib,
) -> None:
    """Write the leaderboard as a folder of pages, Markdown and CSV. Agents whose rows are committed and current are not
    played again."""
    require("the leaderboard's pages", "jinja2")
    if committed is not None and not committed.is_dir():
        raise RowsError(f"{committed} is no folder of packed rows: name one that --pack has written.")
    say_what_is_trusted(*(agent or ()), *(also or ()))
    chosen = chosen_tasks(task, suites, [name for name in suite.suite_names() if name != RECORD])
    if as_committed:
        _refuse_what_cannot_be_written(out_dir, None)
        _print(_written(committed_runs([t.name for t in chosen], committed), chosen, committed, out_dir))
        return
    number = QUICK_EPISODES if quick and not episodes else episodes
    limits = Limits(step_s=limit_step_s, total_s=limit_s, memory_gib=limit_memory_gib)
    work = suite_jobs(chosen, agent or (), also or (), number, True, 1 if quick else None, trusted, limits)
    named = set(task or ())

    @cache
    def dear(agent: str, place: str) -> bool:
        of = suite.task(place)
        return (of.expensive and place not in named) or is_expensive(agent, of, trusted, limits)

    def playable(job: Job) -> bool:
        return not job.task.missing_data and (full or not dear(job.agent, job.task.name))

    _refuse_what_cannot_be_written(out_dir, pack)
    rows_dir, kept = out_dir / "rows", committed_runs([t.name for t in chosen], committed)
    others = [job for job in work if not playable(job)] if replay or quick else []
    context = others + ([job for t in chosen for job in _roles(t, agent, number)] if agent else [])
    with progress() as shown:
        bar = shown.add_task("committed rows", total=len(work))
        usable = () if replay or quick else kept
        reused = plan(
            work, rows_dir, usable, playable, lambda job: shown.advance(bar), recheck, extend=full or bool(episodes)
        )
        reused.shown += plan(context, rows_dir, kept, lambda job: False).shown
    _tell(chosen, work, reused, playable)
    refuse_what_lacks(reused.play)
    clear(reused.outdated)
    with progress() as shown:
        bar, nodes = shown.add_task("playing", total=len(reused.play)), Nodes()

        def done(job: Any, end: Done) -> None:
            shown.update(bar, advance=1, description=nodes.description(f"{job.task.name} {job.spec}", end))

        try:
            play_all(reused.play, rows_dir, everywhere(jobs, ray), done)
        except KeyboardInterrupt:
            err.print(f"Stopped. What is finished is in {rows_dir}: the same command goes on there.", soft_wrap=True)
            raise
    runs = outcomes(reused.play, rows_dir, reused.shown)
    here = {(job.task.name, job.agent, job.training_seed) for job in reused.play}
    _tell_played([run for run in runs if run.identity in here])
    played = {(job.task.name, job.agent) for job in reused.play}
    for run in runs:
        name = run.agent["name"]
        if run.failed and (run.task["name"], name) in played:
            err.print(
                f"{name} failed in {run.task['name']}: {run.failed}", markup=False, highlight=False, soft_wrap=True
            )
    pages = _written(runs, chosen, committed, out_dir)
    if pack:
        asked = {(job.task.name, job.agent, job.training_seed) for job in work}
        # Who was not asked for measures scores only, perhaps in fewer episodes than are packed.
        holding = {run.identity: run for run in runs if not run.stale and (not agent or run.identity in asked)}
        # A board of some agents leaves the rows of others in the packs of its tasks; so does what an earlier board
        # played in this folder in the packs of other tasks.
        whole = set() if agent else {t.name for t in chosen}
        partly = sorted({run.task["name"] for run in holding.values()} - whole)
        there = unpack(pack, partly) if pack.is_dir() else []
        pages += pack_rows([*holding.values(), *(run for run in there if run.identity not in holding)], pack)
    _print(pages)


def _written(runs: Sequence[Run], chosen: Sequence[Task], committed: Path | None, out_dir: Path) -> list[Path]:
    """Write the board of these runs."""
    known = {t.name: {**t.describe(), "grants": t.grants} for t in suite.all_tasks()}
    board = summarise(runs, known, stored_ceilings(chosen, committed))
    return write(board, out_dir, cards(board))


def _print(pages: Sequence[Path]) -> None:
    for page in pages:
        out.print(str(page), highlight=False, soft_wrap=True)


def _refuse_what_cannot_be_written(out_dir: Path, packs: Path | None) -> None:
    """RowsError, before anything is played, where pages or packs could not be written at the end."""
    wanted = [(packs, "any", "--pack")] if packs else []
    wanted += [(out_dir, name, "--out") for name in ("rows/any", *PAGES)]
    for folder, name, option in wanted:
        try:
            try_place(folder / name)
        except OSError as error:
            where = folder / name if isinstance(error, IsADirectoryError) else folder
            reason = f"{where} cannot be written ({error.strerror})"
            raise RowsError(f"{reason}: choose another {option} or make it writable.") from error


def _roles(task: Task, agents: Sequence[str], episodes: int | None) -> list[Job]:
    """The runs that a task's scores are measured by, where only `agents` were asked for."""
    roles = dict.fromkeys(name for name in (task.floor, task.ceiling, task.reference) if name and name not in agents)
    return [job for name in roles for job in jobs_of(task, name, episodes)]


def _tell_played(runs: Sequence[Run]) -> None:
    """Say how many runs were played. Who skips a task has not played it, and says so in the page."""
    skipped = sum(run.skipped is not None for run in runs)
    if runs:
        skips = f" Skipped by their agents: {skipped}." if skipped else ""
        err.print(f"Runs played here: {len(runs) - skipped}.{skips}", highlight=False)


def _tell(chosen: Sequence[Task], work: Sequence[Job], made: Plan, playable: Any) -> None:
    """Say what is not played, and why."""
    names = {run.task["name"] for run in made.shown}
    for task in chosen:
        if not any(playable(job) for job in work if job.task == task) and (task.missing_data or task.expensive):
            why = task.missing_data or "it takes long; --full, or its name, plays it"
            instead = "its committed rows are shown" if task.name in names else "there are no committed rows of it"
            err.print(f"{task.name} is not played: {why}. Here {instead}.", highlight=False, soft_wrap=True)
    if made.shown:
        err.print(f"Runs shown by their committed rows: {len(made.shown)}.", highlight=False)
    if stale := sorted({f"{run.task['name']} {run.agent['name']}" for run in made.shown if run.stale}):
        err.print(f"Committed rows of older code, left out: {', '.join(stale)}.", highlight=False, soft_wrap=True)
