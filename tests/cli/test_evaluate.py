"""`mmwave-gym evaluate`: what it prints is what rows and the leaderboard have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from mmwave_gym.benchmark.leaderboard import read_rows
from mmwave_gym.benchmark.statistics import column_interval
from mmwave_gym.cli import app

WORDS = ["evaluate", "a3", "--task", "handover/a3-beta25", "--episodes", "3"]


def printed(*words: str) -> Any:
    done = CliRunner().invoke(app, [*WORDS, *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_json_is_what_the_rows_have(tmp_path: Path) -> None:
    result = printed("--out", str(tmp_path))
    (run,) = read_rows(tmp_path / "rows")
    assert result["task"]["hash"] == run.task["hash"]
    assert result["rows"] == [dict(row) for row in run.episodes]
    assert result == printed()
    interval = column_interval(result["rows"], "reward")
    assert interval is not None
    assert result["means"]["reward"] == {"mean": interval.mean, "low": interval.low, "high": interval.high}


def test_processes_that_share_the_episodes_make_the_same_rows(tmp_path: Path) -> None:
    """Random choices would differ if an episode's chance belonged to its process."""
    words = ["evaluate", "random", "--task", "cell_selection/n3-cost10", "--episodes", "70", "--json", "--jobs"]
    alone, shared = (CliRunner().invoke(app, [*words, jobs]) for jobs in "12")
    assert alone.exit_code == shared.exit_code == 0, shared.output
    assert len(json.loads(shared.stdout)["rows"]) == 70
    assert shared.stdout == alone.stdout
    refused = CliRunner().invoke(app, [*words, "2", "--out", str(tmp_path)])
    assert "--jobs and --out exclude each other" in str(refused.exception)
