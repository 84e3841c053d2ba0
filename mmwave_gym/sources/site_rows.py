"""Files of base-station sites as people have them: one site a row of a table, or GeoJSON points.

Tables: .csv, .tsv or .txt, also gzipped; comma, semicolon (with decimal commas), tab or blanks between fields; degrees
(lat, lon), metres (x_m, y_m), eastings and northings, or x and y; OpenCelliD's files with and without their header.
A row without a usable place is left out and counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources import coordinates
from mmwave_gym.sources.tracks import check_degrees

TABLES, JSONS = (".csv", ".tsv", ".txt"), (".geojson", ".json")
PAIRS = (
    ("degrees", ("lon", "lng", "long", "longitude"), ("lat", "latitude")),
    ("metres", ("x_m",), ("y_m",)),
    ("grid", ("easting", "eastings", "east", "e", "utm_e"), ("northing", "northings", "north", "n", "utm_n")),
    ("x and y", ("x",), ("y",)),
)  # fmt: skip
"""What two columns are, and their names, small or capital letters: first the one to the east, then to the north."""
NAME_NAMES = ("name", "site", "site_id", "id")
RADIOS = ("GSM", "CDMA", "UMTS", "LTE", "NR", "NBIOT")
OPENCELLID = (
    "radio", "mcc", "net", "area", "cell", "unit", "lon", "lat", "range", "samples", "changeable", "created", "updated",
    "averagesignal",
)  # fmt: skip
"""Columns of OpenCelliD's files, which name them in some and not in others."""
ONE_PLACE_M = 5.0
"""Sites this near to each other in all, in metres, would be one: their x and y are degrees."""
MAX_SPAN_M = 1e6
UNIT = re.compile(r"[\[(][^\[(]{0,20}[\])]\s*$")
HEMISPHERE = re.compile(r"\s*([-+]?[0-9]{1,3}(?:\.[0-9]{0,15})?)\s*°?\s*([NSEW]?)\s*")
"""Degrees as in 37.77° S, 144.96E."""


class Row(NamedTuple):
    where: str
    name: str
    place: tuple[float, float]  # to the east, to the north


@dataclass(frozen=True)
class Rows:
    """The sites of a file, and what their numbers are: "degrees", "metres", "grid" or "x and y"."""

    rows: list[Row]
    kind: str
    unit: str = "row"
    """What a site is in the file."""

    @property
    def place(self) -> FloatArray:
        """Places (rows, 2), in degrees or metres as `kind` says."""
        return np.array([row.place for row in self.rows], np.float64).reshape(-1, 2)


def read(file: Path, crs: str | None, notes: Notes, map_in_degrees: bool | None = None) -> Rows:
    """All sites of a file that have a place. `crs` is that of its numbers, where they are not degrees of WGS 84.

    Columns called x and y are as the map is; without one they are told apart by their numbers. Raises InputError with
    row and field.
    """
    suffixes = [suffix.lower() for suffix in file.suffixes]
    ending = next((s for s in reversed(suffixes) if s != ".gz"), "")
    if ending not in (*TABLES, *JSONS):
        raise CityError(f"sites come as {', '.join((*TABLES, *JSONS))}, not as {file.suffix or 'nothing'!r}.")
    data = untrusted.gunzip(untrusted.read_bytes(file))
    found, own = _geojson(data, notes) if ending in JSONS else (_table(untrusted.decode(data), notes), "")
    if crs and found.kind == "degrees" and coordinates.is_metres(crs):
        raise CityError(f"its places are latitudes and longitudes, and {crs} is in metres: leave --crs out.")
    if system := crs or own:
        place = coordinates.to_degrees([found.place], system)[0] if found.rows else found.place
        rows = [row._replace(place=tuple(at)) for row, at in zip(found.rows, place.tolist(), strict=True)]
        found = replace(found, rows=rows, kind="degrees")
    elif found.kind == "x and y":
        found = replace(found, kind=_kind_of_xy(found.place, map_in_degrees))
        notes.remark(f"the columns x and y are taken for {found.kind}")
    if found.kind == "metres" and len(found.rows) > 1 and (np.ptp(found.place, axis=0) < ONE_PLACE_M).all():
        notes.remark(f"all sites lie within {ONE_PLACE_M:g} m of each other: are they in degrees, or in kilometres?")
    return replace(found, rows=list(_plausible(found, notes)))


def _kind_of_xy(place: FloatArray, map_in_degrees: bool | None) -> str:
    """As the map is, if that can be; without a map degrees where sites in metres would stand at one place."""
    on_earth = bool((np.abs(place) <= (180.0, 90.0)).all())
    if map_in_degrees is None:
        map_in_degrees = len(place) > 0 and bool((np.ptp(place, axis=0) < ONE_PLACE_M).all())
    return "degrees" if map_in_degrees and on_earth else "metres"


