"""The portfolio: every rule that declares parameters, tuned once with one budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmwave_baselines.training import portfolio
from mmwave_gym.benchmark.suite import task as find_task

TASK = find_task("handover/a3-beta25")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of tuned parameters that is not the shipped one."""
    path = tmp_path / "tuned_rules.json"
    monkeypatch.setattr(portfolio, "file_of", lambda kind: path)
    return path


def asked(monkeypatch: pytest.MonkeyPatch, code: int = 0) -> list[list[str]]:
    """The commands that are given, each ending with a code."""
    given: list[list[str]] = []

    def command(words: list[str]) -> None:
        given.append(words)
        raise SystemExit(code)

    monkeypatch.setattr(portfolio, "command", command)
    monkeypatch.setattr(portfolio.least_squares, "run", lambda words: given.append(["fit", *words]))
    monkeypatch.setattr(portfolio, "place", lambda kind, name: Path("nowhere"))
    return given


def test_rules_are_those_that_declare_parameters() -> None:
    known = set(portfolio.rules("handover"))
    assert {"a3", "a3-filtered", "a2", "a5", "saturated", "least-squares"} <= known
    assert not known & {"random", "stay", "ppo", "oracle"}


def test_what_is_tuned_with_this_budget_for_this_task_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry: dict[str, Any] = {
        "parameters": {},
        "task_hash": TASK.hash,
        "tuned_by": {"settings_tried": 5, "training_episodes": 3, "training": {}},
    }
    place.write_text(json.dumps({"A3": {TASK.name: entry}}))
    assert portfolio.is_tuned("a3", TASK, 5, 3)
    assert not portfolio.is_tuned("a3", TASK, 6, 3)
    assert not portfolio.is_tuned("a5", TASK, 5, 3)
    given = asked(monkeypatch)
    portfolio.main(["--task", TASK.name, "--budget", "5", "--episodes", "3", "--rule", "a3", "--rule", "least-squares"])
    assert given == [
        ["fit", "--task", TASK.name, "--episodes", "6"],
        ["tune", "least-squares", "--task", TASK.name, "--budget", "5", "--episodes", "3"],
    ]
    entry["task_hash"] = "another world"
    place.write_text(json.dumps({"A3": {TASK.name: entry}}))
    assert not portfolio.is_tuned("a3", TASK, 5, 3)


def test_a_rule_without_business_in_a_task_stops_nobody_and_ctrl_c_stops_all(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = asked(monkeypatch, code=2)
    portfolio.tune_all(TASK, ["a2", "a5"], 5, 3)
    assert [words[1] for words in given] == ["a2", "a5"]
    asked(monkeypatch, code=130)
    with pytest.raises(SystemExit):
        portfolio.tune_all(TASK, ["a2", "a5"], 5, 3)


def test_expensive_tasks_are_played_where_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[str] = []
    monkeypatch.setattr(portfolio, "tune_all", lambda task, *more: played.append(task.name))
    portfolio.main([])
    assert TASK.name in played
    assert "association/blocked-2048" not in played
    portfolio.main(["--task", "association/blocked-2048"])
    assert played[-1] == "association/blocked-2048"
