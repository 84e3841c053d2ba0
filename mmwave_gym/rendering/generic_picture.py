"""The picture of any scenario: fields as bars, numbers in a table, curves below."""

from __future__ import annotations

from itertools import pairwise

from mmwave_gym.rendering.canvas import Frame, Layer
from mmwave_gym.rendering.colours import FAINT, GREY, LINE, series_colour
from mmwave_gym.rendering.generic import Record

FIELD_ROWS = 12
STEPS_SHOWN = 240
MIDDLE = 480  # of the picture, in pixels from the left


class GenericPicture:
    """Draws what a `Record` holds."""

    def __init__(self, record: Record):
        self._record = record
        self._frame = Frame()

    def draw(self) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        frame, record = self._frame, self._record
        frame.clear()
        width = frame.text(record.title, (20, 26), 20, bold=True)
        frame.text(record.state, (20 + width + 14, 28), 13, GREY)
        frame.text(f"t = {record.totals.time_s:.3f} s", (936, 26), 20, align="right")
        self._draw_fields(frame)
        self._draw_numbers(frame)
        self._draw_curves(frame)
        return frame

    def _draw_fields(self, frame: Frame) -> None:
        """One row of bars a field, from its lowest to its highest value."""
        frame.text(f"Observation of the first {self._record.noun}", (20, 62), 13, bold=True)
        fields = self._record.fields()
        pitch = min(52.0, 330.0 / max(1, min(len(fields), FIELD_ROWS)))
        for i, (field, values) in enumerate(fields[:FIELD_ROWS]):
            y, height = 84 + pitch * i, pitch - 16
            bounds = f"{field.low:g} to {field.high:g} {field.unit if field.unit != '1' else ''}"
            frame.text(field.name, (20, y), 11)
            frame.text(bounds, (MIDDLE - 24, y), 11, GREY, align="right")
            frame.box(FAINT, (20, y + 8, MIDDLE - 44, height))
            span = field.high - field.low if field.high > field.low else 1.0
            slot = (MIDDLE - 44) / len(values)
            for k, value in enumerate(values[: MIDDLE - 44]):
                share = min(1.0, max(0.0, (value - field.low) / span))
                bar = (20 + slot * k, y + 8 + height * (1 - share), max(1.0, slot - 1), height * share)
                frame.box(series_colour(i), bar)
        if len(fields) > FIELD_ROWS:
            frame.text(f"and {len(fields) - FIELD_ROWS} more fields", (20, 424), 11, GREY)

    def _draw_numbers(self, frame: Frame) -> None:
        frame.text("last step", (780, 62), 12, GREY, align="right")
        frame.text("episode", (880, 62), 12, GREY, align="right")
        rows = self._record.numbers()
        pitch = min(24.0, 360.0 / len(rows))
        for i, (name, unit, now, episode) in enumerate(rows):
            y = 86 + pitch * i
            frame.text(name, (MIDDLE, y), 13, room=220)
            frame.text(f"{now:.4g}", (780, y), 13, align="right")
            frame.text(f"{episode:.4g}", (880, y), 13, align="right")
            frame.text(unit if unit != "1" else "", (888, y), 11, GREY, room=64)

    def _draw_curves(self, frame: Frame) -> None:
        """Reward and the first metrics, means over agents, each on its own scale."""
        frame.text("Over time, mean over agents", (20, 446), 13, bold=True)
        times = self._record.times[-STEPS_SHOWN:]
        pitch, left, width = 230.0 / len(self._record.curves), 190.0, 660.0
        start, end = (times[0], max(times[-1], times[0] + 1e-9)) if times else (0.0, 1.0)
        layer = Layer((round(width) + 8, 240))
        for i, (name, curve) in enumerate(self._record.curves.items()):
            top, height = pitch * i, pitch - 8
            frame.text(name, (20, 460 + top + height / 2), 12, room=160)
            layer.line(LINE, (0, top + height), (width, top + height))
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
                layer.line(series_colour(i), a, b, 1.5)
            frame.text(f"{high:.3g}", (left + width + 14, 460 + top + 6), 10, GREY)
            frame.text(f"{low:.3g}", (left + width + 14, 460 + top + height), 10, GREY)
        layer.flush(frame.surface, (round(left), 458))
        for tick in range(5):
            t = start + (end - start) * tick / 4
            frame.text(f"{t:.3g}", (left + width * tick / 4, 696), 11, GREY, align="centre")
        frame.text("time (s)", (left + width / 2, 710), 11, GREY, align="centre")
