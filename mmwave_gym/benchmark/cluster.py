"""Jobs on a Ray cluster. Nodes need mmwave-gym of the same version, and no disk that they share.

A batch of jobs is one task of Ray on one core, and what happens to them comes home as a stream. Ray itself repeats
nothing: which job is sent again is decided in one place, `jobs.run_all`, where finished parts are known.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read by Ray when it is imported
import ray
from ray import exceptions

from mmwave_gym.benchmark.jobs import LARGEST_BATCH, Event, Failed, Finished, Job, Lost, Part, timed
from mmwave_gym.benchmark.pool import portable
from mmwave_gym.version import __version__

_PATIENCE_S = 1.0
_NOT_BY_A_JOB = (exceptions.NodeDiedError, exceptions.ObjectLostError)


def crew(address: str | None, workers: int) -> Cluster:
    """The cluster's cores, `workers` of them at most where that is not 0."""
    return Cluster(address, workers)


def serve(version: str, batch: Sequence[tuple[int, Job]]) -> Iterator[Event]:
    """On a node: do a batch, and yield what happens."""
    here = ray.get_runtime_context().get_node_id()[:6]
    if version != __version__:
        text = f"node {here} has mmwave-gym {__version__}, and this is {version}: install the same version everywhere."
        yield Failed(batch[0][0], ValueError(text))
        return
    said: SimpleQueue[Event] = SimpleQueue()

    def work() -> None:
        for number, job in batch:
            try:
                done = timed(job, lambda part, number=number: said.put(Part(number, part)), here)  # type: ignore[misc]
                said.put(Finished(number, done))
            except BaseException as error:
                said.put(Failed(number, portable(error)))
                return

    # A thread of its own, so that parts leave while the job goes on.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    left = len(batch)
    while left:
        event = said.get()
        left = 0 if isinstance(event, Failed) else left - isinstance(event, Finished)
        yield event


class Cluster:
    """The crew of a Ray cluster."""

    def __init__(self, address: str | None, workers: int) -> None:
        self._address, self._most = address, workers
        self._begun: dict[Any, list[int]] = {}
        """Streams of batches, each with the jobs that it has not done."""

    def __enter__(self) -> Cluster:
        self._ours = not ray.is_initialized()
        if self._ours:
            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
            here: dict[str, Any] = {} if self._address else {"include_dashboard": False}
            try:
                ray.init(self._address, **quiet, **here)
            except (ConnectionError, exceptions.AuthenticationError) as error:
                raise ConnectionError(
                    f"no Ray cluster lets us in at {self._address}: start one with `ray start --head`. One that was "
                    "started with a token wants RAY_AUTH_MODE=token and the same token here (docs/many_machines.md)."
                ) from error
        # What a task's end means is decided by `run_all`; a stream that Ray began anew would tell everything twice.
        self._task = ray.remote(num_cpus=1, max_retries=0, num_returns="streaming")(serve)
        return self

    def __exit__(self, *exc: object) -> None:
        for stream in self._begun:
            with contextlib.suppress(Exception):
                ray.cancel(stream, force=True)
        self._begun.clear()
        if self._ours:
            ray.shutdown()

    def cores(self) -> int:
        """Cores that the jobs may use now; nodes come and go."""
        cores = max(1, int(ray.cluster_resources().get("CPU", 0)))
        return min(cores, self._most) if self._most else cores

    def room(self) -> int:
        return max(0, self.cores() - len(self._begun))

    def batch(self, waiting: int) -> int:
        """Large ones first, single jobs at the end, so that all cores end together."""
        return max(1, min(LARGEST_BATCH, waiting // (4 * self.cores())))

    def send(self, jobs: Sequence[tuple[int, Job]]) -> None:
        self._begun[self._task.remote(__version__, list(jobs))] = [number for number, _ in jobs]

    def events(self) -> Iterator[Event]:
        ready, _ = ray.wait(list(self._begun), num_returns=len(self._begun), timeout=0)
        if not ready:
            ready, _ = ray.wait(list(self._begun), timeout=_PATIENCE_S)
        for stream in ready:
            yield from self._next(stream)

    def _next(self, stream: Any) -> Iterator[Event]:
        left = self._begun[stream]
        try:
            event: Event = ray.get(next(stream))
        except StopIteration:
            del self._begun[stream]
            if left:
                yield Lost(tuple(left), "its process ended without a word", blame=True)
            return
        except exceptions.RayTaskError as error:  # not even begun: the node cannot import what the job needs
            del self._begun[stream]
            yield Failed(left[0], portable(error))
            return
        except exceptions.RayError as error:
            del self._begun[stream]
            yield Lost(tuple(left), _how(error), blame=not isinstance(error, _NOT_BY_A_JOB))
            return
        if isinstance(event, Finished):
            left.remove(event.job)
        yield event


def _how(error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"killed, perhaps out of memory ({type(error).__name__}: {first})"
