"""Runs of the benchmark: tasks times agents times training seeds, each into a file of rows, resumable.

Nothing fails silently: an agent that cannot play a task leaves a file that says why, and the page shows it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from mmwave_gym.agents.facts import facts
from mmwave_gym.agents.loading import find, load_agent
from mmwave_gym.agents.protocol import AgentError, NotApplicable, NotInstalled, UnknownAgent
from mmwave_gym.agents.registry import agents, is_file, is_shipped, module_of, training_seeds
from mmwave_gym.agents.supervised import USUAL, Limits, playing, runs_of
from mmwave_gym.benchmark.evaluation import BLOCK, evaluate, metric_units
from mmwave_gym.benchmark.golden import agent_digest, golden_sums, physics_digest
from mmwave_gym.benchmark.leaderboard.rows import RowWriter, Run, parse, row_path, seconds_path
from mmwave_gym.benchmark.processor import processor
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.errors import EXTRAS
from mmwave_gym.core.files import write
from mmwave_gym.core.shown import visible
from mmwave_gym.version import __version__

_DIGITS = 9
"""Of a constant, in a task's hash; ours."""


@dataclass(frozen=True)
class Job:
    """One run: a task played by one agent of one training seed."""

    task: Task
    agent: str
    training_seed: int | None
    episodes: int
    trusted: bool = False
    """An agent that is not shipped plays in this process, too, instead of a supervised one of its own."""
    limits: Limits = USUAL
    """Of a supervised agent."""

    @property
    def spec(self) -> str:
        """The agent as the command line names it, "ppo@3"."""
        return self.agent if self.training_seed is None else f"{self.agent}@{self.training_seed}"


def job_of(task: Task, spec: str, episodes: int | None = None, trusted: bool = False, limits: Limits = USUAL) -> Job:
    """The run of an agent as the command line names it: "ppo@3" is the training seed 3 of "ppo"."""
    name, _, seed = (spec, "", "") if ":" in spec or is_file(spec) else spec.partition("@")
    count = task.episodes if episodes is None else episodes
    return Job(task, name if seed.isdigit() else spec, int(seed) if seed.isdigit() else None, count, trusted, limits)


def jobs_of(
    task: Task,
    agent: str,
    episodes: int | None = None,
    full: bool = True,
    trusted: bool = False,
    limits: Limits = USUAL,
) -> list[Job]:
    """The runs of an agent in a task: one a training seed. Agents marked `expensive` have none unless `full`.

    An agent that is not shipped is asked for its seeds in a process of its own, unless it is `trusted`.
    """
    try:
        if ":" in agent or trusted or is_shipped(agent, task.scenario_name):
            seeds = training_seeds(agent, task.scenario_name, task)
            costly = not full and is_expensive(agent, task)
        else:
            seeds, costly = runs_of(agent, task.scenario_name, task, not full, limits)
    except AgentError:
        seeds, costly = (None,), False  # the run itself will say what is wrong, in its row
    count = task.episodes if episodes is None else episodes
    return [] if costly else [Job(task, agent, seed, count, trusted, limits) for seed in seeds]


def is_expensive(agent: str, task: Task, trusted: bool = False, limits: Limits = USUAL) -> bool:
    """Whether an agent is marked as expensive in a task; one that cannot be made is not."""
    scenario = task.scenario_name
    try:
        if agent not in agents(scenario):
            return False
        if not trusted and not is_shipped(agent, scenario):
            return runs_of(agent, scenario, task, True, limits)[1]
        return bool(getattr(load_agent(agent, scenario, task), "expensive", False))
    except AgentError:
        return False


Tell = Callable[[str, Any], None]
"""Takes what a run has to say: "header" and the header first, "rows" and a list of rows as they come, "failed" or
"skipped" and the reason where there is one, and the processor time as "seconds" at the end."""


