"""Floating-car data of SUMO: where every vehicle is at every time step, .xml or .xml.gz.

`<timestep time="…"><vehicle id="…" x="…" y="…"/>…`, as `sumo --fcd-output FILE` writes it, in metres of its net, or
with `--fcd-output.geo` in longitude and latitude. Metres become degrees with the net (`net=`, a .net.xml), whose
`<location>` knows its projection. Persons and containers are left out. Times must rise for each vehicle.

The file is read as a stream: no document types and no entities, a limit on bytes and on vehicles.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from mmwave_gym.core.errors import CityError
from mmwave_gym.sources.tracks import MAX_VEHICLES, Track, Tracks, check_degrees, library

MAX_BYTES = 4 * 2**30  # unpacked; nothing of it is kept but times and places
MAX_PLACES = 20_000_000
CHUNK = 2**20
LONG_GAP_S = 10.0
Attributes = dict[str, str]


def read(path: str | os.PathLike[str], *, net: str | os.PathLike[str] | None = None) -> Tracks:
    """The vehicles of a floating-car file. Raises CityError with file, line and attribute."""
    file = Path(path)
    found: dict[str, list[tuple[float, float, float]]] = {}
    now_s, places, repeated = math.nan, 0, 0

    def element(name: str, attributes: Attributes, line: int) -> None:
        nonlocal now_s, places, repeated
        if name == "timestep":
            now_s = _number(attributes, "time", name, line)
        elif name == "vehicle":
            if "id" not in attributes or math.isnan(now_s):
                raise CityError(f"line {line}: a vehicle needs an id and a timestep around it.")
            way = found.setdefault(attributes["id"], [])
            if way and now_s == way[-1][0]:  # gtfs2fcd.py does so: two stops within one minute
                repeated += 1
                return
            if way and now_s < way[-1][0]:
                raise CityError(
                    f"line {line}, attribute 'time': the times of vehicle {attributes['id']!r} run backwards, from "
                    f"{way[-1][0]:g} to {now_s:g}."
                )
            way.append((now_s, _number(attributes, "x", name, line), _number(attributes, "y", name, line)))
            places += 1
            if places > MAX_PLACES or len(found) > MAX_VEHICLES:
                raise CityError(f"line {line}: it has more than {MAX_PLACES} places or {MAX_VEHICLES} vehicles.")

    try:
        parse(file, element)
        if not found:
            raise CityError("it has no vehicles: is it the output of `sumo --fcd-output`?")
        return _tracks(found, file, net, repeated)
    except CityError as error:
        raise CityError(f"{file}: {error}") from None


def _tracks(
    found: dict[str, list[tuple[float, float, float]]], file: Path, net: str | os.PathLike[str] | None, repeated: int
) -> Tracks:
    ways = {name: np.array(way) for name, way in found.items() if len(way) > 1}
    if not ways:
        raise CityError("no vehicle is there for two time steps.")
    everything = np.concatenate(list(ways.values()))
    degrees = bool((np.abs(everything[:, 1]) <= 180.0).all() and (np.abs(everything[:, 2]) <= 90.0).all())
    if degrees:
        check_degrees("the first vehicle", float(everything[0, 1]), float(everything[0, 2]))
        # Metres of a tiny net look like degrees; but a place in degrees moves by 1e-5 where one in metres moves by 1.
        first = next(iter(ways.values()))
        degrees = bool(np.abs(np.diff(first[:, 1:], axis=0)).max() < 0.1)
    to_degrees = None if net is None or degrees else _net_projection(Path(net))
    gaps = sum(int((np.diff(way[:, 0]) > LONG_GAP_S).sum()) for way in ways.values())
    notes = f"{gaps} gaps of more than {LONG_GAP_S:g} s between places were bridged straight. " if gaps else ""
    notes += f"{repeated} places at the time of the one before were left out." if repeated else ""
    tracks = [
        Track(name, way[:, 0], way[:, 1:] if to_degrees is None else to_degrees(way[:, 1:]))
        for name, way in ways.items()
    ]
    return Tracks(
        tracks,
        degrees=degrees or to_degrees is not None,
        source=f"SUMO floating-car data {file.name}",
        notes=notes.strip(),
    )


def _net_projection(file: Path) -> Callable[[Any], Any]:
    """From metres of a SUMO net to longitude and latitude."""
    location: Attributes = {}

    def element(name: str, attributes: Attributes, line: int) -> None:
        if name == "location":
            location.update(attributes)

    try:
        parse(file, element)
        if location.get("projParameter", "!") in ("!", "-"):
            raise CityError("its <location> has no projection: write the floating-car data with --fcd-output.geo.")
        offset = np.array([float(part) for part in location["netOffset"].split(",")])
        pyproj = library("pyproj")
        projection = pyproj.Proj(location["projParameter"])
    except (KeyError, ValueError) as error:  # CityError is one
        raise CityError(f"{file}: {error}") from None
    return lambda place: np.stack(projection(*(place - offset).T, inverse=True), axis=1)


def parse(file: Path, element: Callable[[str, Attributes, int], None]) -> None:
    """Call `element(name, attributes, line)` for every element of an .xml or .xml.gz file from a stranger."""
    parser = expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise CityError(f"line {parser.CurrentLineNumber}: it declares a document type or entities; plain XML is read.")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: element(name, attributes, parser.CurrentLineNumber)
    total = 0
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(file) if packed else file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                total += len(chunk)
                if total > MAX_BYTES:
                    raise CityError(f"it has more than {MAX_BYTES // 2**20} MiB.")
                parser.Parse(chunk)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise CityError(f"line {error.lineno}: it is not XML: {expat.errors.messages[error.code]}.") from None
    except FileNotFoundError:
        raise CityError("there is no such file.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise CityError(f"it cannot be read: {error}.") from None


def _number(attributes: Attributes, key: str, element: str, line: int) -> float:
    try:
        value = float(attributes[key])
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise CityError(
            f"line {line}, attribute {key!r} of {element}: a number is needed, got {attributes.get(key)!r}."
        )
    return value
