"""Where UEs of a shared street can be: the lanes of a crossing or of a grid, and what every cell is worth along them.

Lanes of cars and pavements are points of one Gaussian field, so that a pedestrian and a car that pass the same place
find about the same. Maps, path loss and sight are those of streets (`radio.street_maps`).

A grid of (a, b) blocks has a streets from south to north and b from west to east, evenly spaced, with a crossing in the
middle of each block; (1, 1) is one crossing. Buildings fill what is between the streets, and block all sight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.radio.street_maps import POST_M, STREET_M, Geometry

POINT_M = 2.0
"""About the distance between points of a lane; between them path loss is interpolated in dB (ours)."""
PAVEMENT_M = 8.0
"""A pavement's distance from the street's axis; cars drive at 3 m (ours)."""
LEAST_ARM_M = 40.0
LEAST_BLOCK_M = 2.0 * STREET_M
"""Least distance between parallel streets: houses as wide as a street."""
LEFT, RIGHT = range(2)


class Ways(NamedTuple):
    """Crossings on every lane in the order of travel, infinitely far where there are no more; pavements have none.

    Where a car turns, and where it is then, in metres from the beginnings of both lanes.
    """

    centre_m: Float64Array  # (lane, crossing)
    at_m: Float64Array  # (lane, crossing, LEFT or RIGHT)
    lane: NDArray[np.int64]  # (lane, crossing, LEFT or RIGHT): the lane into which it turns
    to_m: Float64Array  # (lane, crossing, LEFT or RIGHT)


@dataclass(frozen=True)
class Crossing(Geometry):
    """Crossings with lanes for cars and pavements, about `POINT_M` between the points of a lane.

    Lanes are those of cars to the east, west, then north, south, of one street after the other, then the pavements
    beside them in the same order.
    """

    blocks: tuple[int, int] = (1, 1)

    @cached_property
    def middles_m(self) -> tuple[FloatArray, FloatArray]:
        """(street,) each, in metres: streets to the north from west to east, and the others from south to north."""
        across, along = ((2.0 * np.arange(count) + 1.0 - count) * (self.arm_m / count) for count in self.blocks)
        return across, along

    @property
    def streets(self) -> list[tuple[FloatArray, FloatArray]]:
        """Axis, a unit vector (2,), and middle (2,) in metres of each street, those from west to east first."""
        east, north = self.axes
        across, along = self.middles_m
        return [*((east, north * y) for y in along), *((north, east * x) for x in across)]

    @cached_property
    def lane_axes(self) -> list[tuple[FloatArray, FloatArray]]:
        """Heading, a unit vector (2,), and middle (2,) in metres of each lane."""
        lanes: list[tuple[FloatArray, FloatArray]] = []
        for off_m in (self.lane_m, PAVEMENT_M):
            for axis, middle in self.streets:
                right = off_m * np.array((axis[1], -axis[0]))
                lanes += [(axis, middle + right), (-axis, middle - right)]
        return lanes

    @property
    def car_lanes(self) -> int:
        return 2 * sum(self.blocks)

    @property
    def lanes(self) -> int:
        return 2 * self.car_lanes

    @cached_property
    def street_of_lane(self) -> NDArray[np.int64]:
        """(lane,): 0 from west to east or back, 1 from south to north or back."""
        return np.array([int(heading[0] == 0.0) for heading, _ in self.lane_axes])

    @cached_property
    def ways(self) -> Ways:
        """Crossings and turns of every lane."""
        shape = self.lanes, max(self.blocks)
        found = Ways(
            np.full(shape, np.inf), np.full((*shape, 2), np.inf), np.zeros((*shape, 2), int), np.zeros((*shape, 2))
        )
        for a in range(self.car_lanes):
            heading, middle = self.lane_axes[a]
            crossed = [
                (self.arm_m + float(heading @ street), axis, street)
                for axis, street in self.streets
                if abs(float(axis @ heading)) < 0.5
            ]
            for nth, (centre_m, axis, street) in enumerate(sorted(crossed, key=lambda one: one[0])):
                found.centre_m[a, nth] = centre_m
                for b in range(self.car_lanes):
                    its, its_middle = self.lane_axes[b]
                    apart_m = abs(float((its_middle - street) @ heading))
                    if abs(float(its @ axis)) < 0.5 or apart_m > 0.5 * STREET_M:
                        continue
                    side = LEFT if heading[0] * its[1] - heading[1] * its[0] > 0.0 else RIGHT
                    found.at_m[a, nth, side] = self.arm_m + float((its_middle - middle) @ heading)
                    found.to_m[a, nth, side] = self.arm_m + float((middle - its_middle) @ its)
                    found.lane[a, nth, side] = b
        return found

    @property
    def shortest_m(self) -> float:
        """The shortest way through the map of a car that turns: into a corner block and out of it."""
        across, along = (2.0 * self.arm_m / count for count in self.blocks)
        return 0.5 * (across + along) - 2.0 * self.lane_m

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

    def sites_m(self) -> FloatArray:
        """(site, 2): sites in metres, every `isd_m` along each street, on alternating sides."""
        sites = []
        for axis, middle in self.streets:
            side = np.array((-axis[1], axis[0]))
            for i, along in enumerate(np.arange(-self.arm_m + self.isd_m / 2.0, self.arm_m, self.isd_m)):
                sites.append(along * axis + (POST_M if i % 2 else -POST_M) * side + middle)
        return np.array(sites)

    def buildings_m(self) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
        """Of each building where it begins and ends from west to east, and from south to north, in metres."""
        half = STREET_M / 2.0
        gaps = []
        for middles in self.middles_m:
            edges = [-np.inf, *(float(m) + side for m in middles for side in (-half, half)), np.inf]
            gaps.append(list(pairwise(edges))[::2])
        yield from product(*gaps)

    def clear(self, from_m: FloatArray, to_m: FloatArray) -> NDArray[np.bool_]:
        """(A, B): True where the straight line from place a to place b misses all buildings.

        from_m: (A, 2), to_m: (B, 2), in metres.
        """
        if self.blocks == (1, 1):
            return super().clear(from_m, to_m)
        begin = from_m[:, None, :]
        way = to_m[None, :, :] - begin
        clear = np.ones(way.shape[:2], bool)
        for building in self.buildings_m():
            first, last = np.zeros(clear.shape), np.ones(clear.shape)
            for axis, (low, high) in enumerate(building):
                here = np.broadcast_to(begin[..., axis], clear.shape)
                with np.errstate(divide="ignore", invalid="ignore"):
                    one, other = (low - here) / way[..., axis], (high - here) / way[..., axis]
                along = way[..., axis] == 0.0
                inside = (low < here) & (here < high)
                first = np.maximum(first, np.where(along, np.where(inside, 0.0, np.inf), np.minimum(one, other)))
                last = np.minimum(last, np.where(along, 1.0, np.maximum(one, other)))
            clear &= ~(first < last)
        return clear
