"""Checks at the boundary: each error says what is wrong, the value got and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


def one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    """ValueError unless `value` is among the `allowed` words."""
    words = list(allowed)
    if value not in words:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, got {value!r}.")


def at_least(name: str, value: Any, low: float, *, integer: bool = False, strict: bool = False) -> None:
    """ValueError unless `value` is a finite number of at least `low` (above it if `strict`)."""
    kind = Integral if integer else Real
    bound = f"{'above' if strict else 'at least'} {low:g}"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} must be {'an integer' if integer else 'a number'} {bound}, got {value!r}.")
    if not math.isfinite(value) or value < low or (strict and value == low):
        raise ValueError(f"{name} must be {bound}, got {value}.")


def between(name: str, value: Any, low: float, high: float) -> None:
    """ValueError unless `value` is a number in [low, high]."""
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be between {low:g} and {high:g}, got {value!r}.")


def probabilities(name: str, value: Any, count: int) -> None:
    """ValueError unless `value` holds `count` non-negative numbers that sum to 1."""
    numbers = list(value) if isinstance(value, Iterable) else []
    if len(numbers) != count or any(not isinstance(p, Real) or p < 0 for p in numbers):
        raise ValueError(f"{name} must be {count} probabilities, got {value!r}.")
    if abs(sum(numbers) - 1.0) > 1e-9:
        raise ValueError(f"{name} must sum to 1, got {value!r} with sum {sum(numbers):g}.")
