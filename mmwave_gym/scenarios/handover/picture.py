"""The picture of UDN handover: the map, the cells' signals now and over time, the totals.

Old parts of the paths stay on a layer, to which each frame adds what is new.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_gym.rendering.canvas import Frame, Layer, Point
from mmwave_gym.rendering.cells import MAP_AT, MAP_SIDE, PANEL_LEFT, PANEL_RIGHT, draw_totals
from mmwave_gym.rendering.colours import ALARM, FAINT, GREY, INK, LINE, WHITE, blend, series_colour
from mmwave_gym.rendering.scales import nice_length
from mmwave_gym.scenarios.handover.signal_plot import SignalPlot
from mmwave_gym.scenarios.handover.track import Map, Track

TRAIL_SLOTS = 160  # of path in full colour
MANY_AGENTS = 40  # beyond, only dots
BARS = 8  # cells with one


class HandoverPicture:
    """Draws what a `Track` holds."""

    def __init__(self, track: Track):
        self._track, scenario = track, track.batch.scenario
        self._frame = Frame()
        self._base = Layer((MAP_SIDE, MAP_SIDE))  # border and old paths
        self._map_layer = Layer((MAP_SIDE, MAP_SIDE))
        self._plot = SignalPlot(track)
        self._scale = track.scale
        self._num_cells = track.scale.size
        self._num_agents = scenario.num_agents
        self._horizon = scenario.horizon
        config = getattr(scenario, "config", None)
        # A channel from a file has a bandwidth of its own, or none.
        of_a_file = getattr(config, "channel", None) is not None
        self._bandwidth_hz = None if of_a_file else getattr(config, "bandwidth_hz", None)
        self._episode = 0

    def draw(self) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        if self._episode != self._track.episode:
            self._begin(self._track.map)
        self._frame.clear()
        self._draw_head()
        self._draw_map()
        self._draw_bars(*self._draw_now())
        self._draw_totals()
        self._plot.draw(self._frame)
        return self._frame

    # ------------------------------------------------------------------ beginnings

    def _begin(self, plan: Map) -> None:
        self._episode, self._plan = self._track.episode, plan
        self._base.clear()
        if plan.area_m is not None:
            left, top = self._place(np.array([plan.area_m[0], plan.area_m[3]]))
            right, bottom = self._place(np.array([plan.area_m[2], plan.area_m[1]]))
            self._base.box(GREY, (left, top, right - left, bottom - top), 1.5)
        self._pixels: list[list[Point]] = []  # where each moment's agents are on the map's layer

    def _place(self, place_m: Any) -> Point:
        """Pixels on the map's layer; north is up."""
        x, y = (place_m - self._plan.low_m) / (self._plan.high_m - self._plan.low_m) * MAP_SIDE
        return float(x), float(MAP_SIDE - y)

    # ------------------------------------------------------------------ head, map

    def _draw_head(self) -> None:
        track, frame = self._track, self._frame
        ues = f", {self._num_agents} UEs" if self._num_agents > 1 else ""
        width = frame.text("Handover", (MAP_AT[0], 26), 20, bold=True)
        frame.text(f"{self._num_cells} cells{ues}", (MAP_AT[0] + width + 14, 28), 13, GREY)
        width = frame.text(f"t = {track.now.time_s:.2f} s", (PANEL_RIGHT, 26), 20, align="right")
        progress = f"slot {track.totals.num_steps} of {self._horizon}"
        frame.text(progress, (PANEL_RIGHT - max(width, 120) - 14, 28), 13, GREY, align="right")

    def _draw_map(self) -> None:
        track, frame, layer = self._track, self._frame, self._map_layer
        now, moments = track.now, track.moments
        if not np.isfinite(now.position_m).all():  # a recorded channel may come without places
            middle = (MAP_AT[0] + MAP_SIDE / 2, MAP_AT[1] + MAP_SIDE / 2)
            frame.box(LINE, (*MAP_AT, MAP_SIDE, MAP_SIDE), 1)
            frame.text("this channel has no positions", middle, 13, GREY, align="centre")
            return
        trails = self._num_agents <= MANY_AGENTS
        for i in range(len(self._pixels), len(moments)):
            self._pixels.append([self._place(place_m) for place_m in moments[i].position_m])
            if trails and i:
                for ue in np.flatnonzero(moments[i - 1].present).tolist():
                    colour = blend(series_colour(int(moments[i].serving[ue])), WHITE, 0.65)
                    self._base.line(colour, self._pixels[i - 1][ue], self._pixels[i][ue], 1.5)
        layer.copy_from(self._base)
        if trails:
            self._draw_trails(layer, TRAIL_SLOTS if self._num_agents == 1 else TRAIL_SLOTS // 4)
        for ue in np.flatnonzero(now.present).tolist():
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
        if self._plan.area_m is None:
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
                    colour = blend(series_colour(serving[ue]), WHITE, 0.65 * age)
                    layer.line(colour, pixels[i - 1][ue], pixels[i][ue], 2.5)
        ue = self._track.watched
        for i in range(first, len(moments)):
            if moments[i].ping_pong[ue]:
                layer.cross(INK, pixels[i - 1][ue], 3.0)
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
        beside = (at[0] + (11 if inside else -11), at[1] + 13)
        frame.text(label, beside, 12, bold=True, align="left" if inside else "right", halo=True)
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
            frame.text("path: colour of the serving cell", (x, y), 11, GREY, align="right")

    # ------------------------------------------------------------------ panel

    def _draw_now(self) -> tuple[int, int]:
        """Who serves and who would be better, in words; returns both cells."""
        track, frame = self._track, self._frame
        now, ue = track.now, track.watched
        serving, strongest = int(now.serving[ue]), track.strongest(now)
        name = "" if self._num_agents == 1 else f"UE {ue}: "
        verb = "served" if now.present.any() else "last served"
        frame.badge(serving, series_colour(serving), (PANEL_LEFT + 16, 72), 16.0)
        frame.text(f"{name}{verb} by cell {serving}", (PANEL_LEFT + 42, 64), 17, bold=True)
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
        left, width, cells = PANEL_LEFT + 34, 280, track.shown_cells(now, BARS)
        top, pitch = 130, min(30.0, 185.0 / len(cells))
        frame.text("RSRQ (dB)", (PANEL_LEFT, 110), 11, GREY)
        frame.text("bar: 0.5 s mean, tick: last slot", (PANEL_RIGHT, 110), 11, GREY, align="right")
        for tick in np.arange(0.0, self._scale.high - self._scale.low + 1, 15.0):
            x = left + width * tick / (self._scale.high - self._scale.low)
            if tick:  # the lowest would stand on the caption
                frame.text(f"{self._scale.low + tick:g}", (x, 110), 10, GREY, align="centre")
        for i, cell in enumerate(cells):
            y = top + pitch * i
            colour, level = series_colour(cell), now.mean_db[cell]
            frame.badge(cell, colour, (PANEL_LEFT + 16, y), 9.0)
            frame.box(FAINT, (left, y - 6, width, 12))
            if level == level:
                frame.box(colour, (left, y - 6, width * self._scale.share(level), 12))
                frame.box(INK, (left + width * self._scale.share(now.signal_db[cell]) - 1, y - 8, 2, 16))
                frame.text(
                    f"{round(level, 1) + 0.0:.1f} dB", (left + width + 62, y), 12, align="right", bold=cell == serving
                )
            else:
                frame.text("not heard", (left + 6, y), 10, GREY)
            note = "serving" if cell == serving else "strongest" if cell == strongest else ""
            frame.text(note, (left + width + 74, y), 12, bold=cell == serving)

    def _draw_totals(self) -> None:
        track, frame = self._track, self._frame
        totals, ue = track.totals, track.watched
        metrics = {m.name: m for m in totals.metrics}
        who: list[int | None] = [ue]
        heads = ["now", "episode"]
        if self._num_agents > 1:
            heads, who = ["now", f"UE {ue}, episode", f"{self._num_agents} UEs, episode"], [ue, None]

        def condensed(name: str, agent_slot: int | None) -> float:
            return totals.condensed(metrics[name], agent_slot)

        def summed(name: str, agent_slot: int | None) -> float:
            return float(totals.sums[name].sum() if agent_slot is None else totals.sums[name][agent_slot])

        def rate(value: float) -> str:
            mbps = "" if self._bandwidth_hz is None else f"  ({value * self._bandwidth_hz / 1e6:.0f} Mbit/s)"
            return f"{value:.2f} bit/s/Hz{mbps if self._num_agents == 1 else ''}"

        def handovers(agent_slot: int | None) -> str:
            return f"{summed('handovers_per_s', agent_slot):.0f}  ({condensed('handovers_per_s', agent_slot):.2f} /s)"

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
        if self._num_agents == 1:
            draw_totals(frame, (90, 300), heads, rows, room=190)
        else:
            draw_totals(frame, (90, 205, 355), heads, rows, room=140)
