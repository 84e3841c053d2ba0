"""A ray-traced city in place of drawn streets: its lanes, the ways of UEs through it, and the power of its cells.

The places of a traced city fill its streets as a raster (`mmwave-gym channel raytrace`). Places that follow each other
from west to east or from south to north are a lane each way; along it power is linear in dB between two places. A cell
that a place does not hear is `UNHEARD_DB` there.

Cars and walkers begin at random places and go at constant speeds, through each other. At a place, where the way goes
straight on, a UE turns with the chance step / 80 m (ours, as in `MmwaveStreet-v1`); it takes any way but back. In a
dead end it turns round. The pedestrians of the cluster stand on one lane. Nobody leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.links.routes import TURN_EVERY_M
from mmwave_gym.scenarios.shared_street.config import SLOT_S, SharedStreetConfig
from mmwave_gym.sources import cities, open_channel

UNHEARD_DB = -62.0
"""SNR of a cell that is not heard, as in `MmwaveStreet-v1`."""
HEADINGS = np.array(((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)))
"""East, north, west, south: the way back is two further."""
BACK = 2


def open_city(name: str) -> LinkMatrix:
    """The link matrix of a shipped city's name, "munich" or "city:munich", or of a file. ChannelError where none is."""
    try:
        return open_channel(f"city:{name}" if name in cities.names() else name)
    except ChannelError as error:
        raise ChannelError(
            f"maps={name!r} is no city that can be read ({error}) Give one of {', '.join(map(repr, cities.names()))}, "
            "or a file that `mmwave-gym channel raytrace` made."
        ) from None


@dataclass(frozen=True)
class City:
    """The lanes of a city, all in metres from its middle; `Crossing` has the same names for drawn streets."""

    step_m: float
    lane_axes: list[tuple[FloatArray, FloatArray]]
    """Heading, a unit vector (2,), and beginning (2,) of each lane."""
    points: NDArray[np.int64]  # (lane,): places on each
    snr_db: NDArray[np.float32]  # (lane, point, cell); beyond a lane's end that of its last place
    near: NDArray[np.int64]  # (place, heading): the next place, -1 for none
    lane_of: NDArray[np.int64]  # (place, heading): the lane that leaves a place, -1 for none
    point_of: NDArray[np.int64]  # (place, heading): the place's number on it
    site_m: FloatArray  # (cell, 2)
    place_m: FloatArray  # (place, 2)
    fingerprint: str
    arm_m: float = 0.0
    """Lanes are told from their beginnings."""

    @property
    def lanes(self) -> int:
        return len(self.points)

    @property
    def points_a_lane(self) -> int:
        return self.snr_db.shape[1]

    @property
    def point_m(self) -> float:
        return self.step_m

    @property
    def length_m(self) -> float:
        """Of the longest lane."""
        return self.step_m * float(self.points.max() - 1)

    @cached_property
    def half_m(self) -> float:
        """From the middle to the farthest place or site, along one axis."""
        return max(float(np.abs(self.place_m).max()), float(np.abs(self.site_m).max()))

    def drive(self, config: SharedStreetConfig, rng: EpisodeRng, slots: int) -> tuple[Any, Any, Any, Any]:
        """As `traffic.move`: places along lanes, speeds and presence, (slot, ue) each, and lanes."""
        cars, ues = config.num_cars, config.num_ues
        lane, along_m = np.empty((slots, ues), np.int16), np.empty((slots, ues))
        chance = rng["cars"]
        speed = _between(config.car_mps, chance.random(cars))
        first = [self._way(chance, speed[ue], slots) for ue in range(cars)]
        chance = rng["pedestrians"]
        stands = chance.random(config.num_pedestrians) < config.clustered_share
        walk = np.where(stands, 0.0, _between(config.walk_mps, chance.random(config.num_pedestrians)))
        speed = np.concatenate((speed, walk))
        length_m = self.step_m * (self.points - 1)
        cluster = int(chance.choice(self.lanes, p=length_m / length_m.sum()))
        middle_m = length_m[cluster] * (0.1 + 0.8 * chance.random())
        offset_m = config.cluster_m * chance.standard_normal(config.num_pedestrians)
        ways = [*first, *(self._way(chance, mps, slots) for mps in walk.tolist())]
        for ue, (lanes, points) in enumerate(ways):
            walked = speed[ue] * SLOT_S / self.step_m * np.arange(slots)
            leg = np.minimum(walked.astype(np.int64), len(lanes) - 1)  # `_way` rounds otherwise
            lane[:, ue], along_m[:, ue] = lanes[leg], self.step_m * (points[leg] + (walked - leg))
        at = cars + np.flatnonzero(stands)
        lane[:, at], along_m[:, at] = cluster, np.clip(middle_m + offset_m[stands], 0.0, length_m[cluster])
        return along_m, np.broadcast_to(speed, along_m.shape).copy(), np.ones(along_m.shape, bool), lane

    def _way(self, rng: np.random.Generator, mps: float, slots: int) -> tuple[Any, Any]:
        """Lanes and points (leg,) at which the legs of a UE's way begin, from a random place."""
        legs = int(mps * SLOT_S * (slots - 1) / self.step_m) + 1
        place, u = int(rng.integers(len(self.near))), rng.random((legs, 2)).tolist()
        near, turns = self._near, self.step_m / TURN_EVERY_M
        heading, found = -BACK, []
        for turn, which in u:
            ways = [way for way in range(4) if near[place][way] >= 0 and way != (heading + BACK) % 4]
            if heading < 0:
                ways = [way for way in range(4) if near[place][way] >= 0]
            if not ways:
                heading = (heading + BACK) % 4
            elif heading not in ways or turn < turns:
                heading = ways[int(which * len(ways))]
            found.append((place, heading))
            place = near[place][heading]
        places, headings = np.array(found).T
        return self.lane_of[places, headings], self.point_of[places, headings]

    @cached_property
    def _near(self) -> list[list[int]]:
        near: list[list[int]] = self.near.tolist()
        return near


