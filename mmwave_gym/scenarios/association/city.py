"""A real city for `MmwaveAssociation-v0`: the file that `mmwave-gym city` writes.

A city is one .npz file: where vehicles were at equal time steps, base stations, buildings, and the visits, the times
at which a base station was in range and in line of sight of a vehicle. All geometry was done when the file was built,
so that reading it needs NumPy only. `world.CityWorld` draws windows of it; docs/city_files.md describes the format.
"""

from __future__ import annotations

import dataclasses
import io
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.files import write
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.tracks import MAX_SITES, MAX_VEHICLES, clock

VERSION = 1
TEXTS = ("projection", "source", "attribution", "licence", "notes")
TICKS_PER_S = 1e6
FASTEST_MPS = 100.0
"""Of a vehicle from knot to knot; the readers of floating-car data and timetables allow 70 and 25."""
"""Visits begin and end on ticks of a microsecond, on which no two vehicles' changes coincide."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class City:
    """S base stations, V vehicles with K knots in all, M visits, B buildings with P corners in all.

    Times are in seconds since `start_s`. Vehicle v is at `knots_m[k]`, its knots one after the other from time
    `first_knot[v] * knot_s` in steps of `knot_s`, and goes straight between them. Errors: CityError names the field.
    """

    bs_m: FloatArray  # (S, 2)
    sites: tuple[str, ...]  # (S,) names
    start_s: float
    """Of day: seconds since midnight of the service day; beyond 86,400 after the next midnight."""
    span_s: float
    """Length of the time that the file tells about."""
    knot_s: float
    vehicles: tuple[str, ...]  # (V,) names; a vehicle that comes back is another
    first_knot: NDArray[np.integer[Any]]  # (V,)
    num_knots: NDArray[np.integer[Any]]  # (V,)
    knots_m: FloatArray  # (K, 2)
    present_s: FloatArray  # (V, 2): when the vehicle is on the map
    visit_vehicle: NDArray[np.integer[Any]]  # (M,)
    visit_bs: NDArray[np.integer[Any]]  # (M,)
    visit_s: FloatArray  # (M, 2): start and end
    corners: NDArray[np.integer[Any]]  # (B,) corners of each building
    corner_m: FloatArray  # (P, 2): their outlines one after the other
    snr_1m_db: float
    path_loss_exponent: float
    height_m: float
    """Of the base stations' antennas above the vehicles'."""
    bandwidth_hz: float
    """Of each base station; the SNR is over this bandwidth."""
    radius_m: float
    carrier_hz: float
    in_range_s: float
    """Sum over vehicles and base stations of the time in range, seen or not."""
    projection: str = ""
    source: str = ""
    attribution: str = ""
    """What a picture of it must say, for instance "© OpenStreetMap contributors"."""
    licence: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in ("sites", "vehicles"):
                object.__setattr__(self, field.name, tuple(map(str, value)))
            elif field.name in TEXTS:
                object.__setattr__(self, field.name, str(value))
            elif field.name in _SHAPES:
                object.__setattr__(self, field.name, _checked(field.name, value))
            else:
                object.__setattr__(self, field.name, _number(field.name, value))
        self._check_lengths()
        self._check_times()

    def _check_lengths(self) -> None:
        s, v, m = len(self.bs_m), len(self.first_knot), len(self.visit_bs)
        for name, got, want in (
            ("sites", len(self.sites), s),
            ("vehicles", len(self.vehicles), v),
            ("num_knots", len(self.num_knots), v),
            ("present_s", len(self.present_s), v),
            ("visit_vehicle", len(self.visit_vehicle), m),
            ("visit_s", len(self.visit_s), m),
            ("knots_m", len(self.knots_m), int(self.num_knots.sum())),
            ("corner_m", len(self.corner_m), int(self.corners.sum())),
        ):
            if got != want:
                raise CityError(f"{name} has {got} rows where the other arrays ask for {want}.")
        for name, got, most in (("bs_m", s, MAX_SITES), ("vehicles", v, MAX_VEHICLES)):
            if not 1 <= got <= most:
                raise CityError(f"{name} must have between 1 and {most} rows, got {got}.")
        for name, values, low, high in (
            ("visit_vehicle", self.visit_vehicle, 0, v - 1),
            ("visit_bs", self.visit_bs, 0, s - 1),
            ("first_knot", self.first_knot, 0, 10**7),
            ("num_knots", self.num_knots, 2, 10**7),
            ("corners", self.corners, 3, 10**6),
        ):
            wrong = np.flatnonzero((values < low) | (values > high))
            if len(wrong):
                raise CityError(f"{name}[{wrong[0]}] must be between {low} and {high}, got {values[wrong[0]]}.")

    def _check_times(self) -> None:
        knots_s = np.stack((self.first_knot, self.first_knot + self.num_knots - 1), axis=1) * self.knot_s
        inside_knots = np.array((-1e-6, 1e-6)) + knots_s
        of_visit = self.present_s[self.visit_vehicle]
        for name, value, low, high in (
            ("present_s", self.present_s, inside_knots[:, 0], inside_knots[:, 1]),
            ("visit_s", self.visit_s, of_visit[:, 0] - 1e-3, of_visit[:, 1] + 1e-3),
        ):
            wrong = np.flatnonzero((value[:, 0] >= value[:, 1]) | (value[:, 0] < low) | (value[:, 1] > high))
            if len(wrong):
                raise CityError(
                    f"{name}[{wrong[0]}] is {value[wrong[0]].tolist()}: it must be a start and a later end, both "
                    f"{'while the vehicle is present' if name == 'visit_s' else 'within its knots'}."
                )
        owner = np.repeat(np.arange(len(self.num_knots)), self.num_knots)
        speed_mps = np.hypot(*np.diff(self.knots_m, axis=0).T) / self.knot_s
        fast = np.flatnonzero((speed_mps > FASTEST_MPS) & (owner[1:] == owner[:-1]))
        if len(fast):
            raise CityError(
                f"knots_m[{fast[0] + 1}]: the vehicle {self.vehicles[owner[fast[0]]][:50]!r} moves at "
                f"{speed_mps[fast[0]]:.0f} m/s; at most {FASTEST_MPS:.0f} m/s are possible."
            )
        if len(self.visit_s) == 0:
            raise CityError("no vehicle ever has a base station in range and in line of sight.")

    def __repr__(self) -> str:
        return f"<City {self.source or 'unnamed'}, {len(self.vehicles)} vehicles, {len(self.bs_m)} base stations>"

    @cached_property
    def distinct_s(self) -> FloatArray:
        """`visit_s` (M, 2) on ticks, moved by some so that no two vehicles have a change at one instant."""
        tick = np.rint(self.visit_s.T.ravel() * TICKS_PER_S).astype(np.int64)
        change = np.stack((tick, np.tile(self.visit_vehicle, 2)), axis=1)
        unique, of = np.unique(change, axis=0, return_inverse=True)  # in order of time, then of vehicle
        rank = np.arange(len(unique))
        moved = np.maximum.accumulate(unique[:, 0] - rank) + rank
        return (moved[of.ravel()] / TICKS_PER_S).reshape(2, -1).T

    @property
    def blocked_share(self) -> float:
        """Share of the links in range that a building blocks, by time."""
        return max(1.0 - float((self.visit_s[:, 1] - self.visit_s[:, 0]).sum()) / self.in_range_s, 0.0)

    @property
    def covered_share(self) -> float:
        """Share of the vehicles' time with a candidate."""
        order = np.lexsort((self.visit_s[:, 0], self.visit_vehicle))
        vehicle, start_s, end_s = self.visit_vehicle[order], self.visit_s[order, 0], self.visit_s[order, 1]
        # Vehicles one after the other on one axis of time, so that one running maximum does for all.
        shift = vehicle * (self.span_s + 1e3)
        until = np.maximum.accumulate(end_s + shift)
        since = np.maximum(start_s + shift, np.concatenate(([-np.inf], until[:-1])))
        covered = np.maximum(end_s + shift - since, 0.0).sum()
        return float(covered / (self.present_s[:, 1] - self.present_s[:, 0]).sum())

    @property
    def buildings(self) -> list[FloatArray]:
        """Outlines, (corners, 2) each, in metres."""
        return np.split(self.corner_m, np.cumsum(self.corners)[:-1]) if len(self.corners) else []

    def track(self, vehicle: int) -> tuple[FloatArray, FloatArray]:
        """Times (knots,) in s and places (knots, 2) in m of a vehicle."""
        first = int(self.num_knots[:vehicle].sum())
        count = int(self.num_knots[vehicle])
        return (self.first_knot[vehicle] + np.arange(count)) * self.knot_s, self.knots_m[first : first + count]

    def describe(self) -> str:
        """Some lines for people."""
        middle = np.arange(0.0, self.span_s, min(10.0, self.span_s / 20.0))
        there = (self.present_s[:, :1] <= middle) & (self.present_s[:, 1:] > middle)
        lines = (
            f"{len(self.vehicles)} vehicles, {there.sum(0).mean():.1f} at a time, at most {there.sum(0).max()}; "
            f"{clock(self.start_s)} to {clock(self.start_s + self.span_s)}",
            f"{len(self.bs_m)} base stations, range {self.radius_m:.0f} m; {len(self.corners)} buildings",
            f"links in range: {100 * self.blocked_share:.1f} % of their time blocked; vehicles have a candidate "
            f"{100 * self.covered_share:.1f} % of their time",
            *(t for t in (self.notes, self.attribution) if t),
        )
        return "\n".join(lines)


