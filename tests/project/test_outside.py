"""A package outside this repository adds a scenario, tasks and agents, and all of mmwave-gym works with it."""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from outside_packages import RELAY, Said, cli, entry_points, install, python, session

import mmwave_gym

TASK = ["--task", "relay/slow"]
FAST = ["--task", "relay/fast"]
OWN = ["--env", "Relay-v0", "--set", "num_relays=6"]
FEW = ["--episodes", "16", "--json"]
AGENTS = ("random", "max-min", "oracle")
COMMANDS = {
    "list": ["list"],
    **{f"{agent} in the task": ["evaluate", agent, *TASK, *FEW] for agent in AGENTS},
    **{f"{agent} in its own": ["evaluate", agent, *OWN, *FEW] for agent in AGENTS},
    "ppo@3": ["evaluate", "ppo@3", *TASK, *FEW],
    "untrained": ["evaluate", "ppo", *FAST],
    "misspelt": ["evaluate", "max-mim", *FAST],
    "render": ["render", "Relay-v0", "--out", "relay.gif", "--steps", "12", "--every", "3"],
    "train": [
        "train",
        "ppo",
        "--task",
        "relay/fast",
        "--steps",
        "2000",
        "--eval-episodes",
        "4",
        "--imitate-updates",
        "5",
    ],
    "trained": ["evaluate", "runs/ppo-relay-fast-s0/policy.npz", *FAST, "--episodes", "4"],
    "leaderboard": ["leaderboard", *TASK, "--episodes", "12", "--out", "board", "--jobs", "1"],
    "page": ["page", "Relay-v0", "--out", "relay.md"],
    "their pages": ["page", "--package", "relay_gym", "--out", "theirs"],
    "our pages": ["page", "--out", "ours"],
    "no pages": ["page", "--package", "relay_gim", "--out", "theirs"],
}
"""Commands that a user of the package gives, one after the other in one folder."""
REFUSED = ("untrained", "misspelt", "no pages")


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed in `site`, and the commands were given in `work`: once for all test workers."""
    pytest.importorskip("hatchling")
    root = tmp_path_factory.getbasetemp()
    shared = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "relay"
    with FileLock(f"{shared}.lock"):
        if not (shared / "said.json").exists():
            (shared / "work").mkdir(parents=True)
            install(shared / "site", RELAY)
            said = session(shared / "site", shared / "work", *COMMANDS.values())
            text = json.dumps({name: asdict(one) for name, one in zip(COMMANDS, said, strict=True)})
            (shared / "said.json").write_text(text)
    return shared


@pytest.fixture
def site(desk: Path) -> Path:
    return desk / "site"


@pytest.fixture
def work(desk: Path) -> Path:
    """The folder in which the commands were given."""
    return desk / "work"


@pytest.fixture
def said(desk: Path) -> dict[str, Said]:
    """What the commands printed."""
    return {name: Said(**one) for name, one in json.loads((desk / "said.json").read_text()).items()}


def test_it_is_unknown_where_it_is_not_installed() -> None:
    with pytest.raises(ValueError, match="unknown scenario 'relay'"):
        mmwave_gym.agents("relay")
    with pytest.raises(ValueError, match=r"unknown scenario 'handovr'\. Did you mean 'handover'\?"):
        mmwave_gym.agents("handovr")


def test_it_is_small() -> None:
    lines = [line for path in RELAY.rglob("*.py") for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) <= 150
    assert sum(path.stat().st_size for path in RELAY.rglob("*") if path.is_file()) < 60_000


def test_commands_work(said: dict[str, Said]) -> None:
    for name, one in said.items():
        assert one.code == (2 if name in REFUSED else 0), f"{name}: {one.err}"


def test_listed_beside_its_package(said: dict[str, Said]) -> None:
    output = said["list"].out
    (line,) = [line for line in output.splitlines() if line.startswith("Relay-v0")]
    assert line.split()[-1] == "relay_gym"
    (own,) = [line for line in output.splitlines() if line.startswith("MmwaveHandover-v0")]
    assert "mmwave_gym" not in own
    for name in ("relay/slow", "relay/fast", "relay/max-min", "relay/ppo"):
        assert re.search(rf"^{name}\b", output, re.MULTILINE), name


def test_evaluated(said: dict[str, Said]) -> None:
    def rate(agent: str) -> float:
        return json.loads(said[agent].out)["means"]["rate_bps_hz"]["mean"]

    for where in ("in the task", "in its own"):
        assert rate(f"random {where}") < rate(f"max-min {where}") < rate(f"oracle {where}")
    floor, ceiling = rate("random in the task"), rate("oracle in the task")
    assert floor + 0.9 * (ceiling - floor) < rate("ppo@3") < ceiling


def test_refusals_say_why(said: dict[str, Said]) -> None:
    assert "no shipped PPO weights for relay/fast; there are some for: relay/slow." in said["untrained"].err
    assert "unknown relay agent 'max-mim'. Did you mean 'max-min'?" in said["misspelt"].err
    assert "unknown package with environments 'relay_gim'. Did you mean 'relay_gym'?" in said["no pages"].err


def test_trained(said: dict[str, Said], work: Path) -> None:
    policy = work / "runs" / "ppo-relay-fast-s0" / "policy.npz"
    assert f"mmwave-gym evaluate {policy.relative_to(work)} --task relay/fast" in said["train"].out
    metadata = json.loads(policy.with_suffix(".json").read_text())
    assert (metadata["env_id"], metadata["arguments"]["hidden"]) == ("Relay-v0", 8)
    assert "rate_bps_hz" in said["trained"].out


def test_drawn(work: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    with image.open(work / "relay.gif") as shown:
        assert shown.n_frames == 4


def test_ranked_with_five_seeds_as_one_entry(work: Path) -> None:
    assert len(list((work / "board" / "rows").rglob("ppo@*.jsonl"))) == 5
    with (work / "board" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    entries = {row["agent"]: row for row in rows}
    assert sorted(row["agent"] for row in rows) == ["max-min", "oracle", "ppo", "random"]
    ppo = entries["ppo"]
    assert (ppo["label"], ppo["training_seeds"], ppo["status"], ppo["rank"]) == ("PPO", "5", "scored", "1")
    assert float(ppo["mean_low"]) < float(ppo["mean"]) < float(ppo["mean_high"])
    assert float(entries["oracle"]["score"]) == 1.0
    assert "relay/slow" in (work / "board" / "index.html").read_text()


def test_made_by_every_library(site: Path, tmp_path: Path) -> None:
    """Also where their package is imported first, and not through ours."""
    done = python(site, tmp_path, "-W", "error::UserWarning", "-c", """
