"""The project as a user gets it: built, and installed into an environment of its own, outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def built(out: Path) -> Path:
    """A source distribution, and the wheel that is built from it, in the folder `out`; returns the wheel."""
    words = ["-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def installed(folder: Path, what: Path) -> Path:
    """The Python of a throw-away environment, in which `what` is installed; libraries are those of ours."""
    for extra in ("pip", "hatchling", "stable_baselines3", "pygame", "jinja2", "PIL"):
        pytest.importorskip(extra)
    venv.create(folder)  # pip is that of our libraries: to install one anew takes seconds
    (site,) = folder.glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "zz_libraries.pth").write_text("".join(f"import site; site.addsitedir({p!r})\n" for p in libraries))
    made = folder / "bin" / "python"
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec {made} -m pip "$@"\n')
    pip.chmod(0o755)
    done = run([str(made), "-m", "pip", "install", "--quiet", "--no-deps", str(what)], made, ROOT)
    assert done.returncode == 0, done.stdout
    return made


def run(command: list[str], python: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command with that Python first on the path, without network; its output is one text."""
    variables = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")]),
        "OMP_NUM_THREADS": "1",
        "PIP_NO_INDEX": "1",  # no network
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the other way round: no isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    return subprocess.run(
        command, cwd=cwd, env=variables, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
