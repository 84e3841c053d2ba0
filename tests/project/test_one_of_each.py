"""What stands once in the project stays so."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
SOURCES = ("mmwave_gym", "baselines", "train", "docs", "examples", "bench")

ASKED_ELSEWHERE = {
    "mmwave_gym/agents/rollout.py": "the loop itself",
    "mmwave_gym/agents/contract.py": "the contract asks an agent with one row and with many",
    "mmwave_gym/agents/recorded.py": "the contract shows a recorded play again, in another order",
    "mmwave_gym/agents/supervised/child.py": "where the loop's calls of a supervised agent arrive",
    "bench/supervised.py": "times this one call",
    "mmwave_gym/agents/rule.py": "one row without its axis, within one call",
    "mmwave_gym/agents/policy.py": "one row without its axis, within one call",
    "mmwave_gym/agents/archives.py": "the model inside an agent",
    "mmwave_gym/agents/formats/foreign.py": "the policy inside an agent",
    "mmwave_gym/agents/others.py": "the others: the user steps the copies, and the chance belongs to the episode",
    "mmwave_gym/scenarios/power_allocation/policy.py": "the network inside an agent",
    "baselines/mmwave_baselines/shared_street/learned.py": "one row without its axis, within one call",
    "baselines/mmwave_baselines/association/learned.py": "the network inside an agent",
    "baselines/mmwave_baselines/power_allocation/learned.py": "the network inside an agent",
    "baselines/mmwave_baselines/handover/reproduction/runs.py": "on traces of many walks at once, without a batch",
}
"""Files that call `predict`, and why those beside the first are not the loop."""


@lru_cache
def code() -> dict[str, str]:
    """The text of every module, by its path."""
    paths = [path for place in SOURCES for path in (ROOT / place).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}


def files_with(pattern: str) -> set[str]:
    return {path for path, text in code().items() if re.search(pattern, text)}


def test_agents_are_asked_in_one_loop() -> None:
    assert files_with(r"\.predict\(") == ASKED_ELSEWHERE.keys()


def test_what_per_means_stands_once() -> None:
    """Whoever knows all three words either condenses, or lists them: for readers, or as what may be declared."""
    listing = {"mmwave_gym/benchmark/page.py", "mmwave_gym/api/contract/physics.py"}
    understanding = set()
    for path, text in code().items():
        if "second" not in text or "all" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Dict | ast.Compare | ast.Match | ast.If):
                continue
            words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            if {"second", "all"} <= words:
                understanding.add(path)
    assert understanding - listing == {"mmwave_gym/core/metrics.py"}


def test_a_mean_has_one_interval() -> None:
    """A half-width of 1.96 standard errors is up to 1.65 times too narrow: the board's interval is used."""
    assert files_with(r"def _?with_interval\b") == {"baselines/mmwave_baselines/reproduction/words.py"}
    assert not {name for name in files_with(r"\b1\.96\b") if name.startswith("mmwave_gym/")}


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        (r"(?m)^[A-Z]\w* = NDArray\[np\.", "mmwave_gym/core/types.py"),
        (r"\bos\.replace\(", "mmwave_gym/core/files.py"),
        (r"\.partition\(\"=\"\)", "mmwave_gym/core/keywords.py"),
        (r"[\"']central[\"'],\s*[\"']trajectory[\"']", "mmwave_gym/core/access.py"),
        (r"(?m)^def begun\(", "mmwave_gym/agents/protocol.py"),
        (r"(?m)^class Run\b.*:\n    \"\"\"A", "baselines/mmwave_baselines/training/run.py"),
        (r"def close_matches|difflib\.get_close_matches\(", "mmwave_gym/core/checks.py"),
    ],
    ids=["arrays", "atomic writing", "KEY=VALUE", "access levels", "begun", "training run", "near names"],
)
def test_it_is_written_in_one_module(pattern: str, where: str) -> None:
    assert files_with(pattern) == {where}


def test_files_are_short() -> None:
    lengths = {path: text.count("\n") for path, text in code().items()}
    assert {path: n for path, n in lengths.items() if n > MOST_LINES} == {}
