"""Timetables: the trams and buses of a GTFS feed on one day, as vehicles that drive along the feed's shapes.

The feed is read with partridge. What feeds leave open, and what is made of it here (ours unless cited):

* **Whole minutes.** Most feeds tell whole minutes, so that several stops in a row have one time. The first stop of
  each told time keeps it; those after it, and those whose times are empty (which GTFS allows), get theirs by distance,
  so within the minute. Where a leg would still be faster than `MAX_SPEED_MPS`, the vehicle is late instead; a trip that
  would be late by more than `MAX_LATE_S` is left out, and `notes` counts it.
* **Hours past 24** are the small hours of the next day; trips of the day before that reach into the window are in.
* **Days.** `calendar.txt` or `calendar_dates.txt` may be missing. Without a date the busiest day is taken.
* **frequencies.txt** repeats a trip; `exact_times` or not, it starts every `headway_secs`.
* **Places.** Stops are snapped to shapes in their order (mmwave_gym/sources/snapping.py), with `shape_dist_traveled`
  as a hint in whatever unit, if it is there. A feed without shapes is an error: straight lines between stops would
  cross the buildings.
* **Modes.** Trams (route types 0, 5, 900 to 906) and buses (3, 11, 700 to 716, 800); the metro has no 28 GHz street.
"""

from __future__ import annotations

import datetime
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.gtfs_rows import check_rows
from mmwave_gym.sources.snapping import along_shape
from mmwave_gym.sources.tracks import Projection, Track, Tracks, clock, library

MODES = {"tram": (0, 5, *range(900, 907)), "bus": (3, 11, *range(700, 717), 800)}
MAX_SPEED_MPS = 25.0
"""90 km/h: faster than trams and buses in cities, slow enough to notice a zero-time leg."""
MAX_LATE_S = 120.0
MAX_OFF_M = 1000.0
"""A stop farther from its shape than this is an error of the feed."""
DAY_S = 86_400.0
MAX_BYTES = 2 * 2**30  # unpacked
TABLES = ("agency.txt", "routes.txt", "trips.txt", "stops.txt", "stop_times.txt", "shapes.txt")


class _Calls(NamedTuple):
    """A trip's stops in order."""

    stop: NDArray[Any]  # (stops,) ids
    time_s: FloatArray  # (stops, 2): arrival and departure, NaN where not told
    told: FloatArray  # (stops,) shape_dist_traveled, NaN where not told


class _Pattern(NamedTuple):
    """Where trips of one shape and one sequence of stops are along it."""

    shape: FloatArray  # (points, 2) longitude and latitude
    shape_along_m: FloatArray  # (points,) from the shape's start
    along_m: FloatArray  # (stops,)


def read(
    path: str | os.PathLike[str],
    *,
    from_s: float,
    to_s: float,
    date: datetime.date | None = None,
    modes: Sequence[str] = ("tram", "bus"),
    bounds: tuple[float, float, float, float] | None = None,
) -> Tracks:
    """Vehicles between `from_s` and `to_s` (seconds since midnight) on `date`; None: the feed's busiest day.

    Only trips with a shape that touches `bounds` (west, south, east, north) are looked at. Raises CityError with
    file, row and field.
    """
    file = Path(path)
    for mode in modes:
        if mode not in MODES:
            raise CityError(f"modes must be among {', '.join(MODES)}, got {mode!r}.")
    try:
        check_archive(file)
        check_rows(file)
        day, services = _services(file, date)
        return _read(file, day, services, from_s, to_s, modes, bounds)
    except CityError as error:
        raise CityError(f"{file}: {error}") from None


def check_archive(file: Path) -> None:
    """CityError unless this is a GTFS feed of a reasonable size with the tables that are needed."""
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
    except FileNotFoundError:
        raise CityError("there is no such file.") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise CityError(f"it is not a zip archive: {error}.") from None
    if sum(sizes.values()) > MAX_BYTES:
        raise CityError(f"unpacked it has more than {MAX_BYTES // 2**20} MiB.")
    for table in TABLES[1:]:
        if table not in sizes:
            why = ": without shapes nobody knows the streets between stops" if table == "shapes.txt" else ""
            raise CityError(f"{table} is missing{why}.")
    if not {"calendar.txt", "calendar_dates.txt"} & set(sizes):
        raise CityError("calendar.txt and calendar_dates.txt are both missing: nothing says on which days it runs.")


def _services(file: Path, date: datetime.date | None) -> tuple[datetime.date, dict[float, frozenset[str]]]:
    """The day, and the services that run on it (0) and on the day before (86,400 s later by its clock)."""
    by_date = library("partridge").read_service_ids_by_date(str(file))
    if not by_date:
        raise CityError("calendar.txt and calendar_dates.txt name no day.")
    if date is None:
        trips = library("partridge").read_trip_counts_by_date(str(file))
        date = max(trips, key=lambda day: (trips[day], -day.toordinal()))
    if date not in by_date:
        raise CityError(f"nothing runs on {date}; it has {min(by_date)} to {max(by_date)}.")
    before = date - datetime.timedelta(days=1)
    return date, {0.0: by_date[date], DAY_S: by_date.get(before, frozenset())}


