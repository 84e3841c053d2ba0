"""SUMO's floating-car output in each form that it has: the same places, one at a time.

.xml as `sumo --fcd-output` writes it, .csv as SUMO 1.24 or its xml2csv.py writes it, .parquet as SUMO 1.24 does; .xml
and .csv may be packed by gzip. XML is read as a stream, without document types and entities.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.sources.tracks import library

NOWHERE = 1e9
"""SUMO writes -1073741824 where it has no place, as for a vehicle while it is teleported."""
DAY_S = 86_400.0
LATEST_S = 1e6
"""Eleven days: what is later is a time since 1970, or in milliseconds."""
MOST_ROWS_A_BYTE = 1.0
"""A .parquet file that declares more is refused: a row has four values, of which places differ. Ours."""
DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+")
KINDS = ("vehicle", "person", "container")
CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,3}):([0-5]?[0-9]):([0-5]?[0-9](?:\.[0-9]+)?)")
COLUMNS = {"time": ("timestep_time", "time"), "id": ("id",), "x": ("x", "lon"), "y": ("y", "lat")}
"""Names of columns; those of a vehicle or person may have its kind in front, as in vehicle_x."""
Attributes = dict[str, str]
_Column = tuple[str, tuple[int, ...]]
"""A kind, and the places of time, id, x and y in the header, and of lane and edge where it has both."""


class Seen(NamedTuple):
    """A vehicle, person or container at a moment."""

    where: str  # in the file
    kind: str
    name: str
    time_s: float
    x: float  # NaN where it has no place
    y: float


def each(file: Path, take: Callable[[Seen], None], notes: Notes) -> None:
    """Call `take` with everything in a floating-car file, in order. Raises InputError with line or row, and field.

    `notes` hears of rows of a table that cannot be used.
    """
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if ".parquet" in suffixes[-1:]:
        _parquet(file, take, notes)
    elif ".csv" in suffixes[-2:] or suffixes[-1:] in ([".txt"], [".tsv"]):
        _csv(file, take, notes)
    else:
        _xml(file, take)


def _xml(file: Path, take: Callable[[Seen], None]) -> None:
    now_s, days = math.nan, 0

    def element(name: str, attributes: Attributes, line: int) -> None:
        nonlocal now_s, days
        if name == "timestep":
            before_s, text = now_s, attributes.get("time", "")
            now_s = moment_s(text) + DAY_S * days
            if text.count(":") == 2 and before_s - now_s > 0.5 * DAY_S:  # clock times over midnight
                now_s, days = now_s + DAY_S, days + 1
            if math.isnan(now_s):
                raise CityError(
                    f"line {line}, attribute 'time' of timestep: seconds from 0 to 1,000,000 are needed, or a time as "
                    f"07:05:00, got {attributes.get('time')!r}."
                )
        elif name in KINDS:
            if "id" not in attributes or math.isnan(now_s):
                raise CityError(f"line {line}: a {name} needs an id and a timestep around it.")
            x, y = (_number(attributes.get(key, "")) for key in ("x", "y"))
            take(Seen(f"line {line}", name, attributes["id"], now_s, x, y))

    with untrusted.open_regular(file) as stream:
        untrusted.parse_xml(stream, element)


def _csv(file: Path, take: Callable[[Seen], None], notes: Notes) -> None:
    text = untrusted.decode(untrusted.gunzip(untrusted.read_bytes(file)))
    separator, text = untrusted.named_separator(text)
    first = text.lstrip().partition("\n")[0]
    mark = separator or max(";,\t", key=first.count)
    rows = untrusted.csv_rows(text, mark)
    header = [name.strip().lower() for name in next(rows, (1, []))[1]]
    while header and not header[-1]:
        header.pop()
    columns = _columns(header)
    width = len(header)
    for number, values in rows:
        if len(values) > width and not "".join(values[width:]).strip():
            values = values[:width]  # marks at the end
        if mark != ",":  # commas are decimal ones
            values = [value.replace(",", ".") if DECIMAL_COMMA.fullmatch(value.strip()) else value for value in values]
        if len(values) == width:
            _row(f"row {number}", header, columns, values, take, notes)
        elif "".join(values).strip():
            wrong = f"{len(values)} fields where the header has {width}"
            notes.leave_out("row", "with more or fewer fields than the header", f"row {number}", wrong)


def _parquet(file: Path, take: Callable[[Seen], None], notes: Notes) -> None:
    parquet = library("pyarrow.parquet", "reading .parquet")
    with (
        untrusted.open_regular(file) as stream,
        untrusted.blaming(file, CityError, library="pyarrow"),
        parquet.ParquetFile(stream) as table,
    ):
        declared, size = table.metadata.num_rows, file.stat().st_size
        if declared > max(65_536, MOST_ROWS_A_BYTE * size):
            raise CityError(f"it declares {declared:,} rows in {size:,} bytes.")
        names = table.schema_arrow.names
        header = [name.lower() for name in names]
        columns = _columns(header)
        used = sorted({place for _, places in columns for place in places})
        number = 1
        for batch in table.iter_batches(batch_size=65_536, columns=[names[place] for place in used]):
            for values in zip(*(batch.column(names[place]).to_pylist() for place in used), strict=True):
                number += 1
                cells = {place: "" if v is None else str(v) for place, v in zip(used, values, strict=True)}
                _row(f"row {number}", header, columns, cells, take, notes)


def _columns(header: list[str]) -> list[_Column]:
    """One for each kind that a table has."""

    def place(start: str, what: str) -> int | None:
        return next((header.index(start + name) for name in COLUMNS[what] if start + name in header), None)

    time = place("", "time")
    found: list[_Column] = []
    for kind in (*KINDS, ""):
        start = f"{kind}_" if kind else ""
        name, x, y = (place(start, what) for what in ("id", "x", "y"))
        if time is not None and name is not None and x is not None and y is not None:
            lane, edge = (header.index(f"{start}{on}") if f"{start}{on}" in header else None for on in ("lane", "edge"))
            ways = () if lane is None or edge is None else (lane, edge)
            found.append((kind or "vehicle", (time, name, x, y, *ways)))
    if not found:
        raise CityError(
            "row 1: the columns timestep_time, vehicle_id, vehicle_x and vehicle_y are needed (or time, id, x and y), "
            f"got {', '.join(header)[:200] or 'nothing'}."
        )
    return found


def _row(
    where: str, header: list[str], columns: list[_Column], values: Any, take: Callable[[Seen], None], notes: Notes
) -> None:
    """One row of a table, `values` by their place in the header; it may hold a vehicle, a person, both or none."""
    for kind, (time, name, x, y, *way) in columns:
        if values[name].strip():
            if way and not values[way[0]] and values[way[1]]:  # tables of SUMO 1.24 have persons among the vehicles,
                kind = "person"  # on an edge and on no lane of it
            time_s = moment_s(values[time])
            if math.isnan(time_s):
                wrong = f"seconds from 0 to 1,000,000 or a time as 07:05:00 are needed, got {values[time][:50]!r}"
                notes.leave_out("row", "without a time", f"{where}, field {header[time]!r}", wrong)
                continue
            take(Seen(where, kind, values[name].strip(), time_s, _number(values[x]), _number(values[y])))


def moment_s(text: str) -> float:
    """Seconds of "12.50", "07:05:00" or "1:07:05:00" (a day later); NaN for anything else, or beyond `LATEST_S`."""
    if match := CLOCK.fullmatch(text.strip()):
        days, hours, minutes = (int(part or 0) for part in match.groups()[:3])
        return 86_400.0 * days + 3600.0 * hours + 60.0 * minutes + float(match.group(4))
    value = _number(text)
    return value if 0.0 <= value <= LATEST_S else math.nan


def _number(text: str) -> float:
    """NaN where it is no number, or one that means "no place"."""
    try:
        value = untrusted.number(text)
    except ValueError:
        return math.nan
    return value if abs(value) < NOWHERE else math.nan
