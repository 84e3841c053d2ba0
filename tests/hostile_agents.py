"""Some fifty agents that nobody should meet unprotected, and some that behave: they play in processes of their own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import signal
import sys
import threading
import time
from typing import Any

import numpy as np


class Honest:
    """Stays for ever; the others are it, but for one thing."""

    label = "honest"

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        self.misbehave(len(observation))
        return self.action(len(observation)), state

    def misbehave(self, rows: int) -> None:
        pass

    def action(self, rows: int) -> Any:
        return np.zeros(rows, np.int64)


def _connections() -> list[int]:
    """Descriptors of sockets: one of them leads to the evaluation."""
    found = []
    for number in range(3, 64):
        try:
            if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
                found.append(number)
        except OSError:
            pass
    return found


def _send(data: bytes) -> None:
    for number in _connections():
        os.write(number, data)


def _raising(error: BaseException) -> Any:
    def misbehave(self, rows):
        raise error

    return misbehave


def _deep(self, rows):
    return self.misbehave(rows)


def _fork_bomb(self, rows):
    """Doubles, but not for ever: it is to be noticed, not to keep the tests' machine busy."""
    for _ in range(7):
        os.fork()
    time.sleep(60)


def _many_children(self, rows):
    for _ in range(40):
        if os.fork() == 0:
            time.sleep(60)
    time.sleep(60)


def _hoard(self, rows):
    kept = []
    while True:
        kept.append(np.empty(2**22))


def _share_hoard(self, rows):
    """Shared memory is no data segment: the resident memory tells."""
    import mmap

    kept = mmap.mmap(-1, 3 * 2**27)
    while kept.tell() < 3 * 2**27:
        kept.write(b"1" * 2**22)
    time.sleep(60)


def _spin(self, rows):
    while True:
        pass


def _deaf(self, rows):
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


def _parricide(self, rows):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def _stop_parent(self, rows):
    """The keeper is stopped, and so is every watch over this process."""
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(60)


def _late_bytes(self, rows):
    """A thread that outlives the answer speaks on the line by itself."""
    threading.Thread(target=_send, args=(b"late" * 20,)).start()
    time.sleep(0.5)


def _twin_in_disguise(self, rows):
    """A twin that passes for the first process answers, too."""
    own = os.getpid()
    os.getpid = lambda: own
    os.fork()


def _no_files(self, rows):
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    pathlib.Path("x").write_text("")


def _threaded_exit(self, rows):
    threading.Thread(target=os._exit, args=(3,)).start()
    time.sleep(60)


def _orphan_then_exit(self, rows):
    """Leaves a process behind, out of its group, that nobody waits for."""
    if os.fork() == 0:
        os.setsid()
        if (left := os.fork()) == 0:
            time.sleep(600)
        pathlib.Path("orphan.pid").write_text(str(left))
        os._exit(0)
    os.wait()
    os._exit(0)


def _decline():
    from mmwave_gym.agents import NotApplicable

    raise NotApplicable("no longer")


class _Unprintable(Exception):
    def __str__(self) -> str:
        os._exit(5)


class _Hook:
    """Acts where it is made an array."""

    def __array__(self, dtype=None, copy=None):
        os._exit(9)


def _nested(depth: int) -> dict[str, Any]:
    return {"a": _nested(depth - 1)} if depth else {}


