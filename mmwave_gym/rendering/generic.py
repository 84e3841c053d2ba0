"""Any scenario, plainly: what the first agent observes, the metrics, and rewards and metrics over time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import ObservationField, Outcome
from mmwave_gym.rendering.track import Totals

if TYPE_CHECKING:
    from mmwave_gym.rendering.canvas import Frame

TEXT_WIDTH = 79
TEXT_VALUES = 6  # of a field written out
FIELD_ROWS = 12
STEPS_SHOWN = 240
MOST_CURVES = 5
MIDDLE = 480  # of the picture, in pixels from the left


class GenericScene:
    """See `mmwave_gym.rendering.renderer.Scene`."""

    def __init__(self, batch: Batch):
        self._batch = batch
        self._frame: Frame | None = None
        self._restart()

    def _restart(self) -> None:
        scenario = self._batch.scenario
        self._totals = Totals(scenario.metrics, scenario.num_agents)
        names = ["reward", *(m.name for m in scenario.metrics)]
        self._curves: dict[str, list[float]] = {name: [] for name in names[: MOST_CURVES + 1]}
        self._times: list[float] = []
        self._present = np.zeros(scenario.num_agents, bool)

    def record(self, outcome: Outcome | None) -> None:
        if outcome is None:
            self._restart()
        else:
            acted = self._present if not self._batch.scenario.turn_based else np.ones_like(self._present)
            self._totals.add(outcome, acted)
            self._times.append(self._totals.time_s)
            for name, curve in self._curves.items():
                last = self._totals.last[name]
                curve.append(float(last[acted].mean()) if acted.any() else 0.0)
        self._present = self._batch.agent_ids()[0] >= 0

    # ------------------------------------------------------------------ what is shown

    def _title(self) -> str:
        return self._batch.scenario.name.replace("_", " ")

    def _state(self) -> str:
        scenario = self._batch.scenario
        agents = f"{int(self._present.sum())} of {scenario.num_agents} {scenario.agent_noun}s present"
        return f"step {self._totals.num_steps}, {agents}"

    def _fields(self) -> list[tuple[ObservationField, np.ndarray]]:
        """The observation of the first agent present, by field."""
        fields = self._batch.scenario.fields
        place = int(self._present.argmax())
        values = fields.split(self._batch.observe()[0, place])
        return [(field, np.asarray(values[field.name], np.float64)) for field in fields]

    def _numbers(self) -> list[tuple[str, str, float, float]]:
        """Name, unit, the last step's value, the episode's: reward first, then the metrics."""
        totals = self._totals
        rows = [
            (
                "reward (mean; sum)",
                "",
                self._curves["reward"][-1] if self._times else 0.0,
                float(totals.sums["reward"].sum()),
            )
        ]
        for metric in totals.metrics:
            last = totals.last[metric.name]
            now = float(last[self._present].mean()) if self._present.any() else float(last.mean())
            rows.append((metric.name, metric.unit, now, totals.condensed(metric)))
        return rows

    # ------------------------------------------------------------------ text

    def text(self) -> str:
        """Fields, metrics and rewards in ASCII, always the same number of lines of the same width."""
        lines = [f"{self._title()}  t = {self._totals.time_s:9.3f} s  {self._state()}"]
        lines.append(f"first {self._batch.scenario.agent_noun}'s observation")
        for field, values in self._fields():
            shown = " ".join(f"{v:8.3g}" for v in values[:TEXT_VALUES])
            more = " ..." if len(values) > TEXT_VALUES else ""
            lines.append(f"  {field.name[:16]:16} {shown}{more}")
        lines.append(f"  {'':30} {'last step':>12} {'episode':>12}")
        lines += [
            f"  {name[:30]:30} {now:12.4g} {episode:12.4g} {unit}" for name, unit, now, episode in self._numbers()
        ]
        return "\n".join(line[:TEXT_WIDTH].ljust(TEXT_WIDTH) for line in lines)

    # ------------------------------------------------------------------ picture

    def picture(self) -> Frame:
        from mmwave_gym.rendering import canvas  # loads pygame

        if self._frame is None:
            self._frame = canvas.Frame()
        frame = self._frame
        frame.clear()
        width = frame.text(self._title(), (20, 26), 20, bold=True)
        frame.text(self._state(), (20 + width + 14, 28), 13, canvas.GREY)
        frame.text(f"t = {self._totals.time_s:.3f} s", (936, 26), 20, align="right")
        self._draw_fields(frame)
        self._draw_numbers(frame)
        self._draw_curves(frame)
        return frame

    def _draw_fields(self, frame: Frame) -> None:
        """One row of bars a field, from its lowest to its highest value."""
        from mmwave_gym.rendering import canvas

        noun = self._batch.scenario.agent_noun
        frame.text(f"Observation of the first {noun}", (20, 62), 13, bold=True)
        fields = self._fields()
        pitch = min(52.0, 330.0 / max(1, min(len(fields), FIELD_ROWS)))
        for i, (field, values) in enumerate(fields[:FIELD_ROWS]):
            y, height = 84 + pitch * i, pitch - 16
            bounds = f"{field.low:g} to {field.high:g} {field.unit if field.unit != '1' else ''}"
            frame.text(field.name, (20, y), 11)
            frame.text(bounds, (MIDDLE - 24, y), 11, canvas.GREY, align="right")
            frame.box(canvas.FAINT, (20, y + 8, MIDDLE - 44, height))
            span = field.high - field.low if field.high > field.low else 1.0
            slot = (MIDDLE - 44) / len(values)
            for k, value in enumerate(values[: MIDDLE - 44]):
                share = min(1.0, max(0.0, (value - field.low) / span))
                bar = (20 + slot * k, y + 8 + height * (1 - share), max(1.0, slot - 1), height * share)
                frame.box(canvas.series_colour(i), bar)
        if len(fields) > FIELD_ROWS:
            frame.text(f"and {len(fields) - FIELD_ROWS} more fields", (20, 424), 11, canvas.GREY)

    def _draw_numbers(self, frame: Frame) -> None:
        from mmwave_gym.rendering import canvas

        frame.text("last step", (780, 62), 12, canvas.GREY, align="right")
        frame.text("episode", (880, 62), 12, canvas.GREY, align="right")
        rows = self._numbers()
        pitch = min(24.0, 360.0 / len(rows))
        for i, (name, unit, now, episode) in enumerate(rows):
            y = 86 + pitch * i
            frame.text(name, (MIDDLE, y), 13, room=220)
            frame.text(f"{now:.4g}", (780, y), 13, align="right")
            frame.text(f"{episode:.4g}", (880, y), 13, align="right")
            frame.text(unit if unit != "1" else "", (888, y), 11, canvas.GREY, room=64)

    def _draw_curves(self, frame: Frame) -> None:
        """Reward and the first metrics, means over agents, each on its own scale."""
        from mmwave_gym.rendering import canvas

        frame.text("Over time, mean over agents", (20, 446), 13, bold=True)
        times = self._times[-STEPS_SHOWN:]
        pitch, left, width = 230.0 / len(self._curves), 190.0, 660.0
        start, end = (times[0], max(times[-1], times[0] + 1e-9)) if times else (0.0, 1.0)
        layer = canvas.Layer((round(width) + 8, 240))
        for i, (name, curve) in enumerate(self._curves.items()):
            top, height = pitch * i, pitch - 8
            frame.text(name, (20, 460 + top + height / 2), 12, room=160)
            layer.line(canvas.LINE, (0, top + height), (width, top + height))
            values = curve[-STEPS_SHOWN:]
            if not values:
                continue
            low, high = min(values), max(values)
            span = high - low or 1.0
            points = [
                ((t - start) / (end - start) * width, top + height - 2 - (height - 4) * (v - low) / span)
                for t, v in zip(times, values, strict=True)
            ]
            for a, b in pairwise(points):
                layer.line(canvas.series_colour(i), a, b, 1.5)
            frame.text(f"{high:.3g}", (left + width + 14, 460 + top + 6), 10, canvas.GREY)
            frame.text(f"{low:.3g}", (left + width + 14, 460 + top + height), 10, canvas.GREY)
        layer.flush(frame.surface, (round(left), 458))
        for tick in range(5):
            t = start + (end - start) * tick / 4
            frame.text(f"{t:.3g}", (left + width * tick / 4, 696), 11, canvas.GREY, align="centre")
        frame.text("time (s)", (left + width / 2, 710), 11, canvas.GREY, align="centre")
