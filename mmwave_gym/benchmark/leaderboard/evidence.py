"""Whether a task has enough episodes for what its board says: their number, widths of intervals, maps.

What the sentences rest on is looked at: the reference, the leader of the lowest access level that is ranked, and the
ceiling of that level.

A width is relative to the mean. Two kinds of metric have no zero that a mean could be relative to: a mean of
logarithms, and one that is negative at the floor. Then the width is relative to the distance from floor to ceiling, the
unit of the score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmwave_gym.benchmark.leaderboard.entries import TaskBoard
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.access import ACCESS_LEVELS

LEAST_EPISODES = 32
WIDEST = 0.03
"""Of a 95 % interval, relative to its mean or to the distance from floor to ceiling."""
LOGARITHMS = ("log2(", "ln(")
"""What the unit of a mean of logarithms begins with."""
LEAST_MAPS = 64
"""Of a task whose episodes are on maps that nobody has trained on."""


@dataclass(frozen=True)
class Evidence:
    """One agent's. width: of its 95 % interval relative to `whole`, None where it has none. whole: "the mean" or "floor
    to ceiling". wanted: episodes at which the width would be `WIDEST` and the number `LEAST_EPISODES`, if these
    episodes are like others."""

    role: str
    agent: str
    episodes: int
    width: float | None
    whole: str
    wanted: int

    @property
    def enough(self) -> bool:
        """Whether both the number and the width are as asked."""
        return self.episodes >= LEAST_EPISODES and self.width is not None and self.width <= WIDEST


def evidence(board: TaskBoard) -> list[Evidence]:
    """Of the reference, the leader and its ceiling, each once and under its first role."""
    found: dict[str, Evidence] = {}
    leader = _leader(board)
    first = board.entry(leader)
    ceiling = None if first is None else board.ceiling(first.access)
    spread = _spread(board, None if ceiling is None else ceiling.mean.mean)
    entries = [
        (role, board.entry(name)) for role, name in (("reference", board.task.get("reference")), ("leader", leader))
    ]
    for role, entry in entries:
        if entry is not None and entry.agent not in found:
            found[entry.agent] = _of(role, entry.agent, entry.episodes, entry.mean, spread)
    if ceiling is not None and ceiling.name not in found:
        found[ceiling.name] = _of("ceiling", ceiling.name, ceiling.sample.episodes.size, ceiling.mean, spread)
    return list(found.values())


def maps(board: TaskBoard) -> int | None:
    """How many maps the episodes of the task are on; None where they share none."""
    groups = board.task.get("groups")
    return len(set(groups)) if groups else None


def lacks(board: TaskBoard) -> list[str]:
    """Sentences on what the task's evidence lacks; none where it has enough."""
    sentences = []
    for one in evidence(board):
        if one.enough:
            continue
        has = f"{one.role} {one.agent}: {one.episodes} episodes"
        if one.episodes < LEAST_EPISODES:
            has += f", {LEAST_EPISODES} are asked"
        if one.width is None:
            has += ", no interval"
        elif one.width > WIDEST:
            on = maps(board)
            more = f"about {one.wanted:,} episodes"
            if on:
                more = f"about {math.ceil(on * (one.width / WIDEST) ** 2):,} maps with as many episodes each"
            has += f", 95 % width {one.width:.1%} of {one.whole}, {WIDEST:.0%} is asked: {more} would do"
        sentences.append(f"{has}.")
    if (number := maps(board)) is not None and number < LEAST_MAPS:
        sentences.append(f"Its episodes are on {number} maps, {LEAST_MAPS} are asked.")
    return sentences


def _leader(board: TaskBoard) -> str | None:
    ranked = [e for e in board.entries if e.rank == 1]
    return min(ranked, key=lambda e: ACCESS_LEVELS.index(e.access)).agent if ranked else None


def _spread(board: TaskBoard, ceiling: float | None) -> float | None:
    """The distance from floor to ceiling, or to the best mean without one; None where the metric has a zero."""
    means = {e.agent: e.mean.mean for e in board.entries if e.mean is not None}
    floor = means.get(str(board.task.get("floor")))
    has_zero = floor is None or (floor >= 0.0 and not board.units[str(board.task["primary"])].startswith(LOGARITHMS))
    if floor is None or has_zero:
        return None
    return max(abs(mean - floor) for mean in (means.values() if ceiling is None else [ceiling]))


def _of(role: str, name: str, episodes: int, interval: Interval | None, spread: float | None) -> Evidence:
    width = None
    if interval is not None and interval.low is not None and interval.high is not None:
        scale = abs(interval.mean) if spread is None else spread
        width = (interval.high - interval.low) / scale if scale else math.inf
    wanted = LEAST_EPISODES
    if width is not None and math.isfinite(width):
        wanted = max(wanted, math.ceil(episodes * (width / WIDEST) ** 2))
    return Evidence(role, name, episodes, width, "the mean" if spread is None else "floor to ceiling", wanted)
