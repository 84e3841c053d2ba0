"""UDN handover as a text and as a picture; cells bear the number of the action that chooses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.rendering.track import Map, Track, episode_map

if TYPE_CHECKING:
    from mmwave_gym.rendering.canvas import Frame
    from mmwave_gym.scenarios.handover.picture import HandoverPicture

MAP_COLUMNS, MAP_ROWS = 32, 16
TRAIL_SLOTS = 240  # of path
TEXT_WIDTH = 79
BAR = 16
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class HandoverScene:
    """See `mmwave_gym.rendering.renderer.Scene`."""

    def __init__(self, batch: Batch):
        self._batch = batch
        self._track = Track(batch)
        self._map: Map | None = None
        self._mapped = 0  # the episode that the map is of
        self._picture: HandoverPicture | None = None

    def record(self, outcome: Outcome | None) -> None:
        self._track.record(outcome)

    def picture(self) -> Frame:
        if self._picture is None:
            from mmwave_gym.scenarios.handover.picture import HandoverPicture  # loads pygame

            self._picture = HandoverPicture(self._batch, self._track)
        return self._picture.draw(self._episode_map())

    def text(self) -> str:
        """Map, cells and totals in ASCII, always the same number of lines of the same width."""
        track = self._track
        rows = ["+" + "-" * MAP_COLUMNS + "+", *self._map_lines(), "+" + "-" * MAP_COLUMNS + "+"]
        beside = self._cell_lines(len(rows))
        lines = [self._head()]
        lines += [f"{left} {right}" for left, right in zip(rows, beside, strict=True)]
        sums, seconds = track.totals.sums, max(track.totals.time_s, 1e-9)
        ue = track.watched
        metrics = {m.name: track.totals.condensed(m, ue) for m in track.totals.metrics}
        handovers, ping_pongs = int(sums["handovers_per_s"][ue]), int(sums["ping_pongs_per_s"][ue])
        lines += [
            f"rate {track.now.rate[ue]:6.2f} now, {metrics['throughput_bps_hz']:6.2f} mean bit/s/Hz   "
            f"outage {metrics['outage_fraction']:6.1%}   reward {sums['reward'][ue]:+10.2f}",
            f"handovers {handovers:4d} ({handovers / seconds:5.2f}/s)   ping-pongs {ping_pongs:4d}   "
            f"energy {sums['handover_energy_w'][ue]:8.2f} J",
        ]
        return "\n".join(line[:TEXT_WIDTH].ljust(TEXT_WIDTH) for line in lines)

    def _episode_map(self) -> Map:
        if self._map is None or self._mapped != self._track.episode:
            self._map, self._mapped = episode_map(self._batch), self._track.episode
        return self._map

    def _head(self) -> str:
        track, ue = self._track, self._track.watched
        strongest = track.strongest(track.now)
        state = f"served by cell {int(track.now.serving[ue])}"
        if strongest >= 0:
            state += f", strongest is cell {strongest}"
        if track.now.handover[ue]:
            state += ", PING-PONG" if track.now.ping_pong[ue] else ", HANDOVER"
        if not track.now.present.any():
            state += ", gone"
        return f"handover  t = {track.now.time_s:7.2f} s  UE {ue}  {state}"

    def _map_lines(self) -> list[str]:
        """North is up; '.' path, '@' the watched UE, 'u' others, a digit or letter a cell, '#' the serving one."""
        plan, track = self._episode_map(), self._track
        grid = np.full((MAP_ROWS, MAP_COLUMNS), " ")

        def put(place_m: np.ndarray, sign: str) -> None:
            if np.isfinite(place_m).all():
                x, y = (place_m - plan.low_m) / (plan.high_m - plan.low_m)
                row = min(MAP_ROWS - 1, max(0, int((1.0 - y) * MAP_ROWS)))
                grid[row, min(MAP_COLUMNS - 1, max(0, int(x * MAP_COLUMNS)))] = sign

        for moment in track.moments[-TRAIL_SLOTS:]:
            put(moment.position_m[track.watched], ".")
        serving = int(track.now.serving[track.watched])
        for cell, place_m in enumerate(plan.site_m):
            put(place_m, DIGITS[cell % len(DIGITS)])
        put(plan.site_m[serving], "#")
        for ue in np.flatnonzero(track.now.present):
            put(track.now.position_m[ue], "u")
        put(track.now.position_m[track.watched], "@")
        return ["|" + "".join(row) + "|" for row in grid]

    def _cell_lines(self, count: int) -> list[str]:
        track = self._track
        scale = track.scale
        serving, strongest = int(track.now.serving[track.watched]), track.strongest(track.now)
        lines = [f"  cell   RSRQ dB {scale.low:g}{'':{BAR - 8}}{scale.high:g}"]
        for cell in track.shown_cells(track.now, count - 1):
            level = track.now.mean_db[cell]
            if np.isnan(level):
                lines.append(f"  {DIGITS[cell % len(DIGITS)]} {cell:3d} not heard")
                continue
            full = round(BAR * scale.share(level))
            mark = "#" if cell == serving else DIGITS[cell % len(DIGITS)]
            note = "serving" if cell == serving else "strongest" if cell == strongest else ""
            bar = "=" * full
            lines.append(f"  {mark} {cell:3d} {level:8.1f} {bar:.<{BAR}} {note}")
        return lines + [""] * (count - len(lines))
