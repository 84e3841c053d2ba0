"""A board with agents that fail in every way known to us ends well, and all other rows are what they are without."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import hostile_agents
import pytest

from mmwave_gym.benchmark.leaderboard import read_rows
from mmwave_gym.benchmark.leaderboard.addresses import task_page
from mmwave_gym.cli import main

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts processes as Linux shows them")

TASK = "cell_selection/n3-cost10"
HONEST = ("stay", "random", "hostile_agents:Honest", "hostile_agents:Twin", "hostile_agents:Rewriter")
LIMITS = ("--limit-step-s", 2, "--limit-memory-gib", 0.25)


def board(folder: Path, also: list[str]) -> int:
    words = ["--replay", "--task", TASK, "--out", folder, "--episodes", 1, "--jobs", 1]
    words += ["--agent", "stay", "--agent", "random"]
    words += [word for agent in (*HONEST[2:], *also) for word in ("--also", agent)]
    try:
        main(["leaderboard", *map(str, [*words, *LIMITS])])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def written(folder: Path) -> dict[str, list[Any]]:
    """The lines of the honest agents' rows, without their dates."""
    runs = {run.agent["name"]: run for run in read_rows(folder / "rows")}
    assert runs.keys() >= set(HONEST)
    lines = {name: runs[name].path.read_bytes().split(b"\n") for name in HONEST}
    return {name: [{**json.loads(head), "created": None}, rows] for name, (head, *rows) in lines.items()}


@pytest.mark.long
def test_a_board_with_hostile_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for spec, (text, _) in hostile_agents.MODULES.items():
        (tmp_path / f"{spec.partition(':')[0]}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    reasons = hostile_agents.reasons()
    assert len(reasons) >= 69
    assert board(tmp_path / "alone", []) == 0
    assert board(tmp_path / "all", list(reasons)) == 0

    runs = {run.agent["name"]: run for run in read_rows(tmp_path / "all" / "rows")}
    told = {name: runs[name].failed or "it played" for name in reasons}
    wrong = {name: told[name] for name, why in reasons.items() if not re.search(why, told[name])}
    assert wrong == {}
    assert all(not run.episodes for name, run in runs.items() if name in reasons)

    alone, together = (written(tmp_path / name) for name in ("alone", "all"))
    assert together == alone
    assert len(alone["stay"][1]) == 2, "a row, and the end of its line"

    page = (tmp_path / "all" / task_page(TASK)).read_text()
    assert page.rstrip().endswith("</html>")
    assert [name for name in reasons if name not in page] == []
    assert no_longer_alive(int((tmp_path / "orphan.pid").read_text()))


def no_longer_alive(pid: int) -> bool:
    """Whether a process is gone within five seconds."""
    until = time.monotonic() + 5.0
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
        time.sleep(0.02)
    return not os.path.exists(f"/proc/{pid}")
