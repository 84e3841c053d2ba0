"""The process between the evaluation and supervised agents: it starts them, watches their processes, and ends them.

It imports the package once and forks itself for every agent, so that an agent starts within milliseconds, in a process
that never held a batch. An agent's parent is this process: an agent that kills its parent ends itself alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NoReturn

from mmwave_gym.agents import registry
from mmwave_gym.agents.supervised.child import serve
from mmwave_gym.core import rooms
from mmwave_gym.core.processes import killed_by_kernel

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h: orphans of agents become children of this process
_TICK_S, _SCAN_S = 0.02, 0.2
_SPARE_TASKS = 1000
_JUMP = 8  # so many new threads on the machine within a tick are looked at without delay


@dataclass
class _Kept:
    """An agent's process, and why it was ended here, if it was."""

    processes: int
    memory: int  # bytes
    why: str = ""


def main(control: int, parent: int) -> None:
    """Keep agents until the evaluation, the process `parent` at the other end of `control`, ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the evaluation decides what Ctrl-C means
    usual = os.nice(0)
    with contextlib.suppress(OSError):
        os.nice(-10)  # where that is allowed: it must have its turn while agents multiply
    rooms.rooms()
    registry.agents()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    _Keeper(socket.socket(fileno=control), parent, usual).run()


class _Keeper:
    def __init__(self, control: socket.socket, parent: int, usual_niceness: int):
        self._control, self._parent, self._niceness = control, parent, usual_niceness
        self._kept: dict[int, _Kept] = {}
        self._started, self._threads, self._scanned_s = "", 0, 0.0
        self._waker, wakes = os.pipe()
        for descriptor in (self._waker, wakes):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Serve until the evaluation has gone, however it went; then nothing of any agent is left."""
        self._tell({"ready": os.getpid()})
        watched: list[Any] = [self._control, self._waker]
        while os.getppid() == self._parent:
            ready, _, _ = select.select(watched, [], [], _TICK_S if self._kept else 1.0)
            if self._waker in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._waker, 4096)
            if self._control in ready and not self._obey():
                break
            self._bury()
            self._watch()
        for pid in self._kept:
            self._end(pid)
        self._bury()

    def _obey(self) -> bool:
        """Do what the evaluation asks; False where it has gone."""
        text, descriptors, _, _ = socket.recv_fds(self._control, 4096, 2)
        if not text:
            return False
        order = json.loads(text)
        if "end" in order and order["end"] in self._kept:
            self._end(order["end"])
        elif "start" in order:
            self._start(order["start"], *descriptors)
        return True

    def _start(self, limits: dict[str, int], connection: int, output: int) -> None:
        keeper = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_agent(limits, connection, output, keeper)
        os.close(connection)
        os.close(output)
        self._kept[pid] = _Kept(limits["processes"], limits["memory"])
        self._tell({"started": pid})

    def _become_agent(self, limits: dict[str, int], connection: int, output: int, keeper: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            killed_by_kernel()
            if os.getppid() != keeper:
                os._exit(1)  # it ended before the kernel was asked
            self._control.close()
            os.close(self._waker)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            os.setpriority(os.PRIO_PROCESS, 0, self._niceness)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"],) * 2)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file"],) * 2)
            _limit_tasks(limits["processes"])
            serve(socket.socket(fileno=connection))
        finally:
            os._exit(1)

    def _tell(self, news: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has gone, as the next round sees
            self._control.sendall(json.dumps(news).encode() + b"\n")

    def _end(self, pid: int, why: str = "") -> None:
        """Kill an agent and all that it has started."""
        self._kept[pid].why = self._kept[pid].why or why
        _kill(pid, _below(pid, _children()))

    def _bury(self) -> None:
        """Take leave of processes that have ended. An agent's group ends with it, and orphans are ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._kept:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)  # the group keeps its number while it has a member
                self._watch(at_once=True)
                self._tell({"ended": pid, "code": os.waitstatus_to_exitcode(status), "why": self._kept.pop(pid).why})

    def _watch(self, at_once: bool = False) -> None:
        """End agents with too many processes or too much memory, and what lives on without its parent."""
        if not self._kept:
            return
        threads, started = _threads()
        now = time.monotonic()
        waits = now < self._scanned_s + _SCAN_S and threads < self._threads + _JUMP
        self._threads = min(self._threads, threads) if waits else threads
        if not at_once and (waits or (started == self._started and started)):
            families = {pid: [pid] for pid in self._kept}
        else:
            self._started, self._scanned_s = started, now
            children = _children()
            for orphan in children[os.getpid()]:
                if orphan not in self._kept:
                    _kill(orphan, _below(orphan, children))
            families = {pid: [pid, *_below(pid, children)] for pid in self._kept}
        for pid, family in families.items():
            kept = self._kept[pid]
            if len(family) - 1 > kept.processes:
                self._end(pid, "processes")
            elif all(sum(map(count, family)) > kept.memory for count in (_resident_bytes, _own_bytes)):
                self._end(pid, "memory")


def _limit_tasks(processes: int) -> None:
    """A second line against agents that multiply: Linux counts the threads of the whole user, and none of root's."""
    threads, _ = _threads()
    most = threads + processes + _SPARE_TASKS
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if threads and (hard == resource.RLIM_INFINITY or most < hard):
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _kill(pid: int, below: Any) -> None:
    for end, target in ((os.killpg, pid), (os.kill, pid), *((os.kill, child) for child in below)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(target, signal.SIGKILL)


def _below(pid: int, children: dict[int, list[int]]) -> list[int]:
    """All descendants of a process."""
    found, new = [], list(children[pid])
    while new:
        found += new
        new = [grandchild for child in new for grandchild in children[child]]
    return found


def _children() -> dict[int, list[int]]:
    """Process -> its living children. Empty where there is no /proc: there only an agent's own group is known."""
    found: dict[int, list[int]] = defaultdict(list)
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                    state, parent, *_ = file.read(512).rpartition(b")")[2].split()
                    if state != b"Z":
                        found[int(parent)].append(int(name))
    return found


def _threads() -> tuple[int, str]:
    """How many threads the machine has, and which was started last; 0 and empty where that is not known."""
    try:
        with open("/proc/loadavg") as file:
            *_, counts, last = file.read().split()
        return int(counts.partition("/")[2]), last
    except (OSError, ValueError):
        return 0, ""


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            return int(file.read(128).split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _own_bytes(pid: int) -> int:
    """Resident memory, where what several processes share is divided among them; slower to tell."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as file:
            return 1024 * int(file.read(1024).partition(b"\nPss:")[2].split()[0])
    except (OSError, IndexError):
        return 0
