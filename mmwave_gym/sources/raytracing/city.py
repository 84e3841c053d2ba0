"""A city in one call: scene, sites, tracing, link matrix.

The radio is that of `sources.raytraced`. Powers are rounded to `STEP_DB`, far below what the tracer knows, so that a
city is a small file.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.links.checks import MAX_CELLS
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.sources import site_rows, sites as site_files
from mmwave_gym.sources.raytraced import NO_PATH_DB, Radio
from mmwave_gym.sources.raytracing import tracing
from mmwave_gym.sources.raytracing.scenes import Scene, open_scene

STEP_DB = 0.125
UE_HEIGHT_M = 1.5
"""Height of a UE, TR 38.901 table 7.2-1."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is traced. Raises CityError for values that make no city."""

    scene: str
    sites: str
    """A number, or a file of sites."""
    frequency_hz: float = 28e9
    step_m: float = 5.0
    side_m: float = 300.0
    centre: tuple[float, float] | None = None
    """Middle of the square in metres of the scene; latitude and longitude of a map in degrees. None: the scene's."""
    site_height_m: float = 8.0
    """Above the street. Ours: a lamp post."""
    depth: int = 3
    """Reflections at most."""
    samples: int = 2_000_000
    """Rays of a site."""
    seed: int = 0
    """Chance of the places that sites are chosen from."""
    on_roofs: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("frequency_hz", 1e9, 100e9), ("step_m", 0.5, 50.0), ("side_m", 10.0, 5000.0),
            ("site_height_m", 1.0, 200.0), ("depth", 0, 10), ("samples", 1000, 50_000_000), ("seed", 0, 2**31 - 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                option = name.removesuffix("_hz").removesuffix("_m").replace("_", "-")
                raise CityError(f"--{option} must be between {low:g} and {high:g}, got {value:g}.")
        if self.sites.isdigit() and not 2 <= int(self.sites) <= MAX_CELLS:
            raise CityError(f"--sites must be 2 to {MAX_CELLS} or a file of sites, got {self.sites}.")
        if not self.sites.isdigit() and not Path(self.sites).is_file():
            raise CityError(f"--sites must be a number or a file of sites, and there is no file {self.sites!r}.")


@dataclass(frozen=True)
class City:
    """A link matrix and what its picture shows beside it."""

    links: LinkMatrix
    map_m: FloatArray
    """(n, n, 2): the grid in metres."""
    roof: NDArray[np.bool_]
    """(n, n): where a building stands."""
    attribution: str


def trace(wanted: Wanted, on_progress: tracing.Progress = lambda stage, done, of: None) -> City:
    """Trace a city. Raises ImportError without Sionna RT, before any work; CityError for what cannot be traced."""
    tracing.check_installed()
    with tempfile.TemporaryDirectory(prefix="mmwave-scene-") as folder:
        scene = open_scene(wanted.scene, Path(folder))
        names, place_m, note = _sites(wanted, scene)
        arrays = tracing.run(_job(wanted, scene, names, place_m), on_progress)
    return city(wanted, scene, names, note, arrays)


def _sites(wanted: Wanted, scene: Scene) -> tuple[tuple[str, ...], FloatArray | None, str]:
    """Names, places (S, 2) in the scene's metres and a note of the sites in a file; of a number only names."""
    if wanted.sites.isdigit():
        return tuple(f"site {i}" for i in range(int(wanted.sites))), None, ""
    notes = Notes(error=CityError)
    if scene.projection is not None:
        names, place_m, note = site_files.read(wanted.sites, scene.projection, notes=notes)
        return names, place_m, " ".join(text for text in (note, notes.text()) if text)
    file = Path(wanted.sites)
    with untrusted.blaming(file, CityError):
        found = site_rows.read(file, None, notes, False)
        if found.kind == "degrees":
            raise CityError(f"its places are in degrees and the scene {scene.name!r} is in metres of its own.")
        if len(found.rows) < 2:
            raise CityError(f"at least 2 sites are needed, it has {len(found.rows)}.")
    return tuple(row.name for row in found.rows), np.array([row.place for row in found.rows]), notes.text()


def _job(wanted: Wanted, scene: Scene, names: Sequence[str], place_m: FloatArray | None) -> dict[str, Any]:
    """What `raytracing.child` reads."""
    centre_m = wanted.centre
    if centre_m is not None and scene.projection is not None and scene.projection.degrees:
        latitude, longitude = centre_m
        there = scene.projection.metres(np.array(((longitude, latitude),)))[0]
        if not ((there >= 0.0) & (there <= scene.projection.size_m)).all():
            raise CityError(f"--centre {latitude:g} {longitude:g} (latitude, longitude) lies outside the map.")
        centre_m = tuple(there.tolist())
    return {
        "scene": scene.name, "file": os.fspath(scene.file) if scene.file else None,
        "frequency_hz": wanted.frequency_hz, "centre_m": centre_m, "side_m": wanted.side_m, "step_m": wanted.step_m,
        "ue_height_m": UE_HEIGHT_M, "site_height_m": wanted.site_height_m, "number": len(names),
        "sites_m": None if place_m is None else place_m.tolist(), "site_names": list(names),
        "on_roofs": wanted.on_roofs, "seed": wanted.seed, "samples": wanted.samples, "depth": wanted.depth,
    }  # fmt: skip


def city(wanted: Wanted, scene: Scene, names: tuple[str, ...], site_note: str, arrays: dict[str, NDArray[Any]]) -> City:
    """The link matrix of what the tracer found.

    arrays: `gain_db` (points, sites) in dB, `rx` (points, 3) and `tx` (sites, 3) in m, and others, see `child.trace`.
    Sites that no place hears are left out. CityError where fewer than two are heard.
    """
    radio = Radio()
    gain_db = np.round(arrays["gain_db"].astype(np.float64) / STEP_DB) * STEP_DB
    gain_db[arrays["gain_db"] <= NO_PATH_DB] = NO_PATH_DB
    rsrp_dbm = radio.received_dbm(gain_db)
    heard = np.asarray(~np.isnan(rsrp_dbm).all(axis=0))
    if heard.sum() < 2:
        raise CityError(
            f"{int(heard.sum())} of {len(names)} sites are heard on the streets traced; a world needs 2. Are the sites "
            "in this part of the map (--centre, --side)?"
        )
    silent = int(np.isnan(rsrp_dbm).all(axis=1).sum())
    links = LinkMatrix(
        rsrp_dbm=rsrp_dbm[:, heard],
        noise_dbm=radio.noise_dbm,
        cells=tuple(name for name, there in zip(names, heard, strict=True) if there),
        position_m=np.asarray(np.round(arrays["rx"][:, :2], 2), np.float64),
        edges=arrays["edges"],
        site_m=np.asarray(np.round(arrays["tx"][heard, :2], 2), np.float64),
        carrier_hz=wanted.frequency_hz,
        source=scene.source,
        licence=scene.licence,
        notes=" ".join(
            text
            for text in (
                f"Sionna RT 2.2: line of sight and up to {wanted.depth} reflections at "
                f"{wanted.frequency_hz / 1e9:g} GHz, {wanted.samples:,} rays a site, "
                f"sites {wanted.site_height_m:g} m and UEs {UE_HEIGHT_M:g} m high.",
                f"{radio.text()} {int((~heard).sum())} of {len(names)} sites are heard nowhere and left out; "
                f"{silent} of {len(rsrp_dbm)} places hear none; line of sight on "
                f"{arrays['los'].mean():.0%} of the links.",
                site_note,
                scene.notes,
            )
            if text
        ),
    )
    return City(links, arrays["map_m"], arrays["roof"], scene.licence)
