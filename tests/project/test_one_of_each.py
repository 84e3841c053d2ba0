"""What stands once in the project stays so."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("mmwave_gym", "baselines", "train", "docs", "examples", "bench")

ASKED_ELSEWHERE = {
    "mmwave_gym/agents/rollout.py": "the loop itself",
    "mmwave_gym/agents/policy.py": "one row without its axis, within one call",
    "mmwave_gym/agents/files.py": "the model inside an agent",
    "mmwave_gym/api/gymnasium.py": "the others: the user steps the copies, and the chance belongs to the episode",
    "mmwave_gym/scenarios/power_allocation/policy.py": "the network inside an agent",
    "baselines/mmwave_baselines/association/learned.py": "the network inside an agent",
    "baselines/mmwave_baselines/power_allocation/learned.py": "the network inside an agent",
    "baselines/mmwave_baselines/handover/reproduction/runs.py": "on traces of many walks at once, without a batch",
}
"""Files that call `predict`, and why those beside the first are not the loop."""


def files_with(pattern: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for place in SOURCES
        for path in (ROOT / place).rglob("*.py")
        if re.search(pattern, path.read_text("utf-8"))
    }


def test_agents_are_asked_in_one_loop() -> None:
    assert files_with(r"\.predict\(") == ASKED_ELSEWHERE.keys()


def test_what_per_means_stands_once() -> None:
    assert files_with(r"[\"']second[\"']\s*:|\.per\b\s*(==|in\b)|\[\w+\.per\]") <= {
        "mmwave_gym/core/metrics.py",
        "docs/make_pages.py",  # its words for readers
    }


def test_a_mean_has_one_interval() -> None:
    """A half-width of 1.96 standard errors is up to 1.65 times too narrow: the board's interval is used."""
    assert files_with(r"def _?with_interval\b") == {"baselines/mmwave_baselines/reproduction/words.py"}
    assert not {name for name in files_with(r"\b1\.96\b") if name.startswith("mmwave_gym/")}


def test_access_levels_are_listed_once() -> None:
    assert files_with(r"[\"']central[\"'],\s*[\"']trajectory[\"']") == {"mmwave_gym/core/access.py"}
