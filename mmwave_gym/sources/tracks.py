"""Where vehicles were, as its readers (GTFS, SUMO) give it, and its way to the knots of a city file.

A track is one vehicle's places over time, straight between them. Places are longitude and latitude until
`Projection` makes metres of them, once.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.types import FloatArray

MAX_SITES = 4096
MAX_VEHICLES = 100_000
SHORTEST_PIECE_S = 5.0
"""A shorter way across the map is left out: ours, nothing is decided in it."""


def clock(time_s: float) -> str:
    """ "07:05" of a time of day; beyond midnight hours go on, as in GTFS."""
    return f"{int(time_s) // 3600:02d}:{int(time_s) // 60 % 60:02d}"


def library(name: str, wanted_for: str = "building a city") -> Any:
    """A library of the extra [real]; ImportError says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{wanted_for} needs {name}: pip install 'mmwave-gym[real]' ({error}).") from None


@dataclass(frozen=True)
class Track:
    """One vehicle: at `place[i]` at `time_s[i]`, times rising."""

    name: str
    time_s: FloatArray  # (n,) of day
    place: FloatArray  # (n, 2): longitude, latitude; or metres


@dataclass(frozen=True)
class Tracks:
    """What a reader found in a file."""

    tracks: Sequence[Track]
    degrees: bool
    """Places are longitude and latitude (else metres)."""
    stops: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    """(stop, 2) where vehicles stop, most served first; may be empty."""
    source: str = ""
    attribution: str = ""
    licence: str = ""


class Projection:
    """Longitude and latitude to metres: the UTM zone of the middle of the map, from its lower left corner."""

    def __init__(self, bounds: tuple[float, float, float, float], degrees: bool = True):
        """`bounds`: west, south, east, north."""
        west, south, east, north = bounds
        self.degrees, self.origin_m, self.text = degrees, np.zeros(2), "metres as given"
        if degrees:
            if east - west > 180.0:
                raise CityError(
                    f"its places reach from {west:g} to {east:g} degrees of longitude: a map has one side of the 180th "
                    "meridian."
                )
            pyproj = library("pyproj", "making metres of latitude and longitude")
            zone = int((0.5 * (west + east) + 180.0) // 6.0) + 1
            epsg = (32600 if south + north >= 0.0 else 32700) + zone
            self._utm = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
            self.text = f"EPSG:{epsg}"
        corner = self.metres(np.array(((west, south), (west, north), (east, south), (east, north))))
        self.origin_m, self.size_m = np.floor(corner.min(axis=0)), np.ceil(np.ptp(corner, axis=0))
        self.text += f", origin {self.origin_m[0]:.0f} E {self.origin_m[1]:.0f} N"

    def metres(self, place: FloatArray) -> FloatArray:
        """Places in metres (n, 2) of places in degrees (n, 2)."""
        if self.degrees:
            place = np.stack(self._utm.transform(place[:, 0], place[:, 1]), axis=1)
        return place - self.origin_m


def check_degrees(where: str, lon: float, lat: float, near: tuple[float, float, float, float] | None = None) -> None:
    """CityError, which begins with `where`, unless this is a place on Earth, and within 5 degrees of `near`."""
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180.0 and abs(lat) <= 90.0):
        swapped = abs(lat) <= 180.0 and abs(lon) <= 90.0
        raise CityError(f"{where}: latitude {lat:g}, longitude {lon:g} is no place on Earth"
                        f"{': are they swapped?' if swapped else '.'}")  # fmt: skip
    if near is not None and not _within(near, lon, lat):
        if _within(near, lat, lon):
            raise CityError(f"{where}: latitude {lat:g} and longitude {lon:g} are swapped.")
        raise CityError(f"{where}: latitude {lat:g}, longitude {lon:g} is far outside the map.")


def _within(bounds: tuple[float, float, float, float], lon: float, lat: float) -> bool:
    return bounds[0] - 5.0 <= lon <= bounds[2] + 5.0 and bounds[1] - 5.0 <= lat <= bounds[3] + 5.0


@dataclass(frozen=True)
class Knots:
    """Vehicles on the map, as in a city file: see `mmwave_gym.scenarios.association.city.City`."""

    vehicles: tuple[str, ...]
    first_knot: NDArray[np.intp]
    num_knots: NDArray[np.intp]
    knots_m: FloatArray
    present_s: FloatArray


def knots_on_map(
    tracks: Iterable[Track], projection: Projection, start_s: float, span_s: float, knot_s: float
) -> Knots:
    """What of the tracks lies on the map and in the time span. A track that comes back is another vehicle.

    Places are taken at each `knot_s`; presence begins and ends where the way between two of these crosses the map's
    border. Raises CityError where nothing is left.
    """
    low, high = np.zeros(2), projection.size_m
    last = math.floor(span_s / knot_s + 1e-9)
    names, first, count, places, present = [], [], [], [], []
    for track in tracks:
        time_s = track.time_s - start_s
        knots = np.arange(max(math.ceil(time_s[0] / knot_s), 0), min(math.floor(time_s[-1] / knot_s), last) + 1)
        if len(knots) < 2:
            continue
        way = projection.metres(track.place)
        place = np.stack([np.interp(knots * knot_s, time_s, way[:, axis]) for axis in (0, 1)], axis=1)
        for piece, (begin, until) in enumerate(_inside(place, low, high)):
            present_s = (knots[0] + np.array((begin, until))) * knot_s
            if present_s[1] - present_s[0] < min(SHORTEST_PIECE_S, 0.5 * span_s):
                continue
            a, b = math.floor(begin), math.ceil(until)
            names.append(track.name if piece == 0 else f"{track.name} #{piece + 1}")
            first.append(knots[0] + a)
            count.append(b - a + 1)
            places.append(place[a : b + 1])
            present.append(present_s)
    if not names:
        raise CityError(
            f"no vehicle is on the map between {start_s:g} and {start_s + span_s:g} s of the day: "
            "do the vehicles' file and the map belong together, and is it the right time?"
        )
    return Knots(tuple(names), np.array(first), np.array(count), np.concatenate(places), np.array(present))


def _inside(place: FloatArray, low: FloatArray, high: FloatArray) -> list[tuple[float, float]]:
    """Intervals of the knot's number (with fraction) in which a way (knot, 2) lies in a rectangle."""
    begin, step = place[:-1], np.diff(place, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.stack(((low - begin) / step, (high - begin) / step))  # (2, piece, axis): where each border is crossed
    never = (begin < low) | (begin > high)
    still = step == 0.0
    enters = np.where(still, np.where(never, np.inf, 0.0), at.min(axis=0)).max(axis=1).clip(0.0, None)
    leaves = np.where(still, 1.0, at.max(axis=0)).min(axis=1).clip(None, 1.0)
    found: list[tuple[float, float]] = []
    for i in np.flatnonzero(leaves > enters):
        begin_at, end_at = float(i + enters[i]), float(i + leaves[i])
        if found and begin_at - found[-1][1] < 1e-9:
            found[-1] = (found[-1][0], end_at)
        else:
            found.append((begin_at, end_at))
    return found