def city_of(name: str) -> City:
    """The city of a name or a file, see `open_city`. Raises ChannelError, or ValueError where places are no raster.

    It is kept until its file changes.
    """
    file = Path(name)
    return _city(name, (file.stat().st_mtime_ns, file.stat().st_size) if file.is_file() else (0, 0))


@lru_cache(maxsize=8)
def _city(name: str, written: tuple[int, int]) -> City:
    """See `city_of`; written: when its file was, and its bytes, so that another file is another city."""
    channel = open_city(name)
    if channel.position_m is None or channel.edges is None or channel.percentiles is not None:
        raise ValueError(f"maps={name!r} must be a link matrix over places, with one RSRP for each place and cell.")
    place_m = np.asarray(channel.position_m, np.float64)
    way_m = place_m[channel.edges[:, 1]] - place_m[channel.edges[:, 0]]
    step_m = float(np.median(np.abs(way_m).sum(axis=1)))
    if not (
        np.isclose(np.abs(way_m).max(axis=1), step_m) & np.isclose(np.abs(way_m).min(axis=1), 0.0, atol=1e-6)
    ).all():
        raise ValueError(
            f"maps={name!r} must have its places on a raster, neighbours {step_m:g} m apart from west to east or from "
            "south to north, as `mmwave-gym channel raytrace` makes them."
        )
    near = np.full((len(place_m), 4), -1)
    for (a, b), way in zip(channel.edges.tolist(), way_m, strict=True):
        heading = int((HEADINGS @ way).argmax())
        near[a, heading], near[b, (heading + BACK) % 4] = b, a
    level_db = np.where(np.isnan(channel.rsrp_dbm), UNHEARD_DB, channel.rsrp_dbm - channel.noise_dbm)
    level_db = np.maximum(level_db, UNHEARD_DB)
    site_m = channel.site_m if channel.site_m is not None else place_m[level_db.argmax(axis=0)]
    middle_m = 0.5 * (place_m.min(axis=0) + place_m.max(axis=0))
    place_m, site_m = place_m - middle_m, np.asarray(site_m, np.float64) - middle_m
    lane_of, point_of = np.full_like(near, -1), np.zeros_like(near)
    axes: list[tuple[FloatArray, FloatArray]] = []
    runs: list[list[int]] = []
    for heading in range(4):
        for begin in np.flatnonzero((near[:, heading] >= 0) & (near[:, (heading + BACK) % 4] < 0)).tolist():
            run = [begin]
            while near[run[-1], heading] >= 0:
                run.append(int(near[run[-1], heading]))
            lane_of[run, heading], point_of[run, heading] = len(runs), np.arange(len(run))
            axes.append((HEADINGS[heading], place_m[begin]))
            runs.append(run)
    longest = max(map(len, runs))
    snr_db = np.stack([level_db[run + run[-1:] * (1 + longest - len(run))] for run in runs]).astype(np.float32)
    return City(
        step_m, axes, np.array([len(run) for run in runs]), snr_db, near, lane_of, point_of, site_m, place_m,
        channel.fingerprint,
    )  # fmt: skip


def _between(ends: tuple[float, float], u: Float64Array) -> Float64Array:
    return ends[0] + (ends[1] - ends[0]) * u
