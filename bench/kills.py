"""Kills boards at random points in random ways: python -m bench.kills [--kills 100] [--in-a-row 4] [--foreign]

Each kill hits a board that plays with two workers: the board itself by SIGKILL, SIGTERM, SIGINT or SIGHUP, or one of
its workers by SIGKILL. After the board's own end no process of it may be left for five seconds; it is then resumed. In
the end its rows must be those of a serial run that nobody disturbed. With --foreign an agent that is not shipped plays,
too, in its own process. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

TASK = "cell_selection/n3-cost10"
AGENTS = ("random", "stay", "load", "rate", "channel", "myopic")
FOREIGN = "slow_stay:SlowStay"
KINDS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "worker")
PATIENCE_S = 5.0
_FOREIGN_CODE = """
import time
import numpy as np

class SlowStay:
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        time.sleep(0.02)
        return np.zeros(len(observation), int), state
"""


class Board:
    """A small board, and its rows where nobody disturbs it."""

    def __init__(
        self, folder: Path, episodes: int = 256, agents: Sequence[str] = AGENTS, foreign: bool = False
    ) -> None:
        self.folder, self.episodes, self.agents, self.foreign = folder, episodes, agents, foreign
        self.hits = 0
        """Kills that met a board, or a worker, that lived."""
        self._mark = f"MMWAVE_KILLS={uuid.uuid4().hex}"
        (folder / "slow_stay.py").write_text(_FOREIGN_CODE)
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
        wrong: list[str] = []
        board = None
        for kind in kinds:
            board = board or self._start("killed", 2)
            waits(board)
            if kind != "worker":
                self.hits += board.poll() is None
                board.send_signal(signal.Signals[kind])
                wrong += self._ended(board, signal.Signals[kind])
                board = None
            elif workers := _workers(board.pid):
                self.hits += 1
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(random.choice(workers), signal.SIGKILL)
        if code := self._end(board or self._start("killed", 2)):
            wrong.append(f"the board that was not killed ended with {code}")
        if self._rows("killed") != self.rows:
            wrong.append("the rows differ from those of an undisturbed serial run")
        return wrong

    def begun(self, board: subprocess.Popen[bytes]) -> None:
        """Wait until a board that is to be killed has workers, or has ended."""
        while board.poll() is None and len(_workers(board.pid)) < 2:
            time.sleep(0.05)

    def _ended(self, board: subprocess.Popen[bytes], number: signal.Signals) -> list[str]:
        """Whether the board and all that it started end."""
        code, until, wrong = board.wait(), time.monotonic() + PATIENCE_S, []
        while (left := self.left()) and time.monotonic() < until:
            time.sleep(0.05)
        if left:
            wrong.append(f"{len(left)} processes are left after {PATIENCE_S:g} s")
        # Before and after Python's own handlers are there, the signal itself ends it; 0: it was done.
        if code not in (-number, 128 + number, 0):
            wrong.append(f"it ended with {code}")
        return wrong

    def left(self) -> list[int]:
        """Ids of processes that a board has started, and theirs, keepers and agents too: the environment tells."""
        return [process for process in _processes() if self._mark.encode() in _read(process, "environ").split(b"\0")]

    def _start(self, name: str, jobs: int) -> subprocess.Popen[bytes]:
        agents = [word for agent in self.agents for word in ("--agent", agent)]
        agents += ["--also", FOREIGN] * self.foreign
        words = ["--task", TASK, *agents, "--episodes", f"{self.episodes}", "--jobs", f"{jobs}"]
        out = str(self.folder / name)
        # Played here whatever is committed: a board that shows rows has nothing to lose.
        command = [sys.executable, "-m", "mmwave_gym.cli", "leaderboard", "--replay", "--out", out, *words]
        paths = os.pathsep.join(filter(None, (str(self.folder), os.environ.get("PYTHONPATH"))))
        env = {**os.environ, "PYTHONPATH": paths, **dict([self._mark.split("=")])}
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)

    def _end(self, board: subprocess.Popen[bytes]) -> int:
        return board.wait()

    def _rows(self, name: str) -> dict[str, list[bytes]]:
        """Rows by file, in order, without headers: those say when the run was made."""
        root = self.folder / name / "rows"
        return {str(p.relative_to(root)): sorted(p.read_bytes().split(b"\n")[1:]) for p in root.rglob("*.jsonl")}


def _workers(board: int) -> list[int]:
    """Process ids of a board's workers."""
    children = [p for p in _processes() if _read(p, "stat").rpartition(b")")[2].split()[1:2] == [b"%d" % board]]
    return [process for process in children if b"spawn_main" in _read(process, "cmdline")]


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(process: int, what: str) -> bytes:
    """A file of /proc; empty where the process has ended."""
    try:
        return (Path("/proc") / str(process) / what).read_bytes()
    except OSError:
        return b""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--in-a-row", type=int, default=1, help="kills before a board is resumed to its end")
    parser.add_argument("--episodes", type=int, default=256, help="of each agent; fewer make a shorter board")
    parser.add_argument("--foreign", action="store_true", help="with an agent that is not shipped")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance, wrong, done = random.Random(args.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        board = Board(Path(folder), args.episodes, foreign=args.foreign)
        print(f"undisturbed: {board.took_s:.1f} s with two workers", flush=True)

        def wait(_: object) -> None:
            time.sleep(chance.uniform(0.05, 1.0) * board.took_s)

        while done < args.kills:
            kinds = chance.choices(KINDS, k=min(args.in_a_row, args.kills - done))
            found, done = board.survives(kinds, wait), done + len(kinds)
            wrong += len(found)
            print(f"{done} {', '.join(kinds)}: {'; '.join(found) or 'as it should be'}", flush=True)
    print(f"{args.kills} kills, of which {board.hits} met what lived; {wrong} faults")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
