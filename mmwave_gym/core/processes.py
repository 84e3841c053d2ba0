"""Processes that end with the process that started them, whatever ends it: an error, Ctrl-C, SIGTERM or SIGKILL."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import wait

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
