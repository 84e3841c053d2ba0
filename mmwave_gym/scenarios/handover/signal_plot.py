"""Signals over time: a curve a cell, the received rate, who served and who was strongest.

What is plotted stays on a layer, to which each frame adds what is new. The page turns by half when it is full, so
that the past is always in sight.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from mmwave_gym.rendering.canvas import Frame, Layer, Point, pygame
from mmwave_gym.rendering.cells import (
    BEST,
    MARKS,
    PLOT_AT,
    PLOT_WIDTH,
    SERVING,
    draw_edges,
    draw_levels,
    draw_time_axis,
    mark_handover,
)
from mmwave_gym.rendering.colours import ALARM, FAINT, GREY, INK, LINE, WHITE, Colour, blend, series_colour
from mmwave_gym.scenarios.handover.track import Moment, Track

LEFT = 20
CURVES = (13, 136)  # top and bottom within the plot
RATE = (142, 176)
PAGE_SLOTS = 240
FEW_CELLS = 8  # all of them stand out
NAMED = 5  # cells named at their curve, and standing out among many


class SignalPlot:
    """Plots what a `Track` holds; begins anew when its episode does."""

    def __init__(self, track: Track):
        self._track, scenario = track, track.batch.scenario
        self._scale = track.scale
        self._num_cells = track.scale.size
        self._num_agents = scenario.num_agents
        self._layer = Layer((PLOT_WIDTH, BEST[1]))
        self._small = pygame.Surface((PLOT_WIDTH, BEST[1]), 0, 32)
        step_s = float(getattr(getattr(scenario, "config", None), "step_s", 0.05))
        self._page_length_s = min(PAGE_SLOTS, scenario.horizon) * step_s
        self._page_s = 0.0  # the time at the left edge
        self._highest_rate = 5.0
        self._plotted = -1  # the last moment in the plot, -1 for no plot at all
        self._episode = 0

    def draw(self, frame: Frame) -> None:
        """Draw what has happened up to now."""
        track = self._track
        if self._episode != track.episode:
            self._episode, self._page_s, self._highest_rate, self._plotted = track.episode, 0.0, 5.0, -1
        self._update()
        frame.paste(self._small, PLOT_AT)
        left, top = PLOT_AT
        name = "the UE" if self._num_agents == 1 else f"UE {track.watched}"
        y = top - 18
        frame.text("Signals", (LEFT, y), 13, bold=True)
        x: float = left
        x += 16 + frame.text(f"RSRQ of each cell at {name}; thin: each slot, bold: 0.5 s mean", (x, y), 11, GREY)
        self._draw_legend(frame, x + 6, y)
        levels = np.arange(self._scale.low, self._scale.high + 1, 15.0)
        draw_levels(frame, [(level, self._level_y(level)) for level in levels])
        draw_edges(frame, RATE, f"{self._highest_rate:g}", "strongest")
        draw_time_axis(frame, self._page_s, self._page_length_s)
        self._name_curves(frame)

    def _draw_legend(self, frame: Frame, x: float, y: float) -> None:
        frame.paste(_mark(False), (round(x), round(y) - 6))
        x += 26 + frame.text("handover", (x + 14, y), 11, GREY)
        frame.paste(_mark(True), (round(x), round(y) - 6))
        x += 26 + frame.text("ping-pong", (x + 14, y), 11, GREY)
        frame.box(ALARM, (x, y - 6, 14, 12))
        frame.text("outage", (x + 18, y), 11, GREY)

    def _name_curves(self, frame: Frame) -> None:
        """Numbers at the tips of the strongest curves, moved apart."""
        track = self._track
        now = track.now
        if now.watched < 0:
            return
        cells = [k for k in track.shown_cells(now, NAMED) if now.mean_db[k] == now.mean_db[k]]
        wanted = sorted((self._level_y(now.mean_db[k]), k) for k in cells)
        ys: list[float] = []
        for y, _ in wanted:
            ys.append(max(y, ys[-1] + 13) if ys else max(y, 7.0))
        for i in reversed(range(len(ys))):  # back from the lower edge
            ys[i] = min(ys[i], CURVES[1] - 6.0 if i == len(ys) - 1 else ys[i + 1] - 13)
        x = PLOT_AT[0] + self._time_x(now.time_s) + 12
        for y, (_, cell) in zip(ys, wanted, strict=True):
            frame.badge(cell, series_colour(cell), (x, PLOT_AT[1] + y), 7.0)

    def _time_x(self, time_s: float) -> float:
        return (time_s - self._page_s) / self._page_length_s * PLOT_WIDTH

    def _level_y(self, level_db: float) -> float:
        return CURVES[0] + (CURVES[1] - CURVES[0]) * (1.0 - self._scale.share(level_db))

    def _update(self) -> None:
        """Add the moments that are new; turn the page when it is full."""
        moments = self._track.moments
        page_s = self._page_s
        while self._track.now.time_s > page_s + self._page_length_s * 1.0001:
            page_s += self._page_length_s / 2
        rates = [m.rate[self._track.watched] for m in moments[max(0, self._plotted) :]]
        highest = max(self._highest_rate, np.ceil(max(rates) / 5.0) * 5.0)
        if page_s != self._page_s or highest != self._highest_rate or self._plotted < 0:
            self._page_s, self._highest_rate = page_s, float(highest)
            self._empty()
        first = max(1, self._plotted + 1)
        while first < len(moments) and moments[first].time_s <= self._page_s:
            first += 1
        for i in range(first, len(moments)):
            self._add(moments[i - 1], moments[i])
        if first < len(moments):
            edges = self._time_x(moments[first - 1].time_s), self._time_x(moments[-1].time_s)
            self._layer.flush(self._small, (0, 0), int(edges[0]) - 8, int(edges[1]) + 8)
        self._plotted = len(moments) - 1

    def _empty(self) -> None:
        layer = self._layer
        layer.clear()
        self._grid(0, PLOT_WIDTH)
        layer.flush(self._small, (0, 0))
        self._plotted = 0

    def _grid(self, left: float, right: float) -> None:
        for level in np.arange(self._scale.low, self._scale.high + 1, 15.0):
            y = min(max(self._level_y(level), 0.5), CURVES[1] - 0.5)
            self._layer.line(FAINT, (left, y), (right, y), 1.0)
        self._layer.line(FAINT, (left, RATE[1]), (right, RATE[1]), 1.0)

    def _add(self, before: Moment, after: Moment) -> None:
        layer, ue = self._layer, before.watched
        x0, x1 = self._time_x(before.time_s), self._time_x(after.time_s)
        if ue < 0:
            return
        serving = int(after.serving[ue])
        colour = series_colour(serving)
        if after.outage[ue]:
            layer.box(ALARM, (x0, CURVES[0], x1 - x0 + 0.5, RATE[1] - CURVES[0]))
            self._grid(x0, x1)
        height = (RATE[1] - RATE[0]) * after.rate[ue] / self._highest_rate
        layer.box(blend(colour, WHITE, 0.25), (x0, RATE[1] - height, x1 - x0 + 0.5, height))
        layer.box(colour, (x0, SERVING[0], x1 - x0 + 0.5, SERVING[1] - SERVING[0]))
        best = self._track.strongest(before)
        if best >= 0:
            layer.box(series_colour(best), (x0, BEST[0], x1 - x0 + 0.5, BEST[1] - BEST[0]))
        if after.handover[ue]:
            layer.line(LINE, (x0, CURVES[0]), (x0, RATE[1]), 1.0)
            _draw_mark(layer, (x0, MARKS), bool(after.ping_pong[ue]))
        if after.watched == ue:
            self._add_curves(before, after, serving, x0, x1)
        else:  # this UE left; the curves go on with another's
            layer.dashed(INK, (x1, CURVES[0]), (x1, RATE[1]), 1.0, 3.0)

    def _add_curves(self, before: Moment, after: Moment, serving: int, x0: float, x1: float) -> None:
        # Among many cells only the strongest stand out.
        clear = set(self._track.shown_cells(before, FEW_CELLS if self._num_cells <= FEW_CELLS else NAMED))
        for ends, bold in (((before.signal_db, after.signal_db), False), ((before.mean_db, after.mean_db), True)):
            heard = np.flatnonzero(~np.isnan(ends[0]) & ~np.isnan(ends[1])).tolist()
            for cell in sorted(heard, key=lambda k: k == serving):
                colour: Colour = series_colour(cell)
                if bold:
                    width = 3.2 if cell == serving else 1.7 if cell in clear else 0.5
                elif cell in clear:
                    colour, width = blend(colour, WHITE, 0.5), 0.5
                else:
                    continue
                y0, y1 = self._level_y(ends[0][cell]), self._level_y(ends[1][cell])
                self._layer.line(colour, (x0, y0), (x1, y1), width)


def _draw_mark(layer: Layer, at: Point, ping_pong: bool) -> None:
    if ping_pong:
        layer.cross(INK, at)
    else:
        mark_handover(layer, at)


@cache
def _mark(ping_pong: bool) -> pygame.Surface:
    layer = Layer((12, 12))
    _draw_mark(layer, (6, 6), ping_pong)
    small = pygame.Surface((12, 12), 0, 32)
    layer.flush(small, (0, 0))
    return small
