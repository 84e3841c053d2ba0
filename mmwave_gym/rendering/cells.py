"""What pictures of a UE among cells share: where map, panel and plot stand, the table of totals, marks over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mmwave_gym.rendering.canvas import Frame, Layer, Point
from mmwave_gym.rendering.colours import GREY, INK, LINE
from mmwave_gym.rendering.scales import nice_step

MAP_AT, MAP_SIDE = (20, 54), 376
PANEL_LEFT, PANEL_RIGHT = 436, 936
PLOT_AT, PLOT_WIDTH = (78, 484), 836
MARKS = 5  # the row of events, within the plot as what follows
SERVING = (181, 189)  # top and bottom
BEST = (193, 201)
TOTALS_TOP, TOTALS_PITCH = 318, 19


def draw_totals(
    frame: Frame, columns: Sequence[int], heads: Sequence[str], rows: Mapping[str, Sequence[str]], room: int
) -> None:
    """A table in the panel: `heads` over columns at so many pixels from the panel's edge, a label and cells a row."""
    frame.box(LINE, (PANEL_LEFT, TOTALS_TOP + 10, PANEL_RIGHT - PANEL_LEFT, 1))
    for x, head in zip(columns, heads, strict=False):
        frame.text(head, (PANEL_LEFT + x, TOTALS_TOP), 12, GREY)
    for i, (label, cells) in enumerate(rows.items()):
        y = TOTALS_TOP + 23 + TOTALS_PITCH * i
        frame.text(label, (PANEL_LEFT, y), 13, GREY)
        for x, cell in zip(columns, cells, strict=False):
            frame.text(cell, (PANEL_LEFT + x, y), 13, room=room)


def draw_edges(frame: Frame, rate: tuple[int, int], most: str, best: str) -> None:
    """Left of the plot: the unit of the rate, between top and bottom of `rate`, its most, and names of both strips."""
    left, top = PLOT_AT[0] - 6, PLOT_AT[1]
    frame.text(most, (left, top + rate[0] + 5), 10, GREY, align="right")
    frame.text("bit/s/Hz", (left, top + rate[1] - 10), 10, GREY, align="right")
    for strip, label in ((SERVING, "serving"), (BEST, best)):
        frame.text(label, (left, top + sum(strip) / 2), 10, GREY, align="right")


def draw_levels(frame: Frame, levels: Sequence[tuple[float, float]]) -> None:
    """Left of the plot: levels in dB and where they are in it."""
    for level_db, y in levels:
        frame.text(f"{level_db:g} dB", (PLOT_AT[0] - 6, PLOT_AT[1] + y), 10, GREY, align="right")


def draw_time_axis(frame: Frame, begin_s: float, length_s: float) -> None:
    """Round times below the plot, whose left edge is `begin_s`."""
    left, top = PLOT_AT
    step_s = nice_step(length_s, 12)
    first = math.ceil(begin_s / step_s - 1e-6) * step_s
    for t in np.arange(first, begin_s + length_s + 1e-6, step_s):
        x = left + (t - begin_s) / length_s * PLOT_WIDTH
        frame.box(LINE, (x, top + BEST[1] + 2, 1, 4))
        frame.text(f"{t:.6g}", (x, top + BEST[1] + 13), 11, GREY, align="centre")
    frame.text("time (s)", (left - 14, top + BEST[1] + 13), 10, GREY, align="right")


def mark_handover(layer: Layer, at: Point) -> None:
    """A triangle that points down."""
    x, y = at
    layer.polygon(INK, [(x - 4.5, y - 4), (x + 4.5, y - 4), (x, y + 4)])
