"""Kills boards at random points in random ways: python -m bench.kills [--kills 100]

Each kill hits a board that plays with two workers: the board itself by SIGKILL, SIGTERM, SIGINT or SIGHUP, or one of
its workers by SIGKILL. After the board's own end no process of it may be left for five seconds; it is then resumed. In
the end its rows must be those of a serial run that nobody disturbed. Linux only.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

TASK = "cell_selection/n3-cost10"
AGENTS = ("random", "stay", "load", "rate", "channel", "myopic")
KINDS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "worker")
PATIENCE_S = 5.0


class Board:
    """A small board, and its rows where nobody disturbs it."""

    def __init__(self, folder: Path, episodes: int = 256, agents: Sequence[str] = AGENTS) -> None:
        self.folder, self.episodes, self.agents = folder, episodes, agents
        self._end(self._start("serial", 1))
        self.rows = self._rows("serial")

    @cached_property
    def took_s(self) -> float:
        """Time of an undisturbed board with two workers."""
        began = time.monotonic()
        self._end(self._start("pool", 2))
        return time.monotonic() - began

    def survives(self, kinds: Sequence[str], waits: Callable[[subprocess.Popen[bytes]], object]) -> list[str]:
        """What is wrong after kills of these kinds, each followed by a resumed board: nothing, one hopes.

        waits: returns at the point of the kill.
        """
        shutil.rmtree(self.folder / "killed", ignore_errors=True)
        wrong = []
        for kind in kinds:
            board = self._start("killed", 2)
            waits(board)
            if kind == "worker":
                if workers := _workers(board.pid):
                    os.kill(random.choice(workers), signal.SIGKILL)
                if code := self._end(board):
                    wrong.append(f"a board whose worker was killed ended with {code}")
            else:
                board.send_signal(signal.Signals[kind])
                wrong += self._ended(board, signal.Signals[kind])
        if kinds[-1] != "worker" and (code := self._end(self._start("killed", 2))):
            wrong.append(f"the resumed board ended with {code}")
        if self._rows("killed") != self.rows:
            wrong.append("the rows differ from those of an undisturbed serial run")
        return wrong

    def begun(self, board: subprocess.Popen[bytes]) -> None:
        """Wait until a board that is to be killed has workers, or has ended."""
        while board.poll() is None and len(_workers(board.pid)) < 2:
            time.sleep(0.05)

    def _ended(self, board: subprocess.Popen[bytes], number: signal.Signals) -> list[str]:
        """Whether the board and all that it started end: they share its standard output, whose end tells."""
        assert board.stdout is not None
        code, until, wrong = board.wait(), time.monotonic() + PATIENCE_S, []
        while (left := until - time.monotonic()) > 0 and select.select([board.stdout], [], [], left)[0]:
            if not board.stdout.read1():  # type: ignore[attr-defined]
                break
        else:
            wrong.append(f"a process is left after {PATIENCE_S:g} s")
        board.stdout.close()
        # Before and after Python's own handlers are there, the signal itself ends it; 0: it was done.
        if code not in (-number, 128 + number, 0):
            wrong.append(f"it ended with {code}")
        return wrong

    def _start(self, name: str, jobs: int) -> subprocess.Popen[bytes]:
        agents = [word for agent in self.agents for word in ("--agent", agent)]
        words = ["--task", TASK, *agents, "--episodes", f"{self.episodes}", "--jobs", f"{jobs}"]
        command = [sys.executable, "-m", "mmwave_gym.cli", "leaderboard", "--out", str(self.folder / name), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def _end(self, board: subprocess.Popen[bytes]) -> int:
        board.communicate()
        return board.returncode

    def _rows(self, name: str) -> dict[str, list[bytes]]:
        """Rows by file, in order, without headers: those say when the run was made."""
        root = self.folder / name / "rows"
        return {str(p.relative_to(root)): sorted(p.read_bytes().split(b"\n")[1:]) for p in root.rglob("*.jsonl")}


def _workers(board: int) -> list[int]:
    """Process ids of a board's workers."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == board and b"spawn_main" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except (OSError, ValueError):
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance, wrong = random.Random(args.seed), []
    with tempfile.TemporaryDirectory() as folder:
        board = Board(Path(folder))
        print(f"undisturbed: {board.took_s:.1f} s with two workers")
        for number in range(args.kills):
            kind, at = chance.choice(KINDS), chance.uniform(0.05, 1.0)
            found = board.survives([kind], lambda _, at=at: time.sleep(at * board.took_s))  # type: ignore[misc]
            wrong += found
            print(f"{number + 1} {kind} at {at:.2f}: {'; '.join(found) or 'as it should be'}", flush=True)
    print(f"{args.kills} kills, {len(wrong)} faults")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