_OR_LATE = "|predict took 2 s"  # on a busy machine their time ends first
MISBEHAVIOURS = {
    "SysExit": (_raising(SystemExit(0)), "SystemExit: 0"),
    "HardExit": (lambda self, rows: os._exit(0), "ended itself with exit code 0 in predict"),
    "Generator": (_raising(GeneratorExit()), "GeneratorExit"),
    "Interrupt": (_raising(KeyboardInterrupt()), "KeyboardInterrupt"),
    "Unprintable": (_raising(_Unprintable()), "exit code 5 in predict"),
    "Error": (_raising(RuntimeError("no idea")), "RuntimeError: no idea"),
    "Deep": (_deep, "RecursionError"),
    "Segfault": (lambda self, rows: ctypes.string_at(0), "SIGSEGV in predict"),
    "Abort": (lambda self, rows: os.abort(), "SIGABRT in predict"),
    "Suicide": (lambda self, rows: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL in predict"),
    "Parricide": (
        lambda self, rows: (os.kill(os.getppid(), signal.SIGKILL), time.sleep(60)),
        "killed the process that",
    ),
    "ForkBomb": (_fork_bomb, f"started more than 32 processes{_OR_LATE}"),
    "ManyChildren": (_many_children, f"started more than 32 processes{_OR_LATE}"),
    "Orphan": (_orphan_then_exit, "ended itself with exit code 0"),
    "Hoard": (_hoard, "the limit is 0.25 GiB of memory"),
    "ShareHoard": (_share_hoard, f"used more than 0.25 GiB of memory{_OR_LATE}"),
    "Spin": (_spin, "predict took 2 s"),
    "Sleep": (lambda self, rows: time.sleep(60), "predict took 2 s"),
    "Deaf": (_deaf, "predict took 2 s"),
    "Flood": (lambda self, rows: [print("spam " * 1000) for _ in range(10**6)], "printed more than 1 MiB.*spam"),
    "RawFlood": (
        lambda self, rows: [os.write(1, b"raw " * 1000) for _ in range(10**6)],
        "printed more than 1 MiB.*raw",
    ),
    "Closes": (lambda self, rows: os.closerange(0, 64), "closed its connection in predict|ended itself"),
    "Garbage": (lambda self, rows: _send(b"\0" * 64), "sent what is no answer"),
    "Forged": (lambda self, rows: _send(b"mmw1" + b"\xff" * 20), "sent what is no answer: it is too large"),
    "ThreadExit": (_threaded_exit, "exit code 3 in predict"),
    "Declines": (lambda self, rows: _decline(), "no longer"),
    "Parent": (_stop_parent, "predict took 2 s"),
    "LateBytes": (_late_bytes, "sent what is no answer"),
    "Disguise": (_twin_in_disguise, "answers a call that was not made|sent what is no answer|actions outside"),
    "NoFiles": (_no_files, "OSError: .*Too many open files"),
    "OverSocket": (
        lambda self, rows: [os.dup2(os.open(os.devnull, os.O_RDWR), n) for n in _connections()],
        "closed its connection in predict|ended itself",
    ),
    "Alarm": (lambda self, rows: (signal.setitimer(signal.ITIMER_REAL, 0.01), time.sleep(60)), "SIGALRM in predict"),
    "Stops": (lambda self, rows: os.kill(os.getpid(), signal.SIGSTOP), "predict took 2 s"),
}
"""Name -> what it does in `predict`, and the reason that its row gives."""

ACTIONS = {
    "Ragged": (lambda rows: [[0], [0, 1]] * rows, "must return an array of actions"),
    "Floats": (lambda rows: np.zeros(rows), "must return integers, got dtype float64"),
    "Nan": (lambda rows: np.full(rows, np.nan), "must return integers"),
    "Texts": (lambda rows: ["0"] * rows, "must return numbers, got dtype <U1"),
    "Wide": (lambda rows: np.zeros((rows, 2), int), "actions of shape"),
    "Huge": (lambda rows: np.zeros((2**26,), np.int64), "sent what is no answer: it is too large|of memory"),
    "Negative": (lambda rows: [-(10**400)] * rows, "must return numbers, got dtype object"),
    "Hook": (lambda rows: _Hook(), "exit code 9 in predict"),
    "Half": (lambda rows: np.zeros(rows, np.float16), "must return integers, got dtype float16"),
    "Axes": (lambda rows: np.zeros((1,) * 20 + (rows,), int), "an array has no shape"),
    "Nowhere": (lambda rows: np.zeros((0, 2**50), int), "an impossible shape"),
    "Outside": (lambda rows: np.full(rows, 99), "actions outside"),
}
"""Name -> the actions, and the reason."""

ATTRIBUTES = {
    "BytesLabel": ({"label": b"x"}, "label must be a text, got b'x'"),
    "LongLabel": ({"label": "x" * 10**6}, "label must have 1 to 100 printable characters"),
    "Config": ({"config": {"a": object()}}, "config must be a dict of JSON values"),
    "NanConfig": ({"config": {"a": float("nan")}}, "config must be a dict of JSON values"),
    "Turned": ({"label": "safe\u202elive"}, "label must have 1 to 100 printable characters"),
    "Unseen": ({"label": "\u3164"}, "label must have 1 to 100 printable characters"),
    "Climbing": ({"label": "a" + 80 * "\u0301"}, "label must have 1 to 100 printable characters"),
    "DeepConfig": ({"config": _nested(500)}, "config must be a dict of JSON values: it nests more than"),
    "HalfCharacter": ({"config": {"a": "\ud800"}}, "config must be a dict of JSON values: it holds half of a char"),
    "Root": ({"access": "root"}, "access must be one of local, central, trajectory, hindsight, got 'root'"),
}
"""Name -> attributes, and the reason."""

for _name, (_act, _) in MISBEHAVIOURS.items():
    globals()[_name] = type(_name, (Honest,), {"misbehave": _act})
for _name, (_make, _) in ACTIONS.items():
    globals()[_name] = type(_name, (Honest,), {"action": lambda self, rows, make=_make: make(rows)})
for _name, (_given, _) in ATTRIBUTES.items():
    globals()[_name] = type(_name, (Honest,), _given)


class NoInit(Honest):
    def __init__(self) -> None:
        raise ValueError("not today")


class ExitsInit(Honest):
    def __init__(self) -> None:
        os._exit(0)


class BadBegin(Honest):
    def begin(self, view, rng):
        raise LookupError("nowhere to begin")


class BadLearn(Honest):
    def learn(self, state, observation, action, reward, next_observation, done, info):
        sys.exit("learned nothing")


class SlowLearner(Honest):
    def learn(self, state, observation, action, reward, next_observation, done, info):
        time.sleep(60)


class Grower(Honest):
    """Its memory grows with every step."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.action(len(observation)), [*(state or []), np.ones(2**20)]


class LastWords(Honest):
    """Its state ends the process when it is let go."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.action(len(observation)), _Parting()


class _Parting:
    def __del__(self) -> None:
        os._exit(6)


class Haunted(Honest):
    """A thread of it asks for the view's arrays while the evaluation does not listen."""

    def begin(self, view, rng):
        threading.Thread(target=self.ask, args=(view,), daemon=True).start()

    def ask(self, view) -> None:
        while True:
            with contextlib.suppress(Exception):
                view.look("x")


class Climber(Honest):
    """Raises its level once it plays, and asks on the wire for what it was not granted."""

    def begin(self, view, rng):
        view._access = self.access = "hindsight"
        return view

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        state.look("sinr_ahead_db", "channels")
        return self.action(len(observation)), state


class BatchReader(Honest):
    """Takes the batch from its view, as a cheat does."""

    def begin(self, view, rng):
        return view._batch.episodes


OTHERS = {
    "NoInit": "ValueError: not today",
    "ExitsInit": "exit code 0 in load",
    "BadBegin": "LookupError: nowhere to begin",
    "BadLearn": "SystemExit: learned nothing",
    "Climber": "KeyError",
    "SlowLearner": "learn took 2 s",
    "Grower": "the limit is 0.25 GiB of memory",
    "LastWords": "exit code 6",
    "Haunted": "sent what is no answer|ended itself with exit code 1",
    "BatchReader": "has no attribute '_batch'",
}

MODULES = {
    "hostile_exit:X": ("import os; os._exit(0)", "exit code 0 in load"),
    "hostile_hang:X": ("import time; time.sleep(600)", "load took 2 s"),
    "hostile_print:X": ("while True: print('gigabyte ' * 10**5)", "printed more than 1 MiB"),
    "hostile_raise:X": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "hostile_syntax:X": ("def", "SyntaxError"),
}
"""Modules that fail when they are imported, and the reason."""


def reasons() -> dict[str, str]:
    """Agents by name, with a pattern of the reason that each row has to give."""
    tables = (MISBEHAVIOURS, ACTIONS, ATTRIBUTES)
    told = {f"hostile_agents:{name}": why for table in tables for name, (_, why) in table.items()}
    told |= {f"hostile_agents:{name}": why for name, why in OTHERS.items()}
    return told | {name: why for name, (_, why) in MODULES.items()}


class Writer(Honest):
    """Fills the disk."""

    def misbehave(self, rows: int) -> None:
        with open("filled", "wb", buffering=0) as file:
            while file.write(b"x" * 2**16):
                pass


class Rewriter(Honest):
    """Writes over its observations, and returns a view of them: they are its own copy."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        observation[:] = 0.0
        return observation[:, 0].view(np.int32), observation


class Twin(Honest):
    """Forks in its first decisions and goes on as two, as four, as eight."""

    left = 3

    def misbehave(self, rows: int) -> None:
        if self.left:
            self.left -= 1
            os.fork()