def play(job: Job, done: frozenset[int], tell: Tell, num_envs: int = 2 * BLOCK) -> None:
    """Play the episodes of a run but those that are `done`.

    Failures of the agent are reported as such: that it cannot be loaded or described, and what it raises. Raises
    ValueError for a task that does not fit, and errors of ours.
    """
    with contextlib.ExitStack() as stack:
        # An agent may solve its game to describe itself, and the last bits of a solution depend on the threads.
        stack.enter_context(threadpool_limits(limits=1))
        try:
            player = stack.enter_context(
                playing(job.spec, job.task.scenario_name, job.task, trusted=job.trusted, limits=job.limits)
            )
            about = header(job, player)
        except (Exception, SystemExit, GeneratorExit) as error:
            tell("header", header(job, None))
            tell("skipped" if isinstance(error, NotApplicable) else "failed", _reason(error))
            return
        tell("header", about)
        before = _processor_s()
        try:
            evaluate(
                player,
                job.task,
                episodes=job.episodes,
                num_envs=num_envs,
                skip=done,
                on_rows=lambda rows: tell("rows", rows),
            )
        except NotApplicable as error:
            tell("skipped", _reason(error))
        except (Exception, SystemExit, GeneratorExit) as error:
            if not isinstance(error, AgentError) and not _raised_by_agent(error):
                raise
            tell("failed", _reason(error))
        finally:
            tell("seconds", _processor_s() - before)


def _processor_s() -> float:
    """Processor time of this process and of its children that ended."""
    return sum(os.times()[:4])


def run(job: Job, rows_dir: str | Path, num_envs: int = 2 * BLOCK) -> Path:
    """Play the episodes that the run's file lacks, in this process, and return the file.

    Failures of the agent are written into the file, whatever they are. Raises RowsError where the file belongs to
    another run or cannot be written, ValueError for a task that does not fit.
    """
    with RunFile(job, rows_dir) as file:
        play(job, file.done(), file.take, num_envs)
    return file.path


class RunFile:
    """The file of a run, written by what `play` tells, wherever that was played. A context manager."""

    def __init__(self, job: Job, rows_dir: str | Path) -> None:
        self.job, self.path = job, row_path(rows_dir, job.task.name, job.agent, job.training_seed)
        self._writer: RowWriter | None = None

    def _held(self) -> Run | None:
        return parse(self.path.read_bytes(), self.path) if self.path.exists() else None

    def done(self) -> frozenset[int]:
        """Episodes that the file holds and that need not be played."""
        run = self._held()
        return frozenset(row["episode"] for row in run.episodes) if run else frozenset()

    def take(self, kind: str, value: Any) -> None:
        """Write what `play` tells. Raises RowsError."""
        if kind == "header":
            self._writer = RowWriter.open(self.path, value)
            return
        if kind == "seconds":
            self._note(value)
            return
        if self._writer is None:
            raise RuntimeError(f"{self.path}: {kind} came before the header.")
        writes: dict[str, Callable[[Any], None]] = {
            "rows": self._writer.append,
            "failed": self._writer.fail,
            "skipped": self._writer.skip,
        }
        writes[kind](value)

    def _note(self, seconds: float) -> None:
        """Add to the processor time that is noted beside the file."""
        noted = seconds_path(self.path)
        with contextlib.suppress(OSError, ValueError):
            earlier = float(noted.read_text("ascii")) if noted.exists() else 0.0
            write(noted, f"{earlier + seconds:.2f}\n")

    def lost(self, reason: str) -> None:
        """Write that the run failed without a known reason."""
        if self._writer is None:
            run = self._held()
            self.take("header", run.header if run else header(self.job, None))
        self.take("failed", reason)

    def close(self) -> None:
        """Close the file; it can be taken up again."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _reason(error: BaseException) -> str:
    text = str(error) if isinstance(error, AgentError) else f"{type(error).__name__}: {error}"
    return visible(text)  # a half character would make the file unreadable


def _raised_by_agent(error: BaseException) -> bool:
    """Whether an error came from an agent's code: what passes the evaluator's call is the agent's."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = {"predict", "learn", "begin"}
    return any(frame.name in calls and "mmwave_gym" not in Path(frame.filename).parts for frame in frames)


def described(task: Task, episodes: int) -> dict[str, Any]:
    """A task as JSON values, as rows keep it: its hash changes whenever something changes that rows depend on."""
    about = {**task.describe(), "episodes": episodes}
    # The rows depend on defaults and on what a channel file holds, too, not only on the keywords that the task names.
    constants = json.dumps(_rounded(dict(task.scenario().constants())), sort_keys=True, default=str)
    about["hash"] = hashlib.sha256((about["hash"] + constants).encode()).hexdigest()[:16]
    return about


