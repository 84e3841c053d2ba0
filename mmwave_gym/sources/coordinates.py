"""Coordinate reference systems by name, through pyproj: whether they are degrees, and how they become degrees."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.tracks import library

SAME = ("EPSG:4326", "OGC:CRS84")
"""WGS 84, in which longitude and latitude are kept."""


def named_in(member: Any) -> str:
    """The name in the member `crs` of a GeoJSON file of 2008; empty where there is none, which means degrees."""
    if member is None:
        return ""
    name = member
    if isinstance(member, dict):
        properties = member.get("properties")
        name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise CityError(f"field 'crs': a name as EPSG:25832 is needed, got {str(member)[:100]!r}.")
    return name.strip()


def is_geographic(name: str) -> bool:
    """Whether numbers in this system are degrees. Raises CityError for a name that pyproj does not know."""
    return bool(_system(name).is_geographic)


def is_metres(name: str) -> bool:
    """Whether numbers in this system are metres on a plane."""
    system = _system(name)
    return not system.is_geographic and all(axis.unit_conversion_factor == 1.0 for axis in system.axis_info[:2])


def to_degrees(places: list[FloatArray], name: str) -> list[FloatArray]:
    """Places (n, 2), east or longitude first, as longitude and latitude of WGS 84 in degrees, (n, 2).

    places: in the units of the system `name`.

    Raises CityError where a place has none.
    """
    system = _system(name)
    if any(system == library("pyproj").CRS.from_user_input(same) for same in SAME) or not places:
        return places
    pyproj = library("pyproj")
    with untrusted.blaming(f"crs {name!r}", CityError, library="pyproj"):
        there = pyproj.Transformer.from_crs(system, 4326, always_xy=True).transform(*np.concatenate(places).T)
    place = np.stack(there, axis=1)
    if not np.isfinite(place).all():
        raise CityError(f"crs {name!r}: some places have no longitude and latitude in it: is it the right one?")
    return np.split(place, np.cumsum([len(part) for part in places])[:-1])


def _system(name: str) -> Any:
    pyproj = library("pyproj", "reading a coordinate reference system")
    with untrusted.blaming(f"crs {name[:100]!r}", CityError, library="pyproj"):
        if "grids=" in name.lower():
            raise CityError("it names files; name the system by its number, as in EPSG:25832.")
        system = pyproj.CRS.from_user_input(name)
        if not (system.is_geographic or system.is_projected):
            raise CityError(f"it is a {system.type_name}; places need longitude and latitude, or a map's metres.")
        return system