import gymnasium, pettingzoo
env = gymnasium.make("relay_gym:Relay-v0", num_relays=3)
assert env.reset(seed=1)[0].shape == (9,)
assert gymnasium.make_vec("Relay-v0", num_envs=5).reset(seed=1)[0].shape == (5, 12)
from mmwave_gym.api.pettingzoo import env as aec, parallel_env
assert set(parallel_env("relay").reset(seed=1)[0]) == {"source_0"}
assert aec("relay").possible_agents == ["source_0"]
assert pettingzoo.make("parallel", "Relay-v0", num_relays=2).possible_agents == ["source_0"]
assert pettingzoo.make("aec", "Relay-v0").possible_agents == ["source_0"]
from mmwave_gym.sb3 import make_sb3_vec_env
assert make_sb3_vec_env("Relay-v0", n_envs=2).reset().shape == (2, 12)
import mmwave_gym
assert mmwave_gym.tasks("relay") == ["relay/slow", "relay/fast"]
assert mmwave_gym.agents("relay") == ["max-min", "oracle", "ppo", "random"]
""")  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_it_keeps_both_contracts(site: Path, tmp_path: Path) -> None:
    done = python(site, tmp_path, "-c", """
from mmwave_gym.agents import check_agent
from mmwave_gym.api.contract import check_scenario
assert not [told for told in check_scenario("relay", horizon=6) if "please" in told]
for agent in ("random", "max-min", "oracle", "ppo"):
    check_agent(agent, "relay/slow")
