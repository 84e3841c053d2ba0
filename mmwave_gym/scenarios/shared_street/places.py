"""Where UEs of a shared street can be: eight lanes of a crossing, and what every cell is worth along them.

Four lanes of cars and four pavements are points of one Gaussian field, so that a pedestrian and a car that pass the
same place find about the same. Maps, path loss and sight are those of streets (`radio.street_maps`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.street_maps import Geometry

POINT_M = 2.0
"""About the distance between points of a lane; between them path loss is interpolated in dB (ours)."""
PAVEMENT_M = 8.0
"""A pavement's distance from the street's axis; cars drive at 3 m (ours)."""
LEAST_ARM_M = 40.0
CAR_LANES = 4
LANES = 8
"""Lanes 0 to 3 are those of cars to the east, west, north, south; 4 to 7 the pavements beside them."""


@dataclass(frozen=True)
class Crossing(Geometry):
    """A crossing with lanes for cars and pavements, about `POINT_M` between the points of a lane."""

    @property
    def lane_axes(self) -> list[tuple[FloatArray, FloatArray]]:
        """Heading, a unit vector (2,), and middle (2,) in metres of each of the eight lanes."""
        cars = super().lane_axes
        return [*cars, *((heading, middle * (PAVEMENT_M / self.lane_m)) for heading, middle in cars)]

    @property
    def points_a_lane(self) -> int:
        return round(self.length_m / POINT_M) + 1

    @property
    def point_m(self) -> float:
        """The distance between points."""
        return self.length_m / (self.points_a_lane - 1)

    @property
    def length_m(self) -> float:
        """Of a lane."""
        return 2.0 * self.arm_m

    def lanes_m(self) -> FloatArray:
        """(lane, point, 2): points of every lane in the direction of travel, in metres."""
        along = np.arange(self.points_a_lane) * self.point_m - self.arm_m
        return np.stack([middle + along[:, None] * heading for heading, middle in self.lane_axes])
