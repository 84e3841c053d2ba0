"""Many runs verified, on the processes of this machine or on a cluster: each is a job, and its verdict comes home."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.benchmark import jobs
from mmwave_gym.benchmark.evaluation import Row
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.replay import spec_of
from mmwave_gym.benchmark.verification.checks import Asked, Roles, Verdict, hidden_rows, sample_of, verify

Take = Callable[[Verdict, jobs.Done], None]


@dataclass(frozen=True)
class Verifying:
    """A run to be verified, as a job for any process."""

    run: Run
    asked: Asked
    roles: Roles

    @property
    def label(self) -> str:
        return f"{self.run.task['name']} {spec_of(self.run)}"

    def work(self, keep: jobs.Keep) -> bytes:
        return json.dumps(verify(self.run, self.asked, self.roles).as_json()).encode()


def verify_all(
    runs: Sequence[Run],
    context: Iterable[Run],
    asked: Asked,
    where: Callable[..., None] = jobs.run_all,
    take: Take = lambda verdict, done: None,
) -> list[Verdict]:
    """The verdicts on all runs, in their order.

    context: runs among which floors and ceilings of the tasks are found, for hidden episodes. where: `jobs.run_all`,
    with the words that say how many processes or which cluster. take: called with each verdict as it comes.
    """
    roles = roles_of(runs, context, asked, where) if asked.secret else {}
    found: dict[int, Verdict] = {}

    def keep(job: Any, verdict: Verdict, done: jobs.Done) -> None:
        found[id(job)] = verdict
        take(verdict, done)

    def done(job: Any, end: jobs.Done) -> None:
        keep(job, Verdict.of(job.run, json.loads(end.result)), end)

    def lost(job: Any, reason: str) -> None:
        keep(job, Verdict(job.run, "failed", f"the process that verified it ended: {reason}"), jobs.Done(b""))

    todo = [Verifying(run, asked, roles.get(run.task["name"], {})) for run in runs]
    where(todo, on_done=done, on_lost=lost)
    return [found[id(job)] for job in todo]


def roles_of(
    runs: Sequence[Run], context: Iterable[Run], asked: Asked, where: Callable[..., None] = jobs.run_all
) -> dict[str, Roles]:
    """By task, floor and ceiling of the runs' tasks in published and in hidden episodes, which are played once.

    A role without rows, or one that cannot be played, is left out.
    """
    published: dict[tuple[str, str], Run] = {}
    fit = {(run.task["name"], run.task["hash"]) for run in runs}
    for run in context:
        name, agent, seed = run.identity
        is_role = agent in (run.task.get("floor"), run.task.get("ceiling"))
        if not is_role or not run.episodes or (name, run.task["hash"]) not in fit:
            continue
        earlier = published.get((name, agent))
        if earlier is None or (seed or 0) < (earlier.identity[2] or 0):
            published[name, agent] = run
    calls = [jobs.Call(f"{name} {agent}", _role_rows, (run, asked)) for (name, agent), run in published.items()]
    found: dict[str, dict[str, Any]] = {}
    for ((name, agent), run), rows in zip(published.items(), jobs.call_all(calls, where), strict=True):
        if rows is not None:
            found.setdefault(name, {})[agent] = (sample_of(run.episodes, run), sample_of(rows, run))
    return dict(found)


def _role_rows(run: Run, asked: Asked) -> list[Row] | None:
    try:
        return hidden_rows(run, asked)
    except (AgentError, ValueError):
        return None