""")  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_pages_are_those_of_one_package(work: Path) -> None:
    assert {p.name for p in (work / "theirs").iterdir()} == {"relay.md"}
    pages = Path(__file__).parents[2] / "docs/environments"
    assert {p.name for p in (work / "ours").iterdir()} == {p.name for p in pages.glob("[!i]*.md")}


def test_it_gets_its_page(work: Path) -> None:
    page = (work / "relay.md").read_text()
    guide = (RELAY / "relay_gym" / "guide.md").read_text().strip()
    for part in (
        "# Relay-v0",
        "![An episode of Relay-v0](relay.gif)",
        "| `first_snr_db` | 4 |",
        "| `switching` | `0.2` | 0 to 1 |  | Share of a slot that a change of relay costs. |",
        "| `max-min` | The relay whose worse hop",
        "| `relay/fast` |",
        "## Differences from the paper",
        guide,
    ):
        assert part in page, part
    assert "None" not in page


# ------------------------------------------------------------------------------- packages that do not work

HEAD = "from mmwave_gym.core.rooms import Entry, Room\n"
ONE = "ROOM = Room(name='{name}', package=__name__, entries=(Entry(id='{id}', summary=''),), scenario=':S', {more})\n"


def room(name: str, env_id: str = "", more: str = "config=':C'") -> str:
    return HEAD + ONE.format(name=name, id=env_id or f"{name.capitalize()}-v0", more=more)


BROKEN = {
    "absent": ("import a_library_that_nobody_has\n", "No module named 'a_library_that_nobody_has'"),
    "text": ("ROOM = 'a text'\n", "a Room is needed, got str"),
    "nothing": ("", "has no attribute 'ROOM'"),
    "misnamed": (room("elsewhere"), "its room is named 'elsewhere', not as the entry point"),
    "exits": ("import sys; sys.exit(3)\n", "is left out: SystemExit(3) was raised"),
    "street": (room("street"), "mmwave-gym has one of this name"),
    "malformed": (room("malformed", "not an id-v0"), "the id 'not an id-v0' is none: letters, digits and hyphens"),
    "twice": (room("twice").replace("),)", "),) * 2"), "two of its entries have the same id"),
    "circular": (room("circular", more="config=':C', variants={'x': 'circular'}"), "itself among its variants"),
    "taskexits": (
        room("taskexits", more="config=':C', tasks='tasks:TASKS'"),
        "the tasks of the scenario taskexits of their_taskexits are left out: SystemExit(4) was raised",
    ),
    "taskabroad": (
        room("taskabroad", more="config=':C', tasks='tasks:TASKS'"),
        "taskabroad/a is a task of MmwaveStreet-v0, which is street's",
    ),
    "tasktwice": (room("tasktwice", more="config=':C', tasks='tasks:TASKS'"), "two tasks are named 'tasktwice/a'"),
    "uncallable": (
        room("uncallable", more="config=':C', commands={'crash': ':ROOM'}"),
        "the command 'crash' of their_uncallable is left out:",
    ),
    "oddword": (
        room("oddword", more="config=':C', commands={'--help': ':run'}") + "def run(): pass\n",
        "the command '--help' of their_oddword is left out: a command's name is lower-case letters",
    ),
    "greedy": (room("greedy", "MmwaveStreet-v0"), "the id 'MmwaveStreet-v0' is taken by mmwave_gym.scenarios.street"),
    "gym": (room("gym", "CartPole-v1"), "CartPole-v1 of their_gym is not registered"),
    "untasked": (
        room("untasked", more="config=':C', tasks='tasks:TASKS'"),
        "the tasks of the scenario untasked of their_untasked are left out: No module named 'their_untasked.tasks'",
    ),
    "mistasked": (
        room("mistasked", more="config=':C', tasks=':TASKS'") + "TASKS = ('street/car-sparse',)\n",
        "the tasks of mistasked must be Tasks named 'mistasked/…', got 'street/car-sparse'",
    ),
    "overbearing": (
        room("overbearing", more="config=':C', commands={'evaluate': ':C'}"),
        "the command 'evaluate' of their_overbearing is left out: mmwave-gym has a command of this name",
    ),
    "commandless": (
        room("commandless", more="config=':C', commands={'break': 'nowhere:run'}"),
        "the command 'break' of their_commandless is left out: No module named 'their_commandless.nowhere'",
    ),
}
"""Packages that do not work, and what the warning must say."""
TASKS_OF = {
    "taskexits": "import sys; sys.exit(4)\n",
    "taskabroad": "TASKS = (Task(env_id='MmwaveStreet-v0', name='taskabroad/a'),)\n",
    "tasktwice": "TASKS = (Task(env_id='Tasktwice-v0', name='tasktwice/a'),) * 2\n",
}


def test_broken_packages_are_named_and_left_out(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, (text, _) in BROKEN.items():
        (site / f"their_{name}").mkdir(parents=True)
        (site / f"their_{name}" / "__init__.py").write_text(text)
        if name in TASKS_OF:
            task = "from mmwave_gym.benchmark.task import Task\n"
            (site / f"their_{name}" / "tasks.py").write_text(task + TASKS_OF[name])
        entry_points(site, f"their-{name}", f"[mmwave_gym.scenarios]\n{name} = their_{name}:ROOM\n")
    output = cli(site, tmp_path, "list")
    assert output.returncode == 0, output.stderr
    warned = [line for line in output.stderr.splitlines() if "UserWarning" in line]
    assert len(warned) == len(BROKEN)
    for name, (_, reason) in BROKEN.items():
        (line,) = [line for line in warned if reason in line]
        assert f"their_{name}" in line or f"their-{name}" in line
    assert "MmwaveStreet-v0" in output.stdout
    assert "street/car-sparse" in output.stdout


def test_a_stranger_s_agent_takes_no_name_of_ours(tmp_path: Path) -> None:
    entry_points(
        tmp_path, "their-dist", "[mmwave_gym.agents]\nstreet/a3 = nowhere:A3\nstreet/theirs = nowhere:Theirs\n"
    )
    code = "from mmwave_gym.agents.registry import agents, named as n; print(n('a3', 'street').__module__, agents())"
    output = python(tmp_path, tmp_path, "-c", code)
    assert output.stdout.startswith("mmwave_baselines.street."), output.stderr
    assert "'street/theirs'" in output.stdout
    output = cli(tmp_path, tmp_path, "evaluate", "theirs", "--task", "street/car-dense")
    assert output.returncode == 2
    assert "the agent 'street/theirs' (nowhere:Theirs) cannot be loaded: No module named 'nowhere'" in output.stderr


ODD = """
[mmwave_gym.agents]
street = odd:NoSlash

