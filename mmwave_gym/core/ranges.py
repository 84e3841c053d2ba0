"""What a keyword may be and what it costs, declared once, beside its field.

    @dataclass(frozen=True, kw_only=True)
    class Config:
        num_cells: Annotated[int, Count(1, 1000, cost="memory and time in proportion")] = 4
        fading_db: Annotated[float, Range(0.0, 20.0, "dB")] = 8.0
        start: Annotated[str, Words("centre", "uniform")] = "centre"

        def __post_init__(self) -> None:
            check_ranges(self)

One declaration serves three readers: `check_ranges` refuses other values, the docs page lists ranges and costs, and
`python -m bench.configurations` draws configurations from them. A field of type `… | None` may be None, too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Any, get_args, get_type_hints

from mmwave_gym.core.checks import one_of, probabilities


class Allowed:
    """What a keyword may be."""

    cost: str = ""
    """What larger values cost, empty where they cost nothing."""

    @property
    def text(self) -> str:
        """What is allowed, for readers of the docs page."""
        raise NotImplementedError

    def check(self, name: str, value: Any) -> None:
        """ValueError, which names keyword, value and what is allowed, unless the value is allowed."""
        raise NotImplementedError


@dataclass(frozen=True)
class Range(Allowed):
    """A number between `low` and `high`, both allowed, in `unit`."""

    low: float
    high: float
    unit: str = ""
    cost: str = ""

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range must be finite, low < high, got {self.low} to {self.high}.")

    @property
    def bounds(self) -> tuple[str, str]:
        return _short(self.low), _short(self.high)

    @property
    def text(self) -> str:
        return " to ".join(self.bounds) + (f" {self.unit}" if self.unit else "")

    def holds(self, value: Any) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool):
            return False
        number: Any = value  # an integer too large for a float still compares
        return bool(self.low <= number <= self.high)

    def check(self, name: str, value: Any) -> None:
        if not self.holds(value):
            low, high = self.bounds
            raise ValueError(
                f"{name} must be {_kind(value, Real, 'a number ')}between {low} and {high}, got {value!r}."
            )


@dataclass(frozen=True)
class Count(Range):
    """An integer between `low` and `high`, both allowed."""

    def holds(self, value: Any) -> bool:
        return isinstance(value, Integral) and super().holds(value)

    def check(self, name: str, value: Any) -> None:
        if not self.holds(value):
            low, high = self.bounds
            kind = _kind(value, Integral, "an integer ")
            raise ValueError(f"{name} must be {kind}between {low} and {high}, got {value!r}.")


@dataclass(frozen=True)
class Many(Allowed):
    """`least` to `most` values, each allowed by `each`. With `ordered` none is below the one before it."""

    each: Range
    least: int
    most: int
    ordered: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "cost", self.each.cost)

    @property
    def text(self) -> str:
        if self.least == self.most == 2:
            return f"a pair, {self.each.text}{', lowest first' if self.ordered else ''}"
        return f"{self.least} to {self.most} of {self.each.text}"

    def check(self, name: str, value: Any) -> None:
        held = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
        alone = all(map(self.each.holds, held)) and self.least <= len(held) <= self.most
        if not alone or (self.ordered and held != sorted(held)):
            low, high = self.each.bounds
            kind = "integers" if isinstance(self.each, Count) else "numbers"
            count = f"a pair of {kind}" if self.least == self.most == 2 else f"{self.least} to {self.most} {kind}"
            order = f", {low} <= lowest <= highest <= {high}" if self.ordered else f" between {low} and {high}"
            raise ValueError(f"{name} must be {count}{order}, got {value!r}.")


def pair(low: float, high: float, unit: str = "", cost: str = "", integer: bool = False) -> Many:
    """Two numbers between `low` and `high`, the first at most the second."""
    return Many((Count if integer else Range)(low, high, unit, cost), 2, 2, ordered=True)


@dataclass(frozen=True, init=False)
class Words(Allowed):
    """One of these words."""

    words: tuple[str, ...]

    def __init__(self, *words: str):
        object.__setattr__(self, "words", words)

    @property
    def text(self) -> str:
        return ", ".join(f'"{word}"' for word in self.words)

    def check(self, name: str, value: Any) -> None:
        one_of(name, value, self.words)


@dataclass(frozen=True)
class Probabilities(Allowed):
    """So many probabilities that sum to 1."""

    count: int

    @property
    def text(self) -> str:
        return f"{self.count} probabilities"

    def check(self, name: str, value: Any) -> None:
        probabilities(name, value, self.count)


@dataclass(frozen=True)
class Flag(Allowed):
    """True or False."""

    @property
    def text(self) -> str:
        return "False, True"

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be False or True, got {value!r}.")


@dataclass(frozen=True)
class Either(Allowed):
    """A word, or what `other` allows."""

    words: Words
    other: Allowed

    def __post_init__(self) -> None:
        object.__setattr__(self, "cost", self.other.cost)

    @property
    def text(self) -> str:
        return f"{self.words.text}, or {self.other.text}"

    def check(self, name: str, value: Any) -> None:
        (self.words if isinstance(value, str) else self.other).check(name, value)


@dataclass(frozen=True)
class Said(Allowed):
    """What only the scenario can check, such as a file or a matrix: what is allowed in words, and some examples."""

    what: str
    examples: tuple[Any, ...] = ()
    cost: str = ""

    @property
    def text(self) -> str:
        return self.what

    def check(self, name: str, value: Any) -> None:
        return  # the scenario does


@cache
def declared(config: Hashable) -> Mapping[str, tuple[Allowed | None, bool]]:
    """By keyword of a configuration: what is allowed, None where nothing is declared, and whether None is, too."""
    assert isinstance(config, type)
    hints = get_type_hints(config, include_extras=True)
    found = {}
    for f in dataclasses.fields(config):
        allowed = next((m for m in getattr(hints[f.name], "__metadata__", ()) if isinstance(m, Allowed)), None)
        kind = getattr(hints[f.name], "__origin__", hints[f.name])
        found[f.name] = (allowed, NoneType in get_args(kind))
    return found


def undeclared(config: type) -> list[str]:
    """Keywords that declare no range."""
    return [name for name, (allowed, _) in declared(config).items() if allowed is None]


def check_ranges(config: Any) -> None:
    """ValueError for the first keyword of a configuration that is outside its declared range."""
    kind: Any = type(config)
    for name, (allowed, optional) in declared(kind).items():
        value = getattr(config, name)
        if allowed is not None and not (optional and value is None):
            allowed.check(name, value)


def costly(config: type) -> Iterable[str]:
    """Keywords that declare a cost in memory, in the order of fields."""
    return [name for name, (allowed, _) in declared(config).items() if allowed and "memory" in allowed.cost]


def _kind(value: Any, kind: type, words: str) -> str:
    return "" if isinstance(value, kind) and not isinstance(value, bool) else words


def _short(bound: float) -> str:
    if isinstance(bound, int) and bound > 10**15:
        power = bound.bit_length() if bound & (bound + 1) == 0 else 0
        return f"2^{power} - 1" if power else f"{bound:g}"
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
