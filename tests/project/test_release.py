"""A release without the upload: build, install the wheel outside the checkout, and do what the pages say.

Every block of code of the README and of docs runs there, in a folder a page, as it stands. `make release-check` runs
all pages, CI a sample. A block that cannot run has a comment before it, `<!-- not run: WHY -->`; one that is a file has
`<!-- file: NAME -->`. Commands are compared with the command line in any case.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
from fresh_install import built, installed, run

from mmwave_gym.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name not in ("leaderboard", "generated")),
]
FENCE = re.compile(r"(?:<!-- (not run|file): ([^>]*?) -->\n)?^```(sh|python)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PREPARED = "import os; os.environ.setdefault('MPLBACKEND', 'Agg')\n"
FORWARDED = ("train", "sweep")
"""Commands whose further words are another command's."""


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    language: str
    code: str
    mark: str = ""
    told: str = ""


def blocks(page: Path) -> list[Block]:
    return [
        Block(language or "", code, mark or "", told or "")
        for mark, told, language, code in FENCE.findall(page.read_text("utf-8"))
    ]


RUN = {page: found for page in PAGES if (found := [b for b in blocks(page) if b.language and b.mark != "not run"])}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel that was built from the source distribution."""
    pytest.importorskip("build")
    before = status()
    wheel = built(tmp_path_factory.mktemp("dist"))
    assert status() == before, "building leaves nothing stray in the checkout"
    return installed(tmp_path_factory.mktemp("user") / "venv", wheel)


def status() -> str:
    return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.sample(by=lambda page: ("one of them",))
@pytest.mark.parametrize("page", RUN, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_block_of_a_page_runs(page: Path, python: Path, tmp_path: Path) -> None:
    session = ""
    for block in RUN[page]:
        if block.mark == "file":
            (tmp_path / block.told).write_text(block.code)
            continue
        if block.language == "sh":
            code = re.sub(r"^(pip install .?mmwave-gym|make |git ).*$", "", block.code, flags=re.MULTILINE)
            done = run(["bash", "-euo", "pipefail", "-c", code], python, tmp_path)
        else:
            session += block.code
            done = run([str(python), "-c", PREPARED + session], python, tmp_path)
        assert done.returncode == 0, f"{block.code}\n{done.stdout}"


@pytest.mark.slow
@pytest.mark.long
def test_three_commands_to_a_ranked_policy(python: Path, tmp_path: Path) -> None:
    (commands,) = [b.code for b in blocks(ROOT / "README.md") if "mmwave-gym train" in b.code]
    assert len(commands.splitlines()) == 3
    done = run(["bash", "-euo", "pipefail", "-c", commands], python, tmp_path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "runs" / "board" / "index.html").exists()
    assert "runs/ppo/policy.npz" in (tmp_path / "runs" / "board" / "leaderboard.csv").read_text("utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


def test_most_pages_have_code_that_runs() -> None:
    assert len(RUN) >= 18
    assert ROOT / "README.md" in RUN


COMMANDS = [
    (page.relative_to(ROOT).as_posix(), line)
    for page in PAGES
    for block in blocks(page)
    for line in block.code.replace("\\\n", " ").splitlines()
    if line.startswith("mmwave-gym ")
]


def test_commands_on_pages_exist() -> None:
    """The verb and every option of each command of every page, those too that do not run here."""
    assert len(COMMANDS) > 60
    root = typer.main.get_command(app)
    wrong = [f"{page}: {line}: {fault}" for page, line in COMMANDS if (fault := fault_of(root, line))]
    assert wrong == []
    assert fault_of(root, "mmwave-gym evaluat a3") == "no command 'evaluat'"
    assert fault_of(root, "mmwave-gym evaluate a3 --tusk x") == "no option --tusk"


def fault_of(root: Any, line: str) -> str:
    """What a command line names that there is not; empty where all is there. typer has click's classes of its own."""
    words = shlex.split(line, comments=True)[1:]
    command = root
    while words and hasattr(command, "commands"):
        name = words.pop(0)
        if name not in command.commands:
            if command is root:
                return f"no command {name!r}"
            break  # such as `mmwave-gym channel FILE`
        command = command.commands[name]
    if command.name in FORWARDED:
        return ""
    known = {opt for parameter in command.params for opt in (*parameter.opts, *parameter.secondary_opts)}
    if hasattr(command, "commands"):
        known |= {opt for sub in command.commands.values() for p in sub.params for opt in p.opts}
    unknown = [
        word.partition("=")[0]
        for word in words
        if word.startswith("--") and word.partition("=")[0] not in {*known, "--help"}
    ]
    return f"no option {unknown[0]}" if unknown else ""
