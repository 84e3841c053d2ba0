"""Numbers and intervals of a board as text."""

from __future__ import annotations

import math
from typing import Any

from mmwave_gym.benchmark.leaderboard.entries import TaskBoard
from mmwave_gym.benchmark.statistics import Interval

ROUNDING = 1e-8
"""Half-widths below it are rounding errors of floating point, not intervals. Ours."""


def number(value: float | None, interval: Interval | None = None, signed: bool = False) -> str:
    """Return ``value`` with the digits that its interval supports: two of its half-width, else four.

    With an interval of rounding errors only, a value as small as that is 0.
    """
    if value is None:
        return "–"
    half = 0.0
    if interval is not None and interval.low is not None and interval.high is not None:
        half = (interval.high - interval.low) / 2
        if half < ROUNDING:
            value = 0.0 if abs(value) < ROUNDING else value
            half = 0.0
    if half > ROUNDING * abs(value):
        decimals = 1 - math.floor(math.log10(half))
    else:
        decimals = 3 - math.floor(math.log10(abs(value))) if value else 0
    decimals = min(decimals, 9)
    sign = "+" if signed else ""
    if abs(value) >= 1e7 or 0 < abs(value) < 1e-5:
        digits = max(0, min(decimals + math.floor(math.log10(abs(value))), 6))
        mantissa, exponent = f"{value:{sign}.{digits}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    else:
        text = f"{round(value, decimals):{sign},.{max(decimals, 0)}f}"
        if not half and "." in text:
            text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def ends(interval: Interval | None, signed: bool = False) -> str:
    """Return an interval's two ends in brackets, empty if it has none or no width."""
    if interval is None or interval.low is None or interval.high is None or interval.high - interval.low < 2 * ROUNDING:
        return ""
    return f"[{number(interval.low, interval, signed)}, {number(interval.high, interval, signed)}]"


def count(value: Any) -> str:
    """Return an integer with thousands separators."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def with_unit(board: TaskBoard, metric: str) -> str:
    """Return the metric's name with its unit in brackets, if it has one."""
    unit = board.units.get(metric)
    return f"{metric} ({unit})" if unit else metric
