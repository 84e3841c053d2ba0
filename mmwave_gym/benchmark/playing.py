"""Many runs of the benchmark, on this machine or on a cluster. One process, this one, writes their rows."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmwave_gym.benchmark import jobs
from mmwave_gym.benchmark.leaderboard.rows import RowsError
from mmwave_gym.benchmark.runs import Job, RunFile, play
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


@contextlib.contextmanager
def naming(run: Job) -> Any:
    """Errors of rows name the agent, too."""
    try:
        yield
    except RowsError as error:
        raise RowsError(f"{run.spec} in {run.task.name}: {error}") from error
