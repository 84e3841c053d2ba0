"""The sample of sweeps that CI plays: what it covers, that it changes with the seed, and what a run says of it."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import sampling

CASES = {(a, b, c): (a, b, c) for a, b, c in product("abcd", range(7), (True, False))}
SWEEP = """
import pytest

@pytest.mark.sample
@pytest.mark.parametrize("word", "abcde")
@pytest.mark.parametrize("number", range(8))
def test_pairs(word, number):
    assert number < 8

@pytest.mark.sample(by=lambda first, second: (first, second % 2))
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in "xy" for b in range(10)])
def test_strata(first, second):
    assert second < 10
"""


@pytest.mark.parametrize("seed", range(20))
def test_each_value_is_drawn(seed: int) -> None:
    drawn = sampling.sample(CASES, random.Random(seed))
    for position in range(3):
        assert {case[position] for case in drawn} == {case[position] for case in CASES}
    assert 7 <= len(drawn) <= 4 + 7 + 2


def test_every_case_is_drawn_sometimes() -> None:
    assert set().union(*(sampling.sample(CASES, random.Random(seed)) for seed in range(200))) == set(CASES)
    assert sampling.sample(CASES, random.Random(3)) == sampling.sample(CASES, random.Random(3))


def test_a_run_says_its_seed_and_how_many_cases_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "test_sweep.py").write_text(SWEEP)
    (tmp_path / "conftest.py").write_text((Path(__file__).parents[1] / "conftest.py").read_text())

    def said(*words: str) -> str:
        here = ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-o", "pythonpath=" + sampling.__file__[:-12]]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *here, *words, "test_sweep.py"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    played = said("-v", "-m", "not long", "--sample-seed", "5", "-n", "2")
    assert "sweeps: --sample-seed 5 draws the same cases again" in played
    names = {line.split("::")[1].split()[0] for line in played.splitlines() if "PASSED" in line}
    assert 8 + 2 <= len(names) <= 8 + 5 + 2 + 2
    assert f"sweeps: {len(names)} of 60 cases are in the sample of seed 5; " in played
    assert f'-m "not long" leaves out {60 - len(names)}, make nightly plays all' in played
    assert " leaves out " in said("-m", "not long", "-n", "2"), "workers draw the same without being told the seed"
    assert "60 passed" in said()
    assert "60 passed" in said("-m", "long or sample")