def _plausible(found: Rows, notes: Notes) -> Iterator[Row]:
    """Sites that are somewhere: degrees on Earth, metres within a country of the others."""
    degrees = found.kind == "degrees"
    middle = np.median(found.place, axis=0) if found.rows else np.zeros(2)
    for row in found.rows:
        try:
            if degrees:
                check_degrees(row.where, *row.place)
            elif not (np.isfinite(row.place).all() and (np.abs(row.place - middle) < MAX_SPAN_M / 2).all()):
                raise CityError(f"{row.where}: {row.place} is more than {MAX_SPAN_M / 2e3:g} km from the other sites.")
        except CityError as error:
            notes.leave_out("site", "at no possible place", row.where, _wrong(error, row.where))
        else:
            yield row


def _wrong(error: CityError, where: str) -> str:
    return str(error).removeprefix(f"{where}: ").rstrip(".?")


# ---------------------------------------------------------------------- tables


def _table(text: str, notes: Notes) -> Rows:
    separator, text = untrusted.named_separator(text)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    mark = separator or max(";\t,", key=(lines[0] if lines else "").count)
    if lines and mark not in lines[0]:
        mark = " "
    table = iter(_rows(text, mark))
    number, first = next(table, (1, [""]))
    header = [UNIT.sub("", name).strip().lower() for name in first]
    if first[0].strip().upper() in RADIOS and len(first) >= 8:  # without a header
        header, table = list(OPENCELLID[: len(first)]), iter(_rows(text, mark))
    kind, east, north = _pair(header)
    label = next((i for i, name in enumerate(header) if name in NAME_NAMES), None)
    where_names = f"fields {header[north]!r} and {header[east]!r}"
    rows: list[Row] = []
    for number, values in table:
        if len(values) > len(header) and not "".join(values[len(header) :]).strip():
            values = values[: len(header)]  # marks at the end
        if len(values) != len(header):
            wrong = f"{len(values)} fields where the header has {len(header)}"
            notes.leave_out("row", "with more or fewer fields than the header", f"row {number}", wrong)
            continue
        place = _number(values[east], mark), _number(values[north], mark)
        if math.isnan(sum(place)):
            bad = north if math.isnan(place[1]) else east
            wrong = f"{values[bad][:50]!r} is not a number"
            notes.leave_out("site", "without a place", f"row {number}, field {header[bad]!r}", wrong)
            continue
        name = values[label].strip() if label is not None else f"site {len(rows)}"
        rows.append(Row(f"row {number}, {where_names}", name, place))
    return Rows(rows, kind)


def _rows(text: str, mark: str) -> Iterator[tuple[int, list[str]]]:
    for number, values in untrusted.csv_rows(text, mark):
        if not "".join(values).strip() or values[0].startswith("#"):
            continue
        yield number, [value for value in values if value] if mark == " " else values


def _pair(header: list[str]) -> tuple[str, int, int]:
    """What the file's numbers are, and the columns of the one to the east and the one to the north."""
    for kind, *names in PAIRS:
        east, north = (next((i for i, name in enumerate(header) if name in known), None) for known in names)
        if east is not None and north is not None:
            return kind, east, north
    raise CityError(
        "row 1: the columns latitude and longitude are needed, or x_m and y_m, easting and northing, x and y; got "
        f"{', '.join(header)[:200] or 'nothing'}."
    )


def _number(text: str, mark: str) -> float:
    """NaN for what is none; with a decimal comma where commas do not part fields. Infinity is kept, to be named."""
    if mark != "," and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    match = HEMISPHERE.fullmatch(text)
    sign = -1.0 if match and match[2] in ("S", "W") else 1.0
    try:
        return sign * untrusted.number(match[1] if match else text)
    except ValueError:
        return math.nan


# ---------------------------------------------------------------------- GeoJSON


def _geojson(data: bytes, notes: Notes) -> tuple[Rows, str]:
    value = untrusted.json_value(data)
    features = value.get("features") if isinstance(value, dict) else None
    if isinstance(value, dict) and features is None and value.get("type") == "Feature":
        features = [value]
    if not isinstance(features, list):
        raise CityError("it is not GeoJSON: a FeatureCollection with a list 'features' is needed.")
    rows: list[Row] = []
    for number, feature in enumerate(features):
        where = f"feature {number}, field 'coordinates'"
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        labels = feature.get("properties") if isinstance(feature, dict) else None
        labels = labels if isinstance(labels, dict) else {}
        for point in _points(geometry, where, notes):
            name = next((str(labels[key]) for key in NAME_NAMES if labels.get(key)), f"site {len(rows)}")
            rows.append(Row(where, name, point))
    system = coordinates.named_in(value.get("crs"))
    if system and coordinates.is_metres(system):
        return Rows(rows, "grid", "feature"), system
    return Rows(rows, "degrees", "feature"), system


def _points(geometry: Any, where: str, notes: Notes) -> Iterator[tuple[float, float]]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection" and isinstance(geometry.get("geometries"), list):
        for member in geometry["geometries"]:
            yield from _points(member, where, notes)
    elif kind in ("Point", "MultiPoint"):
        parts = geometry.get("coordinates")
        for part in [parts] if kind == "Point" else parts if isinstance(parts, list) else [None]:
            try:
                east, north = (float(number) for number in list(part or ())[:2])
            except (TypeError, ValueError, KeyError, OverflowError):
                notes.leave_out("site", "without a place", where, "a pair of numbers is needed")
            else:
                yield east, north
    else:
        notes.count("feature", "without a point", where)
