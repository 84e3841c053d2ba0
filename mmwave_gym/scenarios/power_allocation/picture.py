"""The picture of power allocation: the map of clusters and powers, and beside it rates, satisfaction and powers.

Colour is the cluster, size is the power; a ring is a base station, filled where it heads its cluster. A dot is a
UE, a cross one that is not satisfied.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.rendering.canvas import Box, Frame, Layer, Point
from mmwave_gym.rendering.colours import FAINT, GREY, INK, LINE, WHITE, Colour, blend, series_colour
from mmwave_gym.rendering.map import BELOW, MAP, MAP_SIZE, PANEL, RIGHT, Plan, draw_head, point
from mmwave_gym.rendering.scales import nice_step
from mmwave_gym.scenarios.power_allocation.scene import NEWS_SLOTS, POWER_BINS, Record, disc_share

CURVE_LEFT = PANEL + 40
RATE_TOP, SHARE_TOP, POWER_TOP = 72, 314, 510
CURVE_HEIGHT, BARS_HEIGHT = 104, 96
GREEN: Colour = (0, 158, 115)
BLUE: Colour = (0, 114, 178)
CROWD = 4000  # from so many base stations on a map is dots


class PowerAllocationPicture:
    """Draws what a `Record` holds."""

    def __init__(self, record: Record):
        self._record = record
        self._frame = Frame()
        self._layer = Layer(MAP_SIZE)
        self._episode = -1

    def draw(self) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        if self._episode != self._record.episode:
            self._fit()
            self._episode = self._record.episode
        self._frame.clear()
        self._draw_head()
        self._draw_map()
        self._draw_legend()
        self._draw_rate()
        self._draw_share()
        self._draw_powers()
        return self._frame

    def _fit(self) -> None:
        """The map's scale: a square around all who are there once, and discs that fill it but do not hide it."""
        record, ever = self._record, self._record.ever
        points = np.concatenate((record.place_m[ever], record.ue_m[ever]))
        self._plan = Plan(points, 0.54, 20.0)
        apart = MAP[2] / np.sqrt(max(int(ever.sum()), 1))  # pixels from one to the next
        self._most = float(np.clip(0.42 * apart, 1.2, 36.0))
        self._mark = float(np.clip(0.13 * apart, 1.0, 6.5))
        self._dot = float(np.clip(0.06 * apart, 0.6, 3.0))
        self._crowd = int(ever.sum()) > CROWD
        self._bs, self._ue = self._plan.pixels(record.place_m), self._plan.pixels(record.ue_m)

    def _radius(self, share: float) -> float:
        """Of a power's disc, from the least power to the greatest."""
        return self._most * disc_share(share)

    def _colour(self, bs: int) -> Colour:
        """Of a base station's cluster."""
        return series_colour(int(self._record.colour[self._record.head[bs]]))

    # ------------------------------------------------------------------ map

    def _draw_head(self) -> None:
        record = self._record
        draw_head(
            self._frame, "Power allocation", record.setting, f"of {record.world.horizon:,}", f"slot {record.slot:,}"
        )

    def _draw_map(self) -> None:
        frame, layer, record = self._frame, self._layer, self._record
        layer.clear()
        there = np.flatnonzero(record.present)
        share, satisfied = record.power_share, record.satisfied
        if self._crowd:
            self._draw_crowd(there, share, satisfied)
        else:
            self._draw_discs(there, share)
            self._draw_links(there)
            self._draw_stations(there)
            self._draw_ues(there, satisfied)
        self._draw_news()
        layer.flush(frame.surface, (round(MAP[0]), round(MAP[1])))
        frame.box(LINE, MAP, 1)

    def _draw_crowd(self, there: NDArray[np.intp], share: NDArray[np.float64], satisfied: NDArray[np.bool_]) -> None:
        """A dot a base station, the paler the less it transmits; who is not satisfied above the others."""
        for bs in there[np.argsort(~satisfied[there], kind="stable")].tolist():
            pale = round(0.75 * (1.0 - float(share[bs])), 1)
            colour = blend(self._colour(bs), WHITE, pale) if satisfied[bs] else INK
            self._layer.disc(colour, point(self._bs[bs]), self._radius(float(share[bs])) if satisfied[bs] else 1.0)

    def _draw_discs(self, there: NDArray[np.intp], share: NDArray[np.float64]) -> None:
        """Powers, the largest below."""
        for bs in there[np.argsort(-share[there], kind="stable")].tolist():
            colour, radius = self._colour(bs), self._radius(float(share[bs]))
            self._layer.disc(blend(colour, WHITE, 0.55), point(self._bs[bs]), radius)
            self._layer.disc(blend(colour, WHITE, 0.78), point(self._bs[bs]), max(radius - 1.0, 0.5))

    def _draw_links(self, there: NDArray[np.intp]) -> None:
        """From each member to its head, and from each base station to its UE."""
        head = self._record.head
        for bs in there.tolist():
            self._layer.line(blend(self._colour(bs), WHITE, 0.3), point(self._bs[bs]), point(self._bs[head[bs]]), 1.0)
        for bs in there.tolist():
            self._layer.line(GREY, point(self._bs[bs]), point(self._ue[bs]), 0.5)

    def _draw_stations(self, there: NDArray[np.intp]) -> None:
        layer, head, mark = self._layer, self._record.head, self._mark
        for bs in there.tolist():
            at, colour = point(self._bs[bs]), self._colour(bs)
            if head[bs] == bs:
                layer.disc(INK, at, 1.25 * mark + 1.0)
                layer.disc(colour, at, 1.25 * mark)
            else:
                layer.ring(colour, at, mark, max(0.3 * mark, 0.5))

    def _draw_ues(self, there: NDArray[np.intp], satisfied: NDArray[np.bool_]) -> None:
        for bs in there[satisfied[there]].tolist():
            self._layer.disc(INK, point(self._ue[bs]), self._dot)
        for bs in there[~satisfied[there]].tolist():
            self._draw_cross(point(self._ue[bs]))

    def _draw_cross(self, at: Point) -> None:
        size = float(np.clip(2.4 * self._dot, 3.0, 8.0))
        self._layer.cross(WHITE, at, size + 1.0, 4.0)
        self._layer.cross(INK, at, size, 2.0)

    def _draw_news(self) -> None:
        """Who came or left lately, and who has another head since."""
        record, layer, far = self._record, self._layer, 1.25 * self._mark + 4.5
        since = record.slot - NEWS_SLOTS
        for bs in np.flatnonzero(record.present & (record.moved_slot > since)).tolist():
            self._draw_circle(INK, bs, far, 1.0)
        for bs in np.flatnonzero(record.present & (record.came_slot > since)).tolist():
            self._draw_circle(BLUE, bs, far + 3.0, 3.0)
        for bs in np.flatnonzero(~record.present & (record.left_slot > since)).tolist():
            self._draw_circle(GREY, bs, far, 2.0)
            layer.cross(GREY, point(self._bs[bs]), 0.6 * far, 2.0)

    def _draw_circle(self, colour: Colour, bs: int, radius: float, width: float) -> None:
        """A circle that hides nothing."""
        x, y = self._bs[bs]
        turn = np.linspace(0.0, 2.0 * np.pi, 33)
        points = np.stack((x + radius * np.cos(turn), y + radius * np.sin(turn)), axis=1)
        for here, there in pairwise(points):
            self._layer.line(colour, point(here), point(there), width)

    def _draw_legend(self) -> None:
        """A round length and what the marks mean, below the map."""
        frame, y = self._frame, BELOW
        x = self._plan.draw_scale(frame, 0.15) + 18
        if self._crowd:
            frame.text("colour: cluster, strong: much power, black: a UE that is not satisfied", (x, y), 12)
            return
        colour = series_colour(0)
        frame.disc(blend(colour, WHITE, 0.78), (x + 9, y), 9.0)
        frame.disc(WHITE, (x + 9, y), 4.5, colour, 1.5)
        x += 24
        x += 14 + frame.text("base station, size: power", (x, y), 12)
        frame.disc(colour, (x + 5, y), 6.0, INK, 1.0)
        x += 16
        x += 14 + frame.text("head of a cluster", (x, y), 12)
        frame.disc(INK, (x + 3, y), 3.0)
        x += 12
        x += 14 + frame.text("UE", (x, y), 12)
        mark = Layer((14, 14))
        mark.cross(INK, (7, 7), 5.0, 2.0)
        mark.flush(frame.surface, (round(x), round(y) - 7))
        x += 20
        x += 16 + frame.text("UE not satisfied", (x, y), 12)
        if self._record.config.changes:
            frame.disc(WHITE, (PANEL + 6, y), 6.5, BLUE, 2.0)
            wide = frame.text("came", (PANEL + 18, y), 12)
            frame.disc(WHITE, (PANEL + 18 + wide + 20, y), 6.5, GREY, 2.0)
            wide += frame.text("left", (PANEL + 50 + wide, y), 12)
            frame.disc(WHITE, (PANEL + 70 + wide, y), 6.5, INK, 1.0)
            frame.text("has another head", (PANEL + 82 + wide, y), 12)

    # ------------------------------------------------------------------ beside it

    def _draw_rate(self) -> None:
        frame, record, top = self._frame, self._record, RATE_TOP
        frame.text("Sum rate", (PANEL, top), 13, bold=True)
        width = frame.text(f"{record.rate_now:,.1f}" if record.slot else "–", (PANEL, top + 32), 28, bold=True)
        frame.text("bit/s/Hz", (PANEL + width + 8, top + 37), 12, GREY)
        lost = record.rate_now - record.satisfied_rate_now
        words = f"{record.satisfied_rate_now:,.1f} without UEs that are not satisfied" if lost > 0.05 else ""
        frame.text(words, (PANEL, top + 60), 12, GREY, room=RIGHT - PANEL)
        rate, known = record.mean(record.sum_rate), record.counted > 0
        low, high = 0.0, 1.0
        if known.any():
            most, least = float(rate[known].max()), float(record.mean(record.satisfied_rate)[known].min())
            high = most + max(0.1 * (most - least), 0.01 * most, 1e-3)
            low = 0.0 if least < 0.6 * most else least - (high - most)
        box = (CURVE_LEFT, top + 82, RIGHT - CURVE_LEFT, CURVE_HEIGHT)
        self._draw_axis(box, low, high, "{:,.6g}", 1.0)
        self._draw_curve(box, rate, low, high, GREY)
        self._draw_curve(box, record.mean(record.satisfied_rate), low, high, GREEN)
        y, x = box[1] + box[3] + 28, float(CURVE_LEFT)
        for colour, words in ((GREY, "all UEs"), (GREEN, "satisfied UEs")):
            frame.box(colour, (x, y - 1, 14, 2))
            x += 32 + frame.text(words, (x + 18, y), 10, GREY)

    def _draw_share(self) -> None:
        frame, record, top = self._frame, self._record, SHARE_TOP
        frame.text("Satisfied UEs", (PANEL, top), 13, bold=True)
        share, known = record.mean(record.share), record.counted > 0
        width = frame.text(f"{100 * record.share_now:.1f} %" if record.slot else "–", (PANEL, top + 30), 28, bold=True)
        unhappy = int((record.present & ~record.satisfied).sum())
        frame.text(f"{unhappy:,} are not" if unhappy else "all are", (PANEL + width + 8, top + 35), 12, GREY)
        low = float(np.clip(share[known].min(initial=1.0) - 0.02, 0.0, 0.9))
        box = (CURVE_LEFT, top + 56, RIGHT - CURVE_LEFT, 84.0)
        self._draw_axis(box, low, 1.0, "{:.0f} %", 100.0)
        self._draw_curve(box, share, low, 1.0, BLUE)

    def _draw_axis(self, box: Box, low: float, high: float, form: str, unit: float) -> None:
        """Lines for round values of unit times what is plotted, slots below, and the slots of changes."""
        frame, record = self._frame, self._record
        left, top, wide, tall = box
        step = nice_step(unit * (high - low), 4) / unit
        for tick in np.arange(np.ceil(low / step - 1e-6) * step + 0.0, high + 1e-9, step):
            y = top + tall * (1.0 - (tick - low) / (high - low))
            frame.box(FAINT, (left, y, wide, 1))
            frame.text(form.format(unit * tick), (left - 6, y), 10, GREY, align="right")
        horizon = record.world.horizon
        for slot in record.changes:
            frame.box(LINE, (left + wide * slot / horizon, top, 1, tall))
        frame.box(LINE, (left, top + tall, wide, 1))
        for part in (0.0, 0.5, 1.0):
            words = f"{part * horizon:,.0f}" + (" slots" if part == 1.0 else "")
            align = "right" if part == 1.0 else "centre"
            frame.text(words, (left + part * wide, top + tall + 10), 10, GREY, align=align)

    def _draw_curve(self, box: Box, values: NDArray[np.float64], low: float, high: float, colour: Colour) -> None:
        """A line through the bins that are known."""
        left, top, wide, tall = box
        pitch = wide * self._record.bin_slots / self._record.world.horizon
        known = np.flatnonzero(self._record.counted)
        height = tall * np.clip((values[known] - low) / (high - low), 0.0, 1.0)
        before = 0.0
        for i, y in zip(known.tolist(), (top + tall - height).tolist(), strict=True):
            first, last = round(left + i * pitch), round(min(left + (i + 1) * pitch, left + wide))
            before = y if i == 0 else before
            self._frame.box(colour, (first, min(y, before) - 1, 2, abs(y - before) + 2))
            self._frame.box(colour, (first, y - 1, max(last - first, 2), 2))
            before = y

    def _draw_powers(self) -> None:
        frame, record, top = self._frame, self._record, POWER_TOP
        low, high = record.config.power_dbm
        frame.text("Powers", (PANEL, top), 13, bold=True)
        frame.text("how many base stations", (PANEL + 62, top + 1), 11, GREY)
        powers = record.powers
        bottom = top + 32 + BARS_HEIGHT
        pitch = (RIGHT - PANEL) / POWER_BINS
        tall = BARS_HEIGHT / max(int(powers.max()), 1)
        frame.box(LINE, (PANEL, bottom, RIGHT - PANEL, 1))
        for i, count in enumerate(powers.tolist()):
            if count:
                bar = (PANEL + i * pitch + 1, bottom - tall * count, pitch - 2, tall * count)
                frame.box(GREY, bar)
                frame.text(f"{count:,}", (bar[0] + pitch / 2, bar[1] - 7), 10, GREY, align="centre", room=pitch + 8)
        for part in (0.0, 0.5, 1.0):
            words = f"{low + part * (high - low):g}" + (" dBm" if part == 1.0 else "")
            align = {0.0: "left", 1.0: "right"}.get(part, "centre")
            frame.text(words, (PANEL + part * (RIGHT - PANEL), bottom + 11), 10, GREY, align=align)
        sizes = record.sizes
        fair = f"Jain index {record.jain_index:.3f}"
        words = f"clusters of {sizes.min()} to {sizes.max()}, mean {sizes.mean():.1f}" if len(sizes) > 1 else ""
        frame.text(fair, (PANEL, bottom + 30), 12, GREY)
        frame.text(words, (PANEL, bottom + 46), 12, GREY)
