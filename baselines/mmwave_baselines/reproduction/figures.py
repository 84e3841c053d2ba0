"""What figures of reproductions share: panels in one style, colours, error bars, legends, and files of points.

matplotlib is in an extra: it is imported when the first figure is drawn.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.shown import spreadsheet_safe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED, YELLOW, GREEN, PURPLE = "#1b6ca8", "#d1495b", "#edae49", "#3c896d", "#7b5ea7"
LIGHT_BLUE, BROWN, GREY, DARK = "#6cb2e0", "#b8860b", "#9aa5b1", "#27323f"
LINE, SHADE, GRID = "#c3ccd5", "#f0f3f6", "#e4e8ec"
"""Of lines to compare with, shaded ranges, and grids."""


def panels(rows: int, columns: int, width: float, height: float, **shared: Any) -> tuple[Figure, list[Any]]:
    """A figure of `rows` x `columns` axes, row by row, `width` x `height` inches; `shared` as of `subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, **shared)).ravel().tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color=GRID, linewidth=0.8)
        axis.set_axisbelow(True)
    return figure, axes


def error_bars(axis: Any, places: Any, intervals: Sequence[Interval], **style: Any) -> None:
    """Means over places, with their intervals; `style` as of `errorbar`."""
    axis.errorbar(places, [i.mean for i in intervals], errors(intervals), **style)


def errors(intervals: Iterable[Interval]) -> np.ndarray:
    """(2, n): lengths of error bars."""
    pairs = [(i.mean - (i.mean if i.low is None else i.low), (i.high or i.mean) - i.mean) for i in intervals]
    return np.maximum(np.array(pairs).T, 0.0)


def legend_above(
    figure: Figure, axis: Any, columns: int | None = None, size: int = 9, title: str | None = None
) -> None:
    """One legend above all panels, of what one of them shows; without `columns` in one line."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncol=columns or len(labels), frameon=False, fontsize=size,
        title=title,
    )  # fmt: skip


def write_points(path: Path, columns: Sequence[str], points: Iterable[tuple[Any, ...]]) -> None:
    """A CSV file of points: what each is, in `columns`, and last its interval, as mean, low and high."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*columns, "mean", "low", "high"))
        for *where, value in points:
            named = (spreadsheet_safe(part) if isinstance(part, str) else part for part in where)
            writer.writerow([*named, *("" if v is None else f"{v:.5g}" for v in (value.mean, value.low, value.high))])
