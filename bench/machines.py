"""What a large board takes on 2, 16 and 256 cores: python -m bench.machines [--sample 24] [--write PAGE]

Measured here: processor time of sampled runs of the suite, of a worker's start, of handing out and writing a run, and a
run's bytes. Computed from them: the time of 34 tasks x 15 agents x 5 seeds, the runs drawn from the sample and handed
out in the order and in the batches of `run_all`.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import tempfile
import time
from datetime import date
from functools import partial
from pathlib import Path

from bench.page import write_between
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.jobs import LARGEST_BATCH, Call, Done, call_all, run_all, timed
from mmwave_gym.benchmark.playing import Playing
from mmwave_gym.benchmark.processor import processor
from mmwave_gym.benchmark.reproduction import markdown_table
from mmwave_gym.benchmark.runs import Job, RunFile, suite_jobs

TASKS, AGENTS, SEEDS = 34, 15, 5
CORES = (2, 16, 256)
MARK = "<!-- python -m bench.machines -->"


def start_s() -> float:
    """Processor time of a worker until it can play: the interpreter, and imports of what a run needs."""
    [took] = call_all([Call("start", time.process_time)], partial(_two, first=Call("other", _imports)))
    return float(took)


def _two(calls: list[Call], on_done: object, first: Call) -> None:
    """The calls in one worker that has done `first`."""
    run_all([first, Call("filler", _imports), *calls], workers=2, on_done=on_done)  # type: ignore[arg-type]


def _imports() -> int:
    return len(suite.tasks())


def handing_out_s(count: int = 400) -> float:
    """Processor time of this process for a job that does nothing: sending it, and hearing that it is done."""
    before = time.process_time()
    call_all([Call(f"{n}", int) for n in range(count)], partial(run_all, workers=2))
    return (time.process_time() - before) / count


def sampled(count: int, seed: int = 0) -> tuple[list[float], float, float]:
    """Processor times of sampled runs, mean bytes that come home, and processor time of writing them."""
    playable = [t for t in suite.all_tasks() if not t.missing_data and not t.expensive]
    runs: list[Job] = suite_jobs(playable)
    random.Random(seed).shuffle(runs)
    times, sizes, writing = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        while len(times) < count and runs:
            run, parts = runs.pop(), list[bytes]()
            done: Done = timed(Playing(run), parts.append)
            if Playing.report(parts[-1])[0] == "skipped":
                continue  # an agent that has nothing to play here
            times.append(done.processor_s)
            sizes.append(sum(map(len, parts)))
            began = time.process_time()
            with RunFile(run, folder) as file:
                for part in parts:
                    file.take(*Playing.report(part))
            writing.append(time.process_time() - began)
            print(f"{run.task.name} {run.spec}: {times[-1]:.2f} s, {sizes[-1]:,} bytes", flush=True)
    return times, sum(sizes) / count, sum(writing) / count


def board_s(times: list[float], start: float, at_home: float, cores: int, seed: int = 0) -> float:
    """Seconds of the whole board on so many cores, one of whose machines hands out and writes every run."""
    chance, left = random.Random(seed), [0.0]
    runs = chance.choices(times, k=TASKS * AGENTS * SEEDS)
    free, home = [start] * cores, 0.0
    while runs:
        size = max(1, min(LARGEST_BATCH, len(runs) // (4 * cores)))
        batch, runs = runs[:size], runs[size:]
        home += at_home * size  # one process hands out and writes, one run after the other
        begins = max(heapq.heappop(free), home)
        left.append(begins + sum(batch))
        heapq.heappush(free, left[-1])
    return max(left)


def report(sample: int) -> str:
    """The table with what it was computed from."""
    times, size, writing = sampled(sample)
    start, handing = start_s(), handing_out_s()
    count = TASKS * AGENTS * SEEDS
    total = sum(times) / len(times) * count
    rows = []
    for cores in CORES:
        took = board_s(times, start, handing + writing, cores)
        rows.append((str(cores), _time(took), f"{100 * total / cores / took:.0f} %"))
    return (
        markdown_table(("cores", "time", "of the cores' time spent playing"), rows)
        + f"\nMeasured on {date.today():%d %B %Y} on one core of {os.cpu_count()} ({processor()}), shared with other "
        f"work, in processor time: {len(times)} runs drawn from the suite take "
        f"{sum(times) / len(times):.2f} s each ({min(times):.2f} to {max(times):.1f} s); a worker's start "
        f"{start:.1f} s; handing out a run {1e3 * handing:.1f} ms, writing its rows {1e3 * writing:.1f} ms; a run's "
        f"rows are {size / 1e3:.0f} kB. Computed: {count:,} runs drawn from these.\n"
    )


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=24, help="runs to time")
    parser.add_argument("--write", type=Path, help="a page, whose text between the marks is replaced")
    args = parser.parse_args()
    table = report(args.sample)
    print(table)
    if args.write:
        write_between(args.write, MARK, table)


if __name__ == "__main__":
    main()
