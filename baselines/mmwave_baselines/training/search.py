"""Tunes a rule on a task's training split: python -m mmwave_baselines.training.search SCENARIO/RULE --task TASK

Any `mmwave_baselines.tuned.Tuned` with a `space` can be tuned. All chance comes from `--seed`.

1. Half of the budget are settings at random, each on a third of the training episodes, with the default and what was
   stored before.
2. The best of these play all training episodes.
3. The rest of the budget changes one or two parameters of the best so far, and keeps what gains.
4. As many other training episodes show what the gain is worth; what is no better than the default there is not kept.

The result goes into the scenario's `tuned_rules.json`, from where the rule takes it. The test split is never touched.
A task whose maps or places are for testing only needs others to train on: `--set maps=[1001,1002]`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_baselines.tuned import FILE, Tuned, tuned
from mmwave_gym.agents.registry import named
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import write
from mmwave_gym.core.keywords import keywords

FINALISTS = 6
STEP = 0.15
"""Standard deviation of a change, in widths of the parameter's range."""

Settings = dict[str, Any]


class Search:
    """The tuning of one rule on one task. episodes: training episodes, and as many to validate on."""

    def __init__(self, kind: type[Tuned], task: Task, episodes: int, rng: np.random.Generator):
        self._kind, self._task, self._episodes, self._rng = kind, task, episodes, rng
        self._space = kind.space(task)
        self._sign = 1.0 if task.higher_is_better else -1.0
        self.tried = 0

    def merit(self, settings: Settings, episodes: int, skip: int = 0) -> float:
        """Mean of the primary metric over training episodes `skip` to `episodes`; larger is better."""
        hidden = frozenset(range(skip))
        rows = evaluate(self._kind(**settings), self._task, episodes=episodes, split="train", skip=hidden)
        self.tried += not skip
        return self._sign * float(np.mean([row[self._task.primary] for row in rows]))

    def run(self, budget: int, before: Settings) -> tuple[Settings, float, float, float]:
        """The best settings, its merit in training and in validation, and that of the default in validation.

        before: settings to begin with.
        """
        first = [{}, before, *(self._random() for _ in range(budget // 2 - 2))]
        few = max(self._episodes // 3, 1)
        ranked = sorted(first, key=lambda settings: -self.merit(settings, few))
        best, most = max(
            ((settings, self.merit(settings, self._episodes)) for settings in ranked[:FINALISTS]),
            key=lambda found: found[1],
        )
        while self.tried < budget:
            proposed = self._changed(best)
            if (merit := self.merit(proposed, self._episodes)) > most:
                best, most = proposed, merit
        both = 2 * self._episodes
        return best, most, self.merit(best, both, self._episodes), self.merit({}, both, self._episodes)

    def _random(self) -> Settings:
        """Each parameter at random or, half of the time, as it is by default."""
        return {n: self._drawn(among) for n, among in self._space.items() if self._one_number(among) and self._coin()}

    def _changed(self, settings: Settings) -> Settings:
        names = self._rng.choice(sorted(self._space), size=min(1 + int(self._coin()), len(self._space)), replace=False)
        return {**settings, **{str(name): self._moved(self._space[name], settings.get(name)) for name in names}}

    def _moved(self, among: Any, value: Any) -> Any:
        if isinstance(among, list):
            values = list(value or [0.0] * len(among))
            one = int(self._rng.integers(len(among)))
            values[one] = self._moved(among[one], values[one])
            return values
        if value is None or not isinstance(among, tuple):
            return self._drawn(among)
        low, high = among
        return round(float(np.clip(value + self._rng.normal(0.0, STEP * (high - low)), low, high)), 3)

    def _drawn(self, among: Any) -> Any:
        if isinstance(among, tuple):
            return round(float(self._rng.uniform(*among)), 3)
        return sorted(among)[int(self._rng.integers(len(among)))]

    @staticmethod
    def _one_number(among: Any) -> bool:
        return not isinstance(among, list)

    def _coin(self) -> bool:
        return bool(self._rng.random() < 0.5)


def search(kind: type[Tuned], task: Task, train_on: Mapping[str, Any], budget: int, episodes: int, seed: int) -> Any:
    """What to store of a rule tuned for a task, None where the default is as good; `train_on` changes its keywords."""
    began = time.process_time()
    world = replace(task, kwargs={**task.kwargs, **train_on})
    searched = Search(kind, world, episodes, np.random.default_rng(seed))
    before = tuned(_package(kind)).get(kind.name, {}).get(task.name, {}).get("parameters", {})
    best, trained, validated, default = searched.run(budget, before)
    sign = 1.0 if task.higher_is_better else -1.0
    told = f"{searched.tried} settings tried on {episodes} training episodes"
    if train_on:
        told += " of " + ", ".join(f"{name}={_short(value)}" for name, value in train_on.items())
    told += f", seed {seed}, {time.process_time() - began:.0f} s of processor time: {sign * trained:.6g} there, "
    told += f"{sign * validated:.6g} on {episodes} others, where the default has {sign * default:.6g}"
    print(f"{task.name} {kind.name}: {told}", flush=True)
    if validated <= default:
        return None
    return {"parameters": best, "task_hash": task.hash, "tuned_by": told}


def _package(kind: type[Tuned]) -> str:
    return kind.__module__.rpartition(".")[0]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else f"{text[:25]} ... {text[-25:]}"


def main(argv: Sequence[str] | None = None) -> None:
    """Tune a rule on tasks and write what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rule", help="SCENARIO/RULE")
    parser.add_argument("--task", action="append", required=True, help="may be given several times")
    parser.add_argument("--budget", type=int, default=200, help="settings tried")
    parser.add_argument("--episodes", type=int, default=192)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEYWORD=VALUE", help="of the world to train in")
    args = parser.parse_args(argv)
    kind = named(args.rule, None)
    if not (isinstance(kind, type) and issubclass(kind, Tuned)):
        parser.error(f"{args.rule} declares no parameters to tune.")
    try:
        train_on = keywords(args.set, "--set")
    except ValueError as error:
        parser.error(str(error))
    path = Path(str(files(_package(kind)).joinpath(FILE)))
    for name in args.task:
        found = search(kind, find_task(name), train_on, args.budget, args.episodes, args.seed)
        stored = json.loads(path.read_text("utf-8"))
        stored.setdefault(kind.name, {}).pop(name, None)
        if found is not None:
            stored[kind.name][name] = found
        write(path, json.dumps(stored, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
