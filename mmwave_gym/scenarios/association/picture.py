"""The picture of association: the map with every link, and beside it the rate, the decision and the loads.

Blue is load, green is efficiency, orange is the UE that decides and its candidates.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.rendering.canvas import Box, Frame, Layer, Point
from mmwave_gym.rendering.colours import FAINT, GREY, INK, LINE, WHITE, Colour, blend
from mmwave_gym.rendering.map import BELOW, MAP, MAP_SIZE, PANEL, RIGHT, Plan, draw_head, point
from mmwave_gym.rendering.scales import nice_step
from mmwave_gym.scenarios.association.scene import BINS, MOST_CANDIDATES, Record

RATE: Box = (PANEL + 40, 176, RIGHT - PANEL - 40, 112)
DECISION_TOP, LOADS_TOP, LOADS_BOTTOM = 330, 524, 668
BLUE, GREEN, ORANGE = (0, 114, 178), (0, 158, 115), (213, 94, 0)
HOUSE: Colour = (236, 234, 229)
BARS = 16  # loads from here on share the last bar


class AssociationPicture:
    """Draws what a `Record` holds."""

    def __init__(self, record: Record):
        self._record = record
        self._frame = Frame()
        self._layer, self._ground = Layer(MAP_SIZE), Layer(MAP_SIZE)
        self._episode = -1
        bs_m = record.world.bs_m
        self._plan = Plan(bs_m, 0.55, 50.0)  # with room for who is beyond the base stations
        self._bs = self._plan.pixels(bs_m)
        apart = np.hypot(*(self._bs[:, None] - self._bs[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(bs_m))
        self._radius = float(np.clip(0.17 * np.median(apart.min(axis=1)), 4.0, 15.0))
        ues = record.world.num_ues
        self._dot = float(np.clip(10.0 / ues**0.25, 1.5, 4.5))
        self._faded = float(np.clip(0.09 * np.log2(ues / 32.0), 0.0, 0.6))
        # Along a street all links would lie on one line; in a city they go everywhere.
        self._bow = 0.1 if record.world.config.city is None else 0.0
        self._full_load = max(3.0 * ues / len(bs_m), 4.0)

    def draw(self) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        if self._episode != self._record.episode:
            self._draw_ground()
            self._episode = self._record.episode
        self._frame.clear()
        self._draw_head()
        self._draw_map()
        self._draw_rate()
        self._draw_decision()
        self._draw_loads()
        return self._frame

    def _load_colour(self, load: int) -> Colour:
        """Rounded, so that the few colours are kept."""
        share = round(20.0 * min(load / self._full_load, 1.0)) / 20.0
        return blend(WHITE, BLUE, 2 * share) if share < 0.5 else blend(BLUE, INK, 1.4 * (share - 0.5))

    # ------------------------------------------------------------------ map

    def _draw_ground(self) -> None:
        layer = self._ground
        layer.clear()
        for outline in self._record.buildings_m:
            points = self._plan.pixels(outline)
            if (points.max(axis=0) > 0.0).all() and (points.min(axis=0) < MAP[2]).all():
                layer.polygon(HOUSE, [(float(x), float(y)) for x, y in points])

    def _draw_head(self) -> None:
        record = self._record
        epoch = f"epoch {record.totals.num_steps:,}"
        draw_head(self._frame, "Association", record.setting, epoch, f"t = {record.time_s:.1f} s")

    def _draw_map(self) -> None:
        frame, layer, record = self._frame, self._layer, self._record
        layer.copy_from(self._ground)
        place, present = self._plan.pixels(record.place_m), record.present
        serving, deciding, num_bs = record.serving, record.deciding, record.world.num_bs
        # Half the colour at 0.5 bit/s/Hz; strong links lie above weak ones.
        strength = record.efficiency_bps_hz / (record.efficiency_bps_hz + 0.5)
        order = np.argsort(strength, kind="stable")
        weak = weak_link(self._faded)
        linked = order[present[order] & (serving[order] < num_bs)]
        for ue in linked.tolist():
            colour = blend(weak, GREEN, round(float(strength[ue]), 1))
            width = (1.0 + 1.6 * float(strength[ue])) * (1.0 - 0.5 * self._faded)
            self._draw_link(colour, place[ue], self._bs[serving[ue]], width)
        if deciding >= 0:
            for bs in record.candidates:
                if serving[deciding] == bs:
                    self._draw_link(ORANGE, place[deciding], self._bs[bs], 3.0)
                elif (place[deciding] != self._bs[bs]).any():
                    layer.dashed(ORANGE, point(place[deciding]), point(self._bs[bs]), 2.5)
        for ue in np.flatnonzero(present).tolist():
            lost = serving[ue] >= num_bs
            layer.disc(blend(INK, WHITE, 0.6) if lost else INK, point(place[ue]), self._dot)
        layer.flush(frame.surface, (round(MAP[0]), round(MAP[1])))
        frame.surface.set_clip([round(v) for v in MAP])
        candidates = set(record.candidates) if deciding >= 0 else set()
        for bs, load in enumerate(record.load.tolist()):
            at = MAP[0] + float(self._bs[bs, 0]), MAP[1] + float(self._bs[bs, 1])
            if bs in candidates:
                frame.disc(ORANGE, at, self._radius + 3.5)
            colour = self._load_colour(load)
            frame.disc(colour, at, self._radius, INK if load else GREY, 1.5)
            if self._radius >= 7.0:
                dark = load / self._full_load > 0.3
                size = round(min(13.0, 1.1 * self._radius * (1.0 if load < 100 else 0.8)))
                frame.text(str(load), (at[0] + 0.5, at[1]), size, WHITE if dark else INK, bold=True, align="centre")
        if deciding >= 0:
            x, y = self._beside_stations(place[deciding])
            frame.disc(ORANGE, (MAP[0] + x, MAP[1] + y), max(self._dot + 3.0, 6.0), WHITE, 1.5)
        frame.surface.set_clip(None)
        frame.box(LINE, MAP, 1)
        self._draw_scale()

    def _draw_link(self, colour: Colour, start: NDArray[np.float64], end: NDArray[np.float64], width: float) -> None:
        """A line, or a bow to the right of who looks at the base station."""
        if not self._bow:
            self._layer.line(colour, point(start), point(end), width)
            return
        way = end - start
        share = np.linspace(0.0, 1.0, 4 + min(8, int(np.abs(way).max() / 12.0)))[:, None]
        points = start + share * way + 4.0 * self._bow * share * (1.0 - share) * np.array((-way[1], way[0]))
        for here, there in pairwise(points):
            self._layer.line(colour, point(here), point(there), width)

    def _beside_stations(self, place: NDArray[np.float64]) -> Point:
        """The place itself, or where the mark of a UE does not hide the number of a base station."""
        near = self._bs[np.hypot(*(self._bs - place).T).argmin()]
        hidden = np.hypot(*(place - near)) < self._radius + 5.0
        return point(near + 0.75 * (self._radius + 6.0) * np.array((1.0, -1.0)) if hidden else place)

    def _draw_scale(self) -> None:
        """A round length, what colours mean, and whose map it is, below the map."""
        frame, y = self._frame, BELOW
        x = self._plan.draw_scale(frame, 0.2) + 22
        for colour, words in ((GREEN, "strong link"), (weak_link(self._faded), "weak link"), (ORANGE, "candidates")):
            frame.box(colour, (x, y - 1, 18, 3))
            x += 44 + frame.text(words, (x + 24, y), 12)
        if self._record.attribution:
            frame.text(self._record.attribution, (RIGHT, y), 11, GREY, align="right", room=RIGHT - PANEL)

    # ------------------------------------------------------------------ beside it

    def _draw_rate(self) -> None:
        frame, record = self._frame, self._record
        frame.text("Rate of the network", (PANEL, 72), 13, bold=True)
        width = frame.text(f"{record.mean_mbps:,.0f}", (PANEL, 106), 30, bold=True)
        frame.text("Mbit/s, mean of the episode", (PANEL + width + 8, 111), 12, GREY, room=RIGHT - PANEL - width - 8)
        totals = record.totals
        handovers = totals.condensed(next(m for m in totals.metrics if m.name == "handovers_per_ue_s"))
        frame.text(f"{60 * handovers:.1f} handovers a UE and minute", (PANEL, 142), 12, GREY)
        left, top, wide, high = RATE
        known = record.seconds > 0.2 * record.config.duration_s / BINS
        rate = record.mbit / np.maximum(record.seconds, 1e-9)
        most = float(rate[known].max(initial=1.0)) * 1.1
        step = nice_step(most, 3)
        for tick in np.arange(0.0, most, step):
            y = top + high - high * tick / most
            frame.box(FAINT if tick else LINE, (left, y, wide, 1))
            frame.text(f"{tick:,.0f}", (left - 6, y), 10, GREY, align="right")
        if record.mean_mbps:
            frame.box(GREY, (left, top + high - high * record.mean_mbps / most, wide, 1))
        pitch = wide / BINS
        for i in np.flatnonzero(known).tolist():
            height = high * float(rate[i]) / most
            frame.box(blend(GREEN, WHITE, 0.25), (left + i * pitch, top + high - height, pitch + 0.5, height))
        for share in (0.0, 0.5, 1.0):
            words = f"{share * record.config.duration_s:g}" + (" s" if share == 1.0 else "")
            align = "right" if share == 1.0 else "centre"
            frame.text(words, (left + share * wide, top + high + 11), 10, GREY, align=align)

    def _draw_decision(self) -> None:
        frame, record, top = self._frame, self._record, DECISION_TOP
        if record.deciding < 0:
            frame.text("The episode is over", (PANEL, top), 13, bold=True)
            return
        frame.disc(ORANGE, (PANEL + 6, top), 6.0)
        frame.text(f"UE {record.deciding} decides", (PANEL + 18, top), 13, bold=True)
        columns = PANEL + 88, PANEL + 132, PANEL + 192, RIGHT
        frame.text("base station", (PANEL, top + 24), 11, GREY)
        for head, x in zip(("", "UEs", "bit/s/Hz", "stays"), columns, strict=True):
            frame.text(head, (x, top + 24), 11, GREY, align="right")
        fields, load, candidates = record.fields, record.load, record.candidates
        for rank, bs in enumerate(candidates[:MOST_CANDIDATES]):
            y, serves = top + 46 + 22 * rank, bool(fields["serving"][rank] > 0)
            frame.disc(self._load_colour(int(load[bs])), (PANEL + 8, y), 7.0, INK, 1.5)
            frame.text(f"{bs}" + (" serves" if serves else ""), (PANEL + 22, y), 12, bold=serves)
            numbers = f"{load[bs]}", f"{fields['mean_efficiency'][rank]:.2f}", f"{fields['stay_s'][rank]:.1f} s"
            for text, x in zip(numbers, columns[1:], strict=True):
                frame.text(text, (x, y), 12, align="right")
        if not candidates:
            frame.text("no base station in range and in sight", (PANEL, top + 46), 12, GREY)

    def _draw_loads(self) -> None:
        """How many base stations have how many UEs."""
        frame, load = self._frame, self._record.load
        frame.text("UEs of a base station", (PANEL, LOADS_TOP), 13, bold=True)
        frame.text("how many have so many", (PANEL, LOADS_TOP + 18), 11, GREY)
        step = max(1, int(np.ceil(3.5 * self._record.world.num_ues / len(load) / BARS)))
        count = np.bincount(np.minimum(load // step, BARS - 1), minlength=BARS)
        pitch = (RIGHT - PANEL) / BARS
        high = (LOADS_BOTTOM - LOADS_TOP - 44) / max(int(count.max()), 1)
        frame.box(LINE, (PANEL, LOADS_BOTTOM, RIGHT - PANEL, 1))
        for i, stations in enumerate(count.tolist()):
            bar = (PANEL + i * pitch, LOADS_BOTTOM - high * stations, pitch - 1, high * stations)
            if stations:
                frame.box(self._load_colour(i * step), bar)
                frame.box(GREY, bar, 1)
                frame.text(str(stations), (bar[0] + pitch / 2, bar[1] - 7), 10, GREY, align="centre", room=pitch + 6)
        for i in range(0, BARS, 4):
            frame.text(str(i * step), (PANEL + (i + 0.5) * pitch, LOADS_BOTTOM + 11), 10, GREY, align="centre")


def weak_link(faded: float) -> Colour:
    return blend((150, 160, 170), WHITE, 0.9 * faded)
