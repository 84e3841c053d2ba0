"""What pictures of many stations share: a large square map on the left, a panel beside it, a line above and below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.rendering.canvas import Box, Frame, Point
from mmwave_gym.rendering.colours import GREY, INK
from mmwave_gym.rendering.scales import nice_length

LEFT, RIGHT = 20, 940
MAP: Box = (LEFT, 56, 636, 636)
MAP_SIZE = round(MAP[2]), round(MAP[3])
PANEL = 684
"""The panel's left edge; it ends at `RIGHT`."""
BELOW = MAP[1] + MAP[3] + 15
"""The middle of the line below the map."""


class Plan:
    """A square of the plane, in pixels of the map.

    It is around the middle of `points_m` (any, 2), and `half` times as wide, to each side, as they are, or as
    `least_m`.
    """

    def __init__(self, points_m: NDArray[np.floating], half: float, least_m: float):
        low_m, high_m = points_m.min(axis=0), points_m.max(axis=0)
        half_m = half * max(float(np.ptp(points_m, axis=0).max()), least_m)
        self._low_m = 0.5 * (low_m + high_m) - half_m
        self._pixels_per_m = MAP[2] / (2.0 * half_m)

    def pixels(self, place_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """Places (…, 2) in pixels, y downwards, from places (…, 2) in metres."""
        x_y = (np.asarray(place_m, np.float64) - self._low_m) * self._pixels_per_m
        x_y[..., 1] = MAP[3] - x_y[..., 1]
        return x_y

    def draw_scale(self, frame: Frame, share: float) -> float:
        """A round length below the map, at most that share of its width; returns where its text ends."""
        length_m = nice_length(MAP[2] / self._pixels_per_m, share)
        frame.box(INK, (LEFT, BELOW - 1, length_m * self._pixels_per_m, 3))
        x = LEFT + length_m * self._pixels_per_m + 8
        return x + frame.text(f"{length_m:g} m", (x, BELOW), 12)


def draw_head(frame: Frame, title: str, setting: str, progress: str, now: str) -> None:
    """The line above map and panel: what is shown, in which world, how far it has got, and the time."""
    width = frame.text(title, (LEFT, 28), 20, bold=True)
    frame.text(setting, (LEFT + width + 14, 30), 13, GREY, room=MAP[2] - width - 14)
    frame.text(now, (RIGHT, 28), 20, align="right")
    frame.text(progress, (PANEL, 30), 13, GREY)


def point(x_y: NDArray[np.float64]) -> Point:
    """x and y as two floats, from an array `x_y` (2,), in the same unit."""
    return float(x_y[0]), float(x_y[1])
