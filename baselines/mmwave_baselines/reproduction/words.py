"""What pages of reproductions share: numbers with intervals, numbered lists, how many claims have which verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmwave_gym.benchmark.reproduction import KINDS, VERDICTS, Claim
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


def counts(claims: Sequence[Claim], what: str = "claims") -> str:
    """How many claims have which verdict, those of the paper first and every other kind apart: a few sentences.

    what: they are called so, "claims" or "numbers of Table I".
    """
    sentences = []
    for kind, called in KINDS.items():
        of = [c for c in claims if c.kind == kind]
        if of:
            found = ", ".join(f"{number} {v}" for v in VERDICTS if (number := sum(c.verdict == v for c in of)))
            sentences.append(f"{len(of)} {what if len(of) > 1 else what.removesuffix('s')} {called}: {found}.")
    return " ".join(sentences)


def numbered(texts: Iterable[str]) -> str:
    """A numbered list in Markdown."""
    return "\n".join(f"{i}. {text}" for i, text in enumerate(texts, 1)) + "\n"
