"""The verdict on an agent: played rows against the committed ones of its task, and any two agents compared.

It decides nothing of its own: ranks, the best rule, intervals and words come from `mmwave_gym.benchmark.leaderboard`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.supervised import USUAL, Limits
from mmwave_gym.benchmark import jobs as work
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.committed import committed_runs, current_runs, plan
from mmwave_gym.benchmark.leaderboard.board import sample_of
from mmwave_gym.benchmark.leaderboard.ceilings import Ceiling
from mmwave_gym.benchmark.leaderboard.differences import Difference, of_metric, of_primary, what_settles, words
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.leaderboard.standing import Standing, stand
from mmwave_gym.benchmark.playing import outcomes, play_all
from mmwave_gym.benchmark.runs import Job, job_of, jobs_of, refuse_what_lacks
from mmwave_gym.benchmark.statistics import Interval, mean_interval
from mmwave_gym.benchmark.task import Task


@dataclass(frozen=True)
class Committed:
    """What is committed of a task: runs, `stale` where they no longer hold, and ceilings."""

    task: Task
    runs: tuple[Run, ...]
    ceilings: tuple[Ceiling, ...]

    @classmethod
    def of(cls, task: Task) -> Committed:
        """Read it, before anything is played. Raises RowsError where a package's rows are damaged."""
        runs = tuple(current_runs(task))
        return cls(task, runs, tuple(stored_ceilings([task])) if runs else ())

    def judge(self, own: Sequence[Run]) -> tuple[Standing | None, str]:
        """Where the agent of the runs `own`, one a training seed, stands among the committed rows.

        The text says why there is no standing, or what is left out of it; empty where nothing is.
        """
        name, holding = self.task.name, [run for run in self.runs if not run.stale]
        if not self.runs:
            return None, f"No rows of {name} are committed, so there is no rank and no verdict."
        if not holding:
            why = f"they are of another version of the task ({self.runs[0].stale})"
            return None, f"The committed rows of {name} do not count: {why}."
        place = stand(own, holding, {name: {**self.task.describe(), "grants": self.task.grants}}, self.ceilings)
        if place is None:
            return None, "No episode has a scored step, so there is no rank and no verdict."
        left_out = sorted({str(run.agent["name"]) for run in self.runs if run.stale})
        return place, f"Left out, of another version of the task: {', '.join(left_out)}." if left_out else ""


@dataclass(frozen=True)
class Comparison:
    """Two agents in a task: the means of each metric, and `first` less `second` in it, the primary metric first."""

    task: Task
    first: str
    second: str
    differences: tuple[Difference, ...]
    means: tuple[tuple[Interval, Interval], ...]
    """Of both agents, by metric, each over its own episodes."""
    played: tuple[str, ...]
    """Of these runs ("a3", "ppo@3") some episodes were played now; those of all others come from committed rows."""

    @property
    def primary(self) -> Difference:
        """The difference in the metric that ranks."""
        return self.differences[0]

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        keys = ("mean", "low", "high")
        return {
            "task": self.task.describe(),
            "agents": [self.first, self.second],
            "played": list(self.played),
            "verdict": f"{self.first} is {words(self.primary)}",
            "settles": what_settles(self.primary),
            "metrics": [
                {**one.as_json(), "means": [{key: getattr(mean, key) for key in keys} for mean in means]}
                for one, means in zip(self.differences, self.means, strict=True)
            ],
        }


def compare(
    first: str,
    second: str,
    task: Task,
    *,
    episodes: int | None = None,
    trusted: bool = False,
    limits: Limits = USUAL,
    where: Callable[..., None] = work.run_all,
    on_plan: Callable[[int], None] = lambda runs: None,
    on_done: Callable[[Any, work.Done], None] = lambda job, done: None,
) -> Comparison:
    """Compare two agents in a task, with all their training seeds, on the episodes that both have.

    first, second: as for `evaluate`, "ppo@3" for one training seed. Committed rows that hold are read, all else is
    played; episodes: so many test episodes, also where the committed rows have fewer. where: `run_all` with the words
    that say how many processes. on_plan: called with the number of runs to play, on_done with each as it ends.
    Raises AgentError where an agent cannot play, ValueError for an agent compared with itself, ImportError where a
    library is missing, before anything is played.
    """
    if first == second:
        raise ValueError(f"two agents are compared, got {first!r} twice.")
    wanted = {name: _jobs(name, task, episodes, trusted, limits) for name in (first, second)}
    everything = [job for found in wanted.values() for job in found]
    kept = committed_runs([task.name])
    with tempfile.TemporaryDirectory() as place:
        rows = Path(place) / "rows"
        rows.mkdir()
        made = plan(everything, rows, kept, lambda job: not task.missing_data, extend=episodes is not None)
        if task.missing_data and made.play:
            raise ValueError(f"{task.name}: {task.missing_data}.")
        refuse_what_lacks(made.play)
        on_plan(len(made.play))
        play_all(made.play, rows, where, on_done)
        runs = {run.identity: run for run in outcomes(made.play, rows, made.shown)}
    groups = {name: [_whole(runs, job) for job in found] for name, found in wanted.items()}
    return _compared(task, first, second, groups[first], groups[second], tuple(job.spec for job in made.play))


def _jobs(name: str, task: Task, episodes: int | None, trusted: bool, limits: Limits) -> list[Job]:
    """The runs of an agent: the training seed that its name asks for, or all of them."""
    one = job_of(task, name, episodes, trusted, limits)
    return [one] if one.training_seed is not None else jobs_of(task, name, episodes, True, trusted, limits)


def _whole(runs: dict[tuple[str, str, int | None], Run], job: Job) -> Run:
    """The run of a job. Raises AgentError where it has no rows, with the reason."""
    run = runs.get((job.task.name, job.agent, job.training_seed))
    if run is None or not run.episodes or run.failed is not None or run.skipped is not None:
        why = (run and (run.failed or run.skipped)) or f"there are no rows of it, and {job.task.missing_data}"
        raise AgentError(f"{job.spec} cannot be compared in {job.task.name}: {str(why).rstrip('.')}.")
    return run


def _compared(
    task: Task, first: str, second: str, one: Sequence[Run], two: Sequence[Run], played: tuple[str, ...]
) -> Comparison:
    about, units = task.describe(), dict(one[0].header["metrics"])
    metrics = [task.primary, *(name for name in units if name != task.primary and name in two[0].header["metrics"])]
    differences, means = [], []
    for metric in metrics:
        own, other = (sample_of(runs, metric, task.groups) for runs in (one, two))
        if metric == task.primary:
            found = of_primary(about, own, other, second, units[metric])
        else:
            found = of_metric(about, metric, own, other, second, units[metric])
        if found is not None:
            differences.append(found)
            means.append((mean_interval(own.values, own.groups), mean_interval(other.values, other.groups)))
        elif metric == task.primary:
            raise ValueError(f"{first} and {second} share no scored episode of {task.name}.")
    return Comparison(task, first, second, tuple(differences), tuple(means), played)
