"""Processes that end with the process that started them, whatever ends it: an error, Ctrl-C, SIGTERM or SIGKILL."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import Any

_POLL_S = 0.5
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int | None = None) -> None:
    """Make this process end within seconds of its parent's end. Call it first of all in the child.

    parent: the parent's process id, as the parent itself told it; a child of `multiprocessing` knows it. Without it, a
    parent that ended before this call goes unnoticed.

    On Linux the kernel sends SIGKILL, also into a long call of C code. It does so when the *thread* ends that started
    the child: start children from a thread that lives as long as they shall. Everywhere else, and behind that, a
    thread looks every half second; a C call that keeps the interpreter's lock delays it.
    """
    started_by = multiprocessing.parent_process()
    if parent is None:
        parent = os.getppid() if started_by is None else started_by.pid
    killed_by_kernel()
    if parent is not None and os.name == "posix" and os.getppid() != parent:
        os._exit(1)  # it ended before the kernel was asked
    watch_parent(parent)


def killed_by_kernel() -> bool:
    """Ask Linux for SIGKILL at the parent's end; whether this was granted."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):  # a libc without it
        return False
    return bool(prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0) == 0)


def watch_parent(parent: int | None) -> None:
    """Start a thread that ends this process when its parent is no longer the process `parent`."""
    threading.Thread(target=_watch, args=(parent,), name="end-with-parent", daemon=True).start()


def _watch(parent: int | None) -> None:
    started_by = multiprocessing.parent_process()
    while True:
        if started_by is None:
            time.sleep(_POLL_S)
        elif wait([started_by.sentinel], timeout=_POLL_S):
            break
        if os.name == "posix" and os.getppid() != parent:
            break
    os._exit(1)


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP: raised where Ctrl-C raises KeyboardInterrupt, so that whoever handles that handles both."""


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """In the block SIGTERM and SIGHUP stop as Ctrl-C does, and the process ends with the code that a shell expects.

    That is 128 and the signal's number: 130, 143, 129. A signal that is ignored (nohup) stays ignored, and nothing
    changes outside the main thread, where Python handles no signals.
    """
    received: list[int] = []
    before: dict[int, Any] = {}

    def stop(number: int, frame: object) -> None:
        received.append(number)
        raise Stopped(signal.Signals(number).name)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(128 + (received[0] if received else signal.SIGINT))
    except SystemExit:
        if received:
            sys.exit(128 + received[0])
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
