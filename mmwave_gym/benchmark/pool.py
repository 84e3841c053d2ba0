"""Worker processes of this machine. They end with their parent, and one that dies is replaced.

`concurrent.futures` and loky give up the whole pool when one process dies; pebble's processes share one pipe, and it
gives up where one dies between two tasks. Here each worker has a pipe of its own, so a killed one can spoil no other's
messages, and the loop that hands out jobs is the only thread.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from mmwave_gym.benchmark.jobs import Event, Failed, Finished, Job, Lost, Part, timed
from mmwave_gym.core.processes import end_with_parent

_PATIENCE_S = 1.0


def crew(address: str | None, workers: int) -> Pool:
    """The pool; it has no address."""
    return Pool(workers)


def serve(pipe: Connection, parent: int) -> None:
    """The life of a worker: jobs in, events out, until its parent ends it or ends."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent decides
    while True:
        number, job = pipe.recv()
        pipe.send(_outcome(number, job, pipe))


def _outcome(number: int, job: Job, pipe: Connection) -> Event:
    try:
        return Finished(number, timed(job, lambda part: pipe.send(Part(number, part))))
    except BaseException as error:  # SystemExit too: what a job raises must not pass for a death
        return Failed(number, portable(error))


def portable(error: BaseException) -> BaseException:
    """An error that can be sent to another process, with where it was raised as a note."""
    trace = "".join(traceback.format_exception(error))
    try:
        found = pickle.loads(pickle.dumps(error))
    except Exception:
        found = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(found, Exception):  # SystemExit in a job does not end this program
        found = RuntimeError(f"{type(error).__name__}: {error}")
    found.add_note(f"in a worker process:\n{trace}")
    return found


class Worker:
    """A process with a pipe of its own, and the job that it does."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=serve, args=(theirs, os.getpid()), daemon=False)
        self.process.start()
        theirs.close()  # or its end would not be seen
        self.job: int | None = None

    def send(self, number: int, job: Job) -> None:
        self.job = number
        with contextlib.suppress(OSError):  # it has died: `heard` tells
            self.pipe.send((number, job))

    def heard(self) -> Iterator[Event]:
        """What it has said; `Lost` at last where it has died."""
        died = not self.process.is_alive()  # asked first: what it said before its end is in the pipe then
        try:
            while self.pipe.poll():
                event = self.pipe.recv()
                if not isinstance(event, Part):
                    self.job = None
                yield event
        except (OSError, EOFError, pickle.UnpicklingError):  # its end, or half a message before it
            died = True
        if died:
            self.process.join(_PATIENCE_S)
            self.pipe.close()
            jobs = () if self.job is None else (self.job,)
            self.job = None
            yield Lost(jobs, ended(self.process.exitcode), blame=True)


class Pool:
    """`workers` processes; the crew of one machine."""

    def __init__(self, workers: int) -> None:
        self._most = workers
        self._workers: list[Worker] = []

    def __enter__(self) -> Pool:
        # One thread a process: the products are small, and the threads of several processes would fight.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        return self

    def __exit__(self, *exc: object) -> None:
        """End all workers: nothing that they do is needed any more."""
        processes = [worker.process for worker in self._workers]
        for end in (BaseProcess.terminate, BaseProcess.kill):
            for process in processes:
                if process.is_alive():
                    end(process)
            for process in processes:
                process.join(_PATIENCE_S)
        self._workers.clear()

    def room(self) -> int:
        return self._most - sum(worker.job is not None for worker in self._workers)

    def batch(self, waiting: int) -> int:
        return 1  # a worker that has started costs nothing more

    def send(self, jobs: Sequence[tuple[int, Job]]) -> None:
        [(number, job)] = jobs
        idle = next((w for w in self._workers if w.job is None and w.process.is_alive()), None)
        if idle is None:
            idle = Worker()
            self._workers.append(idle)
        idle.send(number, job)

    def events(self) -> Iterator[Event]:
        ends = [worker.process.sentinel for worker in self._workers]
        ready = wait([*(worker.pipe for worker in self._workers), *ends], timeout=_PATIENCE_S)
        for worker in list(self._workers):
            if worker.pipe in ready or worker.process.sentinel in ready:
                for event in worker.heard():
                    if isinstance(event, Lost):
                        self._workers.remove(worker)
                    yield event


def ended(exitcode: int | None) -> str:
    """How a process ended, in words."""
    if exitcode is None or exitcode >= 0:
        return f"its process ended with code {exitcode}"
    name = signal.Signals(-exitcode).name if -exitcode in set(signal.Signals) else f"signal {-exitcode}"
    return f"killed, perhaps out of memory (its process ended by {name})"
