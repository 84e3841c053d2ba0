"""`evaluate` and `compare`: the verdict that they print is that of the board, and what has rows is not played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.leaderboard import TaskBoard, summarise
from mmwave_gym.benchmark.verdict import compare as compared
from mmwave_gym.cli import app

TASK = "cell_selection/n3-cost10"
ENV = "MmwaveCellSelection-v0"
OWN = """
class Zero:
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return observation[:, 0].astype(int) * 0, state
"""


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def told(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stranger's class, in a file."""
    monkeypatch.chdir(tmp_path)
    Path("own_verdict.py").write_text(OWN)
    return "own_verdict.py:Zero"


@pytest.fixture(scope="module")
def board() -> TaskBoard:
    """The board of the task by all of its committed rows."""
    task = suite.task(TASK)
    (found,) = summarise(committed_runs([TASK]), {TASK: task.describe()}, stored_ceilings([task])).tasks
    return found


def test_an_agent_of_ones_own_is_ranked_among_the_committed_rows(own: str) -> None:
    words = ["evaluate", own, "--task", TASK, "--episodes", "16"]
    result = told(*words)
    standing = result["standing"]
    assert 1 < standing["rank"] <= standing["ranked"]
    assert standing["level"] == "local"
    roles = {one["role"]: one for one in standing["against"]}
    assert all(one["verdict"] == "worse" and one["difference"]["high"] < 0 for one in roles.values())
    assert all(one["episodes"] == 16 and one["words"].startswith("worse than ") for one in roles.values())
    text = said(*words)
    assert f"Rank {standing['rank']} of {standing['ranked']} local agents among the committed rows." in text
    assert f"Verdict: {standing['verdict']}." in text


def test_played_rows_stand_where_the_board_has_them(board: TaskBoard) -> None:
    """Every episode of a shipped rule, played now: rank, score and difference are those of its committed rows."""
    entry = board.entry("channel-stay")
    assert entry is not None
    assert entry.gain is not None
    assert entry.score is not None
    standing = told("evaluate", "channel-stay", "--task", TASK)["standing"]
    assert standing["rank"] == entry.rank
    assert standing["score"]["mean"] == pytest.approx(entry.score.mean)
    (rule,) = [one for one in standing["against"] if "best rule" in one["role"]]
    assert (rule["other"], rule["verdict"]) == (entry.best_rule, entry.gain_verdict)
    assert rule["difference"]["mean"] == pytest.approx(entry.gain.mean)
    assert rule["difference"]["low"] == pytest.approx(entry.gain.low, rel=1e-6)


def test_the_agent_s_own_chance_has_a_seed() -> None:
    words = ["evaluate", "random", "--task", TASK, "--episodes", "4"]
    first, same, other = (told(*words, *more)["rows"] for more in ([], ["--seed", "0"], ["--seed", "1"]))
    assert first == same
    assert first != other


def test_an_environment_without_rows_says_so(own: str) -> None:
    words = ["evaluate", own, "--env", ENV, "--set", "num_ues=2", "--episodes", "4"]
    assert told(*words)["standing"] is None
    assert "No rows of cell_selection/custom are committed, so there is no rank and no verdict." in said(*words)


def test_agents_with_rows_are_read(board: TaskBoard) -> None:
    entry = board.entry("ppo")
    assert entry is not None
    assert entry.gain is not None
    result = told("compare", "ppo", entry.best_rule, "--task", TASK)
    assert result["played"] == []
    first = result["metrics"][0]
    assert first["metric"] == board.task["primary"]
    assert first["verdict"] == entry.gain_verdict
    assert first["difference"]["mean"] == pytest.approx(entry.gain.mean)
    assert first["difference"]["low"] == pytest.approx(entry.gain.low)
    assert {one["metric"] for one in result["metrics"]} == set(board.units)
    text = said("compare", "ppo", entry.best_rule, "--task", TASK)
    assert f"Verdict: {result['verdict']} ({board.task['primary']})." in text
    assert "All rows are committed ones." in text


def test_others_are_played_on_the_same_episodes(own: str) -> None:
    result = told("compare", own, "rate", "--task", TASK, "--episodes", "8")
    assert result["played"] == [own]
    assert result["metrics"][0]["episodes"] == 8
    back = told("compare", "rate", own, "--task", TASK, "--episodes", "8")
    assert back["metrics"][0]["difference"]["mean"] == -result["metrics"][0]["difference"]["mean"]


def test_what_would_settle_it_is_a_command() -> None:
    place = ["--env", "MmwaveHandover-v0", "--set", "beta=5", "--set", "horizon=200"]
    words = ["compare", "a3", "strongest", *place, "--episodes", "4"]
    result = told(*words)
    assert result["played"] == ["a3", "strongest"]
    assert result["metrics"][0]["verdict"] == "tied"
    wanted = 4 + result["metrics"][0]["more_episodes"]
    assert f"mmwave-gym {' '.join(words[:-1])} {wanted}\n" in said(*words)


def test_episodes_beyond_the_committed_ones_are_played() -> None:
    task = suite.task(TASK)
    more = task.episodes + 2
    found = compared("rate", "stay", task, episodes=more)
    assert found.played == ("rate", "stay")
    assert found.primary.episodes == more


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["rate", "rate"], "two agents are compared, got 'rate' twice."),
        (["rate", "nobdy"], "unknown cell_selection agent 'nobdy'"),
        (["rate", "ppo@77"], "ppo@77 cannot be compared in"),
    ],
)
def test_what_cannot_be_compared(words: list[str], reason: str) -> None:
    done = CliRunner().invoke(app, ["compare", *words, "--task", TASK])
    assert reason in str(done.exception)