def _read(
    file: Path,
    day: datetime.date,
    services: dict[float, frozenset[str]],
    from_s: float,
    to_s: float,
    modes: Sequence[str],
    bounds: tuple[float, float, float, float] | None,
) -> Tracks:
    types = [number for mode in modes for number in MODES[mode]]
    feed = library("partridge").load_feed(
        str(file), view={"trips.txt": {"service_id": sorted(frozenset().union(*services.values()))}}
    )
    routes, trips, stops = feed.routes, feed.trips, feed.stops
    trips = trips[trips.route_id.isin(routes.route_id[routes.route_type.astype(int).isin(types)])]
    if len(trips) == 0:
        raise CityError(f"trips.txt: no {' or '.join(modes)} runs on {day}.")
    if "shape_id" not in trips or trips.shape_id.isna().all():
        raise CityError("trips.txt: no trip has a shape_id: without shapes nobody knows the streets between stops.")
    shapes = dict(iter(feed.shapes.sort_values("shape_pt_sequence").groupby("shape_id", sort=False)))
    place = dict(zip(stops.stop_id, stops[["stop_lon", "stop_lat"]].to_numpy(float), strict=True))
    calls = _calls(feed.stop_times)
    starts = _starts(feed.frequencies)
    west, south = stops.stop_lon.min(), stops.stop_lat.min()
    projection = Projection((west, south, stops.stop_lon.max(), stops.stop_lat.max()))

    patterns: dict[tuple[Any, ...], _Pattern | None] = {}
    served: dict[str, int] = {}
    tracks: list[Track] = []
    left_out = {"without a shape": 0, f"more than {MAX_LATE_S:g} s late at {MAX_SPEED_MPS:g} m/s": 0}
    without, late = left_out
    names = dict(zip(routes.route_id, routes.route_short_name.fillna(routes.route_id), strict=True))
    for trip in trips.itertuples():
        call = calls.get(trip.trip_id)
        if call is None or len(call.stop) < 2:
            continue
        if trip.shape_id not in shapes:
            left_out[without] += 1
            continue
        first, last = float(np.nanmin(call.time_s)), float(np.nanmax(call.time_s))
        shift_s = [
            begin - first - later
            for later, running in services.items()
            if trip.service_id in running
            for begin in starts.get(trip.trip_id, (first,))
        ]
        shift_s = [s for s in shift_s if first + s < to_s and last + s + MAX_LATE_S > from_s]
        if not shift_s:
            continue
        key = (trip.shape_id, *call.stop)
        if key not in patterns:
            patterns[key] = _pattern(trip, shapes[trip.shape_id], call, place, projection, bounds)
        pattern = patterns[key]
        if pattern is None:  # it does not touch the map
            continue
        timed = drive(call.time_s, pattern.along_m)
        if timed is None:
            left_out[late] += 1
            continue
        knot_s, knot_m = _with_corners(*timed, pattern.shape_along_m)
        way = np.stack([np.interp(knot_m, pattern.shape_along_m, pattern.shape[:, axis]) for axis in (0, 1)], axis=1)
        for stop in call.stop:
            served[stop] = served.get(stop, 0) + len(shift_s)
        for s in shift_s:
            name = f"{names[trip.route_id]} {clock(first + s)} {trip.trip_id}"
            tracks.append(Track(name, knot_s + s, way))
    if not tracks and None in patterns.values():
        raise CityError(f"shapes.txt: nothing that runs then touches the map {bounds} (west, south, east, north).")
    if not tracks:
        raise CityError(f"stop_times.txt: nothing runs between {clock(from_s)} and {clock(to_s)} on {day}.")
    ranked = sorted(served, key=lambda stop: (-served[stop], stop))
    agency = ", ".join(feed.agency.agency_name.dropna().unique()) if len(feed.agency) else ""
    return Tracks(
        tracks,
        degrees=True,
        stops=np.array([place[stop] for stop in ranked]),
        source=f"timetable {file.name}, {day}",
        attribution=f"timetable: {agency}" if agency else "",
        notes="".join(f"{count} trips are left out: {why}. " for why, count in left_out.items() if count).strip(),
    )


def _starts(table: Any) -> dict[str, list[float]]:
    """When trips begin that frequencies.txt repeats."""
    starts: dict[str, list[float]] = {}
    for row in table.itertuples() if len(table) else ():
        starts.setdefault(row.trip_id, []).extend(
            np.arange(row.start_time, max(row.end_time, row.start_time + 1.0), row.headway_secs).tolist()
        )
    return {name: sorted(set(times)) for name, times in starts.items()}


