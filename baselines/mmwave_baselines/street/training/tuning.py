"""Tunes event A3 in streets on the training split: mmwave-gym tune street [TASK …]

For each task and form of the rule every hysteresis, wait and filter of a grid plays the same training episodes; the
best few play more of them. Offsets of single cells then climb from there, one after the other, while they gain. The
results are written to baselines/mmwave_baselines/street/tuned.json, from where the agents take them. The test split
is never touched.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from mmwave_baselines.street.rules import A3, A3Offsets, A3Undelayed
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.jobs import Call, Done, run_all
from mmwave_gym.benchmark.suite import task as find_task, tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import files
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.metrics import Condenser

OUTPUT = Path(__file__).parents[1] / "tuned.json"
HYSTERESES_DB = (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
WAITS = (0, 1, 2, 3, 5, 8)
FILTERS = (0.0, 4.0)
FINALISTS = 6
OFFSETS_DB = (-4.0, -2.0, 2.0, 4.0)
PASSES = 2


class Street:
    """Training episodes of a task, drawn once and played again and again."""

    def __init__(self, task: Task, episodes: int):
        self._scenario: Any = task.scenario()
        self.batch = Batch(self._scenario, episodes, draws_ahead=False)
        self.batch.reset(task.keys(list(range(episodes)), "train"))

    def rates(self, rule: A3) -> NDArray[np.float64]:
        """(episodes,): mean rate of each in bit/s/Hz."""
        batch = self.batch
        batch.rewind(np.arange(batch.num_envs))
        condenser = Condenser(batch.scenario.metrics, batch.num_envs)
        for outcome, playing in Rollout.of(rule, batch).first_episodes():
            condenser.add(outcome, counted=playing)
        return condenser.episodes()["rate_bps_hz"]


def grid(kind: type[A3], few: Street, many: Street) -> tuple[A3, float, int]:
    """The best rule of the grid, its training rate, and how many were tried."""
    rules = [kind(h, w, k) for h, w, k in itertools.product(HYSTERESES_DB, WAITS, FILTERS)]
    ranked = sorted(rules, key=lambda rule: -few.rates(rule).mean())
    scores = {rule: float(many.rates(rule).mean()) for rule in ranked[:FINALISTS]}
    best = max(scores, key=lambda rule: scores[rule])
    return best, scores[best], len(rules)


def climb(start: A3, cells: int, many: Street) -> tuple[A3, float, int]:
    """The rule with offsets that gain, cell by cell."""
    offset_db = np.zeros(cells)
    best, score, tried = start, float(many.rates(start).mean()), 0
    for _ in range(PASSES):
        before = score
        for cell in range(cells):
            for change in OFFSETS_DB:
                proposed = offset_db.copy()
                proposed[cell] += change
                rule = A3Offsets(start.hysteresis_db, start.wait, start.filter_k, tuple(proposed))
                rate, tried = float(many.rates(rule).mean()), tried + 1
                if rate > score:
                    best, score, better = rule, rate, proposed
                    offset_db = better
        if score == before:
            break
    return best, score, tried


def tune(task: Task, episodes: int) -> dict[str, dict[str, Any]]:
    """What to store of each form of the rule."""
    few, many = Street(task, max(episodes // 3, 16)), Street(task, episodes)
    found: dict[str, dict[str, Any]] = {}

    def keep(rule: A3, rate: float, tried: int, began: float) -> None:
        settings = {n: rule.config[n] for n in ("hysteresis_db", "wait", "filter_k", "offset_db")}
        about = {"task_hash": task.hash, "training_rate_bps_hz": round(rate, 4), "tried": tried, "episodes": episodes}
        found[rule.rule] = {**settings, **about, "cpu_s": round(time.process_time() - began, 1)}

    began = time.process_time()
    plain, rate, tried = grid(A3, few, many)
    keep(plain, rate, tried, began)
    began = time.process_time()
    scenario: Any = task.scenario()
    if len(scenario.config.map_seeds) == 1:  # offsets are for cells of one street
        offsets, rate, tried = climb(plain, scenario.num_cells, many)
        keep(A3Offsets(offsets.hysteresis_db, offsets.wait, offsets.filter_k, offsets.offset_db), rate, tried, began)
    began = time.process_time()
    keep(*grid(A3Undelayed, few, many), began)
    return found


def main(argv: Sequence[str], run: Callable[..., None] = run_all) -> None:
    """The tuning, one job a task, done by `run`."""
    parser = argparse.ArgumentParser(prog="mmwave-gym tune street", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="default: all street tasks")
    parser.add_argument("--episodes", type=int, default=192)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args(argv)
    files.try_place(args.output)
    console = Console(stderr=True, emoji=False)
    chosen = {name: find_task(name) for name in args.tasks or tasks("street")}
    calls = [Call(name, tune, (task, args.episodes)) for name, task in chosen.items()]

    def keep(call: Any, done: Done) -> None:
        stored = json.loads(args.output.read_text("utf-8")) if args.output.exists() else {}
        for rule, settings in Call.result(done).items():
            stored.setdefault(rule, {})[call.label] = settings
            rate, tried = settings["training_rate_bps_hz"], settings["tried"]
            console.print(f"{call.label} {rule}: {rate:.4f} bit/s/Hz, {tried} tried", highlight=False)
        files.write(args.output, json.dumps(stored, indent=1, sort_keys=True) + "\n")

    run(calls, on_done=keep)
