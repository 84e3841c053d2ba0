"""The tables of a GTFS feed, read row by row: what cannot be used is left out and counted, with table, row and field.

Row 1 is the header, as an editor counts. What is only odd (whole minutes, empty times in between, spaces after commas)
is read. A trip is left out whole where its order or its times are wrong; a stop time is left out alone where its stop
is missing, as in GTFS-Flex.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.gtfs_days import WEEK, Days, ordinal
from mmwave_gym.sources.gtfs_tables import MAX_BYTES, Tables
from mmwave_gym.sources.tracks import check_degrees

TIME = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])")
WHOLE = re.compile(r"([0-9]{1,12})(?:\.0*)?")
"""A whole number, also as spreadsheets write it: 3.0."""
SHORTEST_HEADWAY_S = 10.0
"""No line runs closer than that; ours, it keeps a headway of a millisecond from becoming millions of vehicles."""
FAR_DEG = 5.0


class Route(NamedTuple):
    name: str
    kind: int  # route_type
    agency: str


class Trip(NamedTuple):
    name: str
    route: str
    service: str
    shape: str
    where: str  # table and row


class Calls(NamedTuple):
    """A trip's stops in order."""

    stop: tuple[str, ...]
    time_s: FloatArray  # (stops, 2): arrival and departure, NaN where not given
    traveled: FloatArray  # (stops,) shape_dist_traveled, NaN where not given


class Shape(NamedTuple):
    place: FloatArray  # (points, 2) longitude and latitude, no two in a row alike
    longest: float  # largest shape_dist_traveled, in whatever unit; NaN where not given


@dataclass
class Feed:
    """What of a feed can be used, by its ids."""

    agencies: dict[str, str] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    days: Days = field(default_factory=Days)
    trips: dict[str, Trip] = field(default_factory=dict)
    stops: dict[str, tuple[float, float]] = field(default_factory=dict)  # longitude, latitude
    shapes: dict[str, Shape] = field(default_factory=dict)
    calls: dict[str, Calls] = field(default_factory=dict)
    starts: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    """By trip: from when to when it is repeated and how often, all in seconds."""


def read_feed(file: Path, notes: Notes) -> Feed:
    """The usable rows of a feed. Raises CityError with table, row and field where nothing usable is left of a table."""
    feed = Feed()
    with untrusted.open_regular(file) as stream, untrusted.checked_zip(stream, limit=MAX_BYTES, texts=True) as archive:
        tables = Tables(archive, notes)
        feed.agencies = {row[0]: row[1] for _, row in tables.rows("agency.txt", (), ("agency_id", "agency_name"))}
        _routes(tables, feed)
        _days(tables, feed.days)
        _trips(tables, feed)
        feed.stops = _stops(tables)
        feed.shapes = _shapes(tables)
        _stop_times(tables, feed)
        _frequencies(tables, feed)
    return feed


def _routes(tables: Tables, feed: Feed) -> None:
    optional = ("route_short_name", "route_long_name", "agency_id")
    for number, (short, long, agency, route, kind) in tables.rows("routes.txt", ("route_id", "route_type"), optional):
        where = f"routes.txt, row {number}, field "
        if not route:
            tables.notes.leave_out("route", "without a route_id", f"{where}'route_id'")
        elif not WHOLE.fullmatch(kind):
            wrong = f"a whole number is needed, got {kind[:50]!r}"
            tables.notes.leave_out("route", "without a route_type", f"{where}'route_type'", wrong)
        elif route in feed.routes:
            wrong = f"{route[:50]!r} is that of an earlier row"
            tables.notes.leave_out("route", "with the route_id of another", f"{where}'route_id'", wrong)
        else:
            feed.routes[route] = Route(short or long or route, int(float(kind)), agency)


