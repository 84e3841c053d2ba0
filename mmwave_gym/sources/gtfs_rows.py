"""The rows of a GTFS feed, checked before anybody reckons with them: errors name table, row and field.

Row 1 is the header, as an editor counts. What is only odd (whole minutes, empty times in between) is not an error.
"""

from __future__ import annotations

import csv
import io
import re
import statistics
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mmwave_gym.core.errors import CityError
from mmwave_gym.sources.tracks import check_degrees

TIME = re.compile(r"\s*(\d{1,3}):([0-5]\d):([0-5]\d)\s*")


def check_rows(file: Path) -> None:
    """CityError for the first row of stops, shapes and stop times that cannot be right."""
    try:
        with zipfile.ZipFile(file) as archive:
            stops = _check_places(archive, "stops.txt", ("stop_lat", "stop_lon", "stop_id"))
            _check_places(
                archive, "shapes.txt", ("shape_pt_lat", "shape_pt_lon", "shape_id"), whole="shape_pt_sequence"
            )
            _check_times(archive, stops)
    except (zipfile.BadZipFile, csv.Error, UnicodeDecodeError, NotImplementedError, RuntimeError) as error:
        raise CityError(f"it cannot be read: {error}.") from None


def rows(
    archive: zipfile.ZipFile, table: str, needed: tuple[str, ...], also: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Numbers and `needed` fields of a table's rows; a field `also` that it may lack is then empty."""
    with archive.open(table) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        header = [name.strip() for name in next(reader, [])]
        for name in needed:
            if name not in header:
                raise CityError(f"{table}: the field {name!r} is missing.")
        picked = [header.index(name) for name in needed]
        extra = header.index(also) if also in header else None
        for values in reader:
            if len(values) == len(header):
                found = [values[place] for place in picked]
                yield reader.line_num, found if also is None else [*found, "" if extra is None else values[extra]]
            elif values:
                raise CityError(
                    f"{table}, row {reader.line_num}: {len(values)} fields where the header has {len(header)}."
                )


def _check_places(archive: zipfile.ZipFile, table: str, fields: tuple[str, str, str], whole: str = "") -> set[str]:
    lat_name, lon_name, _ = fields
    found: list[tuple[int, float, float]] = []
    names = set()
    needed = (*fields, *([whole] if whole else []))
    for number, row in rows(archive, table, needed, None if whole else "location_type"):
        names.add(row[2])
        if not whole and row[3].strip() in ("3", "4") and not row[0].strip():
            continue  # nodes and boarding areas need no place of their own
        try:
            lat, lon = float(row[0]), float(row[1])
        except ValueError:
            raise CityError(
                f"{table}, row {number}, fields {lat_name!r} and {lon_name!r}: numbers are needed, got "
                f"{row[0][:50]!r} and {row[1][:50]!r}."
            ) from None
        if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0):
            check_degrees(f"{table}, row {number}, fields {lat_name!r} and {lon_name!r}", lon, lat)
        found.append((number, lat, lon))
        if whole and not row[3].strip().isdigit():
            raise CityError(f"{table}, row {number}, field {whole!r}: a whole number is needed, got {row[3]!r}.")
    if not found:
        raise CityError(f"{table} has no rows.")
    lat, lon = statistics.median(f[1] for f in found), statistics.median(f[2] for f in found)
    for number, here_lat, here_lon in found:
        near = abs(here_lat - lat) < 5.0 and abs(here_lon - lon) < 5.0
        if not near and abs(here_lat - lon) < 5.0 and abs(here_lon - lat) < 5.0:
            raise CityError(
                f"{table}, row {number}, fields {lat_name!r} and {lon_name!r}: {here_lat:g}, {here_lon:g} are swapped."
            )
    return names


def _check_times(archive: zipfile.ZipFile, stops: set[str]) -> None:
    needed = ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence")
    trips: dict[str, list[tuple[int, int, int | None, int | None]]] = {}
    for number, (trip, arrival, departure, stop, sequence) in rows(archive, "stop_times.txt", needed):
        where = f"stop_times.txt, row {number}, field "
        if stop not in stops:
            raise CityError(f"{where}'stop_id': {stop!r} is not in stops.txt.")
        if not sequence.strip().isdigit():
            raise CityError(f"{where}'stop_sequence': a whole number is needed, got {sequence!r}.")
        arrive = _seconds(arrival, where, "arrival_time")
        depart = arrive if departure == arrival else _seconds(departure, where, "departure_time")
        if arrive is not None and depart is not None and depart < arrive:
            raise CityError(f"{where}'departure_time': {departure} is before the arrival.")
        trips.setdefault(trip, []).append((int(sequence), number, arrive, depart))
    for trip, calls in trips.items():
        calls.sort()
        before: int | None = None
        for place, (_, number, arrive, depart) in enumerate(calls):
            told = arrive if arrive is not None else depart
            where = f"stop_times.txt, row {number}, field 'arrival_time'"
            if told is None and place in (0, len(calls) - 1):
                raise CityError(f"{where}: the {'last' if place else 'first'} stop of trip {trip!r} needs a time.")
            if told is not None and before is not None and told < before:
                raise CityError(f"{where}: the times of trip {trip!r} run backwards, by {before - told} s.")
            before = depart if depart is not None else told if told is not None else before


def _seconds(text: str, where: str, field: str) -> int | None:
    if not text.strip():
        return None
    match = TIME.fullmatch(text)
    if match is None:
        raise CityError(f"{where}{field!r}: a time as 07:05:00 is needed (hours may pass 24), got {text!r}.")
    hours, minutes, seconds = map(int, match.groups())
    return 3600 * hours + 60 * minutes + seconds
