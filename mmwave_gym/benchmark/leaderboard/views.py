"""The pictures of a board as numbers: interval plots of a task, a spark line of it, training seeds of an agent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmwave_gym.benchmark.leaderboard.digits import ends, number, with_unit
from mmwave_gym.benchmark.leaderboard.entries import Entry, TaskBoard, sign_of
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.access import ACCESS_LEVELS

AT_LEAST, AT_MOST = -0.7, 1.05
"""How far a spark line reaches, in headrooms: the rule is at 0, the ceiling at 1, lower ones at the edge."""


@dataclass(frozen=True)
class Dot:
    """One agent in a plot; positions are per cent of the width; ``beyond`` is the side it is off."""

    entry: Entry
    value: Interval
    x: float
    low: float
    high: float
    beyond: str = ""


@dataclass(frozen=True)
class Plot:
    """An interval plot: dots best first, ticks ``(x, text)``, marked lines ``(role, x, text)``."""

    title: str
    quantity: str
    higher_is_better: bool
    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, str], ...]
    lines: tuple[tuple[str, float, str], ...]


def plots(board: TaskBoard) -> tuple[Plot, ...]:
    """The task's plots: the difference to the best rule, the score, and the primary metric.

    The first two come first because their intervals are of differences on the same episodes: those of the plain
    mean are mostly the worlds' luck, which all agents share, and overlap where the agents clearly differ.
    """
    primary, up = str(board.task["primary"]), bool(board.task["higher_is_better"])
    gains = {e.agent: e.gain or Interval(0.0, None, None) for e in board.entries if e.gain or e.agent == e.best_rule}
    scores = {e.agent: e.score for e in board.entries if e.score is not None}
    means = {e.agent: e.mean for e in board.entries if e.mean is not None}
    unit = board.units[primary]
    views = [
        _view("Less the best rule", f"paired difference{f' ({unit})' if unit else ''}", board, gains, up, True),
        _view("Score", "score", board, scores, True, False),
        _view(primary, with_unit(board, primary), board, means, up, False),
    ]
    return tuple(view for view in views if view is not None)


def _view(
    title: str, quantity: str, board: TaskBoard, values: dict[str, Interval], up: bool, near: bool
) -> Plot | None:
    """near: of the leaders, where all others would squeeze them together; those are then off the plot."""
    if not values:
        return None
    scored = sorted((e for e in board.entries if e.agent in values), key=lambda e: e.agent)
    scored.sort(key=lambda e: values[e.agent].mean, reverse=up)
    marks = _marks(title, board, values)
    extent = _extent([values[e.agent] for e in scored] + [Interval(at, None, None) for _, at, _ in marks])
    if near:
        leaders = scored[: max(3, math.ceil(len(scored) * 0.6))]
        close = _extent([values[e.agent] for e in leaders] + [Interval(0.0, None, None)])
        extent = close if close[1] - close[0] < 0.5 * (extent[1] - extent[0]) else extent
    return _plot(title, quantity, scored, values, up, extent, marks)


def _span(value: Interval) -> tuple[float, float]:
    """The interval's ends; its mean twice if it has none."""
    if value.low is None or value.high is None:
        return value.mean, value.mean
    return value.low, value.high


def _extent(values: Iterable[Interval]) -> tuple[float, float]:
    spans = [_span(value) for value in values]
    low, high = min(s[0] for s in spans), max(s[1] for s in spans)
    margin = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _plot(
    title: str,
    quantity: str,
    scored: list[Entry],
    values: dict[str, Interval],
    up: bool,
    extent: tuple[float, float],
    marks: list[tuple[str, float, str]],
) -> Plot:
    low, high = extent

    def place(value: float) -> float:
        return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 2)

    dots = []
    for entry in scored:
        value = values[entry.agent]
        beyond = "left" if value.mean < low else "right" if value.mean > high else ""
        start, end = _span(value)
        dots.append(Dot(entry, value, place(value.mean), place(start), place(end), beyond))
    lines = tuple(
        (role, place(at), text if low <= at <= high else f"{text} {'→' if at > high else '←'} {number(at)}")
        for role, at, text in marks
    )
    ticks = tuple((place(value), text) for value, text in _ticks(low, high))
    return Plot(title, quantity, up, tuple(dots), ticks, lines)


def _marks(title: str, board: TaskBoard, values: dict[str, Interval]) -> list[tuple[str, float, str]]:
    """Floor, reference and the ceilings as (role, value, text); on the scale of scores all ceilings are at 1."""
    gain = title == "Less the best rule"
    found: dict[str, tuple[float, list[str], str]] = {}
    for level in board.levels:
        if (one := board.ceiling(level)) is None:
            continue
        headroom = board.rules[level][1] if level in board.rules else None
        if gain and headroom is None:
            continue
        at = headroom.mean if gain and headroom is not None else one.mean.mean
        found.setdefault(f"{one.name} {at:.9g}" if gain else one.name, (at, [], one.kind))[1].append(level)
    ceilings = [("ceiling", at, f"{' and '.join(levels)}: {kind}") for at, levels, kind in found.values()]
    if title == "Score":
        ceilings = [("ceiling", 1.0, "ceiling of the agent's level")] if found else []
    if gain:
        return [("reference", 0.0, "best rule"), *ceilings]
    roles = [(role, str(board.task.get(role))) for role in ("floor", "reference")]
    return [(role, values[name].mean, f"{role} {name}") for role, name in roles if name in values] + ceilings


