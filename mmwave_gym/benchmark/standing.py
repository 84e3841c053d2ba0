"""Where learning stands on a board: the best learned local agent of each task against the best local rule.

From the rows of `leaderboard.csv` alone: a table, and a picture (SVG) of the paired differences with their intervals.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

Row = Mapping[str, str]
COLOURS = {"better": "#1a7f37", "tied": "#8a6d00", "worse": "#c0392b"}
WIDTH, LEFT, RIGHT, TOP, LINE, STEP = 480, 168, 18, 58, 20, 20
"""Of the picture: width, start of the axis, margins behind and above it, height of a line, per cent a mark."""
STYLE = """<style>text{font:11px system-ui,sans-serif;fill:#24292f}.h{font-weight:600}
.t{text-anchor:middle;fill:#57606a}
.g{stroke:#d0d7de}.z{stroke:#57606a;stroke-dasharray:3 2}</style>
<rect width="100%" height="100%" fill="#fff"/>"""
VERDICTS = ("better", "tied", "worse")


@dataclass(frozen=True)
class Standing:
    """The best learned local agent of a task, and what it gains over the best local rule. Empty where there is none."""

    task: str
    agent: str = ""
    rule: str = ""
    verdict: str = ""
    share: tuple[float, float, float] | None = None
    """Mean, low and high of the gain in per cent of the headroom: 0 is the best rule, 100 the ceiling."""

    @property
    def scenario(self) -> str:
        return self.task.partition("/")[0]


def standings(rows: Iterable[Row], suite: str) -> list[Standing]:
    """Of every task of a suite, in the order of their names. rows: scored ones of a board."""
    by_task: dict[str, list[Row]] = {}
    for row in rows:
        if row["suite"] == suite:
            by_task.setdefault(row["task"], []).append(row)
    return [_standing(task, by_task[task]) for task in sorted(by_task)]


def _standing(task: str, rows: Sequence[Row]) -> Standing:
    local = [row for row in rows if row["group"] == "local"]
    learned = [row for row in local if row["kind"] == "learned" and row["gain"]]
    best = min(learned, key=lambda row: int(row["rank"]), default=None)
    if best is None:
        return Standing(task)
    headroom = float(best["headroom"] or 0.0)
    gains = [float(best[f"gain{end}"]) for end in ("", "_low", "_high")]
    share = None
    if headroom > 0:
        share = (100.0 * gains[0] / headroom, 100.0 * gains[1] / headroom, 100.0 * gains[2] / headroom)
    return Standing(task, best["agent"], best["best_rule"], best["gain_verdict"], share)


def table(rows: Sequence[Row], suite: str) -> str:
    """What is on the board, Markdown: a line for each scenario."""
    lines = ["| scenario | tasks | agents | learning better | tied | worse | not trained |", "|---|" + "---:|" * 6]
    for scenario, group in groupby(standings(rows, suite), key=lambda one: one.scenario):
        of = list(group)
        agents = {row["agent"] for row in rows if row["suite"] == suite and row["task"].startswith(f"{scenario}/")}
        counted = [sum(one.verdict == verdict for one in of) for verdict in (*VERDICTS, "")]
        cells = (scenario.replace("_", " "), len(of), len(agents), *counted)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def picture(rows: Iterable[Row], suite: str) -> str:
    """The paired differences of a suite with their 95 % intervals, as an SVG."""
    found = standings(rows, suite)
    shown = [one for one in found if one.share]
    shares = [one.share for one in shown if one.share] or [(0.0, 0.0, 0.0)]
    least = STEP * math.floor(min(0.0, *(low for _, low, _ in shares)) / STEP)
    most = STEP * math.ceil(max(100.0, *(high for *_, high in shares)) / STEP)

    def x(share: float) -> float:
        return LEFT + (share - least) / (most - least) * (WIDTH - LEFT - RIGHT)

    lines, y = [], TOP
    for scenario, group in groupby(shown, key=lambda one: one.scenario):
        lines.append(_text(8, y + 14, scenario.replace("_", " "), "h"))
        y += LINE
        for one in group:
            lines += [_text(16, y + 14, one.task.partition("/")[2]), _mark(one, x, y + 10)]
            y += LINE
    grid = []
    for share in range(int(least), int(most) + 1, STEP):
        grid.append(f'<path d="M{x(share):.1f} {TOP}V{y + 4}" class="{"z" if share in (0, 100) else "g"}"/>')
        if share == 100 or (share % (2 * STEP) == 0 and not 0 < 100 - share <= STEP):
            grid.append(_text(x(share), y + 20, f"{share} %", "t"))
    head = [
        _text(8, 16, "Best learned agent less best rule, in % of the headroom", "h"),
        _text(8, 32, "paired by episode, 95 % intervals over seeds and episodes"),
        _text(x(0.0), TOP - 6, "best rule", "t"),
        _text(x(100.0), TOP - 6, "ceiling", "t"),
    ]
    legend = []
    for at, verdict in zip(range(LEFT, WIDTH, 70), VERDICTS, strict=False):
        legend.append(f'<circle cx="{at}" cy="{y + 36}" r="4" fill="{COLOURS[verdict]}"/>')
        legend.append(_text(at + 8, y + 40, verdict))
    if untrained := len(found) - len(shown):
        legend.append(_text(8, y + 58, f"{untrained} of {len(found)} tasks of {suite} have no learned agent yet."))
    said = html.escape("; ".join(map(_said, shown)))
    size = f'viewBox="0 0 {WIDTH} {y + 66}" width="{WIDTH}" height="{y + 66}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{said}">'
    return "\n".join((opening, STYLE, *head, *grid, *lines, *legend, "</svg>", ""))


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    said = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}"{said}>{html.escape(text)}</text>'


def _mark(one: Standing, x: Callable[[float], float], y: int) -> str:
    """A mean with its interval."""
    assert one.share
    mean, low, high = map(x, one.share)
    bar = f"M{low:.1f} {y}H{high:.1f}M{low:.1f} {y - 4}v8M{high:.1f} {y - 4}v8"
    inside = f'<path d="{bar}" stroke-width="2"/><circle cx="{mean:.1f}" cy="{y}" r="4"/>'
    colour = COLOURS[one.verdict]
    return f'<g stroke="{colour}" fill="{colour}"><title>{html.escape(_said(one))}</title>{inside}</g>'


def _said(one: Standing) -> str:
    assert one.share
    mean, low, high = one.share
    return f"{one.task}: {one.agent} less {one.rule} {mean:+.0f} % [{low:+.0f}, {high:+.0f}], {one.verdict}"
