"""UDN handover as a text and as a picture; cells bear the number of the action that chooses them."""

from __future__ import annotations

import numpy as np

from mmwave_gym.rendering.recorded import RecordedScene
from mmwave_gym.rendering.stage import Moment, Stage
from mmwave_gym.rendering.text import cell_sign, framed, side_by_side, text_of
from mmwave_gym.scenarios.handover.track import Track

MAP_COLUMNS, MAP_ROWS = 32, 16
TRAIL_SLOTS = 240  # of path
BAR = 16


class HandoverScene(RecordedScene[Track]):
    """See `mmwave_gym.rendering.renderer.Scene`."""

    record_type = Track
    picture_type = "picture:HandoverPicture"

    def stage(self) -> Stage:
        """See `mmwave_gym.rendering.stage`."""
        track, scale = self._record, self._record.scale
        return Stage(
            title="handover",
            num_ues=track.batch.scenario.num_agents,
            num_nodes=scale.size,
            value=("rate", "bit/s/Hz"),
            node_m=track.map.site_m,
            level=("RSRQ", "dB", scale.low, scale.high),
        )

    def moments(self) -> list[Moment]:
        """The present."""
        now = self._record.now
        return [
            Moment(
                time_s=now.time_s,
                present=now.present,
                serving=now.serving,
                value=now.rate,
                trouble=now.outage,
                place_m=now.position_m,
                level=now.mean_db[None],
                events=tuple((int(ue), "ping-pong") for ue in np.flatnonzero(now.ping_pong)),
            )
        ]

    def text(self) -> str:
        """Map, cells and totals in ASCII, always the same number of lines of the same width."""
        track = self._record
        rows = framed(self._map_grid(), MAP_COLUMNS)
        lines = [self._head(), *side_by_side(rows, self._cell_lines(len(rows)))]
        sums, ue = track.totals.sums, track.watched
        metrics = {m.name: track.totals.condensed(m, ue) for m in track.totals.metrics}
        handovers, ping_pongs = int(sums["handovers_per_s"][ue]), int(sums["ping_pongs_per_s"][ue])
        lines += [
            f"rate {track.now.rate[ue]:6.2f} now, {metrics['throughput_bps_hz']:6.2f} mean bit/s/Hz   "
            f"outage {metrics['outage_fraction']:6.1%}   reward {sums['reward'][ue]:+10.2f}",
            f"handovers {handovers:4d} ({metrics['handovers_per_s']:5.2f}/s)   ping-pongs {ping_pongs:4d}   "
            f"energy {sums['handover_energy_w'][ue]:8.2f} J",
        ]
        return text_of(lines)

    def _head(self) -> str:
        track, ue = self._record, self._record.watched
        strongest = track.strongest(track.now)
        state = f"served by cell {int(track.now.serving[ue])}"
        if strongest >= 0:
            state += f", strongest is cell {strongest}"
        if track.now.handover[ue]:
            state += ", PING-PONG" if track.now.ping_pong[ue] else ", HANDOVER"
        if not track.now.present.any():
            state += ", gone"
        return f"handover  t = {track.now.time_s:7.2f} s  UE {ue}  {state}"

    def _map_grid(self) -> np.ndarray:
        """North is up; '.' path, '@' the watched UE, 'u' others, a digit or letter a cell, '#' the serving one."""
        plan, track = self._record.map, self._record
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
            put(place_m, cell_sign(cell))
        put(plan.site_m[serving], "#")
        for ue in np.flatnonzero(track.now.present):
            put(track.now.position_m[ue], "u")
        put(track.now.position_m[track.watched], "@")
        return grid

    def _cell_lines(self, count: int) -> list[str]:
        track = self._record
        scale = track.scale
        serving, strongest = int(track.now.serving[track.watched]), track.strongest(track.now)
        lines = [f"  cell   RSRQ dB {scale.low:g}{'':{BAR - 8}}{scale.high:g}"]
        for cell in track.shown_cells(track.now, count - 1):
            level = track.now.mean_db[cell]
            if np.isnan(level):
                lines.append(f"  {cell_sign(cell)} {cell:3d} not heard")
                continue
            full = round(BAR * scale.share(level))
            mark = "#" if cell == serving else cell_sign(cell)
            note = "serving" if cell == serving else "strongest" if cell == strongest else ""
            bar = "=" * full
            lines.append(f"  {mark} {cell:3d} {level:8.1f} {bar:.<{BAR}} {note}")
        return lines
