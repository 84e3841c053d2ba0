"""Floating-car data of SUMO: where every vehicle is at every time step.

The forms of the file are those of mmwave_gym/sources/sumo_rows.py. Places are metres of SUMO's net, or longitude and
latitude (`--fcd-output.geo`). Metres become degrees with the net (`net=`, a .net.xml), whose `<location>` knows its
projection. Persons are UEs on request, containers never. What is made of it, ours:

* Times must rise for each vehicle. Seconds and clock times are read.
* A jump faster than `FASTEST_MPS` is SUMO's teleport: the vehicle ends there and another one begins. So it does at a
  gap of more than `LONG_GAP_S` where places come at equal steps; else the gap is bridged straight.
* Metres and degrees are told apart by how fast things move: nothing drives half a kilometre in a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.sumo_rows import Attributes, Seen, each
from mmwave_gym.sources.tracks import MAX_VEHICLES, Projection, Track, Tracks, check_degrees, library

MAX_PLACES = 20_000_000
LONG_GAP_S = 10.0
FASTEST_MPS = 70.0
"""250 km/h, faster than all that drives in a street: what covers more in a step was moved by SUMO and did not drive."""
SLOWEST_MPS = 0.1
"""What mostly moves slower than this does not drive: its times or places are in another unit. Ours; a walk is 1 m/s."""
DEGREES_PER_S = 0.005
"""More than half a kilometre in a second, if degrees; less than a centimetre, if metres."""


def read(
    path: str | os.PathLike[str],
    *,
    net: str | os.PathLike[str] | None = None,
    persons: bool = False,
    notes: Notes | None = None,
) -> Tracks:
    """The vehicles of a floating-car file, with `persons` the persons too. `notes` hears what is left out.

    Raises CityError with file, line or row, and field.
    """
    file = Path(path)
    notes = Notes(error=CityError) if notes is None else notes
    with untrusted.blaming(file, CityError):
        found = _Found(("vehicle", "person") if persons else ("vehicle",), notes)
        each(file, found.take, notes)
        return _tracks(found.ways(), file, None if net is None else Path(net), notes)


class _Found:
    """Places of each vehicle or person, in their order."""

    def __init__(self, kinds: tuple[str, ...], notes: Notes):
        self.kinds, self.notes = kinds, notes
        self.places, self.number = {}, 0  # type: dict[tuple[str, str], list[tuple[float, float, float]]], int
        self.others: dict[tuple[str, str], str] = {}

    def take(self, seen: Seen) -> None:
        key = seen.kind, seen.name
        if seen.kind not in self.kinds:
            self.others.setdefault(key, seen.where)
            return
        way = self.places.setdefault(key, [])
        if not abs(seen.x + seen.y) < np.inf:
            why = "without numbers as its x and y"
            self.notes.leave_out("place", why, f"{seen.where}, fields 'x' and 'y' of {seen.kind} {seen.name[:50]!r}")
        elif way and seen.time_s == way[-1][0]:  # gtfs2fcd.py does so: two stops within one minute
            self.notes.count("place", "at the time of the one before", seen.where)
        elif way and seen.time_s < way[-1][0]:
            raise CityError(
                f"{seen.where}, field 'time': the times of {seen.kind} {seen.name[:50]!r} run backwards, from "
                f"{way[-1][0]:g} to {seen.time_s:g}: give one run of SUMO a file; after midnight a clock "
                "has a day in front, as in 1:00:00:05."
            )
        else:
            way.append((seen.time_s, seen.x, seen.y))
            self.number += 1
        if self.number > MAX_PLACES or len(self.places) + len(self.others) > MAX_VEHICLES:
            raise CityError(f"{seen.where}: it has more than {MAX_PLACES:,} places or {MAX_VEHICLES:,} vehicles.")

    def ways(self) -> dict[str, FloatArray]:
        """(places, 3) of time, x and y by name, of those that are there for two time steps."""
        for kind in dict.fromkeys(kind for kind, _ in self.others):
            several = [where for (k, _), where in self.others.items() if k == kind]
            why = "while only vehicles are asked for (see --persons)" if kind == "person" else "that cannot be a UE"
            self.notes.count(kind, why, several[0], len(several))
        if not self.places:
            kinds = [kind for kind, _ in self.others]
            if persons := kinds.count("person"):
                raise CityError(f"it has {persons} persons, no vehicle: --persons makes them UEs.")
            first = (
                f"; {self.notes.first_wrong}."
                if self.notes.first_wrong
                else ": is it the output of `sumo --fcd-output`?"
            )
            raise CityError(f"it has no vehicles{first}")
        short = [name for (_, name), way in self.places.items() if len(way) < 2]
        if len(short) == len(self.places):
            first = f"; {self.notes.first_wrong}" if self.notes.first_wrong else ""
            raise CityError(f"no vehicle is there for two time steps{first}.")
        self.notes.count("vehicle", "present for less than two time steps", "", len(short))
        return {
            name if kind == "vehicle" or ("vehicle", name) not in self.places else f"{name} ({kind})": np.array(way)
            for (kind, name), way in self.places.items()
            if len(way) > 1
        }


def _tracks(ways: dict[str, FloatArray], file: Path, net: Path | None, notes: Notes) -> Tracks:
    degrees = _are_degrees(ways)
    to_degrees = None if net is None or degrees else _net_projection(net, notes)
    places = {n: way[:, 1:] if to_degrees is None else to_degrees(way[:, 1:]) for n, way in ways.items()}
    degrees = degrees or to_degrees is not None
    everything = np.concatenate(list(places.values()))
    if not np.isfinite(everything).all():
        raise CityError(f"the projection of {net} has no longitude and latitude for its places: is it its net?")
    metres = Projection((*everything.min(axis=0).tolist(), *everything.max(axis=0).tolist()), degrees).metres
    tracks: list[Track] = []
    gaps, moving = 0, []
    regular = _is_regular(ways)
    for name, way in ways.items():
        time_s, place = way[:, 0], places[name]
        step_s = np.diff(time_s)
        speed_mps = np.hypot(*np.diff(metres(place), axis=0).T) / step_s
        moving.append(speed_mps[speed_mps > 0.0])
        jumps = speed_mps > FASTEST_MPS
        long = ~jumps & (step_s > LONG_GAP_S) & (step_s > 3.0 * np.median(step_s))
        if regular and long.any():
            why = f"of more than {LONG_GAP_S:g} s: the vehicle ends there and another begins"
            notes.count("gap", why, f"{name}, at {time_s[:-1][long][0]:g} s", int(long.sum()))
            jumps |= long
        gaps += int((~jumps & (step_s > LONG_GAP_S)).sum())
        if jumps.any():
            why = f"faster than {FASTEST_MPS:g} m/s (SUMO's teleports): the vehicle ends there and another begins"
            notes.count("jump", why, f"{name}, at {time_s[:-1][jumps][0]:g} s", int(jumps.sum()))
        edges = [0, *(np.flatnonzero(jumps) + 1).tolist(), len(way)]
        pieces = [(a, b) for a, b in pairwise(edges) if b - a > 1]
        for number, (a, b) in enumerate(pieces, start=1):
            tracks.append(Track(name if number == 1 else f"{name} /{number}", time_s[a:b], place[a:b]))
    if not tracks:
        raise CityError(f"everything in it is faster than {FASTEST_MPS:g} m/s: are its places metres or degrees?")
    if (usual_mps := float(np.median(np.concatenate(moving)))) < SLOWEST_MPS:
        notes.remark(
            f"what moves in it does so at {usual_mps:.2g} m/s: are its times in milliseconds, or its places in "
            "kilometres?"
        )
    if gaps:
        notes.remark(f"{gaps} gaps of more than {LONG_GAP_S:g} s between places were bridged straight.")
    return Tracks(tracks, degrees=degrees, source=f"SUMO floating-car data {file.name}")


def _is_regular(ways: dict[str, FloatArray]) -> bool:
    """Whether places come at equal steps, as of a simulation: who is missing in between was not there."""
    step_s = np.concatenate([np.diff(way[:, 0]) for way in ways.values()])
    return bool((np.abs(step_s - np.median(step_s)) < 0.01 * np.median(step_s)).mean() > 0.9)


def _are_degrees(ways: dict[str, FloatArray]) -> bool:
    """Whether places are longitude and latitude: they could be, and things that move do so by tiny numbers."""
    everything = np.concatenate(list(ways.values()))
    x, y = everything[:, 1], everything[:, 2]
    if not ((np.abs(x) <= 180.0).all() and (np.abs(y) <= 180.0).all()):
        return False
    speeds = [np.hypot(*np.diff(way[:, 1:], axis=0).T) / np.diff(way[:, 0]) for way in ways.values()]
    moving = np.concatenate(speeds)
    moving = moving[moving > 0.0]
    if len(moving) == 0:
        raise CityError("nothing moves in it, so that metres and degrees look alike.")
    if np.median(moving) >= DEGREES_PER_S:
        return False
    worst = int(np.abs(y).argmax())
    check_degrees("a vehicle", float(x[worst]), float(y[worst]))
    return True


def _net_projection(file: Path, notes: Notes) -> Callable[[Any], Any] | None:
    """From metres of a SUMO net to longitude and latitude; None: the net has no projection."""
    location: Attributes = {}

    def element(name: str, attributes: Attributes, line: int) -> None:
        if name == "location":
            location.update(attributes)

    with untrusted.blaming(file, CityError):
        with untrusted.open_regular(file) as stream:
            untrusted.parse_xml(stream, element)
        if not location:
            raise CityError("it has no <location>: is it a net of SUMO (.net.xml)?")
        text = location.get("projParameter", "!")
        if text.strip() in ("", "!", "-", "."):
            notes.remark(f"the net {file.name} has no projection: places stay in its metres.")
            return None
        try:
            east, north = (float(part) for part in location.get("netOffset", "").split(","))
        except ValueError:
            raise CityError(
                f"<location>, attribute 'netOffset': two numbers are needed, got {location.get('netOffset')!r}."
            ) from None
        pyproj = library("pyproj")
        with untrusted.blaming("<location>, attribute 'projParameter'", CityError, library="pyproj"):
            projection = pyproj.Proj(text)
    return lambda place: np.stack(projection(*(place - (east, north)).T, inverse=True), axis=1)
