"""Words that a command cannot take are one line on stderr and exit code 2; what lies in the folder is found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from mmwave_gym.cli import main
from mmwave_gym.cli.leaderboard import leaderboard
from mmwave_gym.cli.output import line, print_table
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.errors import EXTRAS

TASK = "cell_selection/n3-cost10"
ENV = "MmwaveCellSelection-v0"
MINE = """
class Zero:
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return observation[:, 0].astype(int) * 0, state


class Broken(Zero):
    def predict(self, *args, **kwargs):
        raise RuntimeError("no idea")
"""


def code(*words: Any) -> int:
    try:
        main(list(map(str, words)))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a module of agents and a file in the way of a folder."""
    (tmp_path / "mine_here.py").write_text(MINE)
    (tmp_path / "taken").write_text("")
    (tmp_path / "run").mkdir()
    (tmp_path / "pages" / "index.html").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def test_a_module_in_the_working_folder_is_an_agent(folder: Path) -> None:
    """The installed command too, whose own folder is the first in `sys.path`."""
    script = Path(sys.executable).with_name("mmwave-gym")
    words = ["evaluate", "mine_here:Zero", "--task", TASK, "--episodes", "2"]
    path = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([script, *words], cwd=folder, env=path, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mine_here:Zero in" in done.stdout


def test_an_installed_package_comes_before_the_working_folder(folder: Path) -> None:
    (folder / "numpy.py").write_text("raise RuntimeError")
    code("list", "envs")
    assert sys.path[-1] == str(folder)


BOARD = ["leaderboard", "--replay", "--task", TASK, "--out", "board"]
REFUSED = [
    ([*BOARD, "--also", "mine_here:Zer"], "the module 'mine_here' has no 'Zer'"),
    ([*BOARD, "--also", "nothing_here:Zero"], "cannot import 'nothing_here'"),
    ([*BOARD, "--also", "nothing.npz"], "there is no file nothing.npz"),
    ([*BOARD, "--agent", "rat"], "unknown cell_selection agent 'rat'. Did you mean 'rate'?"),
    (["leaderboard", "--task", TASK, "--out", "taken/x"], "taken/x cannot be written (Not a directory)"),
    (["leaderboard", "--task", TASK, "--out", "pages"], "pages/index.html cannot be written (Is a directory)"),
    (
        [*BOARD, "--agent", "rate", "--pack", "taken/x"],
        "taken/x cannot be written (Not a directory): choose another --pack",
    ),
    ([*BOARD, "--agent", "rate", "--committed", "nowhere"], "nowhere is no folder of packed rows"),
    (["tune", "a3", "--task", "street/walk-sparse", "--out", "taken/x.json"], "taken cannot be used (File exists)"),
    (["evaluate", "run", "--task", TASK], "run is a folder, not an agent: name the policy in it"),
    (["evaluate", "rate", "--task", "cell_selection"], "Known are cell_selection/n3-cost10"),
    (["evaluate", "nobody", "--task", TASK], "counts once the package is installed again"),
    (["render", ENV, "--set", "num_ue=2", "--out", "x.gif"], "Did you mean 'num_ues'? Its keywords are: "),
    (["render", ENV, "--steps", "2", "--out", "taken/x.gif"], "taken cannot be used (File exists)"),
    (["page", ENV, "--out", "taken/pages"], "taken/pages cannot be used (Not a directory)"),
    (["reproduce", "cell-selection", "--quick", "--out", "taken/x"], "taken/x/rows cannot be used (Not a directory)"),
    (["list", "agnts"], "list takes envs, tasks, agents or a scenario (association, "),
    (["list", "tasks", "stret"], "unknown scenario 'stret'. Did you mean 'street'?"),
]


@pytest.mark.parametrize(("words", "reason"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_one_line_says_what_is_wrong(
    words: list[str], reason: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*words) == 2
    text = capsys.readouterr().err
    assert reason in text
    assert text.count("\n") == 1
    assert "environment creator" not in text
    assert not (folder / "board").exists(), "refused before anything is played"


@pytest.mark.parametrize(
    "words",
    [
        ["render", ENV, "--steps", "0", "--out", "x.gif"],
        ["render", ENV, "--every", "0", "--out", "x.gif"],
        ["evaluate", "rate", "--task", TASK, "--episodes", "0"],
        ["evaluate", "rate", "--task", TASK, "--num-envs", "0"],
        [*BOARD, "--episodes", "0"],
        [*BOARD, "--jobs", "-1"],
    ],
    ids=" ".join,
)
def test_counts_have_a_least_value(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*words) == 2
    assert f"Invalid value for '{words[-2] if words[0] != 'render' else words[2]}'" in capsys.readouterr().err
    assert not (folder / "board").exists()


def test_an_agent_that_fails_is_said_where_one_looks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--agent", "rate", "--also", "mine_here:Broken", "--episodes", "2", "--jobs", "1"]
    assert code(*BOARD, *words) == 0
    assert f"mine_here:Broken failed in {TASK}: RuntimeError: no idea" in capsys.readouterr().err


def test_a_page_that_cannot_be_made_is_refused_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)  # as where it is not installed
    assert code(*BOARD, "--agent", "rate") == 2
    assert "pip install 'mmwave-gym[report]'" in capsys.readouterr().err
    assert not (folder / "board").exists()


NEEDY = """
import sys

sys.modules["torch"] = None  # in this process it is not installed, whatever the evaluation knows
import torch
"""


NEEDY_LATER = """
import sys


class Any:
    def __init__(self):
        sys.modules["pyrosm"] = None
        import pyrosm

    def predict(self, observation, **others):
        raise AssertionError("never made")


class Broken(Any):
    def __init__(self):
        raise RuntimeError("broken anyway")
"""


@pytest.mark.parametrize("words", [[], ["--trusted"]])
def test_libraries_that_only_the_making_of_an_agent_imports_are_told_before_anything_is_played(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "needy_later.py").write_text(NEEDY_LATER)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, "pyrosm", None)
    board = ["leaderboard", "--out", "later", "--task", "association/small", "--agent", "random", "--jobs", "1"]
    also = ["--also", "needy_later:Any", "--also", "needy_later:Broken"]
    assert code(*board, "--episodes", "2", *also, "--replay", *words) == 2
    assert "needy_later:Any needs pyrosm: pip install 'mmwave-gym[real]'" in capsys.readouterr().err
    assert not list((folder / "later").rglob("*.jsonl"))
    assert code(*board, "--episodes", "2", *also[2:], "--replay", *words) == 0, "what fails otherwise is a row"
    assert "needy_later:Broken failed in association/small: " in capsys.readouterr().err


def test_libraries_that_agents_lack_are_told_before_anything_is_played(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of shipped agents and of others; rows that need not be played are shown."""
    (folder / "needy_here.py").write_text(NEEDY)
    board = ["leaderboard", "--out", "board", "--task", "association/small", "--agent", "random", "--jobs", "1"]
    also = ["--also", "needy_here:Any"]
    assert code(*board, "--episodes", "2", *also) == 0, "nobody can claim that what is there were missing"
    assert "needy_here:Any failed in association/small: needy_here:Any needs torch" in capsys.readouterr().err

    for missing in ("torch", "numba"):
        monkeypatch.setitem(sys.modules, missing, None)
    board[2] = "other"
    assert code(*board, "--agent", "rollout", *also, "--replay") == 2
    said = "association/rollout needs numba; needy_here:Any needs torch: pip install 'mmwave-gym[baselines,train]'"
    assert said in capsys.readouterr().err
    assert not list((folder / "other").rglob("*.jsonl"))
    assert code(*board, "--agent", "rollout") == 0
    assert "rollout" in (folder / "other" / "leaderboard.md").read_text()


SPOILS = """
import pathlib


class Zero:
    label = "spoils"

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        for path in pathlib.Path("board/rows").rglob(f"*{type(self).__name__[:9]}*"):
            self.spoil(path)
        return observation[:, 0].astype(int) * 0, state

    def spoil(self, path):
        pass


class Scribbler(Zero):
    def spoil(self, path):
        path.open("a").write("spam\\n" * 10_000)


class Eraserxxx(Zero):
    def spoil(self, path):
        path.unlink()


globals()["L" * 300] = type("L" * 300, (Zero,), {})
"""


def test_rows_that_an_agent_spoils_are_a_failed_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own are meant here; and a name may be longer than that of a file."""
    (folder / "spoils_here.py").write_text(SPOILS)
    also = [word for name in ("Scribbler", "Eraserxxx", "L" * 300) for word in ("--also", f"spoils_here:{name}")]
    assert code(*BOARD, "--agent", "rate", *also, "--episodes", "2", "--jobs", "1") == 0
    said = capsys.readouterr().err
    assert f"spoils_here:Scribbler failed in {TASK}: its rows were spoilt while it played" in said
    assert "Eraserxxx.jsonl is gone" in said
    assert len(list((folder / "board" / "rows").rglob("*LLLL*.jsonl"))) == 1
    page = (folder / "board" / "leaderboard.csv").read_text()
    assert [line.count(",scored,") for line in page.splitlines() if "spoils_here:LLL" in line] == [1]


def test_an_agent_that_cannot_say_what_it_is_has_a_failed_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd_here.py").write_text(
        "class Odd:\n    label = b'x'\n    def predict(self, seen, state=None, *_):\n        return None, state\n"
    )
    assert code(*BOARD, "--agent", "rate", "--also", "odd_here:Odd", "--episodes", "2", "--jobs", "1") == 0
    assert f"odd_here:Odd failed in {TASK}: label must be a text" in capsys.readouterr().err


def test_an_agent_plays_where_its_name_is_known(folder: Path) -> None:
    words = ["--task", "street/car-sparse", "--agent", "rate", "--agent", "stay", "--episodes", "1", "--jobs", "1"]
    assert code(*BOARD, *words) == 0
    played = sorted(f"{path.parent.name} {path.stem}" for path in (folder / "board" / "rows").rglob("*.jsonl"))
    assert played == ["car-sparse stay", "n3-cost10 rate", "n3-cost10 stay"]


def test_a_stopped_board_says_how_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(leaderboard.__globals__, "play_all", stopped)
    assert code(*BOARD, "--agent", "rate") == 130
    assert "Stopped. What is finished is in board/rows: the same command goes on there." in capsys.readouterr().err


def test_a_title_is_as_wide_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A narrow table does not break it, and brackets are no markup."""
    title = f"{'a/long/path/' * 12}policy.npz [bold] in some/task, 8 episodes"
    print_table(title, ("metric",), [("reward",)])
    assert capsys.readouterr().out.splitlines()[0] == title


def test_lists_of_one_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("list", "all", "street") == 0
    text = capsys.readouterr().out
    assert code("list", "street") == 0
    assert capsys.readouterr().out == text
    assert "MmwaveStreet-v0" in text
    assert "\na3-offsets " in text
    assert "\nstreet/car-dense " in text
    assert "handover/" not in text


@pytest.mark.parametrize(("module", "extra"), EXTRAS.items())
def test_a_missing_library_names_its_extra(module: str, extra: str) -> None:
    error = ModuleNotFoundError(f"No module named '{module}.part'", name=f"{module}.part")
    assert line(error) == f"{module}.part is not installed: pip install 'mmwave-gym[{extra}]'"
    assert line(ImportError(f"a picture needs {module}: pip install it", name=module)).endswith("pip install it")
    assert line(ModuleNotFoundError("No module named 'mine'", name="mine")) == "No module named 'mine'"


def test_every_optional_library_has_an_extra() -> None:
    """What pyproject.toml calls by another name than its module."""
    import tomllib

    root = Path(__file__).resolve().parents[2]
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    modules = {"scikit_learn": "sklearn", "pillow": "PIL", "pygame_ce": "pygame", "sionna_rt": "sionna"}
    for extra in set(declared) - {"dev"}:
        for requirement in declared[extra]:
            name = re.split(r"[\[>]", requirement)[0].replace("-", "_")
            if name == "mmwave_gym":
                continue  # an extra of ours, whose libraries are checked there
            assert modules.get(name, name) in EXTRAS, (extra, requirement)


def test_the_names_of_a_family() -> None:
    known = ["a/one", "a/two", "b/one"]
    assert unknown("task", "a/on", known) == "unknown task 'a/on'. Did you mean 'a/one'? Known are a/one, a/two."
    assert unknown("task", "b", known).endswith("Known are b/one.")
    assert unknown("task", "c/x", known).endswith("Known are a/one, a/two, b/one.")


def test_gymnasium_s_addition_is_left_out() -> None:
    with pytest.raises(TypeError) as raised:
        gymnasium.make(ENV, num_ue=2)
    assert "environment creator" in str(raised.value)
    assert "environment creator" not in line(raised.value)
    assert "Its keywords are: " in line(raised.value)
