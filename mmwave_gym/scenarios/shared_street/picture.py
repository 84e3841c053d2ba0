"""The picture of a shared street: the map with UEs in the colours of their cells, loads, scores, rates over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.radio.street_maps import STREET_M
from mmwave_gym.rendering.canvas import Frame, Layer
from mmwave_gym.rendering.colours import FAINT, GREY, INK, LINE, WHITE, Colour, blend, series_colour
from mmwave_gym.rendering.map import BELOW, MAP, MAP_SIZE, PANEL, RIGHT, Plan, draw_head, point
from mmwave_gym.rendering.scales import nice_step
from mmwave_gym.scenarios.shared_street.config import SLOT_S
from mmwave_gym.scenarios.shared_street.scene import PAST_S, Record

HOUSES: Colour = (226, 226, 230)
HALF_M = STREET_M / 2.0
LOADS_TOP, SCORES_TOP, CURVE_TOP, CURVE_HEIGHT = 66, 330, 500, 150
CURVE_LEFT = 730
SHOWN_CELLS = 16


class SharedStreetPicture:
    """Draws what a `Record` holds."""

    def __init__(self, record: Record):
        self._record = record
        self._frame, self._layer = Frame(), Layer(MAP_SIZE)
        half_m = record.half_m
        self._plan = Plan(np.array([[-half_m, -half_m], [half_m, half_m]]), 0.52, 1.0)

    def draw(self) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        record, frame = self._record, self._frame
        frame.clear()
        setting = f"{record.world.num_cells} cells, {int(record.present.sum())} UEs, {record.map_name}"
        whole = f"of {record.world.horizon * SLOT_S:g} s"
        draw_head(frame, "Shared street", setting, whole, f"t = {record.slot * SLOT_S:.1f} s")
        self._draw_map()
        self._draw_loads()
        self._draw_scores()
        self._draw_curve()
        return frame

    # ------------------------------------------------------------------ map

    def _draw_map(self) -> None:
        record, frame, layer = self._record, self._frame, self._layer
        layer.box(HOUSES, (0, 0, *MAP_SIZE))
        self._draw_streets(layer)
        place, serving = self._plan.pixels(record.place_m), record.serving
        site, moving, active = self._plan.pixels(record.site_m), record.moving, record.active
        for ue in np.flatnonzero(record.present).tolist():
            here, cell = point(place[ue]), int(serving[ue])
            if cell < 0:
                layer.cross(INK, here, 6.0, 2.5)
                continue
            colour = series_colour(cell)
            if active[ue]:
                faint = blend(colour, WHITE, 0.55)
                if moving[ue]:
                    layer.dashed(faint, here, point(site[cell]), 1.5, 4.0)
                else:
                    layer.line(faint, here, point(site[cell]), 1.0)
        for ue in np.flatnonzero(record.present & (serving >= 0)).tolist():
            self._draw_ue(layer, place[ue], series_colour(int(serving[ue])), bool(active[ue]), ue)
        layer.flush(frame.surface, (round(MAP[0]), round(MAP[1])))
        for cell, at in enumerate(site):
            frame.badge(cell, series_colour(cell), (MAP[0] + at[0], MAP[1] + at[1]), 9.0)
        frame.box(LINE, MAP, 1)
        x = self._plan.draw_scale(frame, 0.15) + 18
        frame.text(
            "square: car, disc: pedestrian, hollow: idle, dashed: handover, cross: lost link", (x, BELOW), 11, GREY
        )

    def _draw_streets(self, layer: Layer) -> None:
        world = self._record.world.world
        if world.city:
            wide = 0.5 * world.city.step_m
            low, high = (self._plan.pixels(world.city.place_m + np.array((side, -side))) for side in (-wide, wide))
            for begin, end in zip(low.tolist(), high.tolist(), strict=True):
                layer.box(WHITE, (begin[0], begin[1], end[0] - begin[0] + 1.0, end[1] - begin[1] + 1.0))
            return
        for across, middles in enumerate(world.crossing.middles_m):
            for middle in middles.tolist():
                low, high = (self._plan.pixels(np.full(2, middle + side)) for side in (-HALF_M, HALF_M))
                east = 0, high[1], MAP_SIZE[0], low[1] - high[1]
                north = low[0], 0, high[0] - low[0], MAP_SIZE[1]
                layer.box(WHITE, east if across else north)

    def _draw_ue(self, layer: Layer, at: NDArray[np.float64], colour: Colour, active: bool, ue: int) -> None:
        x, y = point(at)
        if ue < self._record.config.num_cars:
            layer.box(colour, (x - 4, y - 4, 8, 8))
            if not active:
                layer.box(WHITE, (x - 2.5, y - 2.5, 5, 5))
        elif active:
            layer.disc(colour, (x, y), 4.0)
        else:
            layer.ring(colour, (x, y), 4.0)

    # ------------------------------------------------------------------ panel

    def _draw_loads(self) -> None:
        frame, record = self._frame, self._record
        frame.text("Active UEs of each cell", (PANEL, LOADS_TOP), 13, bold=True)
        load = record.load
        cells = range(min(len(load), SHOWN_CELLS))
        pitch, most = min(30.0, 220.0 / len(cells)), max(int(load.max()), 1)
        told = record.batch.state.load[0]
        for i, cell in enumerate(cells):
            y, colour = LOADS_TOP + 26 + pitch * i, series_colour(cell)
            frame.badge(cell, colour, (PANEL + 10, y), min(9.0, 0.45 * pitch))
            width = 150.0
            frame.box(FAINT, (PANEL + 28, y - 0.3 * pitch, width, 0.6 * pitch))
            frame.box(colour, (PANEL + 28, y - 0.3 * pitch, width * load[cell] / most, 0.6 * pitch))
            frame.text(f"{load[cell]}", (PANEL + 36 + width, y), 11, bold=True)
            frame.text(f"told: {told[cell]:.0f}", (RIGHT, y), 10, GREY, align="right")

    def _draw_scores(self) -> None:
        frame, record, scores = self._frame, self._record, self._record.scores()
        frame.text("The episode so far", (PANEL, SCORES_TOP), 13, bold=True)
        rows = {
            "Utility": f"{scores['utility']:.3f}" if scores else "-",
            "5th percentile": f"{scores['p5_mbps']:.0f} Mbit/s" if scores else "-",
            "Mean rate": f"{scores['mean_mbps']:.0f} Mbit/s" if scores else "-",
            "Handovers": f"{record.counted('handovers_per_s'):.0f}",
            "Lost links": f"{record.counted('failures_per_min') / 60.0:.0f}",
            "Radio map known": f"{record.mapped_share():.0%} of bins" if record.config.shared_map else "not shared",
        }
        if "delay_s" in record.metrics:
            part = scores.get("on_time_share", 0.0)
            rows["Delay of files"] = f"{scores['delay_s']:.2f} s, {part:.0%} in time" if scores else "-"
        for i, (name, words) in enumerate(rows.items()):
            y = SCORES_TOP + 22 + 18.5 * i
            frame.text(name, (PANEL, y), 12, GREY)
            frame.text(words, (RIGHT, y), 12, align="right")

    def _draw_curve(self) -> None:
        """The mean and the 5th percentile over UEs of each second's rates."""
        frame, record = self._frame, self._record
        frame.text("Rates in each second, Mbit/s", (PANEL, CURVE_TOP - 14), 13, bold=True)
        wide = RIGHT - CURVE_LEFT
        rates = record.seconds_mbps[-PAST_S:]
        known = np.isfinite(rates).max(axis=1, initial=False).tolist()
        first = max(record.seconds_mbps.shape[0] - PAST_S, 0)
        series: list[tuple[Colour, str, NDArray[np.float64]]] = []
        if any(known):
            mean = np.array([np.nanmean(r) if k else np.nan for r, k in zip(rates, known, strict=True)])
            low = np.array([np.nanpercentile(r, 5.0) if k else np.nan for r, k in zip(rates, known, strict=True)])
            series = [(series_colour(0), "mean", mean), (series_colour(3), "5th percentile", low)]
        high = max(100.0, float(np.nanmax(series[0][2])) * 1.1) if series else 100.0
        step = nice_step(high, 4)
        for tick in np.arange(0.0, high + 1e-9, step):
            y = CURVE_TOP + CURVE_HEIGHT * (1.0 - tick / high)
            frame.box(FAINT, (CURVE_LEFT, y, wide, 1))
            frame.text(f"{tick:,.0f}", (CURVE_LEFT - 6, y), 10, GREY, align="right")
        for part in (0.0, 0.5, 1.0):
            words = f"{first + part * PAST_S:g}" + (" s" if part == 1.0 else "")
            frame.text(words, (CURVE_LEFT + part * wide, CURVE_TOP + CURVE_HEIGHT + 10), 10, GREY, align="centre")
        x = float(CURVE_LEFT)
        for colour, words, values in series:
            for i, value in enumerate(values.tolist()):
                if np.isfinite(value):
                    y = CURVE_TOP + CURVE_HEIGHT * (1.0 - min(value / high, 1.0))
                    frame.box(colour, (CURVE_LEFT + wide * i / PAST_S, y - 1, wide / PAST_S, 2))
            frame.box(colour, (x, CURVE_TOP + CURVE_HEIGHT + 27, 14, 2))
            x += 32 + frame.text(words, (x + 18, CURVE_TOP + CURVE_HEIGHT + 28), 10, GREY)