_SHAPES = {
    "bs_m": ("f", 2),
    "first_knot": ("i", 1),
    "num_knots": ("i", 1),
    "knots_m": ("f", 2),
    "present_s": ("f", 2),
    "visit_vehicle": ("i", 1),
    "visit_bs": ("i", 1),
    "visit_s": ("f", 2),
    "corners": ("i", 1),
    "corner_m": ("f", 2),
}
_BOUNDS = {
    "start_s": (0.0, 1e6),
    "span_s": (1.0, 1e6),
    "knot_s": (0.1, 10.0),
    "snr_1m_db": (-100.0, 200.0),
    "path_loss_exponent": (0.5, 10.0),
    "height_m": (0.0, 1e3),
    "bandwidth_hz": (1.0, 1e11),
    "radius_m": (1.0, 1e5),
    "carrier_hz": (1e8, 1e12),
    "in_range_s": (1e-3, 1e12),
}


def _checked(name: str, value: Any) -> NDArray[Any]:
    kind, dims = _SHAPES[name]
    array = np.asarray(value)
    if array.dtype.kind not in ("fiu" if kind == "f" else "iu"):
        raise CityError(f"{name} must be {'numbers' if kind == 'f' else 'integers'}, got dtype {array.dtype}.")
    array = array.astype(np.float64 if kind == "f" else np.int64)
    if array.ndim != dims or (dims == 2 and array.shape[1] != 2):
        raise CityError(f"{name} must have shape {'(rows, 2)' if dims == 2 else '(rows,)'}, got {array.shape}.")
    wrong = np.argwhere(~(np.abs(array) < 1e7))
    if len(wrong):
        raise CityError(f"{name}[{', '.join(map(str, wrong[0]))}] is {array[tuple(wrong[0])]}: no finite number of "
                        "metres or seconds below 1e7.")  # fmt: skip
    array.flags.writeable = False
    return array


