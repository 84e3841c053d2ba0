"""Independent jobs, done by this machine's processes or by a cluster: one interface, `run_all`.

A job is a value that can be pickled. It needs no file of the machine that asks for it, and what it returns is bytes: so
any process of any machine can do it, and one process writes the results. A process or a machine that ends loses what
it was doing and nothing else: the job is done again, and only a job that ended its process three times is given up.
"""

from __future__ import annotations

import importlib
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mmwave_gym.core.checks import at_least

TRIES = 3
"""So often a job may end its process before it is given up."""
LARGEST_BATCH = 16
"""Jobs that go to a machine of a cluster in one message."""

Keep = Callable[[bytes], None]
Executor = Literal["local", "ray"]


class Job(Protocol):
    """Something that any process can do."""

    @property
    def label(self) -> str:
        """What it is, for people."""

    def work(self, keep: Keep) -> bytes:
        """Do it and return the result. `keep` sends a finished part home: it stays, whatever ends this process."""


@dataclass(frozen=True)
class Done:
    """What became of a job: its result, seconds of processor time, and where it was done ("" on this machine)."""

    result: bytes
    processor_s: float = 0.0
    where: str = ""


class JobLost(RuntimeError):
    """A job ended the process that did it, every time; the message says how."""


@dataclass(frozen=True)
class Part:
    """A finished part of a job has come."""

    job: int
    content: bytes


@dataclass(frozen=True)
class Finished:
    """A job is done."""

    job: int
    done: Done


@dataclass(frozen=True)
class Failed:
    """A job's code raised an error, which is ours to see."""

    job: int
    error: BaseException


@dataclass(frozen=True)
class Lost:
    """A process or a machine ended before it had done these jobs. `blame`: the first of them may be the cause."""

    jobs: tuple[int, ...]
    reason: str
    blame: bool


Event = Part | Finished | Failed | Lost


class Crew(Protocol):
    """Processes that do jobs, numbered by the caller. A context manager: leaving it ends all of them."""

    def __enter__(self) -> Crew: ...

    def __exit__(self, *exc: object) -> None: ...

    def room(self) -> int:
        """How many batches can be begun now."""

    def batch(self, waiting: int) -> int:
        """How many of the waiting jobs to send at once."""

    def send(self, jobs: Sequence[tuple[int, Job]]) -> None:
        """Begin a batch."""

    def events(self) -> Iterator[Event]:
        """What has happened; waits until something has, or for a moment."""


def run_all(
    jobs: Sequence[Job],
    executor: Executor = "local",
    *,
    address: str | None = None,
    workers: int = 1,
    prepared: Callable[[Job], Job] = lambda job: job,
    on_part: Callable[[Job, bytes], None] = lambda job, part: None,
    on_done: Callable[[Job, Done], None] = lambda job, done: None,
    on_lost: Callable[[Job, str], None] | None = None,
) -> None:
    """Do all jobs, in any order; the first error that a job raises stops the rest and is raised here.

    executor: "local" does them in `workers` processes of this machine (in this process with one), "ray" on the Ray
    cluster at `address` ("auto", "HOST:6379"; None starts one on this machine), on all of its cores, or on
    `workers` of them where that is not 0.
    prepared: called with a job whenever it is sent, so that a job which is sent again knows of its finished parts.
    on_part, on_done: called here with what comes home. on_lost: called with a job that ended its process three times
    and how; without it JobLost is raised.
    Raises ImportError where Ray is not installed, ConnectionError where no cluster answers.
    """
    at_least("workers", workers, 0, integer=True)
    jobs = list(jobs)
    if executor not in ("local", "ray"):
        raise ValueError(f"executor must be 'local' or 'ray', got {executor!r}.")
    if not jobs:
        return
    if executor == "local" and workers <= 1:
        for job in jobs:
            on_done(job, timed(prepared(job), lambda part, job=job: on_part(job, part)))  # type: ignore[misc]
        return
    _Course(jobs, prepared, on_part, on_done, on_lost).run(_crew(executor, address, min(workers, len(jobs))))


def timed(job: Job, keep: Keep, where: str = "") -> Done:
    """Do a job here."""
    began = time.process_time()
    result = job.work(keep)
    return Done(result, time.process_time() - began, where)


def _crew(executor: str, address: str | None, workers: int) -> Crew:
    # Ray is optional, and the pool is not for whoever runs one job.
    module = importlib.import_module(f"mmwave_gym.benchmark.{'cluster' if executor == 'ray' else 'pool'}")
    crew: Crew = module.crew(address, workers)
    return crew


@dataclass
class _Course:
    """The way of all jobs through a crew."""

    jobs: list[Job]
    prepared: Callable[[Job], Job]
    on_part: Callable[[Job, bytes], None]
    on_done: Callable[[Job, Done], None]
    on_lost: Callable[[Job, str], None] | None

    def run(self, crew: Crew) -> None:
        self.waiting, self.left = deque(range(len(self.jobs))), len(self.jobs)
        self.losses: Counter[int] = Counter()
        with crew:
            while self.left:
                while self.waiting and crew.room():
                    batch = [self.waiting.popleft() for _ in range(self._size(crew))]
                    crew.send([(number, self.prepared(self.jobs[number])) for number in batch])
                for event in crew.events():
                    self._follow(event)

    def _size(self, crew: Crew) -> int:
        """Jobs of the next batch. One that was lost goes alone: it may take its process with it again."""
        if self.losses[self.waiting[0]]:
            return 1
        sound = next((n for n, job in enumerate(self.waiting) if self.losses[job]), len(self.waiting))
        return max(1, min(crew.batch(len(self.waiting)), sound))

    def _follow(self, event: Event) -> None:
        match event:
            case Part(number, content):
                self.on_part(self.jobs[number], content)
            case Finished(number, done):
                self.left -= 1
                self.on_done(self.jobs[number], done)
            case Failed(_, error):
                raise error
            case Lost(numbers, reason, blame):
                if blame and numbers:
                    self.losses[numbers[0]] += 1
                for number in numbers:
                    if self.losses[number] < TRIES:
                        self.waiting.append(number)
                    else:
                        self._give_up(self.jobs[number], reason)

    def _give_up(self, job: Job, reason: str) -> None:
        reason = f"{reason}, {TRIES} times"
        self.left -= 1
        if self.on_lost is None:
            raise JobLost(f"{job.label} was given up: {reason}.")
        self.on_lost(job, reason)


@dataclass(frozen=True)
class Call:
    """A function of a module, called with arguments: a job whose result is JSON. `result` reads it."""

    label: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def work(self, keep: Keep) -> bytes:
        return json.dumps(self.function(*self.arguments)).encode()

    @staticmethod
    def result(done: Done) -> Any:
        """What the function returned, as JSON gives it back: tuples are lists."""
        return json.loads(done.result)


def call_all(
    calls: Sequence[Call], run: Callable[..., None] = run_all, on_done: Callable[[Job], None] = lambda job: None
) -> list[Any]:
    """What all functions returned, in order. `run`: `run_all` with the words that say where."""
    found: dict[int, Any] = {}

    def take(job: Job, done: Done) -> None:
        found[id(job)] = Call.result(done)
        on_done(job)

    run(calls, on_done=take)
    return [found[id(call)] for call in calls]
