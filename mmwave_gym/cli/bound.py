"""`mmwave-gym bound`: compute what agents of a task can have at most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.progress import Progress, TaskID

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.bounds import bounds, compute, record, stored_ceilings
from mmwave_gym.benchmark.evaluation import metric_units
from mmwave_gym.benchmark.leaderboard import Ceiling, RowsError, write_ceilings
from mmwave_gym.benchmark.leaderboard.ceilings import BEST_KNOWN
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli.options import Jobs, Ray, everywhere
from mmwave_gym.cli.output import err, out, print_table, progress
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.files import try_place


def bound(
    task: Annotated[list[str] | None, typer.Argument(help="tasks of the suite; all of them without it")] = None,
    level: Annotated[str | None, typer.Option(help=f"only ceilings of this level: {', '.join(ACCESS_LEVELS)}")] = None,
    name: Annotated[list[str] | None, typer.Option(help=f"only these ceilings, such as '{BEST_KNOWN}'")] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="only the first episodes, to see that it works")] = None,
    pack: Annotated[Path | None, typer.Option(help="keep them in this folder of packed rows, to commit them")] = None,
    work_dir: Annotated[
        Path, typer.Option("--work", help="keeps finished pieces: an interrupted computation goes on")
    ] = Path("runs/bounds"),
    jobs: Jobs = 1,
    ray: Ray = None,
) -> None:
    """Compute what agents of a task can have at most: exact optima, proven bounds, the best known."""
    chosen = [suite.task(one) for one in task] if task else [t for t in suite.all_tasks() if not t.missing_data]
    for one in chosen:
        if one.missing_data:
            raise ValueError(f"{one.name}: {one.missing_data}.")
        if pack is not None:
            _refuse_what_cannot_be_written(pack, one.name)
    if pack is not None and episodes is not None:
        raise ValueError("--episodes and --pack exclude each other: what is kept holds for all episodes.")
    todo = [(one, b) for one in chosen for b in bounds(one, level) if not name or b.name in name]
    rows = []
    with progress() as shown:
        for one, way in todo:
            bar = shown.add_task(f"{one.name} {way.name}", total=None)
            kept = work_dir / f"{quote(one.name, safe='')}.{quote(way.name, safe='')}.json"
            found = compute(one, way, episodes, everywhere(jobs, ray), kept, _advance(shown, bar))
            rows.append(_kept(one, found, pack))
        for one in chosen if level in (None, ACCESS_LEVELS[-1]) and (not name or BEST_KNOWN in name) else ():
            others = [c for c in stored_ceilings([one], pack) if not c.stale]
            if episodes is None and (best := record(one, others)) is not None:
                rows.append(_kept(one, best, pack))
    if not rows:
        what = f"of the level {level} " if level else ""
        err.print(f"No ceiling {what}is registered for {', '.join(t.name for t in chosen)}.", soft_wrap=True)
    print_table("Ceilings", ("task", "level", "ceiling", "kind", "mean", "95 %", "unit"), rows)
    if pack is not None:
        out.print(str(pack), highlight=False, soft_wrap=True)


def _advance(shown: Progress, bar: TaskID) -> Callable[[int, int], None]:
    return lambda done, of: shown.update(bar, completed=done, total=of)


def _kept(task: Task, found: Ceiling, pack: Path | None) -> tuple[str, ...]:
    """A ceiling as a line of the table, once it is written where that was asked for."""
    if pack is not None:
        write_ceilings([found], pack)
    unit = metric_units(task.scenario())[task.primary]
    return (task.name, found.level, found.name, found.kind, number(found.mean.mean, found.mean), ends(found.mean), unit)


def _refuse_what_cannot_be_written(pack: Path, task: str) -> None:
    """RowsError, before anything is computed."""
    try:
        try_place(pack / task)
    except OSError as error:
        raise RowsError(f"{pack} cannot be written ({error.strerror}): choose another --pack.") from error