def _days(tables: Tables, days: Days) -> None:
    notes = tables.notes
    for number, (service, *week, first, last) in tables.rows(
        "calendar.txt", ("service_id", *WEEK, "start_date", "end_date")
    ):
        where = f"calendar.txt, row {number}, field "
        week, first, last = [_whole(value) for value in week], _whole(first), _whole(last)
        begin, end = ordinal(first), ordinal(last)
        odd = next((name for name, value in zip(WEEK, week, strict=True) if value not in ("0", "1")), None)
        if not service:
            notes.leave_out("row", "of calendar.txt without a service_id", f"{where}'service_id'")
        elif odd is not None:
            wrong = f"0 or 1 is needed, got {week[WEEK.index(odd)][:50]!r}"
            notes.leave_out("row", "of calendar.txt with a weekday that is not 0 or 1", f"{where}{odd!r}", wrong)
        elif begin is None or end is None or end < begin:
            name, value = ("start_date", first) if begin is None else ("end_date", last)
            wrong = f"a day as 20240131 is needed, the last not before the first, got {value[:50]!r}"
            notes.leave_out("row", "of calendar.txt with a wrong date", f"{where}{name!r}", wrong)
        else:
            days.weekly(service, tuple(value == "1" for value in week), begin, end)
    for number, (service, date, kind) in tables.rows("calendar_dates.txt", ("service_id", "date", "exception_type")):
        where = f"calendar_dates.txt, row {number}, field "
        date, kind = _whole(date), _whole(kind)
        day = ordinal(date)
        if not service:
            notes.leave_out("row", "of calendar_dates.txt without a service_id", f"{where}'service_id'")
        elif day is None:
            wrong = f"a day as 20240131 is needed, got {date[:50]!r}"
            notes.leave_out("row", "of calendar_dates.txt with a wrong date", f"{where}'date'", wrong)
        elif kind not in ("1", "2"):
            wrong = f"1 (added) or 2 (removed) is needed, got {kind[:50]!r}"
            notes.leave_out("row", "of calendar_dates.txt of no known exception", f"{where}'exception_type'", wrong)
        else:
            days.exception(service, day, kind == "1")


def _whole(text: str) -> str:
    """The text without the ".0" that spreadsheets put behind whole numbers in a column with gaps."""
    return text.removesuffix(".0")


def _trips(tables: Tables, feed: Feed) -> None:
    needed = ("route_id", "service_id", "trip_id")
    services = feed.days.services()
    for number, (shape, route, service, trip) in tables.rows("trips.txt", needed, ("shape_id",)):
        where = f"trips.txt, row {number}"
        empty = next((name for name, value in zip(needed, (route, service, trip), strict=True) if not value), None)
        if empty is not None:
            tables.notes.leave_out("trip", f"without a {empty}", f"{where}, field {empty!r}")
        elif route not in feed.routes:
            wrong = f"{route[:50]!r} is not in routes.txt, or its row is left out"
            tables.notes.leave_out("trip", "of no usable route", f"{where}, field 'route_id'", wrong)
        elif service not in services:
            tables.notes.count("trip", "of a service that no calendar names", f"{where}, field 'service_id'")
        elif trip in feed.trips:
            wrong = f"{trip[:50]!r} is that of an earlier row"
            tables.notes.leave_out("trip", "with the trip_id of another", f"{where}, field 'trip_id'", wrong)
        else:
            feed.trips[trip] = Trip(trip, route, service, shape, where)


def _stops(tables: Tables) -> dict[str, tuple[float, float]]:
    rows = (
        (number, stop, lat, lon)
        for number, (kind, stop, lat, lon) in tables.rows(
            "stops.txt", ("stop_id", "stop_lat", "stop_lon"), ("location_type",)
        )
        if lat or kind not in ("3", "4")  # nodes and boarding areas need no place of their own
    )
    stops: dict[str, tuple[float, float]] = {}
    for number, stop, lon, lat in _places(tables, "stop", "stops.txt", ("stop_lat", "stop_lon"), rows):
        if stop in stops:
            where, wrong = f"stops.txt, row {number}, field 'stop_id'", f"{stop[:50]!r} is that of an earlier row"
            tables.notes.leave_out("stop", "with the stop_id of another", where, wrong)
        else:
            stops[stop] = lon, lat
    return stops


