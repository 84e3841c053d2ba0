"""What figures of reproductions share: panels in one style, and error bars of intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mmwave_gym.benchmark.statistics import Interval


def panels(rows: int, columns: int, width: float, height: float, **shared: Any) -> tuple[Figure, list[Any]]:
    """A figure of `rows` x `columns` axes, row by row, `width` x `height` inches; `shared` as of `subplots`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, **shared)).ravel().tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#e4e8ec", linewidth=0.8)
        axis.set_axisbelow(True)
    return figure, axes


def errors(intervals: Iterable[Interval]) -> np.ndarray:
    """(2, n): lengths of error bars."""
    pairs = [(i.mean - (i.mean if i.low is None else i.low), (i.high or i.mean) - i.mean) for i in intervals]
    return np.maximum(np.array(pairs).T, 0.0)
