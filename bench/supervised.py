"""What a process of its own costs an agent: `python -m bench.supervised [--write docs/foreign_agents.md]`."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

from bench.page import write_between
from mmwave_gym.agents.supervised import Supervised

ROWS, FEATURES, STEPS = 64, 15, 3000
MARK = "<!-- python -m bench.supervised -->"


class Idle:
    """Decides at once: what is left is the way there and back."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        """The first action in every row; observation: (rows, features)."""
        return np.zeros(len(observation), np.int64), state


def measured() -> list[tuple[str, str]]:
    """What was timed, and the time with its unit."""
    begun = time.perf_counter()
    with Supervised("bench.supervised:Idle") as agent:
        first = time.perf_counter() - begun
        begun = time.perf_counter()
        Supervised("bench.supervised:Idle").close()
        following = time.perf_counter() - begun
        observation, started = np.random.default_rng(0).random((ROWS, FEATURES), np.float32), np.zeros(ROWS, bool)
        state, times = None, []
        pid, before = agent._process._child.pid, time.process_time()
        there = _processor_s(pid)
        for _ in range(STEPS):
            begun = time.perf_counter()
            _, state = agent.predict(observation, state, started)
            times.append(time.perf_counter() - begun)
        here, there = time.process_time() - before, _processor_s(pid) - there
    step = f"a step of {ROWS} rows, {FEATURES} numbers each"
    return [
        (f"{step}, processor time of both processes", f"{1e3 * (here + there) / STEPS:.3f} ms"),
        (f"{step}, wall clock (median)", f"{1e3 * statistics.median(times):.3f} ms"),
        ("the first agent of an evaluation: the keeper's start, wall clock", f"{first:.2f} s"),
        ("each further agent, without its own imports, wall clock", f"{following:.2f} s"),
    ]


def main() -> None:
    """Print the times of a start and of a step, or write them between the marks of a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page, whose text between the marks is replaced")
    args = parser.parse_args()
    load = "/".join(f"{x:.1f}" for x in os.getloadavg())
    made = f"{datetime.date.today():%d %B %Y}, {os.cpu_count()} cores ({platform.machine()}), load 1/5/15 min {load}"
    lines = ["| what | time |", "|---|---|", *(f"| {what} | {cost} |" for what, cost in measured())]
    text = "\n".join([*lines, "", f"Measured on {made}."])
    print(text)
    if args.write:
        write_between(args.write, MARK, text)


def _processor_s(pid: int) -> float:
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


if __name__ == "__main__":
    main()