def _shapes(tables: Tables) -> dict[str, Shape]:
    fields = ("shape_pt_lat", "shape_pt_lon")
    traveled: dict[int, float] = {}
    sequence: dict[int, int] = {}

    def rows() -> Iterator[tuple[int, str, str, str]]:
        needed = ("shape_id", *fields, "shape_pt_sequence")
        for number, (so_far, shape, lat, lon, order) in tables.rows("shapes.txt", needed, ("shape_dist_traveled",)):
            if WHOLE.fullmatch(order):
                traveled[number], sequence[number] = _number(so_far), int(float(order))
                yield number, shape, lat, lon
            else:
                where = f"shapes.txt, row {number}, field 'shape_pt_sequence'"
                wrong = f"a whole number is needed, got {order[:50]!r}"
                tables.notes.leave_out("point", "of a shape without its number", where, wrong)

    points: dict[str, list[tuple[int, float, float, float]]] = {}
    for number, shape, lon, lat in _places(tables, "point", "shapes.txt", fields, rows()):
        points.setdefault(shape, []).append((sequence[number], lon, lat, traveled[number]))
    shapes = {}
    for name, way in points.items():
        way.sort(key=lambda point: point[0])
        table = np.array(way, np.float64)
        place = table[:, 1:3]
        place = place[np.concatenate(([True], (np.diff(place, axis=0) != 0.0).any(axis=1)))]
        known = table[np.isfinite(table[:, 3]), 3]
        if len(place) > 1:
            shapes[name] = Shape(place, float(known.max()) if len(known) else math.nan)
    return shapes


def _places(
    tables: Tables, what: str, table: str, fields: tuple[str, str], rows: Iterator[tuple[int, str, str, str]]
) -> Iterator[tuple[int, str, float, float]]:
    """Row, id, longitude and latitude of the rows that are on Earth, near the others and not swapped."""
    notes, names = tables.notes, f"fields {fields[0]!r} and {fields[1]!r}"
    found: list[tuple[int, str, float, float]] = []
    for number, name, lat_text, lon_text in rows:
        lat, lon = _number(lat_text), _number(lon_text)
        where = f"{table}, row {number}"
        if not name:
            kind, wrong = "without an id", f"the {what} has no id"
        elif math.isnan(lat + lon):
            kind = "without a place"
            wrong = f"numbers are needed, got {lat_text[:50]!r} and {lon_text[:50]!r}"
        elif not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
            kind, wrong = "that is no place on Earth", _no_place(lon, lat)
        else:
            found.append((number, name, lon, lat))
            continue
        notes.leave_out(what, kind, f"{where}, {names}", wrong)
    if not found:
        first = f": {notes.first_wrong}" if notes.first_wrong else ""
        raise CityError(f"{table} has no rows that can be used{first}.")
    mid_lon, mid_lat = statistics.median(row[2] for row in found), statistics.median(row[3] for row in found)

    def near(lon: float, lat: float) -> bool:
        return abs(lat - mid_lat) < FAR_DEG and abs(lon - mid_lon) < FAR_DEG

    for row in found:
        number, _, lon, lat = row
        if not near(lon, lat) and (near(lat, lon) or lon == lat == 0.0):
            kind = "with latitude and longitude swapped" if near(lat, lon) else "at latitude 0, longitude 0"
            wrong = f"{lat:g}, {lon:g} are swapped" if near(lat, lon) else "this is a place in the Atlantic"
            notes.leave_out(what, kind, f"{table}, row {number}, {names}", wrong)
        else:
            yield row


def _no_place(lon: float, lat: float) -> str:
    try:
        check_degrees("", lon, lat)
    except CityError as error:
        return str(error).removeprefix(": ").rstrip(".?")
    return ""


def _stop_times(tables: Tables, feed: Feed) -> None:
    """Calls of all trips; wrong trips are taken out of `feed.trips`."""
    notes = tables.notes
    needed = ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence")
    trips: dict[str, list[tuple[int, int, float, float, str, float]]] = {}
    wrong_trips: set[str] = set()
    for number, (so_far, trip, arrival, departure, stop, sequence) in tables.rows(
        "stop_times.txt", needed, ("shape_dist_traveled",)
    ):
        if trip not in feed.trips or trip in wrong_trips:
            continue
        where = f"stop_times.txt, row {number}, field "
        if not stop:
            notes.leave_out("stop time", "without a stop", f"{where}'stop_id'", "'' is not in stops.txt")
            continue
        if stop not in feed.stops:
            wrong = f"{stop[:50]!r} is not in stops.txt"
            notes.leave_out("stop time", "at a stop that stops.txt lacks", f"{where}'stop_id'", wrong)
            continue
        arrive, depart = _seconds(arrival), _seconds(departure)
        problem = _wrong_call(where, arrival, departure, sequence, arrive, depart)
        if problem is not None:
            wrong_trips.add(trip)
            notes.leave_out("trip", *problem)
            continue
        call = (int(float(sequence)), number, _nan(arrive), _nan(depart), stop, _number(so_far))
        trips.setdefault(trip, []).append(call)
    for trip, calls in trips.items():
        calls.sort()
        if trip not in wrong_trips and (problem := _wrong_times(trip, calls)) is not None:
            wrong_trips.add(trip)
            notes.leave_out("trip", *problem)
    for trip in list(feed.trips):
        calls = trips.get(trip, [])
        if trip in wrong_trips:
            del feed.trips[trip]
        elif len(calls) < 2:
            notes.count("trip", "with fewer than two stops", feed.trips.pop(trip).where)
        else:
            time_s = np.array([call[2:4] for call in calls], np.float64)
            feed.calls[trip] = Calls(tuple(call[4] for call in calls), time_s, np.array([call[5] for call in calls]))