def _rounded(value: Any) -> Any:
    """Computed numbers without the digits in which kinds of processors differ."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value


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
    known = {} if player is None else facts(player)
    about = {
        "name": job.agent,
        "training_seed": job.training_seed,
        "access": known.get("access", "local"),
        "label": known.get("label", job.agent),
        "kind": known.get("kind", "other"),
        "config": known.get("config", {}),
        "weights_sha256": known.get("weights_sha256"),
        "training": known.get("training"),
    }
    modules: set[str] = set()
    if player is not None and is_shipped(job.spec, job.task.scenario_name):
        modules = {kind.__module__ for kind in type(player).__mro__}
        modules = {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}
    if player is not None and not about["weights_sha256"]:
        modules |= module_of(job.agent, job.task.scenario_name)  # a factory chooses what an object says of itself
    return {**about, "code": agent_digest(job.task, modules) if modules else None}


def suite_jobs(
    tasks: Iterable[Task],
    names: Sequence[str] = (),
    also: Sequence[str] = (),
    episodes: int | None = None,
    full: bool = False,
    most_seeds: int | None = None,
    trusted: bool = False,
    limits: Limits = USUAL,
) -> list[Job]:
    """All runs of the tasks: the agents `names` (default: all found for the scenario), and those of `also`.

    A name plays in the scenarios that have an agent of it. `most_seeds` limits the training seeds of an agent.
    `trusted`, `limits`: of agents that are not shipped, see `Job`.
    Raises AgentError, before anything is played, for an agent that no task can find.
    """
    chosen = list(tasks)
    plays = {agent: _findable(agent, chosen, trusted, limits) for agent in (*names, *also)}
    return [
        job
        for task in chosen
        for agent in (*(names or agents(task.scenario_name)), *also)
        if task.scenario_name in plays.get(agent, (task.scenario_name,))
        for job in jobs_of(task, agent, episodes, full, trusted, limits)[:most_seeds]
    ]


def _findable(agent: str, tasks: Sequence[Task], trusted: bool, limits: Limits) -> set[str]:
    """The scenarios of the tasks that know an agent; AgentError, that of the last one, where none does.

    What is not shipped is looked for in a process of its own, and only a name that stands for nothing is an error
    here: code that fails will say so in its row.
    """
    found: set[str] = set()
    fault = None
    for scenario in dict.fromkeys(task.scenario_name for task in tasks):
        supervised = not trusted and not is_shipped(agent, scenario)
        try:
            if not supervised:
                find(agent, scenario)
            elif is_file(agent):
                if not Path(agent).exists():
                    find(agent)  # reads nothing, says what is missing
            elif ":" in agent:
                runs_of(agent, scenario, None, False, limits)
            found.add(scenario)
        except AgentError as error:
            fault = error
            if (supervised and not isinstance(error, UnknownAgent)) or agent.partition("@")[0] in agents(scenario):
                found.add(scenario)  # known but broken: its row will say why
    if fault is not None and not found:
        raise fault
    return found


def refuse_what_lacks(jobs: Iterable[Job]) -> None:
    """Raise ImportError, before anything is played, where agents need libraries that are not installed here.

    An agent that is not shipped is made for one of its tasks, since its `__init__` may import, too.
    """
    lacking: dict[str, dict[str, str]] = {}
    seen = {(job.agent, job.task.scenario_name, job.trusted, job.limits): job.task for job in jobs}
    for (agent, scenario, trusted, limits), task in seen.items():
        try:
            if is_shipped(agent, scenario):
                find(agent, scenario)
            elif trusted:
                load_agent(agent, scenario, task)
            else:
                runs_of(agent, scenario, task, True, limits)
        except NotInstalled as error:
            lacking.setdefault(error.library, {})[
                agent if ":" in agent or is_file(agent) else f"{scenario}/{agent}"
            ] = ""
        except Exception:
            continue  # its row will say why
    if lacking:
        who = "; ".join(
            f"{', '.join(agents)} need{'s' * (len(agents) == 1)} {library}" for library, agents in lacking.items()
        )
        extras = ",".join(dict.fromkeys(EXTRAS[library] for library in lacking))
        raise ImportError(f"{who}: pip install 'mmwave-gym[{extras}]', or name other agents with --agent.")
