"""The picture of UDN handover: the map, the cells' signals now and over time, the totals.

Drawing is incremental. The time plot and the old part of the paths stay on layers, to which each frame adds what is
new; the plot's page turns by half when it is full, so that the past is always in sight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_gym.rendering.canvas import (
    ALARM,
    FAINT,
    FRAME_SIZE,
    GREY,
    INK,
    LINE,
    WHITE,
    Colour,
    Frame,
    Layer,
    Point,
    blend,
    nice_length,
    nice_step,
    pygame,
    series_colour,
)
from mmwave_gym.rendering.track import Map, Moment, Track
from mmwave_gym.scenario import Batch

MAP_AT, MAP_SIDE = (20, 54), 376
PANEL_LEFT, PANEL_RIGHT = 436, 936
PLOT_AT, PLOT_WIDTH = (78, 484), 836
CURVES = (0, 128)  # top and bottom within the plot
RATE = (134, 172)
SERVING = (178, 187)
BEST = (191, 200)
PAGE_SLOTS = 240
TRAIL_SLOTS = 200  # of path in full colour
MANY_AGENTS = 40  # beyond, only dots
BARS, NAMED = 8, 5  # cells with a bar, cells named at their curve


class HandoverPicture:
    """Draws what a `Track` holds."""

    def __init__(self, batch: Batch, track: Track):
        self._track = track
        self._frame = Frame()
        self._base = Layer((MAP_SIDE, MAP_SIDE))  # border and old paths
        self._map_layer = Layer((MAP_SIDE, MAP_SIDE))
        self._plot = Layer((PLOT_WIDTH, BEST[1]))
        self._plot_small = pygame.Surface((PLOT_WIDTH, BEST[1]), 0, 32)
        field = next(f for f in batch.scenario.fields if f.name == "rsrq_db")
        self._low_db, self._high_db = field.low, field.high
        self._num_cells = field.size
        self._num_agents = batch.scenario.num_agents
        self._horizon = batch.scenario.horizon
        config = getattr(batch.scenario, "config", None)
        self._bandwidth_hz = getattr(config, "bandwidth_hz", None)
        self._page_length_s = min(PAGE_SLOTS, batch.scenario.horizon) * float(getattr(config, "step_s", 0.05))
        self._episode = 0

    def draw(self, plan: Map) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        track = self._track
        if self._episode != track.episode or plan is not self._plan:
            self._begin(plan)
        self._frame.clear()
        self._draw_head()
        self._draw_map()
        self._draw_bars(*self._draw_now())
        self._draw_totals()
        self._draw_plot()
        return self._frame

    # ------------------------------------------------------------------ beginnings

    def _begin(self, plan: Map) -> None:
        self._episode, self._plan = self._track.episode, plan
        self._page_s = 0.0
        self._highest_rate = 5.0
        self._base.clear()
        if plan.area_m is not None:
            left, top = self._place(np.array([plan.area_m[0], plan.area_m[3]]))
            right, bottom = self._place(np.array([plan.area_m[2], plan.area_m[1]]))
            self._base.box(LINE, (left, top, right - left, bottom - top), 1.5)
        self._pixels: list[list[Point]] = []  # where each moment's agents are on the map's layer
        self._plotted = -1  # the last moment in the plot, -1 for an empty plot

    def _place(self, place_m: Any) -> Point:
        """Pixels on the map's layer; north is up."""
        x, y = (place_m - self._plan.low_m) / (self._plan.high_m - self._plan.low_m) * MAP_SIDE
        return float(x), float(MAP_SIDE - y)

    # ------------------------------------------------------------------ head, map

    def _draw_head(self) -> None:
        track, frame = self._track, self._frame
        ues = f", {self._num_agents} UEs" if self._num_agents > 1 else ""
        width = frame.text("UDN handover", (MAP_AT[0], 26), 20, bold=True)
        frame.text(f"{self._num_cells} cells{ues}", (MAP_AT[0] + width + 14, 28), 13, GREY)
        width = frame.text(f"t = {track.now.time_s:.2f} s", (PANEL_RIGHT, 26), 20, align="right")
        progress = f"slot {track.totals.num_steps} of {self._horizon}"
        frame.text(progress, (PANEL_RIGHT - max(width, 120) - 14, 28), 13, GREY, align="right")

    def _draw_map(self) -> None:
        track, frame, layer = self._track, self._frame, self._map_layer
        now, moments = track.now, track.moments
        trails = self._num_agents <= MANY_AGENTS
        for i in range(len(self._pixels), len(moments)):
            self._pixels.append([self._place(place_m) for place_m in moments[i].position_m])
            if trails and i:
                for ue in np.flatnonzero(moments[i - 1].present).tolist():
                    colour = blend(series_colour(int(moments[i].serving[ue])), WHITE, 0.8)
                    self._base.line(colour, self._pixels[i - 1][ue], self._pixels[i][ue], 1.5)
        layer.copy_from(self._base)
        if trails:
            self._draw_trails(layer, TRAIL_SLOTS if self._num_agents == 1 else TRAIL_SLOTS // 4)
        for ue in np.flatnonzero(now.present):
            site_m = self._plan.site_m[now.serving[ue]]
            if np.isfinite(site_m).all():
                colour = series_colour(int(now.serving[ue]))
                width = 4.0 if ue == track.watched else 1.5
                layer.line(colour, self._place(now.position_m[ue]), self._place(site_m), width)
        strongest = track.strongest(now)
        if now.watched >= 0 and strongest not in (-1, now.serving[track.watched]):
            site_m = self._plan.site_m[strongest]
            if np.isfinite(site_m).all():
                ends = self._place(now.position_m[track.watched]), self._place(site_m)
                layer.dashed(series_colour(strongest), *ends, 1.5)
        layer.flush(frame.surface, MAP_AT)
        self._draw_sites()
        self._draw_ues()
        frame.box(LINE, (*MAP_AT, MAP_SIDE, MAP_SIDE), 1)
        self._draw_scale_bar()

    def _draw_trails(self, layer: Layer, slots: int) -> None:
        """The recent path in the serving cell's colour, paler with age, with a mark at every handover."""
        moments, pixels = self._track.moments, self._pixels
        first = max(1, len(moments) - slots)
        for i in range(first, len(moments)):
            age = (len(moments) - 1 - i) * 20 // slots / 20  # in few shades, which are remembered
            serving = moments[i].serving.tolist()
            for ue, present in enumerate(moments[i - 1].present.tolist()):
                if present:
                    colour = blend(series_colour(serving[ue]), WHITE, 0.8 * age)
                    layer.line(colour, pixels[i - 1][ue], pixels[i][ue], 2.5)
        ue = self._track.watched
        for i in range(first, len(moments)):
            if moments[i].ping_pong[ue]:
                layer.cross(INK, pixels[i - 1][ue])
            elif moments[i].handover[ue]:
                layer.ring(INK, pixels[i - 1][ue], 3.5)

    def _draw_sites(self) -> None:
        now, ue = self._track.now, self._track.watched
        serving = int(now.serving[ue])
        radius = 10.0 if self._num_cells <= 30 else 7.0
        for cell in [*range(self._num_cells), serving]:  # the serving one on top
            site_m = self._plan.site_m[cell]
            if np.isfinite(site_m).all():
                self._frame.badge(cell, series_colour(cell), self._on_map(site_m), radius, cell == serving)

    def _draw_ues(self) -> None:
        now, frame, watched = self._track.now, self._frame, self._track.watched
        small = 5.0 if self._num_agents <= MANY_AGENTS else 2.5
        for ue in range(self._num_agents):
            at = self._on_map(now.position_m[ue])
            if now.present[ue] and ue != watched:
                frame.disc(INK, at, small, WHITE)
                if self._num_agents <= MANY_AGENTS:
                    frame.text(str(ue), (at[0] + 7, at[1] - 8), 10, GREY)
            elif not now.present[ue] and (ue == watched or self._num_agents <= MANY_AGENTS):
                frame.disc(WHITE, at, 5.0, LINE)
        at = self._on_map(now.position_m[watched])
        if now.present[watched]:
            frame.disc(INK, at, 8.0, WHITE, 2.0)
            label = "UE" if self._num_agents == 1 else f"UE {watched}"
        else:
            label = "gone"
        inside = at[0] < MAP_AT[0] + MAP_SIDE - 50
        frame.text(
            label, (at[0] + (11 if inside else -11), at[1] + 13), 12, bold=True, align="left" if inside else "right"
        )
        if not np.isfinite(self._plan.site_m).any() and now.present[watched]:  # no link to draw
            serving = int(now.serving[watched])
            frame.badge(serving, series_colour(serving), (at[0] - 18, at[1] - 14))

    def _on_map(self, place_m: Any) -> Point:
        x, y = self._place(place_m)
        return x + MAP_AT[0], y + MAP_AT[1]

    def _draw_scale_bar(self) -> None:
        frame = self._frame
        span_m = float(self._plan.high_m[0] - self._plan.low_m[0])
        bar_m = nice_length(span_m, 0.25)
        length = bar_m / span_m * MAP_SIDE
        x, y = MAP_AT[0], MAP_AT[1] + MAP_SIDE + 12
        frame.box(INK, (x, y - 1, length, 2))
        frame.box(INK, (x, y - 4, 2, 8))
        frame.box(INK, (x + length - 2, y - 4, 2, 8))
        frame.text(f"{bar_m:g} m", (x + length + 7, y), 12)
        x = MAP_AT[0] + MAP_SIDE
        if np.isfinite(self._plan.site_m).any():
            frame.text("solid: serving link, dashed: strongest cell", (x, y), 11, GREY, align="right")
        else:
            frame.text("the colour of the path is that of the serving cell", (x, y), 11, GREY, align="right")

    # ------------------------------------------------------------------ panel

    def _draw_now(self) -> tuple[int, int]:
        """Who serves and who would be better, in words; returns both cells."""
        track, frame = self._track, self._frame
        now, ue = track.now, track.watched
        serving, strongest = int(now.serving[ue]), track.strongest(now)
        name = "" if self._num_agents == 1 else f"UE {ue}: "
        frame.badge(serving, series_colour(serving), (PANEL_LEFT + 16, 72), 16.0)
        frame.text(f"{name}served by cell {serving}", (PANEL_LEFT + 42, 64), 17, bold=True)
        if not now.present.any():
            words = "the UE has left the area" if self._num_agents == 1 else "every UE has left the area"
        elif strongest == serving:
            words = "the strongest cell"
        elif strongest < 0:
            words = "no cell is heard"
        else:
            better_db = now.mean_db[strongest] - now.mean_db[serving]
            words = f"cell {strongest} is stronger" + (f" by {better_db:.1f} dB" if better_db == better_db else "")
        frame.text(words, (PANEL_LEFT + 42, 86), 13, GREY)
        event = "ping-pong" if now.ping_pong[ue] else "handover" if now.handover[ue] else ""
        if now.outage[ue]:
            event = "outage"
        if event:
            width = 90
            frame.box(ALARM if event != "handover" else FAINT, (PANEL_RIGHT - width, 59, width, 24))
            frame.text(event, (PANEL_RIGHT - width / 2, 71), 13, bold=True, align="centre")
        return serving, strongest

    def _draw_bars(self, serving: int, strongest: int) -> None:
        track, frame = self._track, self._frame
        now = track.now
        left, width, top, pitch = PANEL_LEFT + 34, 280, 128, 23
        frame.text("RSRQ (dB)", (PANEL_LEFT, 110), 11, GREY)
        frame.text("bar: 0.5 s mean, tick: last slot", (PANEL_RIGHT, 110), 11, GREY, align="right")
        for tick in np.arange(0.0, self._high_db - self._low_db + 1, 15.0):
            x = left + width * tick / (self._high_db - self._low_db)
            if tick:  # the lowest would stand on the caption
                frame.text(f"{self._low_db + tick:g}", (x, 110), 10, GREY, align="centre")
        for i, cell in enumerate(track.shown_cells(now, BARS)):
            y = top + pitch * i
            colour, level = series_colour(cell), now.mean_db[cell]
            frame.badge(cell, colour, (PANEL_LEFT + 16, y), 9.0)
            frame.box(FAINT, (left, y - 6, width, 12))
            if level == level:
                frame.box(colour, (left, y - 6, width * self._share(level), 12))
                frame.box(INK, (left + width * self._share(now.signal_db[cell]) - 1, y - 8, 2, 16))
                frame.text(f"{level:.1f} dB", (left + width + 62, y), 12, align="right", bold=cell == serving)
            else:
                frame.text("not heard", (left + 6, y), 10, GREY)
            note = "serving" if cell == serving else "strongest" if cell == strongest else ""
            frame.text(note, (left + width + 74, y), 12, bold=cell == serving)

    def _share(self, level_db: float) -> float:
        return min(1.0, max(0.0, (level_db - self._low_db) / (self._high_db - self._low_db)))

    def _draw_totals(self) -> None:
        track, frame = self._track, self._frame
        totals, ue = track.totals, track.watched
        metrics = {m.name: m for m in totals.metrics}
        columns = [PANEL_LEFT + x for x in ((90, 300) if self._num_agents == 1 else (90, 205, 355))]
        top, pitch = 318, 19
        frame.box(LINE, (PANEL_LEFT, top + 10, PANEL_RIGHT - PANEL_LEFT, 1))
        who: list[int | None] = [ue]
        heads = ["now", "episode"]
        if self._num_agents > 1:
            heads, who = ["now", f"UE {ue}, episode", f"{self._num_agents} UEs, episode"], [ue, None]
        for x, head in zip(columns, heads, strict=False):
            frame.text(head, (x, top), 12, GREY)

        def condensed(name: str, place: int | None) -> float:
            return totals.condensed(metrics[name], place)

        def summed(name: str, place: int | None) -> float:
            return float(totals.sums[name].sum() if place is None else totals.sums[name][place])

        def rate(value: float) -> str:
            mbps = "" if self._bandwidth_hz is None else f"  ({value * self._bandwidth_hz / 1e6:.0f} Mbit/s)"
            return f"{value:.2f} bit/s/Hz{mbps if self._num_agents == 1 else ''}"

        def handovers(place: int | None) -> str:
            return f"{summed('handovers_per_s', place):.0f}  ({condensed('handovers_per_s', place):.2f} /s)"

        now = track.now
        rows = {
            "Rate": [
                rate(now.rate[ue]) if totals.num_steps else "",
                *(rate(condensed("throughput_bps_hz", p)) for p in who),
            ],
            "Handovers": ["", *map(handovers, who)],
            "Ping-pongs": ["", *(f"{summed('ping_pongs_per_s', p):.0f}" for p in who)],
            "Outage": ["", *(f"{condensed('outage_fraction', p):.1%} of time" for p in who)],
            "Energy": ["", *(f"{summed('handover_energy_w', p):.1f} J" for p in who)],
            "Reward": [
                f"{totals.last['reward'][ue]:+.2f}" if totals.num_steps else "",
                *(f"{summed('reward', p):+.1f}" for p in who),
            ],
        }
        for i, (label, cells) in enumerate(rows.items()):
            y = top + 23 + pitch * i
            frame.text(label, (PANEL_LEFT, y), 13, GREY)
            for x, cell in zip(columns, cells, strict=False):
                frame.text(cell, (x, y), 13, room=190 if self._num_agents == 1 else 140)

    # ------------------------------------------------------------------ signals over time

    def _draw_plot(self) -> None:
        track, frame = self._track, self._frame
        self._update_plot()
        frame.paste(self._plot_small, PLOT_AT)
        left, top = PLOT_AT
        name = "UE" if self._num_agents == 1 else f"UE {track.watched}"
        y = top - 18
        frame.text("Signals", (MAP_AT[0], y), 13, bold=True)
        x: float = left
        x += 16 + frame.text(f"RSRQ of each cell at the {name}; thin: each slot, bold: 0.5 s mean", (x, y), 11, GREY)
        self._draw_legend(x + 6, y)
        for level in np.arange(self._low_db, self._high_db + 1, 15.0):
            frame.text(f"{level:g} dB", (left - 6, top + self._level_y(level)), 10, GREY, align="right")
        frame.text(f"{self._highest_rate:g}", (left - 6, top + RATE[0] + 3), 10, GREY, align="right")
        frame.text("bit/s/Hz", (left - 6, top + RATE[1] - 12), 10, GREY, align="right")
        for strip, label in ((SERVING, "serving"), (BEST, "strongest")):
            frame.text(label, (left - 6, top + sum(strip) / 2), 10, GREY, align="right")
        step_s = nice_step(self._page_length_s, 12)
        first = np.ceil(self._page_s / step_s - 1e-6) * step_s + 0.0
        for t in np.arange(first, self._page_s + self._page_length_s + 1e-6, step_s):
            x = left + self._time_x(t)
            frame.box(LINE, (x, top + BEST[1] + 2, 1, 4))
            frame.text(f"{t:.6g}", (x, top + BEST[1] + 13), 11, GREY, align="centre")
        frame.text("time (s)", (left + PLOT_WIDTH / 2, FRAME_SIZE[1] - 12), 11, GREY, align="centre")
        self._name_curves()

    def _draw_legend(self, x: float, y: float) -> None:
        frame = self._frame
        frame.paste(_mark(False), (round(x), round(y) - 6))
        x += 26 + frame.text("handover", (x + 14, y), 11, GREY)
        frame.paste(_mark(True), (round(x), round(y) - 6))
        x += 26 + frame.text("ping-pong", (x + 14, y), 11, GREY)
        frame.box(ALARM, (x, y - 6, 14, 12))
        frame.text("outage", (x + 18, y), 11, GREY)

    def _name_curves(self) -> None:
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
            self._frame.badge(cell, series_colour(cell), (x, PLOT_AT[1] + y), 7.0)

    def _time_x(self, time_s: float) -> float:
        return (time_s - self._page_s) / self._page_length_s * PLOT_WIDTH

    def _level_y(self, level_db: float) -> float:
        return CURVES[0] + (CURVES[1] - CURVES[0]) * (1.0 - self._share(level_db))

    def _update_plot(self) -> None:
        """Add the moments that are new; turn the page when it is full."""
        moments = self._track.moments
        page_s = self._page_s
        while self._track.now.time_s > page_s + self._page_length_s * 1.0001:
            page_s += self._page_length_s / 2
        rates = [m.rate[self._track.watched] for m in moments[max(0, self._plotted) :]]
        highest = max(self._highest_rate, np.ceil(max(rates) / 5.0) * 5.0)
        if page_s != self._page_s or highest != self._highest_rate or self._plotted < 0:
            self._page_s, self._highest_rate = page_s, float(highest)
            self._empty_plot()
        first = max(1, self._plotted + 1)
        while first < len(moments) and moments[first].time_s <= self._page_s:
            first += 1
        for i in range(first, len(moments)):
            self._plot_step(moments[i - 1], moments[i])
        if first < len(moments):
            edges = self._time_x(moments[first - 1].time_s), self._time_x(moments[-1].time_s)
            self._plot.flush(self._plot_small, (0, 0), int(edges[0]) - 8, int(edges[1]) + 8)
        self._plotted = len(moments) - 1

    def _empty_plot(self) -> None:
        plot = self._plot
        plot.clear()
        self._grid(0, PLOT_WIDTH)
        plot.flush(self._plot_small, (0, 0))
        self._plotted = 0

    def _grid(self, left: float, right: float) -> None:
        for level in np.arange(self._low_db, self._high_db + 1, 15.0):
            y = min(max(self._level_y(level), 0.5), CURVES[1] - 0.5)
            self._plot.line(FAINT, (left, y), (right, y), 1.0)
        self._plot.line(FAINT, (left, RATE[1]), (right, RATE[1]), 1.0)

    def _plot_step(self, before: Moment, after: Moment) -> None:
        plot, ue = self._plot, before.watched
        x0, x1 = self._time_x(before.time_s), self._time_x(after.time_s)
        if ue < 0:
            return
        serving = int(after.serving[ue])
        colour = series_colour(serving)
        if after.outage[ue]:
            plot.box(ALARM, (x0, CURVES[0], x1 - x0 + 0.5, RATE[1] - CURVES[0]))
            self._grid(x0, x1)
        height = (RATE[1] - RATE[0]) * after.rate[ue] / self._highest_rate
        plot.box(blend(colour, WHITE, 0.25), (x0, RATE[1] - height, x1 - x0 + 0.5, height))
        plot.box(colour, (x0, SERVING[0], x1 - x0 + 0.5, SERVING[1] - SERVING[0]))
        best = self._track.strongest(before)
        if best >= 0:
            plot.box(series_colour(best), (x0, BEST[0], x1 - x0 + 0.5, BEST[1] - BEST[0]))
        if after.handover[ue]:
            plot.line(GREY, (x0, CURVES[0]), (x0, RATE[1]), 1.0)
            _draw_mark(plot, (x0, CURVES[0] + 5), bool(after.ping_pong[ue]))
        if after.watched == ue:
            self._plot_curves(before, after, serving, x0, x1)
        else:  # this UE left; the curves go on with another's
            plot.dashed(INK, (x1, CURVES[0]), (x1, RATE[1]), 1.0, 3.0)

    def _plot_curves(self, before: Moment, after: Moment, serving: int, x0: float, x1: float) -> None:
        for ends, bold in (((before.signal_db, after.signal_db), False), ((before.mean_db, after.mean_db), True)):
            heard = np.flatnonzero(~np.isnan(ends[0]) & ~np.isnan(ends[1])).tolist()
            for cell in sorted(heard, key=lambda k: k == serving):
                colour: Colour = series_colour(cell)
                width = (3.2 if cell == serving else 1.7) if bold else 0.5
                if not bold:
                    colour = blend(colour, WHITE, 0.5)
                y0, y1 = self._level_y(ends[0][cell]), self._level_y(ends[1][cell])
                self._plot.line(colour, (x0, y0), (x1, y1), width)


def _draw_mark(layer: Layer, at: Point, ping_pong: bool) -> None:
    x, y = at
    if ping_pong:
        layer.cross(INK, at)
    else:
        layer.polygon(INK, [(x - 4.5, y - 4), (x + 4.5, y - 4), (x, y + 4)])


def _mark(ping_pong: bool) -> pygame.Surface:
    layer = Layer((12, 12))
    _draw_mark(layer, (6, 6), ping_pong)
    small = pygame.Surface((12, 12), 0, 32)
    layer.flush(small, (0, 0))
    return small