def _wrong_call(
    where: str, arrival: str, departure: str, sequence: str, arrive: int | None, depart: int | None
) -> tuple[str, str, str] | None:
    """Why, where and what is wrong with one stop time."""
    if not WHOLE.fullmatch(sequence):
        wrong = f"a whole number is needed, got {sequence[:50]!r}"
        return "without the order of its stops", f"{where}'stop_sequence'", wrong
    for name, text, value in (("arrival_time", arrival, arrive), ("departure_time", departure, depart)):
        if text and value is None:
            wrong = f"a time as 07:05:00 is needed (hours may pass 24), got {text[:50]!r}"
            return "with a time that cannot be read", f"{where}{name!r}", wrong
    if arrive is not None and depart is not None and depart < arrive:
        return "that departs before it arrives", f"{where}'departure_time'", f"{departure} is before the arrival"
    return None


def _wrong_times(trip: str, calls: list[tuple[int, int, float, float, str, float]]) -> tuple[str, str, str] | None:
    """Why, where and what is wrong with the times of a trip's sorted calls."""
    before = math.nan
    for place, (_, number, arrive, depart, _, _) in enumerate(calls):
        time_s = depart if math.isnan(arrive) else arrive
        where = f"stop_times.txt, row {number}, field 'arrival_time'"
        if math.isnan(time_s) and place in (0, len(calls) - 1):
            which = "last" if place else "first"
            return f"without a {which} time", where, f"the {which} stop of trip {trip[:50]!r} needs a time"
        if time_s < before:
            wrong = f"the times of trip {trip[:50]!r} run backwards, by {before - time_s:g} s"
            return "with times that run backwards", where, wrong
        before = before if math.isnan(time_s) else time_s if math.isnan(depart) else depart
    return None


def _frequencies(tables: Tables, feed: Feed) -> None:
    needed = ("trip_id", "start_time", "end_time", "headway_secs")
    for number, (trip, start, end, headway) in tables.rows("frequencies.txt", needed):
        where = f"frequencies.txt, row {number}, field "
        begin, until, every_s = _seconds(start), _seconds(end), _number(headway)
        if begin is None or until is None or until < begin:
            name, text = ("start_time", start) if begin is None else ("end_time", end)
            wrong = f"a time as 07:05:00 is needed, the end not before the start, got {text[:50]!r}"
            tables.notes.leave_out("row", "of frequencies.txt with a wrong time", f"{where}{name!r}", wrong)
        elif not every_s >= SHORTEST_HEADWAY_S:
            wrong = f"{SHORTEST_HEADWAY_S:g} seconds or more are needed, got {headway[:50]!r}"
            kind = f"of frequencies.txt with a headway that is not {SHORTEST_HEADWAY_S:g} s or more"
            tables.notes.leave_out("row", kind, f"{where}'headway_secs'", wrong)
        elif trip not in feed.trips:
            tables.notes.count("row", "of frequencies.txt for no usable trip", f"{where}'trip_id'")
        else:
            feed.starts.setdefault(trip, []).append((float(begin), max(until, begin + 1.0), every_s))


def _number(text: str) -> float:
    """NaN where it is not a finite number."""
    try:
        value = untrusted.number(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _nan(value: int | None) -> float:
    return math.nan if value is None else float(value)


def _seconds(text: str) -> int | None:
    match = TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = map(int, match.groups())
    return 3600 * hours + 60 * minutes + seconds
