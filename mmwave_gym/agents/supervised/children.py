"""Processes of agents, as the evaluation sees them: started by a keeper, spoken to by a line, ended for a reason."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.supervised.limits import Limits
from mmwave_gym.agents.supervised.wire import Line

_READY_S, _START_S, _END_S = 120.0, 20.0, 10.0
"""Patience with a keeper that imports, that is to start an agent, and that is to end one. Each is long even for a busy
machine: a keeper that takes longer was stopped, and is given up."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_current: Keeper | None = None
_lock = threading.RLock()


class KeeperGone(Exception):
    """The keeper has ended, or does not answer."""


class Keeper:
    """A keeper process, see `keeper`. It ends when nobody refers to it, or with this process."""

    def __init__(self) -> None:
        self.path, self.owner = list(sys.path), os.getpid()
        ours, theirs = socket.socketpair()
        code = (
            f"import sys; sys.path[:] = {self.path!r}; from mmwave_gym.agents.supervised.keeper import main; "
            f"main({theirs.fileno()}, {self.owner})"
        )
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **dict.fromkeys(_THREADS, "1")},
                start_new_session=True,
            )
        self._control, self._news, self._given_up = ours, b"", False
        self._ended: dict[int, dict[str, Any]] = {}
        weakref.finalize(self, _leave, ours, process, self.owner)
        self._process = process
        self._hear("ready", _READY_S)

    @property
    def is_usable(self) -> bool:
        """Does it serve this process, with the modules that this process finds?"""
        return self.owner == os.getpid() and self.path == sys.path and not self._given_up

    def start(self, limits: Limits, connection: socket.socket, output: int) -> int:
        """The id of a new agent's process, with the other end of its line. Raises KeeperGone."""
        with _lock, self._answering():
            told = {"processes": limits.processes, "memory": limits.memory_bytes, "file": limits.file_bytes}
            order = {"start": told}
            try:
                socket.send_fds(self._control, [json.dumps(order).encode()], [connection.fileno(), output])
            except OSError:
                raise KeeperGone from None
            return int(self._hear("started", _START_S)["started"])

    def end(self, pid: int) -> dict[str, Any]:
        """Make sure that an agent's process has ended, with all that it started; how it did. Raises KeeperGone."""
        with _lock, self._answering():
            if pid not in self._ended:
                with contextlib.suppress(OSError):
                    self._control.sendall(json.dumps({"end": pid}).encode())
            return self.ended(pid, _END_S)

    def ended(self, pid: int, timeout_s: float) -> dict[str, Any]:
        """How an agent's process has ended, within `timeout_s`. Raises KeeperGone."""
        with _lock:
            until = time.monotonic() + timeout_s
            while pid not in self._ended:
                self._hear("ended", until - time.monotonic())
            return self._ended.pop(pid)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Ask a keeper. One that does not answer has ended, or agents stop it: it is ended, and its agents with it."""
        try:
            self._process.send_signal(signal.SIGCONT)  # an agent may have stopped it
            yield
        except KeeperGone:
            self._given_up = True
            if self.owner == os.getpid():
                self._process.kill()
            raise

    def _hear(self, what: str, timeout_s: float) -> dict[str, Any]:
        """The next news of this kind; ends of agents are kept."""
        until = time.monotonic() + timeout_s
        while True:
            while b"\n" in self._news:
                line, _, self._news = self._news.partition(b"\n")
                news: dict[str, Any] = json.loads(line)
                if "ended" in news:
                    self._ended[news["ended"]] = news
                if what in news:
                    return news
            ready, _, _ = select.select([self._control], [], [], max(0.0, until - time.monotonic()))
            try:
                data = self._control.recv(2**16) if ready else b""
            except OSError:
                data = b""
            if not data:
                raise KeeperGone
            self._news += data


def _leave(control: socket.socket, process: subprocess.Popen[bytes], owner: int) -> None:
    """Let a keeper end, and wait until it has."""
    control.close()
    if os.getpid() != owner:
        return
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _keeper(new: bool = False) -> Keeper:
    global _current
    with _lock:
        if new or _current is None or not _current.is_usable:
            _current = None
            try:
                _current = Keeper()
            except KeeperGone:
                raise AgentError(
                    "the process that supervises agents could not be started; its error stands above. "
                    "--trusted plays agents without one."
                ) from None
        return _current


class End(NamedTuple):
    """How an agent's process has ended."""

    code: int | None
    """Its exit code, negative for a signal. None: the keeper was killed, and the agent with it."""
    why: str = ""
    """The limit for which the keeper has ended it, "processes" or "memory"."""

    @classmethod
    def of(cls, news: dict[str, Any]) -> End:
        return cls(news["code"], news["why"])


class Child:
    """One agent's process: its line, and its end."""

    def __init__(self, limits: Limits):
        if not hasattr(os, "fork"):
            raise AgentError(
                "agents that are not shipped play in processes of their own, for which this system lacks os.fork; "
                "--trusted plays an agent that you trust in this one."
            )
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        self.line = Line(ours, reading, limits.output_bytes)
        self._close = weakref.finalize(self, self.line.close)
        self._end: End | None = None
        with theirs:
            try:
                self._keeper = _keeper()
                self.pid = self._keeper.start(limits, theirs, writing)
            except KeeperGone:  # an agent before this one has killed it
                self._keeper = _keeper(new=True)
                self.pid = self._keeper.start(limits, theirs, writing)
            finally:
                os.close(writing)

    def end(self) -> End:
        """End the process, if it has not ended by itself, with all that it has started. Safe to call twice."""
        if self._end is None:
            try:
                self._end = End.of(self._keeper.end(self.pid))
            except KeeperGone:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
                self._end = End(None)
            self._close()
        return self._end

    def own_end(self, timeout_s: float) -> End | None:
        """How the process ends by itself within `timeout_s`; None where it does not, or nobody is left to tell."""
        if self._end is None:
            try:
                self._end = End.of(self._keeper.ended(self.pid, timeout_s))
            except KeeperGone:
                return None
            self._close()
        return self._end
