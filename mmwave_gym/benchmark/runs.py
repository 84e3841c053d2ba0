"""Runs of the benchmark: tasks times agents times training seeds, each into a file of rows, resumable.

Nothing fails silently: an agent that cannot play a task leaves a file that says why, and the page shows it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmwave_gym.agents.loading import find, load_agent
from mmwave_gym.agents.protocol import AgentError, NotApplicable, sees
from mmwave_gym.agents.registry import agents, module_of, training_seeds
from mmwave_gym.benchmark.evaluation import BLOCK, evaluate, metric_units
from mmwave_gym.benchmark.golden import agent_digest, golden_sums, physics_digest
from mmwave_gym.benchmark.leaderboard.rows import RowWriter, as_line, row_path, seconds_path
from mmwave_gym.benchmark.processor import processor
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.files import write
from mmwave_gym.version import __version__


@dataclass(frozen=True)
class Job:
    """One run: a task played by one agent of one training seed."""

    task: Task
    agent: str
    training_seed: int | None
    episodes: int

    @property
    def spec(self) -> str:
        """The agent as the command line names it, "ppo@3"."""
        return self.agent if self.training_seed is None else f"{self.agent}@{self.training_seed}"


def jobs_of(task: Task, agent: str, episodes: int | None = None, full: bool = True) -> list[Job]:
    """The runs of an agent in a task: one a training seed. Agents marked `expensive` have none unless `full`."""
    try:
        seeds = training_seeds(agent, task.scenario_name, task)
        costly = not full and is_expensive(agent, task)
    except AgentError:
        seeds, costly = (None,), False  # the run itself will say what is wrong, in its row
    count = task.episodes if episodes is None else episodes
    return [] if costly else [Job(task, agent, seed, count) for seed in seeds]


def is_expensive(agent: str, task: Task) -> bool:
    """Whether an agent is marked as expensive in a task; one that cannot be made is not."""
    try:
        known = agent in agents(task.scenario_name)
        return known and bool(getattr(load_agent(agent, task.scenario_name, task), "expensive", False))
    except AgentError:
        return False


def run(job: Job, rows_dir: str | Path, num_envs: int = 2 * BLOCK) -> Path:
    """Play the episodes that the run's file lacks and return the file.

    Failures of the agent are written into the file. Raises RowsError where the file belongs to another run or
    cannot be written, ValueError for a task that does not fit.
    """
    path = row_path(rows_dir, job.task.name, job.agent, job.training_seed)
    try:
        player = load_agent(job.spec, job.task.scenario_name, job.task)
        head = header(job, player)
    except AgentError as error:
        with RowWriter.open(path, header(job, None)) as writer:
            (writer.skip if isinstance(error, NotApplicable) else writer.fail)(str(error))
        return path
    with RowWriter.open(path, head) as writer, _timed(path):
        try:
            evaluate(
                player,
                job.task,
                episodes=job.episodes,
                num_envs=num_envs,
                skip=frozenset(writer.done),
                on_rows=writer.append,
            )
        except NotApplicable as error:
            writer.skip(str(error))
        except AgentError as error:
            writer.fail(str(error))
        except Exception as error:
            if _raised_by_agent(error):
                writer.fail(f"{type(error).__name__}: {error}")
            else:
                raise
    return path


@contextlib.contextmanager
def _timed(path: Path) -> Iterator[None]:
    """Note beside a row file the processor time that playing took, that of processes that ended included."""
    before, noted = sum(os.times()[:4]), seconds_path(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            earlier = float(noted.read_text("ascii")) if noted.exists() else 0.0
            write(noted, f"{earlier + sum(os.times()[:4]) - before:.2f}\n")


def _raised_by_agent(error: BaseException) -> bool:
    """Whether an error came from an agent's code: what passes the evaluator's call is the agent's."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = {"predict", "learn", "begin"}
    return any(frame.name in calls and "mmwave_gym" not in Path(frame.filename).parts for frame in frames)


def described(task: Task, episodes: int) -> dict[str, Any]:
    """A task as JSON values, as rows keep it: its hash changes whenever something changes that rows depend on."""
    told = {**task.describe(), "episodes": episodes}
    # The rows depend on defaults and on what a channel file holds, too, not only on the keywords that the task names.
    constants = json.dumps(dict(task.scenario().constants()), sort_keys=True, default=str)
    told["hash"] = hashlib.sha256((told["hash"] + constants).encode()).hexdigest()[:16]
    return told


