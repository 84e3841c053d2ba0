"""Base-station sites: from a file, or placed by a rule at stops and street corners."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources import site_rows
from mmwave_gym.sources.tracks import MAX_SITES, Knots, Projection, check_degrees

SITES = {"sites:melbourne": ("cells_melbourne/site-optus-melbCBD.csv", "© Commonwealth of Australia (ACMA), CC BY")}
"""Name -> file in the data folder, and what a picture of it must say."""
CORNER_M = 10.0
"""A corner is where ways turn within twice this."""
CORNER_RAD = math.radians(30.0)


def read(
    path: str | os.PathLike[str], projection: Projection, *, crs: str | None = None, notes: Notes | None = None
) -> tuple[tuple[str, ...], FloatArray, str]:
    """Names and places (S, 2) in metres of the sites in a file that lie on the map, and a note.

    The forms of the file are those of mmwave_gym/sources/site_rows.py. Rows at one place are one site, as cells of one
    mast are. `crs`: of the file's numbers, as in EPSG:25832; `notes` hears what is left out. Raises CityError with
    file, row (the header is row 1) and field; also where no site lies on the map.
    """
    file = Path(path)
    notes = Notes(error=CityError) if notes is None else notes
    with untrusted.blaming(file, CityError):
        found = site_rows.read(file, crs, notes, projection.degrees)
        if projection.degrees and found.kind != "degrees":
            raise CityError(
                f"its numbers are {'eastings and northings' if found.kind == 'grid' else 'metres'} and the map is in "
                "degrees: name their system by --crs, as in EPSG:25832."
            )
        if not projection.degrees and found.kind == "degrees":
            raise CityError("its places are in degrees and the map in metres: give the SUMO net, with a projection.")
        rows = list(_not_swapped(found.rows, projection, notes)) if projection.degrees else found.rows
        if not rows:
            raise CityError(f"it has no site{notes.first_wrong and f'; {notes.first_wrong}'}.")
        names, place_m, outside = _on_map(rows, projection)
    note = f"{len(names)} of {len(rows)} sites in {file.name} are used: {outside} lie outside the map."
    return names, place_m, note


def _on_map(rows: list[site_rows.Row], projection: Projection) -> tuple[tuple[str, ...], FloatArray, int]:
    """Names and places (S, 2) in metres of the sites on the map, each place once, and how many are not on it."""
    place = np.array([row.place for row in rows], np.float64).reshape(-1, 2)
    place_m = projection.metres(place)
    inside = ((place_m >= 0.0) & (place_m <= projection.size_m)).all(axis=1)
    if not inside.any():
        where = f"{rows[0].where}, at {rows[0].place[1]:g}, {rows[0].place[0]:g}" if rows else "there is none"
        raise CityError(f"all {len(rows)} sites lie outside the map (the first: {where}).")
    kept: dict[tuple[float, float], tuple[str, FloatArray]] = {}
    for index in np.flatnonzero(inside):
        x, y = np.round(place_m[index], 1).tolist()
        kept.setdefault((x, y), (rows[index].name, place_m[index]))
    return tuple(name for name, _ in kept.values()), np.array([m for _, m in kept.values()]), int((~inside).sum())


def read_alone(
    path: str | os.PathLike[str], *, crs: str | None = None, notes: Notes | None = None
) -> tuple[tuple[str, ...], FloatArray, str]:
    """Names, places (S, 2) in metres and a note of the sites in a file that is the whole map; see `read`.

    A site more than 5 degrees from the median one is left out: one UTM zone makes metres of all.
    """
    file = Path(path)
    notes = Notes(error=CityError) if notes is None else notes
    with untrusted.blaming(file, CityError):
        found = site_rows.read(file, crs, notes)
        degrees = found.kind == "degrees"
        rows = list(_near(found.rows, notes)) if degrees else found.rows
        if not rows:
            raise CityError(f"it has no site{notes.first_wrong and f'; {notes.first_wrong}'}.")
        place = np.array([row.place for row in rows])
        (west, south), (east, north) = place.min(axis=0), place.max(axis=0)
        edge = 1e-4 if degrees else 1.0  # a map in whole metres must not cut off the outermost
        projection = Projection((west - edge, south - edge, east + edge, north + edge), degrees)
        names, place_m, _ = _on_map(rows, projection)
    alike = len(rows) - len(names)
    note = f"{len(names)} sites of {len(rows)} rows in {file.name}"
    return names, place_m, note + (f": {alike} at the place of another are left out." if alike else ".")


def _near(rows: list[site_rows.Row], notes: Notes) -> Iterator[site_rows.Row]:
    lon, lat = np.median([row.place for row in rows], axis=0) if rows else (0.0, 0.0)
    for row in rows:
        try:
            check_degrees(row.where, *row.place, near=(lon, lat, lon, lat))
        except CityError as error:
            wrong = str(error).removeprefix(f"{row.where}: ").rstrip(".?")
            notes.leave_out("site", "far from the others, or swapped", row.where, wrong)
        else:
            yield row


def _not_swapped(rows: list[site_rows.Row], projection: Projection, notes: Notes) -> Iterator[site_rows.Row]:
    """A site that lies on the map only with latitude and longitude exchanged is a mistake, not a site elsewhere."""
    for row in rows:
        place = np.array([row.place, row.place[::-1]])
        if abs(row.place[0]) <= 90.0:
            there = projection.metres(place)
            inside = np.logical_and.reduce((there >= 0.0) & (there <= projection.size_m), axis=1)
            if inside[1] and not inside[0]:
                wrong = f"latitude {place[0, 1]:g} and longitude {place[0, 0]:g} are swapped"
                notes.leave_out("site", "with latitude and longitude swapped", row.where, wrong)
                continue
        yield row


def read_named(name: str, folder: Callable[[], Path]) -> tuple[tuple[str, ...], FloatArray, str]:
    """Names, places (S, 2) in metres and a note of the sites called `name` in `SITES`, as `read_alone` reads them.

    folder: returns the data folder. Raises CityError for an unknown name, or where `read_alone` does.
    """
    if name not in SITES:
        raise CityError(f"{name}: there is no such file, and the known sites are {', '.join(SITES)}.")
    return read_alone(folder() / SITES[name][0])


def placed(
    stops_m: FloatArray, knots: Knots, size_m: FloatArray, spacing_m: float
) -> tuple[tuple[str, ...], FloatArray]:
    """Sites by rule: at stops, most served first, then at corners, most driven first, each `spacing_m` from the others.

    Ours: masts at stops have power and fibre, and a corner sees two streets. On a map without stops and corners they
    stand along the ways of the vehicles. stops_m (stops, 2), size_m (2,). Returns names and places (S, 2) in metres.
    """
    inside = ((stops_m >= 0.0) & (stops_m <= size_m)).all(axis=1)
    names: list[str] = []
    chosen = np.zeros((0, 2))
    candidates = [("stop", stops_m[inside]), ("corner", _corners(knots))]
    if not any(len(places) for _, places in candidates):
        candidates = [("way", knots.knots_m.clip(0.0, size_m))]
    for kind, places in candidates:
        for place in places:
            if (((chosen - place) ** 2).sum(axis=1) >= spacing_m**2).all():
                names.append(f"{kind} {len(names)}")
                chosen = np.vstack((chosen, place))
                if len(names) > MAX_SITES:
                    raise CityError(
                        f"a spacing of {spacing_m:g} m makes more than {MAX_SITES} sites: take a larger one."
                    )
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
