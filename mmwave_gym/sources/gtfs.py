"""Timetables: the trams and buses of a GTFS feed on one day, as vehicles that drive along the feed's shapes.

Its tables are read row by row (mmwave_gym/sources/gtfs_rows.py); what cannot be used is left out and counted. What
feeds leave open, and what is made of it here (ours unless cited):

* **Whole minutes.** Most feeds tell whole minutes, so that several stops in a row have one time. The first stop of
  each given time keeps it; those after it, and those whose times are empty (which GTFS allows), get theirs by distance,
  so within the minute. Where a leg would still be faster than `MAX_SPEED_MPS`, the vehicle is late instead; a trip that
  would be late by more than `MAX_LATE_S` is left out and counted.
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
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.gtfs_days import named
from mmwave_gym.sources.gtfs_rows import Calls, Feed, Shape, Trip, read_feed
from mmwave_gym.sources.snapping import along_shape
from mmwave_gym.sources.tracks import MAX_VEHICLES, Projection, Track, Tracks, clock

MODES = {"tram": (0, 5, *range(900, 907)), "bus": (3, 11, *range(700, 717), 800)}
MAX_SPEED_MPS = 25.0
"""90 km/h: faster than trams and buses in cities, slow enough to notice a zero-time leg."""
MAX_LATE_S = 120.0
MAX_OFF_M = 1000.0
"""A trip with a stop farther from its shape than this is left out."""
DAY_S = 86_400.0


class _Pattern(NamedTuple):
    """Where trips of one shape and one sequence of stops are along it."""

    shape: FloatArray  # (points, 2) longitude and latitude
    shape_along_m: FloatArray  # (points,) from the shape's start
    along_m: FloatArray  # (stops,)
    off_m: FloatArray  # (stops,) from the shape


def read(
    path: str | os.PathLike[str],
    *,
    from_s: float,
    to_s: float,
    date: datetime.date | None = None,
    modes: Sequence[str] = ("tram", "bus"),
    bounds: tuple[float, float, float, float] | None = None,
    notes: Notes | None = None,
) -> Tracks:
    """Vehicles between `from_s` and `to_s` (seconds since midnight) on `date`; None: the feed's busiest day.

    Only trips with a shape that touches `bounds` (west, south, east, north) are looked at. `notes` hears what is left
    out. Raises CityError with file, row and field.
    """
    file = Path(path)
    for mode in modes:
        if mode not in MODES:
            raise CityError(f"modes must be among {', '.join(MODES)}, got {mode!r}.")
    notes = Notes(error=CityError) if notes is None else notes
    with untrusted.blaming(file, CityError):
        feed = read_feed(file, notes)
        day, services = _services(feed, date, notes.first_wrong)
        return _Driven(feed, day, services, (from_s, to_s), bounds, notes).tracks(modes, file.name)


def _services(
    feed: Feed, date: datetime.date | None, first_wrong: str = ""
) -> tuple[datetime.date, dict[float, frozenset[str]]]:
    """The day, and the services that run on it (0) and on the day before (86,400 s later by its clock)."""
    span = feed.days.span()
    if span is None:
        first = f"; left out was {first_wrong}" if first_wrong else ""
        raise CityError(f"calendar.txt and calendar_dates.txt name no day{first}.")
    if not feed.trips:
        raise CityError(f"trips.txt: no trip can be used{first_wrong and f': {first_wrong}'}.")
    day = feed.days.busiest(Counter(trip.service for trip in feed.trips.values())) if date is None else date.toordinal()
    running = feed.days.running(day)
    if not running:
        raise CityError(f"nothing runs on {named([day])}; it has {named(span)}.")
    return datetime.date.fromordinal(day), {0.0: running, DAY_S: feed.days.running(day - 1)}


class _Driven:
    """The trips of a day between two moments."""

    def __init__(
        self,
        feed: Feed,
        day: datetime.date,
        services: dict[float, frozenset[str]],
        span_s: tuple[float, float],
        bounds: tuple[float, float, float, float] | None,
        notes: Notes,
    ):
        self.feed, self.day, self.services, self.span_s = feed, day, services, span_s
        self.bounds, self.notes = bounds, notes
        today = frozenset().union(*services.values())
        self.trips = [trip for trip in feed.trips.values() if trip.service in today]
        self.patterns: dict[tuple[str, ...], _Pattern | None] = {}

    def tracks(self, modes: Sequence[str], file_name: str) -> Tracks:
        """All vehicles of these modes. Raises CityError where there is none."""
        types = {number for mode in modes for number in MODES[mode]}
        feed, (from_s, to_s) = self.feed, self.span_s
        trips = [trip for trip in self.trips if feed.routes[trip.route].kind in types]
        if not trips:
            raise CityError(f"trips.txt: no {' or '.join(modes)} runs on {self.day}.")
        if not any(trip.shape for trip in trips):
            raise CityError("trips.txt: no trip has a shape_id: without shapes nobody knows the streets between stops.")
        place = np.array([feed.stops[stop] for trip in self.trips for stop in feed.calls[trip.name].stop])
        projection = Projection((*place.min(axis=0).tolist(), *place.max(axis=0).tolist()))
        served: Counter[str] = Counter()
        tracks: list[Track] = []
        for trip in trips:
            if trip.shape not in feed.shapes:
                self.notes.count("trip", "without a shape", trip.where)
                continue
            shift_s = self._shifts_s(trip)
            if not shift_s or (way := self._way(trip, projection)) is None:
                continue
            if len(tracks) + len(shift_s) > MAX_VEHICLES:
                raise CityError(f"more than {MAX_VEHICLES:,} vehicles run then: take a shorter time.")
            for stop in feed.calls[trip.name].stop:
                served[stop] += len(shift_s)
            first_s = float(np.nanmin(feed.calls[trip.name].time_s))
            for s in shift_s:
                name = f"{feed.routes[trip.route].name} {clock(first_s + s)} {trip.name}"
                tracks.append(Track(name, way.time_s + s, way.place))
        if not tracks and None in self.patterns.values():
            where = f"the map {self.bounds} (west, south, east, north)"
            raise CityError(f"shapes.txt: nothing that runs then touches {where}.")
        if not tracks:
            why = self.notes.first_wrong or next((x.removeprefix("left out: ") for x in self.notes.lines()), "")
            first = f"; left out was {why}" if why else ""
            raise CityError(
                f"stop_times.txt: nothing runs between {clock(from_s)} and {clock(to_s)} on {self.day}{first}."
            )
        ranked = sorted(served, key=lambda stop: (-served[stop], stop))
        agency = ", ".join(self._agencies())
        return Tracks(
            tracks,
            degrees=True,
            stops=np.array([feed.stops[stop] for stop in ranked]),
            source=f"timetable {file_name}, {self.day}",
            attribution=f"timetable: {agency}" if agency else "",
        )

    def _agencies(self) -> list[str]:
        """Names of those whose trips run, each once; of all where routes do not say whose they are."""
        running = {self.feed.routes[trip.route].agency for trip in self.trips}
        names = [name for key, name in self.feed.agencies.items() if name and (key in running or "" in running)]
        return list(dict.fromkeys(names))

    def _shifts_s(self, trip: Trip) -> list[float]:
        """By how much each run of a trip in the time span is later than its stop times say."""
        time_s, (from_s, to_s) = self.feed.calls[trip.name].time_s, self.span_s
        first, last = float(np.nanmin(time_s)), float(np.nanmax(time_s))
        begins = [np.arange(*row) for row in self.feed.starts.get(trip.name, ())] or [np.array([first])]
        begin = np.unique(np.concatenate(begins))
        shift_s = np.concatenate(
            [begin - first - later for later, running in self.services.items() if trip.service in running]
        )
        inside = (first + shift_s < to_s) & (last + shift_s + MAX_LATE_S > from_s)
        found: list[float] = shift_s[inside].tolist()
        return found

    def _way(self, trip: Trip, projection: Projection) -> Track | None:
        """Where a trip is over the time of its stops; None: not on the map, or left out."""
        call = self.feed.calls[trip.name]
        key = (trip.shape, *call.stop)
        if key not in self.patterns:
            place = np.array([self.feed.stops[stop] for stop in call.stop])
            self.patterns[key] = _pattern(self.feed.shapes[trip.shape], call, place, projection, self.bounds)
        pattern = self.patterns[key]
        if pattern is None:  # it does not touch the map
            return None
        if pattern.off_m.max() > MAX_OFF_M:
            worst = int(pattern.off_m.argmax())
            wrong = (
                f"it is {pattern.off_m[worst] / 1e3:.1f} km from the shape {trip.shape!r} of trip {trip.name!r} that "
                "serves it"
            )
            why = f"with a stop more than {MAX_OFF_M / 1e3:g} km from its shape"
            self.notes.leave_out("trip", why, f"stops.txt, stop {call.stop[worst]!r}", wrong)
            return None
        timed = drive(call.time_s, pattern.along_m)
        if timed is None:
            self.notes.count("trip", f"more than {MAX_LATE_S:g} s late at {MAX_SPEED_MPS:g} m/s", trip.where)
            return None
        knot_s, knot_m = _with_corners(*timed, pattern.shape_along_m)
        way = np.stack([np.interp(knot_m, pattern.shape_along_m, pattern.shape[:, axis]) for axis in (0, 1)], axis=1)
        return Track(trip.name, knot_s, way)


def _pattern(
    shape: Shape,
    call: Calls,
    place: FloatArray,
    projection: Projection,
    bounds: tuple[float, float, float, float] | None,
) -> _Pattern | None:
    """Where the stops, (stops, 2) in degrees, are on a trip's shape; None: the shape does not touch the map."""
    if bounds is not None and not _touches(shape.place, bounds):
        return None
    shape_m = projection.metres(shape.place)
    shares = None
    if shape.longest > 0.0:
        shares = call.traveled / shape.longest  # shares of the shape, so that kilometres, metres and feet are all one
    known_s = np.fmax(*call.time_s.T)  # NaN where neither is given
    at = np.arange(len(known_s))
    known_s = np.interp(at, at[~np.isnan(known_s)], known_s[~np.isnan(known_s)])
    stop_m = projection.metres(place)
    along_m, off_m = along_shape(stop_m, shape_m, np.diff(known_s) + MAX_LATE_S, MAX_SPEED_MPS, shares)
    shape_along_m = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(shape_m, axis=0).T))))
    return _Pattern(shape.place, shape_along_m, along_m, off_m)


def _touches(shape: FloatArray, bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = bounds
    low, high = np.minimum(shape[:-1], shape[1:]), np.maximum(shape[:-1], shape[1:])
    return bool(((high >= (west, south)) & (low <= (east, north))).all(axis=1).any())


def drive(time_s: FloatArray, along_m: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Times in s and distances in m of a trip, both (knots,), not falling.

    time_s (stops, 2): given arrivals and departures. along_m (stops,): distances along the way.

    None: to keep below `MAX_SPEED_MPS` it would be late by more than `MAX_LATE_S`.
    """
    arrive, depart = time_s[:, 0], np.where(np.isnan(time_s[:, 1]), time_s[:, 0], time_s[:, 1])
    arrive = np.where(np.isnan(arrive), depart, arrive)
    given = np.flatnonzero(~np.isnan(arrive))
    # A stop keeps its time if it is the first with it, or if the vehicle waits there.
    keeps = [i for k, i in enumerate(given) if k == 0 or arrive[i] > depart[given[k - 1]] or depart[i] > arrive[i]]
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
