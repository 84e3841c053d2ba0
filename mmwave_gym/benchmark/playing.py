"""Many runs of the benchmark, on this machine or on a cluster. One process, this one, writes their rows."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmwave_gym.benchmark import jobs
from mmwave_gym.benchmark.leaderboard.rows import RowsError, Run, read_rows, row_path
from mmwave_gym.benchmark.runs import Job, RunFile, header, play
from mmwave_gym.core.files import plain


@dataclass(frozen=True)
class Playing:
    """A run as a job for any machine: what it tells comes home as lines of JSON."""

    run: Job
    done: frozenset[int] = frozenset()
    """Episodes whose rows are at home."""

    @property
    def label(self) -> str:
        return f"{self.run.task.name} {self.run.spec}"

    def work(self, keep: jobs.Keep) -> bytes:
        if reason := self.run.task.missing_data:
            raise ValueError(f"{self.run.task.name} cannot be played here: {reason}.")
        play(self.run, self.done, lambda kind, value: keep(json.dumps([kind, value], default=plain).encode()))
        return b""

    @staticmethod
    def report(part: bytes) -> tuple[str, Any]:
        """What `play` reports, from a part that came home."""
        kind, value = json.loads(part)
        return kind, value


def play_all(
    runs: Sequence[Job],
    rows_dir: str | Path,
    where: Callable[..., None] = jobs.run_all,
    on_done: Callable[[Job, jobs.Done], None] = lambda job, done: None,
) -> None:
    """Play all runs and write their files below `rows_dir`; finished rows stay, whatever ends this process.

    where: `run_all`, with the words that say how many processes or which cluster (`functools.partial`). on_done: called
    with each run as it ends. A run that ends its process again and again is written as failed. Raises the first error
    that is no agent's.
    """
    with contextlib.ExitStack() as opened:
        home = {id(run): opened.enter_context(RunFile(run, rows_dir)) for run in runs}

        def file(job: Any) -> RunFile:
            return home[id(job.run)]

        def prepared(job: Any) -> Playing:
            with naming(job.run):
                file(job).close()  # open where the run is played again
                return replace(job, done=file(job).done())

        def part(job: Any, content: bytes) -> None:
            with naming(job.run):
                file(job).take(*Playing.report(content))

        def lost(job: Any, reason: str) -> None:
            with naming(job.run):
                file(job).lost(reason)
            done(job, jobs.Done(b""))

        def done(job: Any, end: jobs.Done) -> None:
            file(job).close()
            on_done(job.run, end)

        todo = [Playing(run) for run in runs]
        where(todo, prepared=prepared, on_part=part, on_done=done, on_lost=lost)


def outcomes(runs: Sequence[Job], rows_dir: Path, committed: Iterable[Run] = ()) -> list[Run]:
    """All rows below `rows_dir`, and a failed run for each of `runs` whose file was damaged or deleted as it played.

    An agent that plays may write wherever its user may. Raises RowsError for other files that are damaged.
    """
    home = {row_path(rows_dir, run.task.name, run.agent, run.training_seed): run for run in runs}

    def failed(path: Path, why: str) -> Run:
        return Run(header(home[path], None), (), failed=f"its rows were spoilt while it played: {why}", path=path)

    def damaged(path: Path, error: RowsError) -> Run | None:
        return failed(path, str(error)) if path in home else None

    found = read_rows(rows_dir, committed, damaged)
    lost = home.keys() - {run.path for run in found}
    return found + [failed(path, f"{path} is gone.") for path in sorted(lost)]


@contextlib.contextmanager
def naming(run: Job) -> Any:
    """Errors of rows name the agent, too."""
    try:
        yield
    except RowsError as error:
        raise RowsError(f"{run.spec} in {run.task.name}: {error}") from error
