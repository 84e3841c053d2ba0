"""Tunes event A3 on the training split: mmwave-gym tune handover [TASK …]

Every pair of a grid (hysteresis in dB, time-to-trigger in slots) plays the same training episodes, so pairs compare
within worlds. The best few play more of them, and the best of those is written to
baselines/mmwave_baselines/handover/tuned_a3.json, from where the agent `a3` takes it. A best pair on an open border
of the grid extends the grid first. The test split is never touched.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmwave_baselines.handover.rules import A3
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.jobs import Call, call_all, run_all
from mmwave_gym.benchmark.suite import task as find_task, tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import files

OUTPUT = Path(__file__).parents[1] / "tuned_a3.json"
STEP_DB = 1.0
STEP_SLOTS = 1
LARGEST_DB = 30.0
LARGEST_SLOTS = 100  # 5.12 s is the longest time-to-trigger of TS 38.331

Pair = tuple[float, int]


@dataclass
class Args:
    """What the command line sets."""

    tasks: list[str]
    episodes: int = 64
    final_episodes: int = 256
    finalists: int = 8
    output: Path = OUTPUT


@dataclass
class Search:
    """One task's search: training reward of each episode by pair."""

    task: Task
    step_s: float
    rewards: dict[Pair, NDArray[np.float64]] = field(default_factory=dict)

    def best(self) -> Pair:
        return max(self.rewards, key=lambda pair: float(self.rewards[pair].mean()))

    def wider(self) -> list[Pair]:
        """The pairs to add because the best one lies on an open border of the grid."""
        levels_db, slots = {h for h, _ in self.rewards}, {s for _, s in self.rewards}
        best_db, best_slots = self.best()
        if best_db == max(levels_db) and best_db < LARGEST_DB:
            return [(best_db + i * STEP_DB, s) for i in (1, 2) for s in sorted(slots)]
        if best_slots == max(slots) and best_slots < LARGEST_SLOTS:
            return [(h, best_slots + i * STEP_SLOTS) for i in (1, 2, 3) for h in sorted(levels_db)]
        return []


def training_rewards(task: Task, pair: Pair, step_s: float, episodes: int) -> list[float]:
    """Mean reward a slot of every training episode in bit/s/Hz; NaN where an episode failed.

    pair: hysteresis in dB and time-to-trigger in slots of step_s.
    """
    hysteresis_db, slots = pair
    rows = evaluate(A3(hysteresis_db, slots * step_s), task, episodes=episodes, split="train")
    return [np.nan if row["reward"] is None else row["reward"] for row in rows]


def tune(task: Task, args: Args, run: Callable[..., None], console: Console) -> tuple[Search, Search]:
    """The whole grid on few episodes, and the finalists on more."""
    step_s = float(task.scenario().constants()["step_s"])
    grid, final = Search(task, step_s), Search(task, step_s)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:

        def play(search: Search, pairs: Sequence[Pair], episodes: int, what: str) -> None:
            bar = progress.add_task(f"{task.name}: {what}", total=len(pairs))
            calls = [Call(f"{task.name} {pair}", training_rewards, (task, pair, step_s, episodes)) for pair in pairs]
            rewards = call_all(calls, run, lambda call: progress.advance(bar))
            search.rewards |= {pair: np.array(found) for pair, found in zip(pairs, rewards, strict=True)}

        pairs = [(h * STEP_DB, s * STEP_SLOTS) for h in range(11) for s in range(11)]
        while pairs:
            play(grid, pairs, args.episodes, f"{len(pairs)} pairs")
            pairs = grid.wider()
        ranked = sorted(grid.rewards, key=lambda pair: -float(grid.rewards[pair].mean()))
        play(final, ranked[: args.finalists], args.final_episodes, "finalists")
    return grid, final


def show(grid: Search, final: Search, console: Console) -> None:
    """Print the grid around the best pair, and the finalists."""
    best_db, best_slots = final.best()
    levels_db = sorted({h for h, _ in grid.rewards if abs(h - best_db) <= 4 * STEP_DB})
    slots = sorted({s for _, s in grid.rewards if abs(s - best_slots) <= 4 * STEP_SLOTS})
    table = Table(title=f"{grid.task.name}: mean training reward, {len(grid.rewards)} pairs tried")
    table.add_column("dB \\ slots", justify="right")
    for s in slots:
        table.add_column(str(s), justify="right")
    for h in levels_db:
        cells = [f"{grid.rewards[h, s].mean():.4f}" if (h, s) in grid.rewards else "" for s in slots]
        marked = [f"[bold]{c}[/]" if (h, s) == (best_db, best_slots) else c for c, s in zip(cells, slots, strict=True)]
        table.add_row(f"{h:g}", *marked)
    console.print(table)
    best = final.rewards[best_db, best_slots]
    for (h, s), rewards in sorted(final.rewards.items(), key=lambda item: -float(item[1].mean())):
        behind = best - rewards
        error = float(behind.std(ddof=1) / np.sqrt(len(behind)))
        console.print(
            f"  {h:g} dB, {s} slots: {rewards.mean():.4f}, behind the best by {behind.mean():.4f} ± {1.96 * error:.4f}"
        )


def write(final: Search, tried: int, args: Args, command: str) -> None:
    """Add the best pair to the file; other tasks' entries stay."""
    stored = json.loads(args.output.read_text("utf-8")) if args.output.exists() else {}
    hysteresis_db, slots = final.best()
    stored[final.task.name] = {
        "hysteresis_db": hysteresis_db,
        "time_to_trigger_s": round(slots * final.step_s, 9),
        "training_reward": round(float(final.rewards[hysteresis_db, slots].mean()), 4),
        "training_episodes": args.final_episodes,
        "pairs_tried": tried,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "task_hash": final.task.hash,
    }
    files.write(args.output, json.dumps(dict(sorted(stored.items())), indent=2) + "\n")


def parsed(argv: Sequence[str]) -> Args:
    parser = argparse.ArgumentParser(prog="mmwave-gym tune handover", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: every handover task that can run here")
    parser.add_argument("--episodes", type=int, default=Args.episodes, help="training episodes for every pair")
    parser.add_argument("--final-episodes", type=int, default=Args.final_episodes, help="and for the finalists")
    parser.add_argument("--finalists", type=int, default=Args.finalists)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = Args(**vars(parser.parse_args(argv)))
    for name in ("episodes", "final_episodes", "finalists"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {getattr(args, name)}.")
    args.tasks = args.tasks or tasks("handover")
    for name in args.tasks:
        if name not in tasks("handover"):
            parser.error(f"unknown handover task {name!r}; known are {', '.join(tasks('handover'))}.")
    return args


def main(argv: Sequence[str], run: Callable[..., None] = run_all) -> None:
    """The tuning, its jobs done by `run`."""
    args = parsed(argv)
    files.try_place(args.output)
    console = Console(emoji=False, width=None if sys.stdout.isatty() else 120)  # a log has no terminal's width
    command = shlex.join(["mmwave-gym", "tune", "handover", *argv])
    for name in args.tasks:
        task = find_task(name)
        if task.missing_data:
            console.print(f"{name}: left out, {task.missing_data}")
            continue
        grid, final = tune(task, args, run, console)
        show(grid, final, console)
        write(final, len(grid.rewards), args, command)
        console.print(f"{name}: written to {args.output}")
