"""Two thousand damaged files: each is read, or refused by the reader's own error that names it. See tests/fuzzing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_damaged_files_are_read_or_refused_with_their_name() -> None:
    words = [sys.executable, "-m", "fuzzing", "--cases", "2000"]
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(", 0 wrong") > 15
