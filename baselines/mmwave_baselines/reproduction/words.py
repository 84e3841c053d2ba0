"""What pages of reproductions share: numbers with intervals, numbered lists, how many claims have which verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmwave_gym.benchmark.reproduction import VERDICTS, Claim
from mmwave_gym.benchmark.statistics import Interval


def with_interval(value: Interval, digits: int = 1) -> str:
    """A mean, and its interval in brackets if it has one."""
    return _written(value, f"z.{digits}f")


def signed(difference: Interval, digits: int = 3) -> str:
    """A difference with its interval, signs written."""
    return _written(difference, f"+.{digits}f")


def _written(value: Interval, form: str) -> str:
    mean, low, high = (None if v is None else f"{v:{form}}" for v in (value.mean, value.low, value.high))
    return f"{mean}" if low is None or high is None else f"{mean} ({low} to {high})"


def counts(claims: Sequence[Claim]) -> str:
    """How many claims have which verdict."""
    return ", ".join(f"{sum(c.verdict == v for c in claims)} {v}" for v in VERDICTS)


def numbered(texts: Iterable[str]) -> str:
    """A numbered list in Markdown."""
    return "\n".join(f"{i}. {text}" for i, text in enumerate(texts, 1)) + "\n"
