"""The picture of a street: the map with the links, every cell's power, totals, SINR and rate over time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.radio.street_maps import STREET_M
from mmwave_gym.rendering.canvas import Frame, Layer, Point
from mmwave_gym.rendering.cells import (
    BEST,
    MAP_AT,
    MAP_SIDE,
    MARKS,
    PANEL_LEFT,
    PANEL_RIGHT,
    PLOT_AT,
    PLOT_WIDTH,
    SERVING,
    draw_edges,
    draw_levels,
    draw_time_axis,
    draw_totals,
    mark_handover,
)
from mmwave_gym.rendering.colours import ALARM, FAINT, GREY, INK, LINE, WHITE, Colour, blend, series_colour
from mmwave_gym.rendering.scales import nice_length
from mmwave_gym.scenarios.street.config import TICK_S
from mmwave_gym.scenarios.street.scene import HEARD, INTERRUPTED, LOST, PREPARED, REFINED, RSRP, SIGHTS, SINR, Record

BADGE_OFF_PX = 15  # from the lamp post into the houses, for a street is thinner than a badge
LINKS, BARS = 6, 8  # cells with a line on the map, with a bar
CURVES = (13, 128)  # top and bottom within the plot
RATE = (136, 176)
PAGE_TICKS = 3000  # of the plot at most; a longer episode scrolls by halves
HOUSES: Colour = (226, 226, 230)


def runs(values: NDArray[Any]) -> Iterator[tuple[int, int, int]]:
    """First index, end and value of every run of equal values in an array (n,)."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    for first, end in pairwise(edges):
        if end > first:
            yield first, end, int(values[first])


