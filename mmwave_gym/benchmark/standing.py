"""Where learning stands on a board: the best learned local agent of each task against the best local rule.

From the rows of `leaderboard.csv` alone: a table, and a picture (SVG) of the paired differences with their intervals.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

Row = Mapping[str, str]
COLOURS = {"better": "#1a7f37", "tied": "#8a6d00", "worse": "#c0392b"}
WIDTH, LEFT, RIGHT, LINE = 480, 168, 18, 20
"""Of the picture, in its own units: width, where the axis begins, the margin behind it, height of a line."""
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
    headroom = float(best["headroom"]) if best["headroom"] else 0.0
    mean, low, high = (100.0 * float(best[f"gain{end}"]) / headroom if headroom > 0 else 0.0 for end in ("", "_low", "_high"))
    share = (mean, low, high) if headroom > 0 else None
    return Standing(task, best["agent"], best["best_rule"], best["gain_verdict"], share)


def table(rows: Sequence[Row], suite: str) -> str:
    """What is on the board, Markdown: a line for each scenario."""
    found = standings(rows, suite)
    agents = {s: len({r["agent"] for r in rows if r["suite"] == suite and r["task"].startswith(f"{s}/")})
              for s in {one.scenario for one in found}}  # fmt: skip
    lines = ["| scenario | tasks | agents | learning better | tied | worse | not trained |", "|---|" + "---:|" * 6]
    for scenario, group in groupby(found, key=lambda one: one.scenario):
        of = list(group)
        counted = [sum(one.verdict == verdict for one in of) for verdict in (*VERDICTS, "")]
        lines.append(f"| {scenario.replace('_', ' ')} | " + " | ".join(map(str, (len(of), agents[scenario], *counted))) + " |")
    return "\n".join(lines)


def picture(rows: Iterable[Row], suite: str) -> str:
    """The paired differences of a suite with their 95 % intervals, as an SVG."""
    found = standings(rows, suite)
    shown = [one for one in found if one.share]
    lows = [one.share[1] for one in shown if one.share] or [0.0]
    highs = [one.share[2] for one in shown if one.share] or [100.0]
    least, most = 20.0 * (min(*lows, 0.0) // 20.0), max(100.0, 20.0 * -(-max(highs) // 20.0))

    def x(value: float) -> float:
        return LEFT + (value - least) / (most - least) * (WIDTH - LEFT - RIGHT)

    top, parts = 58, []
    y = top
    for scenario, group in groupby(shown, key=lambda one: one.scenario):
        parts.append(f'<text x="8" y="{y + 14}" class="h">{html.escape(scenario.replace("_", " "))}</text>')
        y += LINE
        for one in group:
            assert one.share
            mean, low, high = (x(value) for value in one.share)
            colour, at = COLOURS[one.verdict], y + 10
            parts.append(f'<text x="16" y="{y + 14}">{html.escape(one.task.partition("/")[2])}</text>')
            parts.append(f'<g stroke="{colour}" fill="{colour}"><title>{html.escape(_said(one))}</title>'
                         f'<path d="M{low:.1f} {at}H{high:.1f}M{low:.1f} {at - 4}v8M{high:.1f} {at - 4}v8" stroke-width="2"/>'
                         f'<circle cx="{mean:.1f}" cy="{at}" r="4"/></g>')  # fmt: skip
            y += LINE
    ticks = [value for value in range(int(least), int(most) + 1, 20)]
    grid = [f'<path d="M{x(v):.1f} {top}V{y + 4}" class="{"z" if v in (0, 100) else "g"}"/>'
            f'<text x="{x(v):.1f}" y="{y + 20}" class="t">{v} %</text>' for v in ticks if v % 40 == 0 or v == 100]  # fmt: skip
    foot = [
        f'<text x="{x(0):.1f}" y="{top - 6}" class="t">best rule</text>',
        f'<text x="{x(100):.1f}" y="{top - 6}" class="t">ceiling</text>',
        '<text x="8" y="16" class="h">Best learned agent less best rule, in % of the headroom</text>',
        '<text x="8" y="32">paired by episode, 95 % intervals over seeds and episodes</text>',
    ]
    legend = "".join(
        f'<circle cx="{LEFT + 70 * i}" cy="{y + 36}" r="4" fill="{COLOURS[v]}"/><text x="{LEFT + 8 + 70 * i}" y="{y + 40}">{v}</text>'
        for i, v in enumerate(VERDICTS)
    )
    untrained = len(found) - len(shown)
    note = f'<text x="8" y="{y + 58}">{untrained} of {len(found)} tasks of {html.escape(suite)} have no learned agent yet.</text>' if untrained else ""
    height = y + (66 if untrained else 48)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{html.escape("; ".join(map(_said, shown)))}">\n<style>text{{font:11px system-ui,sans-serif;fill:#24292f}}'
        ".h{font-weight:600}.t{text-anchor:middle;fill:#57606a}.g{stroke:#d0d7de}.z{stroke:#57606a;stroke-dasharray:3 2}"
        "</style>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join((*foot, *grid, *parts, legend, note)) + "\n</svg>\n"
    )


def _said(one: Standing) -> str:
    assert one.share
    mean, low, high = one.share
    return f"{one.task}: {one.agent} less {one.rule} {mean:+.0f} % [{low:+.0f}, {high:+.0f}], {one.verdict}"
