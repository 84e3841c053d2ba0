"""A `Leaderboard` as Markdown, as CSV and as one HTML page that needs nothing but a browser.

The page is a pure function of the rows: no clock is read (the browser computes the age of a row). All text
from rows is other people's text and is escaped for the place it goes to.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmwave_gym.benchmark.leaderboard.ceilings import KINDS
from mmwave_gym.benchmark.leaderboard.classes import CLASSES, classes
from mmwave_gym.benchmark.leaderboard.deciding import reason
from mmwave_gym.benchmark.leaderboard.digits import count, ends, number, with_unit
from mmwave_gym.benchmark.leaderboard.entries import Entry, Leaderboard, TaskBoard
from mmwave_gym.benchmark.leaderboard.evidence import lacks
from mmwave_gym.benchmark.leaderboard.rows import RowsError
from mmwave_gym.benchmark.leaderboard.sentences import about_suite, ceilings, headline, limits
from mmwave_gym.benchmark.leaderboard.tables import TRAINING, markdown, table, training
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.files import write as write_file
from mmwave_gym.core.shown import visible

GROUPS = {
    "local": ("Local", "sees what the environment shows to one agent"),
    "central": ("Central", "sees the whole present state of the network"),
    "trajectory": ("Trajectory", "also knows where the UEs will be"),
    "hindsight": ("Hindsight", "knows the whole episode"),
    "bound": ("Floor and ceilings", "not ranked: what the scores are measured between"),
}
VERDICTS = {
    "better": "▲ better",
    "worse": "▼ worse",
    "tied": "≈ tied",
    "alike": "≈ alike",
    "reference": "reference",
    "best": "best rule",
    "": "–",
}

MARKS = {
    "verified": "played again, rows independent of each other, and the result holds on hidden episodes",
    "repeats": "played again, rows independent of each other; no hidden episodes were played",
}


PAGES = ("leaderboard.md", "leaderboard.csv", "index.html")


def write(leaderboard: Leaderboard, out_dir: str | Path) -> list[Path]:
    """Write ``leaderboard.md``, ``leaderboard.csv`` and ``index.html`` into ``out_dir``; return their paths.

    The directory is created. Raises `RowsError` if it cannot be written, ImportError without jinja2 (the
    ``report`` extra).
    """
    out = Path(out_dir)
    files = dict(zip(PAGES, (markdown(leaderboard), table(leaderboard), html(leaderboard)), strict=True))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_file(out / name, text)
    except OSError as error:
        raise RowsError(
            f"the leaderboard cannot be written to {out} ({error.strerror}): choose another --out or make it writable."
        ) from error
    return [out / name for name in files]


def html(leaderboard: Leaderboard) -> str:
    """Return the page."""
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("The leaderboard page needs jinja2: pip install 'mmwave-gym[report]'.") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,  # markup is of another type
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, ends=ends, count=count, csp=_script_hash, slug=_slug)
    runs = [run for task in leaderboard.tasks for entry in task.entries for run in entry.runs]
    return environment.get_template("page.html.j2").render(
        board=leaderboard,
        groups=GROUPS,
        ceilings=ceilings,
        kinds=KINDS,
        plots={task.name: plots(task) for task in leaderboard.tasks},
        headline=headline,
        limits=limits,
        reason=reason,
        lacks=lacks,
        classes=classes,
        all_classes=CLASSES,
        about_suite=about_suite,
        training=training,
        columns=TRAINING,
        zip=zip,
        anchors={task.name: f"task-{i}" for i, task in enumerate(leaderboard.tasks, 1)},
        verdicts=VERDICTS,
        marks=MARKS,
        agents=len({run.agent["name"] for run in runs}),
        versions=sorted({str(run.header.get("package_version")) for run in runs}),
        newest=max((run.created for run in runs), default=""),
    )


def _slug(text: str) -> str:
    """A class of ours as a word for an attribute."""
    return text.replace(" ", "-")


def _script_hash(script: str) -> str:
    """What the page's content security policy allows to run: this one script and nothing from a row."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


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
    """Return the task's plots: the score over its whole range and of the leaders, and the primary metric.

    The score comes first because its intervals are of differences on the same episodes: those of the plain
    mean are mostly the worlds' luck, which all agents share, and overlap where the agents clearly differ.
    """
    primary = str(board.task["primary"])
    means = {e.agent: e.mean for e in board.entries if e.mean is not None}
    scores = {e.agent: e.score for e in board.entries if e.score is not None}
    up = bool(board.task["higher_is_better"])
    result = _views("Score", "score", board, scores, True)
    return result + _views(primary, with_unit(board, primary), board, means, up)[: 1 if result else 2]


def _views(title: str, quantity: str, board: TaskBoard, values: dict[str, Interval], up: bool) -> tuple[Plot, ...]:
    """The plot of the whole range and, where the floor squeezes the leaders together, one of the leaders."""
    if not values:
        return ()
    scored = sorted((e for e in board.entries if e.agent in values), key=lambda e: e.agent)
    scored.sort(key=lambda e: values[e.agent].mean, reverse=up)
    near = scored[: max(3, math.ceil(len(scored) * 0.6))]
    near += [e for e in scored if "reference" in e.roles and e not in near]
    limits = [] if title == "Score" else [c.mean for level in board.levels if (c := board.ceiling(level))]
    whole, close = (_extent([values[e.agent] for e in some] + limits) for some in (scored, near))
    result: tuple[Plot, ...] = (_plot(title, quantity, board, scored, values, up, whole),)
    if close[1] - close[0] < 0.5 * (whole[1] - whole[0]):
        result += (_plot(f"{title}, leaders only", quantity, board, scored, values, up, close),)
    return result


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
    board: TaskBoard,
    scored: list[Entry],
    values: dict[str, Interval],
    up: bool,
    extent: tuple[float, float],
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
    lines: list[tuple[str, float, str]] = []
    for role in ("floor", "reference"):
        marked = values.get(str(board.task.get(role)))
        if marked is not None and low <= marked.mean <= high:
            x = place(marked.mean)
            lines.append((role, x, f"{role} {board.task[role]}"))
    lines += [("ceiling", place(at), text) for at, text in _marks(title, board) if low <= at <= high]
    ticks = tuple((place(value), text) for value, text in _ticks(low, high))
    return Plot(title, quantity, up, tuple(dots), ticks, tuple(lines))


def _marks(title: str, board: TaskBoard) -> list[tuple[float, str]]:
    """Where the ceilings lie on a plot: each level's own at its value, on the scale of scores all of them at 1."""
    found: dict[str, tuple[float, list[str], str]] = {}
    for level in board.levels:
        if (one := board.ceiling(level)) is not None:
            found.setdefault(one.name, (one.mean.mean, [], one.kind))[1].append(level)
    if title == "Score":
        return [(1.0, "ceiling of the agent's level")] if found else []
    return [(value, f"{' and '.join(levels)}: {kind}") for value, levels, kind in found.values()]


def _ticks(low: float, high: float, wanted: int = 5) -> list[tuple[float, str]]:
    """Round numbers in the range, about ``wanted`` of them, all with the digits of their step."""
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    values = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    plain = max(abs(low), abs(high)) < 1e7 and decimals < 6
    return [(v, f"{v:,.{decimals}f}".replace("-", "−") if plain else number(v)) for v in values]
