"""Committed rows: packs of rows that packages ship, and which of them still hold.

A package names its folder of packs (`leaderboard.packs`) by an entry point of the group `mmwave_gym.rows`, whose value
is the package that the folder `rows` lies in:

    [project.entry-points."mmwave_gym.rows"]
    relay-gym = "relay_gym"

A committed run counts where its key is current: task, version, agent, configuration, weights, the code that the agent
decides with, and the physics. Where code of the physics has changed, golden sums tell whether its numbers have. Where
an agent's code has changed, whoever packs rows may have some of them played again, and keep the run if they repeat.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from mmwave_gym.agents.protocol import AgentError, NotInstalled
from mmwave_gym.agents.supervised import playing
from mmwave_gym.benchmark.golden import golden_sums
from mmwave_gym.benchmark.leaderboard.keys import differing
from mmwave_gym.benchmark.leaderboard.packs import unpack
from mmwave_gym.benchmark.leaderboard.rows import RowsError, RowWriter, Run, read_rows, row_path, seconds_path
from mmwave_gym.benchmark.leaderboard.verified import keep
from mmwave_gym.benchmark.replay import replay
from mmwave_gym.benchmark.runs import Job, about_task, header
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.version import __version__

GROUP = "mmwave_gym.rows"
FOLDER = "rows"

_OF_PLAYING = ("made_on", "created", "command")
"""What a header says of the day on which the rows were played."""

Identity = tuple[str, str, int | None]


def folders() -> list[Path]:
    """The folders of packs of the installed packages, ours first."""
    found = []
    for point in rooms.points(GROUP, "rows").values():
        try:
            found.append(Path(str(files(point.value) / FOLDER)))
        except rooms.BROKEN as error:
            rooms.leave_out(f"the rows {point.name}", point, error)
    return [folder for folder in found if folder.is_dir()]


def committed_runs(tasks: Iterable[str] | None = None, folder: str | Path | None = None) -> list[Run]:
    """The committed runs of these tasks or of all: of one folder of packs, or of all installed packages.

    Of the same run in two packages the first counts, so that nobody's rows replace ours.
    """
    found: dict[Identity, Run] = {}
    names = None if tasks is None else list(tasks)
    for place in folders() if folder is None else [Path(folder)]:
        for run in unpack(place, names):
            found.setdefault(run.identity, run)
    return list(found.values())


def current_runs(task: Task, folder: str | Path | None = None, golden: bool = True) -> list[Run]:
    """The committed runs of a task, `stale` where the task or its physics have changed since.

    golden: whether to play the golden sums where code of the physics has changed; without it the numbers are believed.
    Whether an agent still decides alike is not asked: `plan` does that. Without its data a task's rows are believed.
    """
    heads, job = _Heads(0), Job(task, "", None, task.episodes)
    found = committed_runs([task.name], folder)
    if task.missing_data:
        return found
    return [replace(run, stale=heads.why_other_world(job, run, golden)) for run in found]


@dataclass
class Plan:
    """What a board has to play and what it shows without playing."""

    play: list[Job] = field(default_factory=list)
    shown: list[Run] = field(default_factory=list)
    """Committed runs: current ones, and those that nobody may play here, `stale` where they no longer hold."""
    outdated: list[Path] = field(default_factory=list)
    """Row files of an earlier board whose rows no longer hold: to be deleted before they are played again."""


def plan(
    jobs: Sequence[Job],
    rows_dir: Path,
    committed: Iterable[Run],
    playable: Callable[[Job], bool] = lambda job: True,
    on_done: Callable[[Job], None] = lambda job: None,
    recheck: int = 0,
    extend: bool = True,
) -> Plan:
    """Sort the jobs of a board into those to play and those whose committed rows hold.

    rows_dir: where the board's own rows are; those that hold are not played again. playable: may a job be played here?
    Others, such as expensive ones, show what is committed. on_done: called after each job. recheck: rows of a run that
    are played again where only the agent's code has changed; where they repeat, the run holds under a new header.
    extend: play the episodes that committed rows lack; without it they are shown as they are.
    """
    kept = {run.identity: run for run in committed}
    made, heads = Plan(), _Heads(recheck)
    for job in jobs:
        identity = (job.task.name, job.agent, job.training_seed)
        own, run = row_path(rows_dir, *identity), kept.get(identity)
        if own.exists() and heads.outdated(job, own):
            made.outdated.append(own)
        elif own.exists():
            run = None  # what was played here goes before what was committed
        if run is not None and recheck and not job.task.missing_data:
            run = heads.renewed(job, run)
        if run is None:
            made.play += [job] if playable(job) else []
        elif job.task.missing_data or not (why := heads.why_stale(job, run)):
            if len(run.episodes) >= job.episodes or not extend or not playable(job):
                made.shown.append(_cut(run, job.episodes))
            else:
                made.play.append(job)
                _adopt(run, own)
        elif playable(job):
            made.play.append(job)
        else:
            made.shown.append(replace(run, stale=why))
        on_done(job)
    return made


class _Heads:
    """The headers that runs would have now; what they say of a task is found out once."""

    def __init__(self, recheck: int) -> None:
        self._tasks: dict[tuple[str, int], dict[str, Any]] = {}
        self._recheck = recheck

    def why_stale(self, job: Job, run: Run) -> str:
        """Why a run's rows do not hold now, empty where they do."""
        if run.failed is not None or run.skipped is not None:
            return "it could not be played"
        try:
            found = differing(run.header, self._now(job, run))
        except NotInstalled:
            return self.why_other_world(job, run)  # nothing else can be checked
        except AgentError as error:
            return str(error)
        return _said(found)

    def why_other_world(self, job: Job, run: Run, golden: bool = True) -> str:
        """Why a run's rows are of another task or of other physics than today's, empty where they are not."""
        now = {**self._task(job, run, golden), "agent": run.agent}
        return _said(differing(run.header, now if golden else {**now, "physics": run.header.get("physics")}))

    def renewed(self, job: Job, run: Run) -> Run:
        """The run under the header of today's code where that decides alike in the rows that are played again."""
        if run.failed is not None or run.skipped is not None or not run.episodes:
            return run
        try:
            head = self._now(job, run)
        except AgentError:
            return run
        if head["physics"]["sums"] is None:
            head["physics"] = run.header["physics"]  # of the same code
        found = differing(run.header, head)
        if found is not None:
            same = {**head, "agent": {**head["agent"], "code": run.agent.get("code")}}
            if differing(run.header, same) is not None or not self._repeats(run):
                return run
        return replace(run, header={**head, **{name: run.header.get(name) for name in ("format", *_OF_PLAYING)}})

    def _repeats(self, run: Run) -> bool:
        episodes = [row["episode"] for row in run.episodes]
        return replay(run, random.Random(0).sample(episodes, min(self._recheck, len(episodes)))).passed

    def outdated(self, job: Job, path: Path) -> bool:
        """Whether a row file of an earlier board has rows that do not hold now."""
        runs = [run for run in read_rows(path.parent) if run.path == path]
        return any(bool(self.why_stale(job, run)) for run in runs if run.episodes and run.failed is None)

    def _now(self, job: Job, run: Run) -> dict[str, Any]:
        """The header that a run would have now. Raises AgentError for whatever the agent does."""
        about, where = self._task(job, run), (job.task.scenario_name, job.task)
        try:
            # On one thread, as it plays: what an agent solves for its configuration depends on it in the last bits.
            with (
                threadpool_limits(limits=1),
                playing(job.spec, *where, trusted=job.trusted, limits=job.limits) as player,
            ):
                return header(job, player, about)
        except NotInstalled:
            raise
        except (Exception, SystemExit, GeneratorExit) as error:
            raise AgentError(f"{job.spec} cannot be asked what it is: {error!r}") from error

    def _task(self, job: Job, run: Run, golden: bool = True) -> dict[str, Any]:
        """What a header would say of the task now."""
        known = (job.task.name, job.episodes)
        if known not in self._tasks:
            self._tasks[known] = about_task(job.task, job.episodes, golden=False)
        physics = self._tasks[known]["physics"]
        code = (run.header.get("physics") or {}).get("code")
        if golden and physics["sums"] is None and code != physics["code"]:
            physics["sums"] = golden_sums(job.task)
        return {**self._tasks[known], "package_version": __version__}


def _said(found: tuple[str, Any, Any] | None) -> str:
    """What `differing` found, in words."""
    return "" if found is None else f"{found[0]} is {found[1]!r} there and {found[2]!r} now"


def _cut(run: Run, episodes: int) -> Run:
    """The run as if only the first episodes had been asked for."""
    if all(row["episode"] < episodes for row in run.episodes):
        return run
    head = {**run.header, "task": {**run.task, "episodes": episodes}}
    return replace(run, header=head, episodes=tuple(row for row in run.episodes if row["episode"] < episodes))


def _adopt(run: Run, path: Path) -> None:
    """Begin a row file with committed rows, so that only the missing episodes are played."""
    with RowWriter.open(path, run.header) as writer:
        writer.append(row for row in run.episodes if row["episode"] not in writer.done)


def clear(outdated: Iterable[Path]) -> None:
    """Delete row files that no longer hold. Raises `RowsError` where one cannot be deleted."""
    for path in outdated:
        try:
            path.unlink()
            seconds_path(path).unlink(missing_ok=True)
            keep(path, None)
        except OSError as error:
            raise RowsError(f"{path} cannot be deleted ({error.strerror}): choose another --out.") from error
