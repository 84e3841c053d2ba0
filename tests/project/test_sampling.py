"""The sample of sweeps that CI plays: what it covers, that it changes with the seed, and what a run says of it."""

from __future__ import annotations

import os
import random
import re
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
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["sampling"]\n')
    variables = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(sampling.__file__).parent)}

    def said(*words: str) -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *words]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def passed(output: str) -> set[str]:
        return {line.split("::")[1].split()[0] for line in output.splitlines() if "PASSED" in line}

    in_workers = said("-v", "-m", "not long", "-p", "xdist.plugin", "-n", "2")  # without a seed: they draw the same
    (seed,) = re.findall(r"^sweeps: --sample-seed (\d+) draws the same cases again", in_workers, re.MULTILINE)
    names = passed(in_workers)
    assert 8 + 2 <= len(names) <= 8 + 5 + 2 + 2
    assert f"sweeps: {len(names)} of 60 cases are in the sample of seed {seed}; " in in_workers
    assert f'-m "not long" leaves out {60 - len(names)}, make nightly plays all' in in_workers
    assert passed(said("-v", "-m", "not long", "--sample-seed", seed)) == names
    assert "60 passed" in said("-m", "long or sample")
