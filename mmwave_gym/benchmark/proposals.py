"""Settings that a tuning tries: those it begins with, Optuna's TPE, then moves from the best so far.

TPE alone spends its trials badly where an agent has an offset for each of many cells; moves alone begin badly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import optuna

from mmwave_gym.core.ranges import Allowed, Count, Flag, Many, Range, Words

EXPLORED = 0.5
"""Share of the budget that TPE proposes."""
BEGUN = 0.25
"""Share of the budget with which TPE begins: at random, but each number `AS_FIRST` of the time as in a setting that is
known at first."""
AS_FIRST = 0.5
"""Most numbers of a rule do harm at random: all at once say little of any."""
STEP = 0.15
"""Standard deviation of a move, in widths of the range."""
DIGITS = 4
"""Significant ones of a number that is proposed: more say nothing, and a file of settings is read by people."""

Settings = dict[str, Any]


class Proposals:
    """Proposes settings in generations: `ask` for some, `tell` what they were worth, and so on.

    The same seed and the same merits give the same settings. space: what each parameter may be. first: settings to
    begin with, at least one; those beyond `begun` of the budget are not tried. budget: how many will be asked for.
    """

    def __init__(self, space: dict[str, Allowed], first: Sequence[Settings], budget: int, seed: int):
        begun = begins(budget)
        self._space, self._first, self._left = space, list(first[:begun]), math.ceil(EXPLORED * budget)
        self._rng = np.random.default_rng(seed)
        self._single = {
            name: _distribution(allowed) for name, allowed in space.items() if not isinstance(allowed, Many)
        }
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=begun)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        single = [{n: v for n, v in one.items() if n in self._single} for one in self._first]
        for one in single:
            self._study.enqueue_trial(one)
        for i in range(begun - len(single)):
            near = single[i % len(single)]
            self._study.enqueue_trial({n: v for n, v in near.items() if self._rng.random() < AS_FIRST})
        self._asked: list[tuple[Settings, optuna.Trial | None]] = []
        self._best: Settings = {}
        self._most = -math.inf

    def ask(self, count: int) -> list[Settings]:
        """The next settings."""
        self._asked = list(self._proposed(count))
        return [settings for settings, _ in self._asked]

    def tell(self, merits: Sequence[float]) -> None:
        """What the settings asked for last are worth: larger is better, -inf for what is no setting."""
        for (settings, trial), merit in zip(self._asked, merits, strict=True):
            if trial is not None:
                failed = None if merit > -math.inf else optuna.trial.TrialState.FAIL
                self._study.tell(trial, None if failed else merit, state=failed)
            if merit > self._most:
                self._best, self._most = settings, merit

    def _proposed(self, count: int) -> Iterator[tuple[Settings, optuna.Trial | None]]:
        for _ in range(count):
            known = self._first.pop(0) if self._first else {}
            if self._left > 0 and self._single:
                trial = self._study.ask(self._single)
                settings = {name: _rounded(self._space[name], value) for name, value in trial.params.items()}
                yield {**settings, **known}, trial
            else:
                yield known or self._moved(), None
            self._left -= 1

    def _moved(self) -> Settings:
        """The best so far with one or two numbers moved."""
        numbers = [n for n, a in self._space.items() for _ in range(a.least if isinstance(a, Many) else 1)]
        moved = dict(self._best)
        for name in self._rng.choice(numbers, size=1 + int(self._rng.integers(2))):
            moved[str(name)] = self._move(self._space[str(name)], moved.get(str(name)))
        return moved

    def _move(self, allowed: Allowed, value: Any) -> Any:
        if isinstance(allowed, Many):
            values = list(value or [_rest(allowed.each)] * allowed.least)
            at = int(self._rng.integers(len(values)))
            values[at] = self._move(allowed.each, values[at])
            return sorted(values) if allowed.ordered else values
        if isinstance(allowed, Count):
            reach = max(round(STEP * (allowed.high - allowed.low)), 1)
            away = int(self._rng.integers(1, reach + 1)) * (1 if self._rng.random() < 0.5 else -1)
            return int(np.clip((allowed.low if value is None else value) + away, allowed.low, allowed.high))
        if isinstance(allowed, Range):
            near = self._rng.uniform(allowed.low, allowed.high) if value is None else value
            return _rounded(allowed, near + self._rng.normal(0.0, STEP * (allowed.high - allowed.low)))
        choices = [choice for choice in _choices(allowed) if choice != value]
        return choices[int(self._rng.integers(len(choices)))] if choices else value


def begins(budget: int) -> int:
    """With how many settings a search begins: those that are known, two at least, then some at random."""
    return max(math.ceil(BEGUN * budget), min(2, budget))


def flat(settings: Settings, space: dict[str, Allowed]) -> dict[str, tuple[Any, optuna.distributions.BaseDistribution]]:
    """Settings as parameters of an Optuna trial: value and distribution, one of them for each of several numbers."""
    found: dict[str, tuple[Any, optuna.distributions.BaseDistribution]] = {}
    for name, value in settings.items():
        allowed = space[name]
        if isinstance(allowed, Many):
            found |= {f"{name}[{i}]": (one, _distribution(allowed.each)) for i, one in enumerate(value)}
        else:
            found[name] = value, _distribution(allowed)
    return found


def _distribution(allowed: Allowed) -> optuna.distributions.BaseDistribution:
    if isinstance(allowed, Count):
        return optuna.distributions.IntDistribution(int(allowed.low), int(allowed.high))
    if isinstance(allowed, Range):
        return optuna.distributions.FloatDistribution(allowed.low, allowed.high)
    return optuna.distributions.CategoricalDistribution(_choices(allowed))


def _choices(allowed: Allowed) -> tuple[Any, ...]:
    return (False, True) if isinstance(allowed, Flag) else allowed.words if isinstance(allowed, Words) else ()


def _rounded(allowed: Allowed, value: Any) -> Any:
    """A number within its range that is short to write."""
    if not isinstance(allowed, Range) or isinstance(allowed, Count):
        return value
    return min(max(float(f"{value:.{DIGITS}g}"), float(allowed.low)), float(allowed.high))


def _rest(each: Range) -> float:
    """Where one of several numbers begins: at 0 where that is allowed, else at the nearest end."""
    nearest = min(max(0, each.low), each.high)
    return int(nearest) if isinstance(each, Count) else float(nearest)
