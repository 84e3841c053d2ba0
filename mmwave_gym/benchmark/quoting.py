"""Numbers in prose come from the board and from claims: a page names them, `mmwave-gym page PAGE` writes them.

A quote stands between two comments, which Markdown does not show::

    With four relays PPO has <!-- = relay/four ppo difference % -->+7.3 % [+7.0, +7.6]<!-- . --> more than the rule.

It names a task, an agent and a column of `leaderboard.csv`: `mean`, `score`, `difference` (to the task's reference),
`gain` (to the best rule that knows no more), `headroom`, `training_decisions`, `mean_` with any metric, and others.
`%` behind it: in per cent of the reference's mean (a gain: of that rule's mean, a share: as it is). Where the board has
an interval it stands behind the number. `claim PAPER ID ours` is a number of `reproductions/PAPER/claims.json`.

A table has a line for each task, and a column for each agent and quantity::

    <!-- board relay/four relay/eight | max-min mean | ppo difference % -->
    <!-- . -->

What a suite holds, and where learning stands in it: a line for each scenario::

    <!-- summary v1 -->
    <!-- . -->

The ceilings of a suite, with the best agent of each access level and what is left of it: a line for each level::

    <!-- ceilings v1 -->
    <!-- . -->
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmwave_gym.benchmark import standing
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.errors import InputError

END = "<!-- . -->"
QUOTE = re.compile(r"(<!-- (=|board|summary|ceilings) ([^>]*?) -->)(.*?)<!-- \. -->", re.DOTALL)
"""A quote: its opening comment, what it is, what it names, and what stands in it."""
_SIGNED = ("difference", "gain")
_CALLED = {
    "mean": "",
    "difference": "less the reference",
    "gain": "less the best rule",
    "gain_verdict": "against it",
    "headroom_share": "of the headroom",
    "training_decisions": "decisions",
}


class QuoteError(InputError):
    """A quote of a number that there is none of; the message says which and what to do."""


@dataclass(frozen=True)
class Source:
    """The folder that holds `leaderboard/leaderboard.csv` and `reproductions/`."""

    folder: Path

    @property
    def board(self) -> Path:
        return self.folder / "leaderboard" / "leaderboard.csv"

    @cached_property
    def rows(self) -> Mapping[tuple[str, str], Mapping[str, str]]:
        """The scored rows of the board by task and agent, as its file has them."""
        path = self.board
        if not path.exists():
            raise QuoteError(f"there is no board {path} to quote: write it with `mmwave-gym leaderboard`.")
        with path.open(encoding="utf-8") as file:
            return {(row["task"], row["agent"]): row for row in csv.DictReader(file) if row["mean"]}

    def claim(self, paper: str, name: str) -> Mapping[str, Any]:
        """A claim of a reproduction. Raises QuoteError."""
        path = self.folder / "reproductions" / paper / "claims.json"
        found = {one["id"]: one for one in json.loads(path.read_text("utf-8"))} if path.exists() else {}
        if name not in found:
            raise QuoteError(f"{path} has no claim {name!r} to quote.")
        return dict(found[name])


def source_of(page: Path) -> Source:
    """The folder of the board that a page quotes: the nearest above it that has one. Raises QuoteError."""
    for folder in page.absolute().parents:
        for place in (folder, folder / "docs"):
            if (source := Source(place)).board.exists():
                return source
    raise QuoteError(f"{page} lies below no folder with leaderboard/leaderboard.csv, from which numbers are quoted.")


def filled(text: str, source: Callable[[], Source]) -> str:
    """The text with every quote as the board and the claims have it now.

    source: asked only where there is a quote. Raises QuoteError for a quote of what is not there.
    """

    made = {"board": _table, "summary": _summary, "ceilings": _ceilings, "=": _quote}

    def renewed(match: re.Match[str]) -> str:
        opening, kind, names, _ = match.groups()
        return f"{opening}{made[kind](source(), names)}{END}"

    return QUOTE.sub(renewed, text)


def _quote(source: Source, names: str) -> str:
    words = names.split()
    if len(words) == 4 and words[0] == "claim":
        return _claimed(source.claim(words[1], words[2]), words[3])
    if len(words) not in (3, 4) or words[3:] not in ([], ["%"]):
        raise QuoteError(f"a quote names a task, an agent and a column, with or without %; got {names!r}.")
    task, agent, column = words[:3]
    return _cell(source, task, agent, column, len(words) == 4)


def _claimed(claim: Mapping[str, Any], part: str) -> str:
    if part not in claim:
        raise QuoteError(f"a claim has no {part!r} to quote; it has {', '.join(claim)}.")
    value = claim[part]
    if isinstance(value, str):
        return value
    interval = Interval(float(value), *claim["interval"]) if part == "ours" and claim["interval"] else None
    return f"{number(float(value), interval)} {ends(interval)}".rstrip()


def _cell(source: Source, task: str, agent: str, column: str, per_cent: bool) -> str:
    row = source.rows.get((task, agent))
    if row is None:
        raise QuoteError(f"the board has no row of {agent} on {task} to quote: play it, or quote another.")
    if column not in row:
        raise QuoteError(f"the board has no column {column!r} to quote; a metric's is mean_<metric>.")
    if not row[column]:
        return "–"
    try:
        values = [float(row[column + end]) for end in ("", "_low", "_high") if row.get(column + end)]
    except ValueError:
        return row[column]
    if per_cent:
        scale = _whole(source, row, column) / 100.0
        values = [value / scale for value in values]
    interval = Interval(values[0], values[1], values[2]) if len(values) == 3 else None
    signed = column in _SIGNED
    shown = number(values[0], interval, signed) if interval else _plain(values[0], signed)
    return f"{shown}{' %' * per_cent} {ends(interval, signed)}".rstrip()


def _whole(source: Source, row: Mapping[str, str], column: str) -> float:
    """What a value is shown in per cent of."""
    if column == "difference":  # the reference is the row whose verdict says so
        whole = [r for (task, _), r in source.rows.items() if task == row["task"] and r["verdict"] == "reference"]
        return abs(float(whole[0]["mean"]))
    if column in ("gain", "headroom"):
        return abs(float(source.rows[row["task"], row["best_rule"]]["mean"]))
    return 1.0


def _plain(value: float, signed: bool) -> str:
    """A number without an interval: four digits, whole where it is large."""
    return f"{value:,.0f}" if abs(value) >= 1e4 else number(value, None, signed)


def _summary(source: Source, suite: str) -> str:
    rows = list(source.rows.values())
    if suite not in {row["suite"] for row in rows}:
        raise QuoteError(f"the board has no suite {suite!r} to sum up.")
    return f"\n{standing.table(rows, suite)}\n"


def _ceilings(source: Source, suite: str) -> str:
    best: dict[tuple[str, str], Mapping[str, str]] = {}
    scored = [row for row in source.rows.values() if row["suite"] == suite and row["score"]]
    for row in sorted(scored, key=lambda row: float(row["score"])):
        if row["access"] != ACCESS_LEVELS[-1]:
            best[row["task"], row["access"]] = row
    if not best:
        raise QuoteError(f"the board has no scores of a suite {suite!r}, so no ceilings.")
    lines = ["| task | level | best agent | left of the ceiling | ceiling | kind | its mean |"]
    lines.append("|---|---|---|---:|---|---|---:|")
    for task, access in sorted(best, key=lambda key: (key[0], ACCESS_LEVELS.index(key[1]))):
        row = best[task, access]
        left = _cell(source, task, row["agent"], "left", False)
        value = f"{_plain(float(row['ceiling_mean']), False)} {row['unit']}".rstrip()
        cells = (f"`{task}`", access, f"`{row['agent']}`", left, row["ceiling"], row["ceiling_kind"], value)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n" + "\n".join(lines) + "\n"


def _table(source: Source, names: str) -> str:
    first, *columns = (part.strip() for part in names.split("|"))
    wanted = [column.split() for column in columns]
    if not wanted or any(len(words) not in (2, 3) or words[2:] not in ([], ["%"]) for words in wanted):
        raise QuoteError(f"a table names tasks, then | AGENT COLUMN, with or without %; got {names!r}.")
    called = [_CALLED.get(what, what.removeprefix("mean_")) for _, what, *_ in wanted]
    heads = ["task", *(f"`{agent}` {what}".rstrip() for (agent, *_), what in zip(wanted, called, strict=True))]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * len(wanted)]
    for task in first.split():
        cells = [_cell(source, task, agent, what, bool(rest)) if (task, agent) in source.rows else "–"
                 for agent, what, *rest in wanted]  # fmt: skip
        if all(cell == "–" for cell in cells):
            raise QuoteError(f"the board has none of the rows of {task} that a table quotes: play them.")
        lines.append(f"| `{task.partition('/')[2]}` | " + " | ".join(cells) + " |")
    return "\n" + "\n".join(lines) + "\n"