def _number(name: str, value: Any) -> float:
    low, high = _BOUNDS[name]
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "fiu" or not low <= float(array) <= high:
        raise CityError(f"{name} must be a number between {low:g} and {high:g}, got {value!r}.")
    return float(array)


FIELDS = tuple(field.name for field in dataclasses.fields(City))


def read_city(path: str | os.PathLike[str]) -> City:
    """The city in an .npz file. Raises CityError, which begins with the file's name, for all that can be wrong."""
    file = Path(path)
    with untrusted.blaming(file, CityError):
        arrays: dict[str, Any] = untrusted.load_npz(untrusted.read_bytes(file))
        version = arrays.pop("version", np.array("missing"))
        if version.shape or version.dtype.kind not in "iu" or version != VERSION:
            raise CityError(f"its format has version {version}; this package reads city files of version {VERSION}.")
        if wrong := set(arrays) ^ set(FIELDS):
            name = min(wrong)
            raise CityError(f"the array {name!r} is {'unknown' if name in arrays else 'missing'}.")
        for name, dims in {"sites": 1, "vehicles": 1, **dict.fromkeys(TEXTS, 0)}.items():
            if arrays[name].dtype.kind != "U" or arrays[name].ndim != dims:
                raise CityError(f"{name} must be {'strings' if dims else 'a string'}, got dtype {arrays[name].dtype}.")
        names = {name: arrays[name].tolist() for name in ("sites", "vehicles")}
        return City(**{**arrays, **names})


def write_city(path: str | os.PathLike[str], city: City) -> None:
    """Write a city as .npz; the file appears whole or not at all. CityError where it cannot be written."""
    file = Path(path)
    if file.suffix.lower() != ".npz":
        raise CityError(f"{file}: a city file ends in .npz, this one in {file.suffix or 'nothing'!r}.")
    values = {name: np.asarray(getattr(city, name)) for name in FIELDS}
    for name in ("knots_m", "corner_m"):
        values[name] = values[name].astype(np.float32)  # a millimetre in 10 km, and half the size
    buffer = io.BytesIO()
    np.savez_compressed(buffer, version=np.array(VERSION), **values)  # type: ignore[arg-type]
    try:
        write(file, buffer.getvalue())
    except OSError as error:
        raise CityError(f"{file}: it cannot be written: {error.strerror}.") from None
