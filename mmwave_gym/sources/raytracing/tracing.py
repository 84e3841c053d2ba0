"""Runs the ray tracer in a child process and turns its end, an abort too, into arrays or one clear line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import CityError, require

LLVM = "DRJIT_LIBLLVM_PATH"
"""The environment variable by which Dr.Jit, Sionna RT's compiler, is told its LLVM."""
OLDEST_LLVM = 17
"""15 and 16 abort the process; 19 is what we tested."""
LLVM_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/opt/homebrew/opt/llvm/lib",
)
HOW = (
    "install LLVM 19 (Debian, Ubuntu: apt-get install libllvm19), or name its library: "
    f"{LLVM}=/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1"
)
CHILD = (sys.executable, "-m", "mmwave_gym.sources.raytracing.child")

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, how much of it is done, and of how much."""


def check_installed() -> None:
    """ImportError, before any work, where Sionna RT is missing."""
    require("ray tracing", "sionna.rt")


def find_llvm(folders: Sequence[str] = LLVM_FOLDERS) -> str | None:
    """The newest LLVM library of version 17 or later in the usual folders."""
    found: dict[tuple[int, ...], str] = {}
    for folder in folders:
        for file in sorted(Path(folder).glob("libLLVM*")) if Path(folder).is_dir() else ():
            if match := re.fullmatch(r"libLLVM(?:\.so\.|-)([0-9]+(?:\.[0-9]+)*)(?:\.so|\.dylib)?", file.name):
                version = tuple(int(part) for part in match[1].split("."))
                if version[0] >= OLDEST_LLVM:
                    found.setdefault(version, str(file))
    return found[max(found)] if found else None


def run(
    job: dict[str, Any], on_progress: Progress = lambda stage, done, of: None, *, command: Sequence[str] = CHILD
) -> dict[str, NDArray[Any]]:
    """The arrays that the child `command` makes of a job: shapes and units as of `child.trace`, such as `gain_db`
    (points, sites) in dB.

    Raises CityError with the child's reason, or with what to install where its process was aborted.
    """
    environment = dict(os.environ)
    if not environment.get(LLVM) and (library := find_llvm()):
        environment[LLVM] = library
    with tempfile.TemporaryDirectory(prefix="mmwave-raytrace-") as folder, tempfile.TemporaryFile() as errors:
        file = Path(folder, "job.json")
        out = Path(folder, "traced.npz")
        file.write_text(json.dumps({**job, "out": str(out), "parent": os.getpid()}))
        child = subprocess.Popen(
            [*command, str(file)], stdout=subprocess.PIPE, stderr=errors, env=environment, text=True
        )
        try:
            reason = _listen(child, on_progress)
            child.wait()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode != 0:
            errors.seek(0)
            told = errors.read().decode(errors="replace")
            raise CityError(reason or why_ended(child.returncode, told, environment.get(LLVM)))
        with np.load(out, allow_pickle=False) as arrays:
            return dict(arrays)


def _listen(child: subprocess.Popen[str], on_progress: Progress) -> str:
    """The reason that a child tells, if any, after all its lines. Lines that are not its own are passed over."""
    reason = ""
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            try:
                words = json.loads(line)
            except ValueError:
                continue
            if isinstance(words, dict) and "stage" in words:
                on_progress(words["stage"], words["done"], words["of"])
            elif isinstance(words, dict) and "error" in words:
                reason = str(words["error"])
    return reason


def why_ended(code: int, told: str, library: str | None) -> str:
    """One line for a child that ended with `code` (negative: a signal) and wrote `told` on its standard error."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    last = f" Its last words: {lines[-1][:300]}" if lines else ""
    if code < 0 and -code in (signal.SIGKILL, signal.SIGTERM):
        return f"the ray tracer was killed ({signal.Signals(-code).name}): is there enough memory?{last}"
    with_llvm = "llvm" in told.lower()
    if code < 0 or with_llvm:
        name = (
            signal.Signals(-code).name
            if code < 0 and -code in [int(known) for known in signal.Signals]
            else f"exit code {code}"
        )
        used = f"with the LLVM library {library}" if library else f"and no LLVM {OLDEST_LLVM} or later was found"
        return f"the ray tracer's process was aborted ({name}), {used}: {HOW}.{last}"
    return f"the ray tracer failed (exit code {code}).{last}"
