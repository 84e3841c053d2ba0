"""What pages of reproductions share: numbers with intervals, numbered lists, how many claims have which verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmwave_gym.benchmark.reproduction import KINDS, VERDICTS, Claim, markdown_table
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


def counts(claims: Sequence[Claim], numbers: Sequence[Claim] = (), of: str = "") -> str:
    """How many claims have which verdict, a line for each kind, those of the paper first: a table in Markdown.

    numbers: claims that have lines of their own, called numbers `of` a table.
    """
    rows = []
    for group, what in ((claims, "claims"), (numbers, f"numbers of {of}")):
        for kind, called in KINDS.items():
            found = [c.verdict for c in group if c.kind == kind]
            if found:
                whose = "" if of and kind == "paper" and what != "claims" else f" {called}"
                rows.append((f"{what}{whose}", *(str(found.count(verdict)) for verdict in VERDICTS)))
    return markdown_table(("whose", *VERDICTS), rows)


def numbered(texts: Iterable[str]) -> str:
    """A numbered list in Markdown."""
    return "\n".join(f"{i}. {text}" for i, text in enumerate(texts, 1)) + "\n"