class StreetPicture:
    """Draws what a `Record` holds."""

    def __init__(self, record: Record):
        self._record = record
        self._frame = Frame()
        self._map = Layer((MAP_SIDE, MAP_SIDE))
        self._plot = Layer((PLOT_WIDTH, BEST[1]))
        c = record.config
        where = f"{c.street}, " if c.channel is None else ""
        band = f", {c.frequency_ghz:g} GHz" if c.channel is None else ""
        self._about = f"{where}{record.scenario.num_cells} cells, {c.users}{band}"

    @property
    def _half_m(self) -> float:
        return 1.03 * self._record.half_m

    def draw(self) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        self._frame.clear()
        self._draw_head()
        sight = self._record.sight()
        self._draw_map(sight)
        self._draw_now(sight)
        self._draw_bars(sight)
        self._draw_totals()
        self._draw_plot()
        return self._frame

    def _draw_head(self) -> None:
        record, frame = self._record, self._frame
        width = frame.text("Street", (MAP_AT[0], 26), 20, bold=True)
        seed = int(record.batch.episodes.map_seed[record.batch.episodes.row[0]])
        frame.text(f"{self._about}, map {seed}", (MAP_AT[0] + width + 14, 28), 13, GREY)
        frame.text(f"t = {record.tick * TICK_S:.2f} s", (PANEL_RIGHT, 26), 20, align="right")
        whole = f"of {record.scenario.ticks * TICK_S:g} s"
        frame.text(whole, (PANEL_RIGHT - 134, 28), 13, GREY, align="right")

    # ------------------------------------------------------------------ map

    def _place(self, place_m: Any) -> Point:
        """Pixels on the map's layer; north is up."""
        x, y = (np.asarray(place_m, np.float64) / self._half_m + 1.0) / 2.0 * MAP_SIDE
        return float(x), float(MAP_SIDE - y)

    def _draw_map(self, sight: NDArray[np.int64]) -> None:
        record, frame, layer = self._record, self._frame, self._map
        self._draw_houses(layer)
        self._draw_trail(layer)
        here = self._place(record.line.place_m[record.now])
        shown = record.shown_cells(LINKS)
        for cell in sorted(shown, key=lambda k: k == record.serving):
            width = 3.5 if cell == record.serving else 1.2
            colour, there = series_colour(cell), self._place(record.site_m[cell])
            if sight[cell] in (0, HEARD):
                layer.line(colour, here, there, width)
            else:
                layer.dashed(colour, here, there, width, 4.0)
            if sight[cell] == 2:
                layer.cross(INK, ((here[0] + there[0]) / 2, (here[1] + there[1]) / 2), 4.0)
        layer.flush(frame.surface, MAP_AT)
        for cell in [*range(record.scenario.num_cells), record.serving]:  # the serving one on top
            self._draw_site(cell, cell == record.serving)
        at = MAP_AT[0] + here[0], MAP_AT[1] + here[1]
        frame.disc(INK, at, 6.0, WHITE, 2.0)
        inside = here[0] < MAP_SIDE - 30
        beside = (at[0] + (9 if inside else -9), at[1] + 11)
        frame.text("UE", beside, 12, bold=True, align="left" if inside else "right", halo=True)
        frame.box(LINE, (*MAP_AT, MAP_SIDE, MAP_SIDE), 1)
        bar_m = nice_length(2.0 * self._half_m, 0.15)
        x, y, length = MAP_AT[0], MAP_AT[1] + MAP_SIDE + 12, bar_m / (2.0 * self._half_m) * MAP_SIDE
        frame.box(INK, (x, y - 1, length, 2))
        frame.text(f"{bar_m:g} m", (x + length + 7, y), 12)
        words = "link solid: in sight, dashed: not" if record.street else "link solid: heard, dashed: not"
        words += ", x: blocked" if record.config.resolved("blocked_s") else ""
        frame.text(words, (MAP_AT[0] + MAP_SIDE, y), 11, GREY, align="right")

    def _draw_houses(self, layer: Layer) -> None:
        half_px = STREET_M / 2.0 / self._half_m * MAP_SIDE / 2.0
        middle = MAP_SIDE / 2.0
        layer.box(HOUSES, (0, 0, MAP_SIDE, MAP_SIDE))
        if self._record.channel is not None:
            side_px = self._record.channel.step_m / self._half_m * MAP_SIDE / 2.0
            for place_m in self._record.channel.place_m:
                x, y = self._place(place_m)
                layer.box(WHITE, (x - side_px / 2.0, y - side_px / 2.0, side_px + 0.5, side_px + 0.5))
            return
        layer.box(WHITE, (0, middle - half_px, MAP_SIDE, 2.0 * half_px))
        if self._record.scenario.geometry.kind == "crossing":
            layer.box(WHITE, (middle - half_px, 0, 2.0 * half_px, MAP_SIDE))

    def _draw_trail(self, layer: Layer) -> None:
        """Where the UE was, in the serving cell's colour; with nobody serving, black. Failures are crosses."""
        record = self._record
        line, last = record.line, record.now
        each = record.scenario.decision_ticks
        for first, end, cell in runs(line.cell[:last]):
            colour = INK if cell < 0 else series_colour(cell)
            points = [self._place(line.place_m[t]) for t in [*range(first, end, each), min(end, last)]]
            for a, b in pairwise(points):
                layer.line(colour, a, b, 3.0)
        for event in line.events:
            if event.what != "handover":
                layer.cross(INK, self._place(event.place_m), 6.0, 2.0)

    def _draw_site(self, cell: int, serving: bool) -> None:
        place_m = self._record.site_m[cell]
        x, y = self._place(place_m)
        # Towards the houses: across the street, or to a corner of its own for a post in the middle of the crossing.
        if self._record.channel is not None:
            off = (0.0, -1.0)
        elif max(abs(place_m)) <= STREET_M / 2.0:
            off = (math.copysign(0.7, place_m[0] or place_m[1]), -math.copysign(0.7, place_m[1] or -place_m[0]))
        elif abs(place_m[0]) >= abs(place_m[1]):
            off = (0.0, -math.copysign(1.0, place_m[1]))
        else:
            off = (math.copysign(1.0, place_m[0]), 0.0)
        radius = 9.0 if self._record.scenario.num_cells <= 20 else 6.0
        post = MAP_AT[0] + x, MAP_AT[1] + y
        self._frame.disc(series_colour(cell), post, 3.0, WHITE, 1.0)
        at = post[0] + BADGE_OFF_PX * off[0], post[1] + BADGE_OFF_PX * off[1]
        self._frame.badge(cell, series_colour(cell), at, radius, serving)

    # ------------------------------------------------------------------ panel

    def _draw_now(self, sight: NDArray[np.int64]) -> None:
        record, frame = self._record, self._frame
        cell, event = record.serving, record.last_event
        frame.badge(cell, series_colour(cell), (PANEL_LEFT + 16, 72), 16.0)
        frame.text(f"served by cell {cell}", (PANEL_LEFT + 42, 64), 17, bold=True)
        level_db = float(record.sinr_db[record.now, cell])
        best = int(record.line.best[record.now])
        words = f"{SIGHTS[sight[cell]]}, SINR {level_db:.1f} dB"
        if best != cell:
            words += f"; cell {best} has {float(record.line.best_db[record.now]):.1f} dB"
        frame.text(words, (PANEL_LEFT + 42, 86), 13, GREY)
        if event:
            width = 30 + 7 * len(event)
            frame.box(FAINT if event == "handover" else ALARM, (PANEL_RIGHT - width, 53, width, 24))
            frame.text(event, (PANEL_RIGHT - width / 2, 65), 13, bold=True, align="centre")

    def _draw_bars(self, sight: NDArray[np.int64]) -> None:
        record, frame = self._record, self._frame
        rsrp_dbm, measured_dbm = record.rsrp_dbm[record.now], record.measured_dbm
        left, width, cells = PANEL_LEFT + 34, 250, record.shown_cells(BARS)
        top, pitch = 130, min(30.0, 185.0 / len(cells))
        age_s = record.tick % record.scenario.constants()["measurement_ticks"] * TICK_S
        frame.text("RSRP", (PANEL_LEFT, 110), 11, GREY)
        frame.text(f"bar: now, tick: measured {age_s:.1f} s ago", (PANEL_RIGHT, 110), 11, GREY, align="right")
        for level in np.arange(RSRP.low + 20.0, RSRP.high - 10.0, 20.0):
            frame.text(f"{level:g}", (left + width * RSRP.share(level), 110), 10, GREY, align="centre")
        for i, cell in enumerate(cells):
            y, colour, serving = top + pitch * i, series_colour(cell), cell == record.serving
            frame.badge(cell, colour, (PANEL_LEFT + 16, y), 9.0)
            frame.box(FAINT, (left, y - 6, width, 12))
            frame.box(colour, (left, y - 6, width * RSRP.share(rsrp_dbm[cell]), 12))
            frame.box(INK, (left + width * RSRP.share(measured_dbm[cell]) - 1, y - 8, 2, 16))
            frame.text(f"{rsrp_dbm[cell]:.0f} dBm", (left + width + 68, y), 12, align="right", bold=serving)
            note = "serving, " if serving else ""
            note += SIGHTS[sight[cell]]
            frame.text(note, (left + width + 76, y), 12, bold=serving, room=140)

    def _draw_totals(self) -> None:
        record, frame = self._record, self._frame
        played = record.totals.num_steps > 0
        rate = record.totals.last["rate_bps_hz"][0] / max(record.took_s, TICK_S)
        failures = record.counted("failures_per_min") / 60.0
        rows = {
            "Rate": (f"{rate:.2f} bit/s/Hz" if played else "", f"{record.condensed('rate_bps_hz'):.2f} bit/s/Hz"),
            "Duration": (f"{record.took_s:.2f} s" if played else "", f"{record.totals.time_s:.2f} s"),
            "Handovers": (
                "",
                f"{record.counted('handovers_per_s'):.0f}, {record.counted('ping_pongs_per_s'):.0f} back within 1 s",
            ),
            "Lost links": ("", f"{failures:.0f}  ({record.condensed('failures_per_min'):.1f} /min)"),
            "No data": ("", f"{record.condensed('no_data_fraction'):.1%} of time"),
            "Energy": ("", f"{record.counted('handover_energy_w'):.1f} J"),
        }
        draw_totals(frame, (90, 300), ("last step", "episode"), rows, room=200)

    # ------------------------------------------------------------------ over time

    def _page(self) -> tuple[int, int]:
        """First tick of the plot and how many there are."""
        length = min(self._record.scenario.ticks, PAGE_TICKS)
        beyond = min(self._record.tick, self._record.scenario.ticks) - length
        turned = max(0, -(-2 * beyond // length))
        return turned * length // 2, length

    def _draw_plot(self) -> None:
        frame, layer = self._frame, self._plot
        first, length = self._page()
        left, top = PLOT_AT
        self._draw_curves(layer, first, length)
        layer.flush(frame.surface, PLOT_AT)
        y = top - 18
        frame.text("Over time", (20, y), 13, bold=True)
        x = left + 24 + frame.text("SINR, bold: serving cell, thin: the best cell", (left + 24, y), 11, GREY)
        for colour, words in ((GREY, "no data, handover"), (ALARM, "link lost")):
            frame.box(blend(colour, WHITE, 0.6) if colour == GREY else colour, (x + 14, y - 6, 14, 12))
            x += 18 + frame.text(words, (x + 32, y), 11, GREY) + 14
        draw_levels(frame, [(level, self._level_y(level)) for level in np.arange(-10.0, SINR.high, 10.0)])
        draw_edges(frame, RATE, f"{self._record.config.most_bps_hz:.1f}", "best SINR")
        draw_time_axis(frame, first * TICK_S, length * TICK_S)

    def _level_y(self, level_db: float) -> float:
        return CURVES[0] + (CURVES[1] - CURVES[0]) * (1.0 - SINR.share(level_db))

    def _draw_curves(self, layer: Layer, first: int, length: int) -> None:
        record = self._record
        line = record.line
        end = min(max(record.tick, 0), record.scenario.ticks)
        scale = PLOT_WIDTH / length
        layer.clear()
        for a, b, phase in runs(line.phase[first:end]):
            if phase in (INTERRUPTED, LOST):
                colour = ALARM if phase == LOST else blend(GREY, WHITE, 0.6)
                layer.box(colour, (a * scale, CURVES[0], max((b - a) * scale, 1.0), RATE[1] - CURVES[0]))
        for level in np.arange(-10.0, SINR.high, 10.0):
            layer.line(FAINT, (0, self._level_y(level)), (PLOT_WIDTH, self._level_y(level)))
        y = self._level_y(record.config.out_db)
        layer.dashed(INK, (0, y), (PLOT_WIDTH, y), 0.5, 3.0)
        layer.line(FAINT, (0, RATE[1]), (PLOT_WIDTH, RATE[1]))
        self._draw_rates(layer, first, end, scale)
        for a, b, cell in runs(line.best[first:end]):
            layer.box(series_colour(cell), (a * scale, BEST[0], (b - a) * scale + 0.5, BEST[1] - BEST[0]))
        self._draw_line(layer, GREY, line.best_db, first, end, scale, 0.8)
        for a, b, cell in runs(line.cell[first:end]):
            if cell >= 0:
                box = (a * scale, SERVING[0], (b - a) * scale + 0.5, SERVING[1] - SERVING[0])
                layer.box(series_colour(cell), box)
                self._draw_line(layer, series_colour(cell), line.sinr_db, first + a, first + b, scale, 2.4, first)
        for event in line.events:
            x = (event.tick - first) * scale
            if 0 <= x <= PLOT_WIDTH:
                self._draw_event(layer, (x, MARKS), event.what)

    def _draw_rates(self, layer: Layer, first: int, end: int, scale: float) -> None:
        line, each = self._record.line, self._record.scenario.decision_ticks
        height = (RATE[1] - RATE[0]) / self._record.config.most_bps_hz
        for tick in range(first, end, each):
            last = min(tick + each, end)
            rate = float(line.rate_bps_hz[tick:last].mean())
            served = line.cell[tick:last].max()
            if served >= 0:
                wide = np.isin(line.phase[tick:last], (PREPARED, REFINED)).any()
                colour = blend(series_colour(int(served)), WHITE, 0.55 if wide else 0.25)
                box = ((tick - first) * scale, RATE[1] - height * rate, (last - tick) * scale + 0.5, height * rate)
                layer.box(colour, box)

    def _draw_line(
        self,
        layer: Layer,
        colour: Colour,
        level_db: NDArray[Any],
        begin: int,
        end: int,
        scale: float,
        width: float,
        origin: int | None = None,
    ) -> None:
        origin = begin if origin is None else origin
        ticks = [*range(begin, end, self._record.scenario.decision_ticks), end - 1]
        points = [((t - origin) * scale, self._level_y(float(level_db[t]))) for t in ticks if t >= begin]
        for a, b in pairwise(points):
            layer.line(colour, a, b, width)

    @staticmethod
    def _draw_event(layer: Layer, at: Point, what: str) -> None:
        if what == "handover":
            mark_handover(layer, at)
        else:
            layer.cross(INK, at, 4.0, 2.0)
