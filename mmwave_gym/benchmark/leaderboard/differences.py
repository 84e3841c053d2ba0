"""One agent less another: the paired difference, what it says in words, and how many more episodes would settle it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.leaderboard.leading import verdict
from mmwave_gym.benchmark.leaderboard.sentences import SAID
from mmwave_gym.benchmark.statistics import Interval, Sample


@dataclass(frozen=True)
class Difference:
    """One agent less `other` on the `episodes` that both have, in `unit`.

    verdict: of the task's primary metric "better", "worse", "tied" or "alike" (`leading.verdict`); of another metric,
    which may be good or bad, "larger", "smaller" or "tied". smallest: the smallest difference that matters. more: how
    many more episodes would settle it, 0 where it is settled, None where episodes alone cannot.
    """

    other: str
    metric: str
    unit: str
    value: Interval
    verdict: str
    episodes: int
    smallest: float = 0.0
    more: int | None = 0

    @property
    def equal(self) -> bool:
        """Whether both have the same value in every episode, but for the last digits of a processor."""
        no_width = self.value.low is not None and self.value.low == self.value.high
        return self.verdict == "tied" and no_width and abs(self.value.mean) <= max(self.value.rounding, 0.0)

    def as_json(self) -> dict[str, Any]:
        """Its numbers and its words as JSON values."""
        return {
            "other": self.other,
            "metric": self.metric,
            "unit": self.unit,
            "difference": {"mean": self.value.mean, "low": self.value.low, "high": self.value.high},
            "verdict": self.verdict,
            "smallest_difference": self.smallest,
            "episodes": self.episodes,
            "more_episodes": self.more,
            "words": words(self),
        }


def of_primary(task: Mapping[str, Any], own: Sample, other: Sample, name: str, unit: str) -> Difference | None:
    """`own` less the agent `name` in the task's primary metric; None where they share no episode."""
    found = _paired(task, own, other)
    if found is None:
        return None
    value, episodes = found
    says, smallest = verdict(task, value), float(task.get("smallest_difference") or 0.0)
    more = _more(value, says, smallest, own, other)
    return Difference(name, str(task["primary"]), unit, value, says, episodes, smallest, more)


def of_metric(
    task: Mapping[str, Any], metric: str, own: Sample, other: Sample, name: str, unit: str
) -> Difference | None:
    """`own` less the agent `name` in a metric that does not rank; None where they share no episode."""
    found = _paired(task, own, other)
    if found is None:
        return None
    value, episodes = found
    says = "tied" if not value.excludes_zero else "larger" if value.mean > 0 else "smaller"
    return Difference(name, metric, unit, value, says, episodes)


def _paired(task: Mapping[str, Any], own: Sample, other: Sample) -> tuple[Interval, int] | None:
    values, others = statistics.align(own, other)
    if not values.size:
        return None
    groups = statistics.shared_groups(own, other)
    return statistics.difference_interval(values, others, groups), values.shape[1]


def _more(value: Interval, says: str, smallest: float, own: Sample, other: Sample) -> int | None:
    """Episodes beside those that both have, until the interval excludes 0, or holds only what does not matter.

    It takes the mean and the spread as they are now: a rough number, and no promise.
    """
    if says != "tied":
        return 0
    if value.low is None or value.high is None:
        return None
    if value.low == value.high or (-smallest <= value.low and value.high <= smallest):
        return 0
    half = value.mean - value.low if value.mean > 0 else value.high - value.mean
    wanted = max(abs(value.mean), smallest - abs(value.mean))
    if wanted <= value.rounding:
        return None
    values, others = statistics.align(own, other)
    groups = statistics.shared_groups(own, other)
    times = statistics.times_the_episodes(values, others, min(wanted / half, 1.0), groups)
    return None if times is None else max(1, math.ceil((times - 1.0) * values.shape[1]))


def words(one: Difference, role: str = "") -> str:
    """What a difference says, as in "worse than a3 by 0.07 [0.02, 0.13] 1/slot".

    role: what the other agent is, such as "the best rule".
    """
    name = f"{role}, {one.other}," if role else one.other
    unit = "" if one.unit in ("", "1") else f" {one.unit}"
    if one.equal:
        return f"equal to {name.rstrip(',')} in every episode"
    if one.verdict in ("better", "worse", "larger", "smaller"):
        gap = one.value if one.value.mean > 0 else _negative(one.value)
        than = SAID.get(one.verdict, f"{one.verdict} than")
        return f"{than} {name} by {number(gap.mean, gap)} {ends(gap)}".rstrip() + unit
    shown = f"{number(one.value.mean, one.value, True)} {ends(one.value, True)}".rstrip() + unit
    name = name.rstrip(",")
    if one.verdict == "alike":
        return f"alike with {name}: {shown} is less than {one.smallest:g}, the smallest difference that matters"
    if one.value.low is None:
        return f"not told apart from {name}: {shown}, and one episode has no interval"
    if not one.more and one.more is not None:
        return f"tied with {name}: {shown}, and less than {one.smallest:g} does not matter"
    return f"not told apart from {name}: {shown}"


def what_settles(one: Difference) -> str:
    """A sentence on how many more episodes would settle it; empty where it is settled."""
    if one.more == 0:
        return ""
    if one.more is not None:
        return f"About {_rough(one.more):,} more episodes would settle it, if they are like these {one.episodes:,}."
    if one.value.low is None:
        return "More than one episode is needed."
    if abs(one.value.mean) <= one.value.rounding:
        return "No number of episodes settles it: the mean difference is 0."
    return "More episodes alone do not settle it: more training seeds are needed."


def rough_episodes(one: Difference) -> int:
    """How many episodes in all would settle it, to two digits; those that both have where the number is not known."""
    return one.episodes + _rough(one.more or 0)


def _rough(count: int) -> int:
    """Two digits of an estimate."""
    step = 10 ** max(0, len(str(count)) - 2)
    return -(-count // step) * step


def _negative(value: Interval) -> Interval:
    low, high = (None if end is None else -end for end in (value.high, value.low))
    return Interval(-value.mean, low, high)
