"""Base-station sites: from a csv or GeoJSON file, or placed by a rule at stops and street corners."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.types import FloatArray
from mmwave_gym.core.untrusted import read_bytes
from mmwave_gym.sources.tracks import MAX_SITES, Knots, Projection, check_degrees

LAT_NAMES, LON_NAMES = ("lat", "latitude"), ("lon", "lng", "long", "longitude")
METRE_NAMES = ("x_m", "y_m")
NAME_NAMES = ("name", "site", "site_id", "id")
SITES = {"sites:melbourne": ("cells_melbourne/site-optus-melbCBD.csv", "© Commonwealth of Australia (ACMA), CC BY")}
"""Name -> file in the data folder, and what a picture of it must say."""
CORNER_M = 10.0
"""A corner is where ways turn within twice this."""
CORNER_RAD = math.radians(30.0)


def read(path: str | os.PathLike[str], projection: Projection) -> tuple[tuple[str, ...], FloatArray, str]:
    """Names and places (S, 2) in metres of the sites in a .csv or .geojson file that lie on the map, and a note.

    csv: a header with latitude (lat, latitude) and longitude (lon, lng, longitude), or x_m and y_m; a name (name,
    site, site_id, id) if there is one. Rows at one place are one site, as cells of one mast are. Raises CityError with
    file, row (the header is row 1) and field; also where no site lies on the map.
    """
    file = Path(path)
    try:
        text = read_bytes(file).decode("utf-8-sig")
        rows = _csv(text, projection) if file.suffix == ".csv" else _geojson(text, projection)
        place = np.array([row[2] for row in rows])
        if not projection.degrees or not rows:
            place_m = place - projection.origin_m if len(place) else place
        else:
            place_m = projection.metres(place)
        inside = ((place_m >= 0.0) & (place_m <= projection.size_m)).all(axis=1) if rows else np.zeros(0, bool)
        if not inside.any():
            where = f"row {rows[0][0]}, at {rows[0][2][1]:g}, {rows[0][2][0]:g}" if rows else "there is none"
            raise CityError(f"all {len(rows)} sites lie outside the map (the first: {where}).")
        kept: dict[tuple[float, float], tuple[str, FloatArray]] = {}
        for index in np.flatnonzero(inside):
            x, y = np.round(place_m[index], 1).tolist()
            kept.setdefault((x, y), (rows[index][1], place_m[index]))
        note = f"{len(kept)} of {len(rows)} sites in {file.name} are used: {int((~inside).sum())} lie outside the map."
        names = tuple(name for name, _ in kept.values())
        return names, np.array([m for _, m in kept.values()]), note
    except UnicodeDecodeError as error:
        raise CityError(f"{file}: it is not UTF-8 text: byte {error.start} is no part of a character.") from None
    except ValueError as error:
        raise CityError(f"{file}: {error}") from None


class _Anywhere:
    """Stands for the map of a file of sites that has none: all places are on it."""

    def __init__(self, degrees: bool):
        self.degrees, self.size_m = degrees, np.full(2, np.inf)

    def metres(self, place: FloatArray) -> FloatArray:
        return np.zeros_like(place)


def read_alone(path: str | os.PathLike[str]) -> tuple[tuple[str, ...], FloatArray, str]:
    """Names, places (S, 2) in metres and a note of the sites in a file that is the whole map; see `read`.

    Raises CityError also for a site more than 5 degrees from the median one: one UTM zone makes metres of all.
    """
    file = Path(path)
    try:
        text = read_bytes(file).decode("utf-8-sig")
        header = text.partition("\n")[0].lower()
        anywhere = _Anywhere(degrees=file.suffix != ".csv" or not all(name in header for name in METRE_NAMES))
        rows = _csv(text, anywhere) if file.suffix == ".csv" else _geojson(text, anywhere)
    except UnicodeDecodeError as error:
        raise CityError(f"{file}: it is not UTF-8 text: byte {error.start} is no part of a character.") from None
    except ValueError as error:
        raise CityError(f"{file}: {error}") from None
    if not rows:
        raise CityError(f"{file}: it has no site.")
    place = np.array([row[2] for row in rows])
    if anywhere.degrees:
        lon, lat = np.median(place, axis=0)
        unit = "row" if file.suffix == ".csv" else "feature"
        for number, _, at in rows:
            check_degrees(f"{file}: {unit} {number}", *at, near=(lon, lat, lon, lat))
    (west, south), (east, north) = place.min(axis=0), place.max(axis=0)
    edge = 1e-4 if anywhere.degrees else 1.0  # a map in whole metres must not cut off the outermost
    bounds = (west - edge, south - edge, east + edge, north + edge)
    names, place_m, _ = read(file, Projection(bounds, degrees=anywhere.degrees))
    alike = len(rows) - len(names)
    note = f"{len(names)} sites of {len(rows)} rows in {file.name}"
    return names, place_m, note + (f": {alike} at the place of another are left out." if alike else ".")


def read_named(name: str, folder: Callable[[], Path]) -> tuple[tuple[str, ...], FloatArray, str]:
    """Names, places (S, 2) in metres and a note of the sites called `name` in `SITES`, as `read_alone` reads them.

    folder: returns the data folder. Raises CityError for an unknown name, or where `read_alone` does.
    """
    if name not in SITES:
        raise CityError(f"{name}: there is no such file, and the known sites are {', '.join(SITES)}.")
    return read_alone(folder() / SITES[name][0])


def _csv(text: str, projection: Projection | _Anywhere) -> list[tuple[int, str, tuple[float, float]]]:
    reader = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(reader, [])]

    def column(names: tuple[str, ...]) -> int | None:
        return next((i for i, name in enumerate(header) if name in names), None)

    lat, lon = (column(LAT_NAMES), column(LON_NAMES)) if projection.degrees else map(column, (("y_m",), ("x_m",)))
    if lat is None or lon is None:
        want = "latitude and longitude" if projection.degrees else "x_m and y_m"
        raise CityError(f"row 1: the columns {want} are needed, got {', '.join(header)[:200]}.")
    label = column(NAME_NAMES)
    rows: list[tuple[int, str, tuple[float, float]]] = []
    for values in reader:
        number = reader.line_num
        if not values:
            continue
        if len(values) != len(header):
            raise CityError(f"row {number}: {len(values)} fields where the header has {len(header)}.")
        place = []
        for i in (lon, lat):
            try:
                place.append(float(values[i]))
            except ValueError:
                raise CityError(f"row {number}, field {header[i]!r}: {values[i][:50]!r} is not a number.") from None
        where = f"row {number}, fields {header[lat]!r} and {header[lon]!r}"
        if projection.degrees:
            check_degrees(where, place[0], place[1])
            _check_swapped(where, place, projection)
        rows.append((number, values[label] if label is not None else f"site {len(rows)}", (place[0], place[1])))
    return rows


def _geojson(text: str, projection: Projection | _Anywhere) -> list[tuple[int, str, tuple[float, float]]]:
    data = json.loads(text)
    features = data.get("features") if isinstance(data, dict) else None
    if not isinstance(features, list):
        raise CityError("it is not GeoJSON: a FeatureCollection with a list 'features' is needed.")
    rows: list[tuple[int, str, tuple[float, float]]] = []
    for number, feature in enumerate(features):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if not isinstance(geometry, dict) or geometry.get("type") != "Point":
            continue
        try:
            lon, lat = (float(part) for part in geometry["coordinates"][:2])
        except (KeyError, TypeError, ValueError):
            raise CityError(f"feature {number}, field 'coordinates': a pair of numbers is needed.") from None
        where = f"feature {number}, field 'coordinates'"
        if projection.degrees:
            check_degrees(where, lon, lat)
            _check_swapped(where, [lon, lat], projection)
        labels = feature.get("properties") or {}
        name = next((str(labels[key]) for key in NAME_NAMES if key in labels), f"site {len(rows)}")
        rows.append((number, name, (lon, lat)))
    return rows


def _check_swapped(where: str, place: list[float], projection: Projection | _Anywhere) -> None:
    """A site that lies on the map only with latitude and longitude exchanged is a mistake, not a site elsewhere."""
    if abs(place[0]) > 90.0:
        return
    there = projection.metres(np.array([place, place[::-1]]))
    inside = np.logical_and.reduce((there >= 0.0) & (there <= projection.size_m), axis=1)
    if inside[1] and not inside[0]:
        raise CityError(f"{where}: latitude {place[1]:g} and longitude {place[0]:g} are swapped.")


def placed(
    stops_m: FloatArray, knots: Knots, size_m: FloatArray, spacing_m: float
) -> tuple[tuple[str, ...], FloatArray]:
    """Sites by rule: at stops, most served first, then at corners, most driven first, each `spacing_m` from the others.

    Ours: masts at stops have power and fibre, and a corner sees two streets. Returns names and places (S, 2).
    """
    inside = ((stops_m >= 0.0) & (stops_m <= size_m)).all(axis=1)
    corners_m = _corners(knots)
    names: list[str] = []
    chosen = np.zeros((0, 2))
    for kind, candidates in (("stop", stops_m[inside]), ("corner", corners_m)):
        for place in candidates:
            if (((chosen - place) ** 2).sum(axis=1) >= spacing_m**2).all():
                names.append(f"{kind} {len(names)}")
                chosen = np.vstack((chosen, place))
                if len(names) > MAX_SITES:
                    raise CityError(
                        f"a spacing of {spacing_m:g} m makes more than {MAX_SITES} sites: take a larger one."
                    )
    if not names:
        raise CityError("there is no stop and no corner on the map to place a site at: give a file of sites.")
    return tuple(names), chosen


def _corners(knots: Knots) -> FloatArray:
    """Places where vehicles turn, most driven first, (n, 2): means of what lies in one square of `CORNER_M`."""
    owner = np.repeat(np.arange(len(knots.num_knots)), knots.num_knots)
    step = np.diff(knots.knots_m, axis=0)
    length = np.hypot(*step.T)
    moves = (length > 0.5) & (owner[1:] == owner[:-1])
    heading = np.unwrap(np.arctan2(step[moves, 1], step[moves, 0]))
    from_m, on = knots.knots_m[:-1][moves], owner[:-1][moves]
    if len(on) < 3:
        return np.zeros((0, 2))
    near = (on[2:] == on[:-2]) & (np.hypot(*(from_m[2:] - from_m[:-2]).T) < 4.0 * CORNER_M)
    turns = near & (np.abs(np.sin(0.5 * (heading[2:] - heading[:-2]))) > math.sin(0.5 * CORNER_RAD))
    place = from_m[1:-1][turns]
    if len(place) == 0:
        return np.zeros((0, 2))
    square, of, count = np.unique(np.floor(place / CORNER_M), axis=0, return_inverse=True, return_counts=True)
    mean = np.stack([np.bincount(of.ravel(), place[:, axis], len(square)) for axis in (0, 1)], axis=1) / count[:, None]
    return mean[np.argsort(-count, kind="stable")]