def _calls(table: Any) -> dict[str, _Calls]:
    table = table.sort_values(["trip_id", "stop_sequence"], kind="stable")
    trip, stop = table.trip_id.to_numpy(object), table.stop_id.to_numpy(object)
    time_s = table[["arrival_time", "departure_time"]].to_numpy(float)
    told = np.full(len(table), np.nan)
    if "shape_dist_traveled" in table:
        told = library("pandas").to_numeric(table.shape_dist_traveled, errors="coerce").to_numpy(float)
    first = np.flatnonzero(np.concatenate(([True], trip[1:] != trip[:-1])))
    last = np.append(first[1:], len(trip))
    return {trip[i]: _Calls(stop[i:j], time_s[i:j], told[i:j]) for i, j in zip(first, last, strict=True)}


def _pattern(
    trip: Any,
    table: Any,
    call: _Calls,
    place: dict[str, FloatArray],
    projection: Projection,
    bounds: tuple[float, float, float, float] | None,
) -> _Pattern | None:
    """Where the stops are on the trip's shape, rows of shapes.txt; None: the shape does not touch the map."""
    shape = table[["shape_pt_lon", "shape_pt_lat"]].to_numpy(float)
    shape = shape[np.concatenate(([True], (np.diff(shape, axis=0) != 0.0).any(axis=1)))]
    if len(shape) < 2 or (bounds is not None and not _touches(shape, bounds)):
        return None
    shape_m = projection.metres(shape)
    told = None
    if "shape_dist_traveled" in table and (whole := float(table.shape_dist_traveled.max())) > 0.0:
        told = call.told / whole  # shares of the shape's length, so that kilometres, metres and feet are all one
    known_s = np.fmax(*call.time_s.T)  # NaN where neither is told
    at = np.arange(len(known_s))
    known_s = np.interp(at, at[~np.isnan(known_s)], known_s[~np.isnan(known_s)])
    stop_m = projection.metres(np.array([place[stop] for stop in call.stop]))
    along_m, off_m = along_shape(stop_m, shape_m, np.diff(known_s) + MAX_LATE_S, MAX_SPEED_MPS, told)
    if off_m.max() > MAX_OFF_M:
        raise CityError(
            f"stops.txt, stop {call.stop[off_m.argmax()]!r}: it is {off_m.max() / 1e3:.1f} km from the shape "
            f"{trip.shape_id!r} of trip {trip.trip_id!r} that serves it."
        )
    shape_along_m = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(shape_m, axis=0).T))))
    return _Pattern(shape, shape_along_m, along_m)


def _touches(shape: FloatArray, bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = bounds
    low, high = np.minimum(shape[:-1], shape[1:]), np.maximum(shape[:-1], shape[1:])
    return bool(((high >= (west, south)) & (low <= (east, north))).all(axis=1).any())


def drive(time_s: FloatArray, along_m: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Times in s and distances in m of a trip, both (knots,), not falling.

    time_s (stops, 2): told arrivals and departures. along_m (stops,): distances along the way.

    None: to keep below `MAX_SPEED_MPS` it would be late by more than `MAX_LATE_S`.
    """
    arrive, depart = time_s[:, 0], np.where(np.isnan(time_s[:, 1]), time_s[:, 0], time_s[:, 1])
    arrive = np.where(np.isnan(arrive), depart, arrive)
    told = np.flatnonzero(~np.isnan(arrive))
    # A stop keeps its time if it is the first with it, or if the vehicle waits there.
    keeps = [i for k, i in enumerate(told) if k == 0 or arrive[i] > depart[told[k - 1]] or depart[i] > arrive[i]]
    knots = np.array([(t, along_m[i]) for i in keeps for t in dict.fromkeys((arrive[i], depart[i]))])
    if keeps[-1] < len(along_m) - 1:  # the last stops share one minute: they go on as fast as before, within it
        leg_m = along_m[-1] - knots[-1, 1]
        whole_s, whole_m = knots[-1] - knots[0]
        pace = whole_s / whole_m if whole_m > 0.0 else 0.0
        knots = np.vstack((knots, (knots[-1, 0] + min(max(pace * leg_m, 1.0), 59.0), along_m[-1])))
    t, x = knots.T
    # Late rather than too fast, and back in time as soon as that allows.
    least = np.concatenate(([0.0], np.cumsum(np.diff(x)))) / MAX_SPEED_MPS
    actual = np.maximum.accumulate(t - least) + least
    if (actual - t).max() > MAX_LATE_S:
        return None
    return actual, x


def _with_corners(knot_s: FloatArray, knot_m: FloatArray, corner_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same with a knot at every point of the shape in between."""
    corner_m = corner_m[(corner_m > knot_m[0]) & (corner_m < knot_m[-1]) & ~np.isin(corner_m, knot_m)]
    leg = np.searchsorted(knot_m, corner_m) - 1
    share = (corner_m - knot_m[leg]) / (knot_m[leg + 1] - knot_m[leg])
    corner_s = knot_s[leg] + share * (knot_s[leg + 1] - knot_s[leg])
    all_s, all_m = np.concatenate((knot_s, corner_s)), np.concatenate((knot_m, corner_m))
    order = np.lexsort((all_m, all_s))
    later = np.concatenate(([True], np.diff(all_s[order]) > 0.0))
    return all_s[order][later], all_m[order][later]
