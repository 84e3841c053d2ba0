"""`info`, `list`, `--version` and completion say what is there; a name that is not is told with the nearest one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import mmwave_gym
from mmwave_gym.agents.registry import agents
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.about import agent_rows
from mmwave_gym.benchmark.agents_page import in_letters
from mmwave_gym.cli import app, main
from mmwave_gym.core import rooms
from mmwave_gym.core.access import ACCESS_LEVELS, KINDS
from mmwave_gym.core.registration import entries

TASK = "cell_selection/n3-cost10"
ROWS = Path(__file__).parents[2] / "baselines/mmwave_baselines/rows/cell_selection"


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def sections(name: str) -> dict[str, Any]:
    return {section["title"]: section for section in json.loads(said("info", name, "--json"))}


def test_a_task_with_its_world_its_suite_and_who_leads() -> None:
    found = sections(TASK)
    assert dict(found[f"{TASK}: a task"]["rows"])["environment"] == "MmwaveCellSelection-v0"
    keywords = {row[0]: row for row in found["Keywords that it sets"]["rows"]}
    assert keywords["num_ues"][1] == "3"
    assert keywords["num_ues"][3], "its range"
    standings = found["Standings, from committed rows"]
    told = "\n".join(standings["lines"])
    assert "Suite v1" in told
    assert "Headroom, the ceiling less the best local rule" in told
    assert standings["rows"][0][0] == "1"
    assert f"mmwave-gym leaderboard --task {TASK} --replay --out DIR" in found["Play it"]["lines"]


def test_an_environment_with_spaces_and_every_keyword() -> None:
    found = sections("MmwaveCellSelection-v0")
    assert {row[0] for row in found["Observation"]["rows"]} >= {"serving"}
    assert {row[0] for row in found["Keywords"]["rows"]} >= {"num_ues", "handover_cost", "reward"}
    assert {row[0] for row in found["Tasks"]["rows"]} == set(suite.tasks("cell_selection"))
    assert sections("cell_selection") == found, "a scenario's name stands for its first environment"


def test_an_agent_with_its_training_and_where_it_stands() -> None:
    found = sections("cell_selection/ppo")
    facts = dict(found["cell_selection/ppo: an agent"]["rows"])
    assert (facts["access"], facts["kind"]) == ("local", "learned")
    ranks = {row[0]: row[1] for row in found["Standings"]["rows"]}
    assert ranks[TASK].endswith(" local")
    trained = {row[0]: row for row in found["Training, means over its seeds"]["rows"]}
    assert trained[TASK][1] == "5"


def test_a_bare_name_stands_for_all_agents_of_that_name() -> None:
    titles = [title for title in sections("stay") if title.endswith(": an agent")]
    assert titles == [f"{name}: an agent" for name in agents() if name.endswith("/stay")]


def test_every_agent_says_its_access_its_kind_and_one_line() -> None:
    rows = agent_rows()
    assert [f"{scenario}/{name}" for scenario, name, *_ in rows] == sorted(agents(), key=_in_order_of_rooms)
    for _, name, access, kind, line in rows:
        assert access in ACCESS_LEVELS, name
        assert kind in KINDS, name
        assert line, name
    assert "rule" in said("list", "agents", "cell_selection")


def _in_order_of_rooms(name: str) -> tuple[int, str]:
    return list(rooms.rooms()).index(name.partition("/")[0]), name


def test_an_agent_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, scenario: str) -> Any:
        raise ModuleNotFoundError("No module named 'numba'", name="numba")

    monkeypatch.setitem(agent_rows.__globals__, "named", broken)
    assert agent_rows("cell_selection")[0][-1] == "numba is not installed: pip install 'mmwave-gym[baselines]'"


def test_the_version() -> None:
    assert said("--version") == f"mmwave-gym {mmwave_gym.__version__}\n"


def test_the_command_line_starts_light() -> None:
    """Whatever is heavy or optional is loaded by the command that wants it."""
    heavy = ("torch", "matplotlib", "numba", "scipy.stats", "pygame", "PIL", "optuna", "mmwave_baselines")
    code = f"import sys, mmwave_gym.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("evaluate a3 --task handover/a1-beta", "handover/a1-beta25"),
        ("evaluate --task cell_selection/n3-cost10 rate", "rate-hysteresis"),
        ("evaluate a3 --env MmwaveH", "MmwaveHandover-v0"),
        ("info handover/a", "handover/a3"),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_offered_names(words: str, offered: str, shell: str) -> None:
    typed = f"mmwave-gym {words}"
    asked = {
        "bash": {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": typed},
        "fish": {"_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    asked["_MMWAVE_GYM_COMPLETE"] = f"complete_{shell}"
    done = CliRunner().invoke(app, [], prog_name="mmwave-gym", env=asked)
    assert offered in done.stdout


NEAR = [
    (["evaluate", "a3", "--task", "handover/a1-beta26"], "'handover/a1-beta25'"),
    (["evaluate", "orcle", "--task", "handover/a1-beta25"], "'oracle'"),
    (["evaluate", "a3", "--env", "MmwaveHandver-v0"], "'MmwaveHandover-v0'"),
    (["compare", "a3", "strongst", "--task", "handover/a1-beta25"], "'strongest'"),
    (["compare", "a3", "stay", "--task", "handover/a1-beta26"], "'handover/a1-beta25'"),
    (["info", "handover/a1-beta26"], "'handover/a1-beta25'"),
    (["info", "MmwaveHandver-v0"], "'MmwaveHandover-v0'"),
    (["info", "handver"], "'handover'"),
    (["list", "tasks", "stret"], "'street'"),
    (["render", "MmwaveStret-v0"], "'MmwaveStreet-v0'"),
    (["render", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["leaderboard", "--out", "x", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["audit", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["bound", "street/car-sparce"], "'street/car-sparse'"),
    (["tune", "a3", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["train", "ppo", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["train", "ppo", "MmwaveStret-v0"], "'MmwaveStreet-v0'"),
    (["train", "pppo"], "'ppo'"),
    (["sweep", "ppo", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["export", "a3", "--task", "street/car-sparce", "--minari", "mine/x-v0"], "'street/car-sparse'"),
    (["push", "ppo", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["load", ".", "--task", "street/car-sparce"], "'street/car-sparse'"),
    (["page", "MmwaveStret-v0"], "'MmwaveStreet-v0'"),
    (["new", "agent", "mine", "--scenario", "stret"], "'street'"),
    (["reproduce", "cell-selecton", "--out", "x"], "'cell-selection'"),
    (["verify", str(ROWS), "--task", "cell_selection/n3-cost11"], "'cell_selection/n3-cost10'"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "near"), NEAR, ids=[" ".join(words)[:60] for words, _ in NEAR])
def test_a_name_that_is_not_known_is_told_with_the_nearest_one(
    words: list[str], near: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert f"Did you mean {near}?" in capsys.readouterr().err


def test_dir_shows_the_public_names_and_nothing_else() -> None:
    shown = {name for name in dir(mmwave_gym) if not name.startswith("_")}
    modules = {path.stem for path in Path(str(mmwave_gym.__file__)).parent.glob("*.py")} - {"__init__", "version"}
    assert shown == {*mmwave_gym.__all__, *modules} - {"__version__"}
    assert "__version__" in dir(mmwave_gym)
    for name in shown - {"benchmarl", "rllib", "datasets", "sb3"}:  # those need extras
        assert getattr(mmwave_gym, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'handover_v9'"):
        _ = mmwave_gym.handover_v9


def test_a_module_of_a_missing_library_says_what_it_needs() -> None:
    code = """
