"""Packages outside this repository's: installing them into a folder, and running Python where it is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RELAY = Path(__file__).parent / "outside" / "relay_gym"


def install(site: Path, *packages: Path) -> Path:
    """Install packages into the folder `site`, without network and without what they depend on."""
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(site), *map(str, packages)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def environment(site: Path) -> dict[str, str]:
    """Environment variables with which Python finds what is in `site`, and the command line of this one."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PYTHONPATH": str(site), "PATH": path, "OMP_NUM_THREADS": "1"}


def python(site: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=cwd, env=environment(site)
    )


def cli(site: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line `mmwave-gym`."""
    return python(site, cwd, "-m", "mmwave_gym.cli", *words)


@dataclass
class Said:
    """What a command of `mmwave-gym` printed, and its exit code."""

    code: int
    out: str
    err: str


def session(site: Path, cwd: Path, *commands: Sequence[str]) -> list[Said]:
    """Several commands of `mmwave-gym`, one after the other in one process: its start takes longer than most."""
    done = python(site, cwd, "-c", SESSION, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return [Said(**said) for said in json.loads(done.stdout)]


SESSION = """
import contextlib, io, json, sys
from mmwave_gym.cli import main
said = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["mmwave-gym", *words]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    said.append({"code": code, "out": out.getvalue(), "err": err.getvalue()})
print(json.dumps(said))
"""


def entry_points(site: Path, package: str, text: str) -> None:
    """Metadata of an installed package of which only entry points matter."""
    info = site / f"{package.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(text)
