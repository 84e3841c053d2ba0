"""Tuning: chooses the parameters that an agent declares, on a task's training split alone.

1. A quarter of the budget: the default, then what was tuned for the class before, for this task first. Then each number
   and word is at random or, half of the time, as in one of these.
2. A quarter: Optuna's TPE chooses them. So far parameters of several numbers stay at rest.
3. The other half: one or two numbers are moved from the best so far, and what gains is kept.
4. The best `FINALISTS`, the default and what was tuned for this task before play `LONGER` times as many others. The
   best mean of all of these is chosen.
5. The chosen one, the default and what was tuned before play the validation part of the training split, as many as in
   4: episodes that chose nothing. Where one of the latter two is as good there, it stays.

Settings are proposed in generations of `GENERATION`, whoever plays them and however many at once. A journal, a file of
Optuna's, holds each one that was played: an interrupted tuning proposes the same again and plays what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.agents.loading import find
from mmwave_gym.agents.tuned import BUDGET, EPISODES, defaults, earlier, parameters
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.golden import agent_digest
from mmwave_gym.benchmark.jobs import Call, Done, Job, run_all
from mmwave_gym.benchmark.proposals import Proposals, begins, flat
from mmwave_gym.benchmark.statistics import Interval, difference_interval
from mmwave_gym.benchmark.task import Task
from mmwave_gym.benchmark.tuning_journal import Journal
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Allowed, Words
from mmwave_gym.core.types import Float64Array

GENERATION = 4
FINALISTS = 4
LONGER = 4
"""The choice is between near equals, and few settings play on."""

Settings = dict[str, Any]
Run = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A tuning that is asked for. Raises AgentError and ValueError as its parts do, before anything is played.

    agent: a name, "package.module:Class", or "file.py:Class". task: whose training split is played.
    budget: settings tried. episodes: training episodes that each plays. seed: of the proposals.
    """

    agent: str
    task: Task
    budget: int = BUDGET
    episodes: int = EPISODES
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("budget", self.budget, 1, integer=True)
        at_least("episodes", self.episodes, 1, integer=True)
        at_least("seed", self.seed, 0, integer=True)

    @property
    def kind(self) -> Any:
        """The class to tune."""
        return find(self.agent, self.task.scenario_name)

    @property
    def world(self) -> Task:
        """The task as one trains for it."""
        return self.task.for_training()

    def about(self, space: dict[str, Allowed]) -> dict[str, Any]:
        """All that the proposals and their merits depend on, as JSON values."""
        return {
            "agent": self.agent,
            "code": agent_digest(self.task, {self.kind.__module__}),
            "task": self.task.name,
            "task_hash": self.task.hash,
            "training": {name: _short(value) for name, value in (self.task.training or {}).items()},
            "parameters": {name: allowed.text for name, allowed in space.items()},
            "settings_tried": self.budget,
            "training_episodes": self.episodes,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Tuning:
    """What a tuning has found.

    parameters: keywords of the class, those of its defaults where these were as good in validation.
    config: what was tried, as JSON values.
    training, validation: means of the primary metric, of the chosen settings, in its unit.
    gain: of the chosen settings over the defaults on validation episodes, larger is better.
    """

    parameters: Settings
    config: dict[str, Any]
    training: float
    validation: float
    default_training: float
    default_validation: float
    gain: Interval

    @property
    def gap(self) -> float:
        """By how much training episodes flatter: gain over the defaults there less that in validation, in its unit."""
        return (self.training - self.default_training) - (self.validation - self.default_validation)


def play(agent: str, world: Task, settings: Settings, first: int, count: int) -> list[float] | None:
    """The primary metric of training episodes `first` to `first + count`; None for settings that the class refuses."""
    kind = find(agent, world.scenario_name)
    try:
        player = kind(**settings)
    except ValueError:
        return None
    few = replace(world, episodes=count)  # else an agent's calls are filled up to those of the whole task
    rows = evaluate(player, few, episodes=first + count, split="train", skip=frozenset(range(first)))
    values = [row[world.primary] for row in rows]
    if any(value is None for value in values):
        raise ValueError(f"{world.name}: an episode has no scored step, so that there is nothing to tune by.")
    return values


def tune(plan: Plan, journal: Path, run: Run = run_all, on_played: Callable[[Job, Done], None] | None = None) -> Tuning:
    """Tune an agent.

    journal: a file, read where a tuning of the same plan was interrupted. run: `run_all` with the words that say where.
    on_played: called with each job. Raises ImportError without Optuna, ValueError for a journal of another tuning.
    """
    space = parameters(plan.kind, plan.task)
    known = earlier(plan.kind, plan.task, space)
    kept = Journal.of(journal, plan.about(space), dict(list(known.items())[: begins(plan.budget) - 1]))
    return _Search(plan, space, kept, run, on_played or (lambda job, done: None)).found()


@dataclass
class _Search:
    """One tuning on its way."""

    plan: Plan
    space: dict[str, Allowed]
    journal: Journal
    run: Run
    on_played: Callable[[Job, Done], None]
    processor_s: float = 0.0
    tried: list[tuple[Settings, float]] = field(default_factory=list)
    """Settings with their merit, larger is better; -inf for those that the class refuses."""

    def found(self) -> Tuning:
        first = [defaults(self.plan.kind, self.space), *self.journal.began_with.values()]
        proposals = Proposals(self.space, first, self.plan.budget, self.plan.seed)
        for number in range(0, self.plan.budget, GENERATION):
            asked = proposals.ask(min(GENERATION, self.plan.budget - number))
            merits = self._merits(number, asked)
            proposals.tell(merits)
            self.tried += zip(asked, merits, strict=True)
        return self._chosen()

    def _merits(self, number: int, asked: Sequence[Settings]) -> list[float]:
        """Of a generation, from the journal or played now."""
        missing = [i for i in range(len(asked)) if not self.journal.holds(number + i, asked[i])]

        def keep(at: int, done: Done) -> None:
            merit, settings = self._merit(Call.result(done)), asked[at]
            self.journal.keep(number + at, settings, merit, done.processor_s, flat(settings, self.space))

        self._play([asked[i] for i in missing], 0, lambda at, done: keep(missing[at], done))
        kept = [self.journal.entry(number + i) for i in range(len(asked))]
        self.processor_s += sum(entry.processor_s for entry in kept)
        return [entry.merit for entry in kept]

    def _play(self, settings: Sequence[Settings], part: int, on_done: Callable[[int, Done], None]) -> None:
        """Play settings on a part of the training episodes."""
        played, world = self._part(part), self.plan.world
        calls = [
            Call(f"settings {i + 1}", play, (self.plan.agent, world, s, played.start, len(played)))
            for i, s in enumerate(settings)
        ]
        number = {id(call): i for i, call in enumerate(calls)}

        def took(job: Job, done: Done) -> None:
            on_done(number[id(job)], done)
            self.on_played(job, done)

        self.run(calls, on_done=took)

    def _part(self, number: int) -> range:
        """Episodes: part 0 is to try settings, 1 to choose, 2 to validate."""
        size = self.plan.episodes
        bounds = (0, size, (1 + LONGER) * size, (1 + 2 * LONGER) * size)
        return range(bounds[number], bounds[number + 1])

    def _values(self, settings: Sequence[Settings], part: int) -> list[Float64Array]:
        """The primary metric by episode, (episodes,) each."""
        found: dict[int, Float64Array] = {}

        def keep(at: int, done: Done) -> None:
            self.processor_s += done.processor_s
            found[at] = np.array(Call.result(done), np.float64)

        self._play(settings, part, keep)
        return [found[i] for i in range(len(settings))]

    def _merit(self, values: Sequence[float] | Float64Array | None) -> float:
        return -math.inf if values is None else self._sign * float(np.mean(values))

    @property
    def _default(self) -> Settings:
        """The defaults of the class: all that is said is what can be nothing else, such as the task of a fit."""
        return {n: a.words[0] for n, a in self.space.items() if isinstance(a, Words) and len(a.words) == 1}

    @property
    def _sign(self) -> float:
        return 1.0 if self.plan.task.higher_is_better else -1.0

    @property
    def _standing(self) -> list[Settings]:
        """What stays unless something better is found: the defaults, and what was tuned for this task before."""
        before = self.journal.began_with.get(self.plan.task.name)
        refused = any(settings == before and merit == -math.inf for settings, merit in self.tried)
        return [self._default] if before is None or refused else [self._default, before]

    def _chosen(self) -> Tuning:
        ranked = sorted((pair for pair in self.tried if pair[1] > -math.inf), key=lambda pair: -pair[1])
        standing = self._standing
        finalists = [*(settings for settings, _ in ranked[:FINALISTS]), *standing]
        firsts = [*(merit for _, merit in ranked[:FINALISTS]), *map(self._merit, self._values(standing, 0))]
        seconds = map(self._merit, self._values(finalists, 1))
        merits = [(a + LONGER * b) / (1 + LONGER) for a, b in zip(firsts, seconds, strict=True)]
        best = int(np.argmax(merits))
        players = [*range(len(finalists) - len(standing), len(finalists)), best]
        validated = self._values([finalists[at] for at in players], 2)
        there = int(np.argmax([self._merit(values) for values in validated]))  # of equal ones the first, what stands
        default = players[0]
        return self._told(
            finalists[players[there]], merits[players[there]], merits[default], validated[there], validated[0]
        )

    def _told(
        self, chosen: Settings, trained: float, default: float, theirs: Float64Array, plain: Float64Array
    ) -> Tuning:
        validation, default_validation = float(theirs.mean()), float(plain.mean())
        gain = difference_interval(self._sign * theirs[None], self._sign * plain[None])
        about = self.plan.about(self.space)
        config = {
            **{name: about[name] for name in ("settings_tried", "training_episodes", "training", "parameters", "seed")},
            "began_with": list(self.journal.began_with),
            "validation_episodes": len(self._part(2)),
            "metric": self.plan.task.primary,
            "training_mean": _digits(self._sign * trained),
            "validation_mean": _digits(validation),
            "training_gain": _digits(self._sign * (trained - default)),
            "validation_gain": _digits(validation - default_validation),
            "processor_s": round(self.processor_s, 1),
        }
        return Tuning(chosen, config, self._sign * trained, validation, self._sign * default, default_validation, gain)


def _digits(value: float) -> float:
    return float(f"{value:.6g}")


def _short(value: Any) -> Any:
    """Of a long list its ends, so that a row's header stays short."""
    if isinstance(value, list | tuple) and len(value) > 12:
        return [*value[:3], f"{len(value) - 6} more", *value[-3:]]
    return list(value) if isinstance(value, tuple) else value