import sys
sys.modules["stable_baselines3"] = None
import inspect, mmwave_gym
assert "sb3" in dir(mmwave_gym)
dict(inspect.getmembers(mmwave_gym))
mmwave_gym.sb3
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert "AttributeError: mmwave_gym.sb3 cannot be imported here: " in done.stderr
    assert "pip install 'mmwave-gym[train]'" in done.stderr


def test_every_environment_has_a_page_of_info() -> None:
    for entry in entries():
        assert f'gymnasium.make("{entry.id}")' in sections(entry.id)["Make it"]["lines"]


@pytest.mark.parametrize(
    ("formula", "letters"),
    [
        (
            r"a = \arg\max_n \frac{\bar R_n}{u_n + 1}\,(1 - c[n \neq s])",
            "a = arg max_n (bar R_n)/(u_n + 1)(1 - c[n ≠ s])",
        ),
        (r"q_n > q_s + h \text{ for } T + 1 \text{ slots}", "q_n > q_s + h for T + 1 slots"),
        (r"\theta \leftarrow \frac{k_n^{\prime}}{\Gamma}", "θ ← (k_n^{'})/(Γ)"),
    ],
)
def test_a_formula_in_a_terminal_has_no_tex(formula: str, letters: str) -> None:
    assert in_letters(formula) == letters
