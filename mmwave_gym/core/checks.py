"""Checks at the boundary: each error says what is wrong, the value got and what is allowed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


def nearest(name: str, known: Iterable[str]) -> str:
    """ " Did you mean 'beta'?" with the nearest known name, or nothing where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown(what: str, name: str, known: Iterable[str], none: str = "none") -> str:
    """The text of an error: what is unknown, the nearest known name, and all of them; `none` where there are none.

    Where names have families, as "family/name", those of the family that `name` begins with or is.
    """
    names = list(known)
    family = name.partition("/")[0] + "/"
    names = [n for n in names if n.startswith(family)] or names
    return f"unknown {what} {name!r}.{nearest(name, names)} Known are {', '.join(names) or none}."


def one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    """ValueError unless `value` is among the `allowed` words."""
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, got {value!r}.")


def at_least(name: str, value: Any, low: float, *, integer: bool = False, strict: bool = False) -> None:
    """ValueError unless `value` is a finite number of at least `low` (above it if `strict`)."""
    kind = Integral if integer else Real
    bound = f"{'above' if strict else 'at least'} {low:g}"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} must be {'an integer' if integer else 'a number'} {bound}, got {value!r}.")
    finite = integer or math.isfinite(value)
    if not finite or value < low or (strict and value == low):
        raise ValueError(f"{name} must be {bound}, got {value}.")


def between(name: str, value: Any, low: float, high: float) -> None:
    """ValueError unless `value` is a number in [low, high]."""
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= float(value) <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, got {value!r}.")


def interval(name: str, value: Any, low: float) -> None:
    """ValueError unless `value` is a pair of finite numbers, `low` <= first <= second."""
    numbers = _numbers(value)
    if len(numbers) != 2 or not low <= numbers[0] <= numbers[1] < math.inf:
        raise ValueError(f"{name} must be a pair of numbers, {low:g} <= lowest <= highest, got {value!r}.")


def probabilities(name: str, value: Any, count: int) -> None:
    """ValueError unless `value` holds `count` non-negative numbers that sum to 1."""
    numbers = _numbers(value)
    if len(numbers) != count or any(not 0.0 <= p <= 1.0 for p in numbers):
        raise ValueError(f"{name} must be {count} probabilities between 0 and 1, got {value!r}.")
    if abs(sum(numbers) - 1.0) > 1e-9:
        raise ValueError(f"{name} must sum to 1, got {value!r} with sum {sum(numbers):g}.")


def _numbers(value: Any) -> list[Any]:
    """The numbers in `value`, or nothing where it holds anything else."""
    held = list(value) if isinstance(value, Iterable) else []
    return [] if any(not isinstance(x, Real) or isinstance(x, bool) for x in held) else held
