"""CONTRIBUTING.md, followed to the letter: its shell blocks, in an empty folder, on a freshly built wheel."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from fresh_install import installed, run

from mmwave_gym import cli

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a throw-away environment, in which this project is installed and libraries are those of ours."""
    return installed(tmp_path_factory.mktemp("outside") / "venv", ROOT)


CHAPTERS = {"play it": (1,), "keep the contract": (2,), "add an agent": (3, 4), "train an agent": (5,)}
"""What may follow on the first block, which makes and installs a scenario, and its blocks."""


@pytest.fixture(scope="module")
def folder(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first block was followed."""
    made = tmp_path_factory.mktemp("folder")
    _follow(0, python, made)
    return made


def _follow(number: int, python: Path, folder: Path) -> None:
    done = run(["bash", "-euo", "pipefail", "-c", BLOCKS[number]], python, folder)
    assert done.returncode == 0, f"{BLOCKS[number]}\n{done.stdout}"


def test_every_block_is_in_a_chapter() -> None:
    assert [0, *(number for chapter in CHAPTERS.values() for number in chapter)] == list(range(len(BLOCKS)))


@pytest.mark.slow
@pytest.mark.sample(by=lambda chapter: ("one of them",))
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_contributing_to_the_letter(chapter: str, python: Path, folder: Path) -> None:
    for number in CHAPTERS[chapter]:
        _follow(number, python, folder)
    if chapter == "play it":
        page = (folder / "docs" / "relay.md").read_text()
        assert "![An episode of Relay-v0](relay.gif)" in page
        assert "(ours)" in page
    if chapter == "train an agent":
        board = (folder / "runs" / "ranked" / "leaderboard.md").read_text()
        assert "strongest (reference)" in board
        lines = board.splitlines()
        (at,) = [i for i, line in enumerate(lines) if "| PPO | local |" in line]
        head = max(i for i in range(at) if lines[i].startswith("|---")) - 1
        columns = [[cell.strip() for cell in lines[i].split("|")] for i in (head, at)]
        assert dict(zip(*columns, strict=True))["seeds"] == "2", "both seeds are one entry"
    assert not list(ROOT.glob("build")), "installing leaves nothing in the checkout"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["scenario", "Relay"], "lower-case letters, digits and underscores, got 'Relay'"),
        (["scenario", "class"], "lower-case letters, digits and underscores, got 'class'"),
        (["scenario", "none"], "lower-case letters, digits and underscores, got 'none'"),
        (["scenario", "beams_"], "lower-case letters, digits and underscores, got 'beams_'"),
        (["scenario", "outcome"], "a class Outcome would hide another one (Outcome,): take another name"),
        (["scenario", "mapping"], "a class Mapping would hide another one (from collections.abc import Mapping,"),
        (["agent", "true", "--scenario", "street"], "digits and single hyphens, got 'true'"),
        (["agent", "seen", "--scenario", "street"], "a class Seen would hide another one"),
        (["scenario", "street"], "the scenario 'street' exists already, in mmwave_gym.scenarios.street"),
        (["scenario", "baselines"], "there is a package mmwave_baselines already"),
        (["scenario", "beams", "--out", "."], "exists and is not an empty folder"),
        (["agent", "a3", "--scenario", "street"], "street has an agent 'a3' already"),
        (["agent", "a4", "--scenario", "stret"], "unknown scenario 'stret'. Did you mean 'street'?"),
        (["agent", "a--b", "--scenario", "street"], "digits and single hyphens, got 'a--b'"),
    ],
    ids=str,
)
def test_a_name_that_cannot_be_had_is_one_line_and_exit_code_2(
    words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mmwave-gym", "new", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    text = capsys.readouterr().err
    assert reason in text
    assert text.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.txt"]