[mmwave_gym.training]
street = odd:RECIPE
odd = odd:RECIPE

[mmwave_gym.algorithms]
ppo = odd:run
exits = odd.exits:run
text = odd:RECIPE

[mmwave_gym.reproductions]
exits = odd.exits:PAPER
"""


def test_a_stranger_takes_no_recipe_or_algorithm_of_ours_and_errors_name_theirs(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "__init__.py").write_text("RECIPE = 'a text'\n")
    (tmp_path / "odd" / "exits.py").write_text("import sys; sys.exit(4)\n")
    entry_points(tmp_path, "odd-dist", ODD)
    done = python(tmp_path, tmp_path, "-c", """
import mmwave_gym
from mmwave_baselines.training.recipes import Recipe, recipe
from mmwave_gym.core.rooms import points
assert isinstance(recipe("street"), Recipe)
assert points("mmwave_gym.algorithms", "algorithm")["ppo"].value == "mmwave_baselines.training.ppo:run"
assert "a3" in mmwave_gym.agents("street") and "street" not in mmwave_gym.agents()
try:
    recipe("odd")
except ValueError as error:
    print(error)
""")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the recipe of odd (odd:RECIPE) cannot be loaded: a Recipe is needed, got str." in done.stdout
    for left_out in ("the recipe street of odd-dist", "the algorithm ppo of odd-dist", "the agent street of odd-dist"):
        assert left_out in done.stderr
    commands = ["train", "exits"], ["train", "text"], ["reproduce", "exits", "--out", "x"]
    exits, text, paper = session(tmp_path, tmp_path, *commands)
    assert (exits.code, text.code, paper.code) == (2, 2, 2)
    assert "the algorithm 'exits' (odd.exits:run) cannot be loaded: SystemExit(4) was raised." in exits.err
    assert "the algorithm 'text' (odd:RECIPE) cannot be loaded: a function of words is needed, got str." in text.err
    assert "the paper exits (odd.exits:PAPER) cannot be loaded: SystemExit(4) was raised." in paper.err