def header(job: Job, player: Any, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The first line of a run's file.

    about: what `about_task` says of the job's task, to say it once for many runs. Raises AgentError where what the
    agent says of itself cannot be written.
    """
    return {
        **(about or about_task(job.task, job.episodes)),
        "package_version": __version__,
        "agent": _about_agent(job, player),
        "made_on": processor(),
        "command": f"mmwave-gym evaluate {job.spec} --task {job.task.name} --episodes {job.episodes}",
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def about_task(task: Task, episodes: int, golden: bool = True) -> dict[str, Any]:
    """What a header says of the task alone; `golden`: also what its environment answers to fixed actions."""
    physics = {"code": physics_digest(task), "sums": golden_sums(task) if golden else None}
    return {"task": described(task, episodes), "physics": physics, "metrics": metric_units(task.scenario())}


def _about_agent(job: Job, player: Any) -> dict[str, Any]:
    try:
        told = {
            "access": sees(player),
            "label": getattr(player, "label", job.agent),
            "kind": getattr(player, "kind", "other"),
            "config": dict(getattr(player, "config", {})),
            "weights_sha256": getattr(player, "weights_sha256", None),
            "training": getattr(player, "training", None),
        }
        as_line(told)
        if not isinstance(told["label"], str) or not isinstance(told["kind"], str):
            raise TypeError(f"label and kind must be text, got {told['label']!r} and {told['kind']!r}")
        if told["access"] not in ACCESS_LEVELS:
            raise ValueError(f"access must be one of {', '.join(ACCESS_LEVELS)}, got {told['access']!r}")
    except Exception as error:  # what somebody else's object raises when it is asked
        raise AgentError(f"{job.spec} cannot say what it is: {type(error).__name__}: {error}") from error
    modules = {kind.__module__ for kind in type(player).__mro__}
    modules = {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}
    if player is not None and not told["weights_sha256"]:
        modules |= module_of(job.agent, job.task.scenario_name)  # a factory chooses what an object says of itself
    code = agent_digest(job.task, modules) if modules else None
    return {"name": job.agent, "training_seed": job.training_seed, **told, "code": code}


def run_all(
    jobs: Sequence[Job], rows_dir: str | Path, workers: int = 1, on_done: Callable[[Job], None] = lambda job: None
) -> None:
    """Run many jobs, `workers` at a time in processes of their own. The first error stops the rest."""
    if workers <= 1:
        for job in jobs:
            run(job, rows_dir)
            on_done(job)
        return
    # One thread a process: the products are small, and the threads of several processes would fight.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(run, job, rows_dir): job for job in jobs}
        try:
            for done in as_completed(waiting):
                done.result()
                on_done(waiting[done])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def suite_jobs(
    tasks: Iterable[Task],
    names: Sequence[str] = (),
    also: Sequence[str] = (),
    episodes: int | None = None,
    full: bool = False,
    most_seeds: int | None = None,
) -> list[Job]:
    """All runs of the tasks: the agents `names` (default: all found for the scenario), and those of `also`.

    A name plays in the scenarios that have an agent of it. `most_seeds` limits the training seeds of an agent.
    Raises AgentError, before anything is played, for an agent that no task can find.
    """
    chosen = list(tasks)
    plays = {agent: _findable(agent, chosen) for agent in (*names, *also)}
    return [
        job
        for task in chosen
        for agent in (*(names or agents(task.scenario_name)), *also)
        if task.scenario_name in plays.get(agent, (task.scenario_name,))
        for job in jobs_of(task, agent, episodes, full)[:most_seeds]
    ]


def _findable(agent: str, tasks: Sequence[Task]) -> set[str]:
    """The scenarios of the tasks that know an agent; AgentError, that of the last one, where none does."""
    found: set[str] = set()
    fault = None
    for scenario in dict.fromkeys(task.scenario_name for task in tasks):
        try:
            find(agent, scenario)
            found.add(scenario)
        except AgentError as error:
            fault = error
            if agent.partition("@")[0] in agents(scenario):
                found.add(scenario)  # known but broken: its row will say why
    if fault is not None and not found:
        raise fault
    return found