def _ticks(low: float, high: float, wanted: int = 5) -> list[tuple[float, str]]:
    """Round numbers in the range, about ``wanted`` of them, all with the digits of their step."""
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    values = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    plain = max(abs(low), abs(high)) < 1e7 and decimals < 6
    return [(v, f"{v:,.{decimals}f}".replace("-", "−") if plain else number(v)) for v in values]


@dataclass(frozen=True)
class Line:
    """A task in one line: at its lowest ranked access level the best rule, who leads, and what there is to win."""

    level: str
    rule: Entry | None
    leader: Entry
    headroom: Interval | None
    spark: tuple[tuple[str, str], ...]
    """Paths ``(verdict, d)`` in a box 100 wide and 28 high; "rule" and "ceiling" are lines across it."""

    @property
    def headroom_share(self) -> str:
        """The headroom in per cent of the rule's mean, empty where that says nothing."""
        if self.headroom is None or self.rule is None or self.rule.mean is None or not self.rule.mean.mean:
            return ""
        share = abs(self.headroom.mean / self.rule.mean.mean)
        return f"{share:.1%}" if share < 10.0 else ""


def line(board: TaskBoard) -> Line | None:
    """The task in one line; None where nobody is ranked."""
    firsts = sorted((e for e in board.entries if e.rank == 1), key=lambda e: ACCESS_LEVELS.index(e.access))
    if not firsts:
        return None
    leader = firsts[0]
    peers = sorted((e for e in board.entries if e.group == leader.group and e.rank), key=lambda e: e.rank or 0)
    return Line(leader.group, board.entry(leader.best_rule), leader, leader.headroom, _spark(peers, leader, board))


def _spark(peers: Sequence[Entry], leader: Entry, board: TaskBoard) -> tuple[tuple[str, str], ...]:
    """Each ranked agent's difference to the best rule with its interval, best on the left, in headrooms."""
    sign = sign_of(board.task)
    whole = abs(leader.headroom.mean) if leader.headroom is not None else 0.0
    whole = whole or max((abs(e.gain.mean) for e in peers if e.gain is not None), default=0.0) or 1.0

    def height(value: float) -> str:
        share = min(max(sign * value / whole, AT_LEAST), AT_MOST)
        return f"{2 + 24 * (AT_MOST - share) / (AT_MOST - AT_LEAST):.1f}".removesuffix(".0")

    across = {"rule": f"M0 {height(0.0)}H100"}
    if leader.headroom is not None:
        across["ceiling"] = f"M0 {height(sign * whole)}H100"
    paths: dict[str, str] = {}
    for i, entry in enumerate(peers):
        x = 100 * (i + 0.5) / len(peers)
        value = entry.gain or Interval(0.0, None, None)
        low, high = _span(value)
        verdict = entry.gain_verdict or "best"
        paths[verdict] = paths.get(verdict, "") + f"M{x:.1f} {height(low)}V{height(high)}"
        paths[verdict] += f"M{x - 1.2:.1f} {height(value.mean)}h2.4"
    return (*across.items(), *paths.items())


@dataclass(frozen=True)
class Seeds:
    """Scores of training seeds on a scale of their own, 120 wide: places ``(x, score)``, and the agent's band
    ``(x, width)``, its 95 % interval, where it has one."""

    places: tuple[tuple[float, float], ...]
    band: tuple[float, float] | None

    @property
    def low(self) -> float:
        return min(score for _, score in self.places)

    @property
    def high(self) -> float:
        return max(score for _, score in self.places)


def seeds(entry: Entry, board: TaskBoard) -> Seeds | None:
    """The training seeds of an agent, in the order of its runs; None where there are fewer than two.

    A score is linear in the mean, so it follows from the agent's own and those of the floor and the ceiling.
    """
    primary, floor = str(board.task["primary"]), board.entry(board.task.get("floor"))
    ceiling = board.ceiling(entry.access)
    runs = [r for r in entry.runs if r.episodes and r.agent["training_seed"] is not None and r.failed is None]
    if len(runs) < 2 or entry.score is None or entry.mean is None or floor is None or ceiling is None:
        return None
    assert floor.mean is not None
    span = ceiling.mean.mean - floor.mean.mean
    values = [[row[primary] for row in run.episodes if row.get(primary) is not None] for run in runs]
    if not span or not all(values):
        return None
    scores = [entry.score.mean + (sum(one) / len(one) - entry.mean.mean) / span for one in values]
    low, high = _extent([entry.score, *(Interval(score, None, None) for score in scores)])

    def place(score: float) -> float:
        return round(120 * (score - low) / (high - low), 1)

    start, end = (place(end) for end in _span(entry.score))
    band = (start, round(end - start, 1)) if end > start else None
    return Seeds(tuple((place(score), score) for score in scores), band)


def said(value: Interval | None, signed: bool = False) -> str:
    """A number with its interval, as titles of marks have it."""
    return "–" if value is None else f"{number(value.mean, value, signed)} {ends(value, signed)}".rstrip()
