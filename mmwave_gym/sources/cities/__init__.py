"""Ray-traced cities that come with the package: `channel="city:munich"`.

`cities.json` tells of each its file's sha256, the command that made it, whether it is for training or for testing,
and whose map it is. They are made by `mmwave-gym channel raytrace` and never traced again.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Any

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.links.files import read_channel
from mmwave_gym.links.matrix import LinkMatrix


@lru_cache
def known() -> dict[str, dict[str, Any]]:
    """Name -> `sha256`, `command`, `split` ("train" or "test")."""
    found: dict[str, dict[str, Any]] = json.loads(files(__package__).joinpath("cities.json").read_text("utf-8"))[
        "cities"
    ]
    return found


def names(split: str | None = None) -> tuple[str, ...]:
    """The cities, or those for "train" or "test"."""
    return tuple(name for name, city in known().items() if split in (None, city["split"]))


def open_named(name: str) -> LinkMatrix:
    """ "munich". Raises ChannelError for an unknown name and for a file that is not the one that was shipped."""
    if name not in known():
        raise ChannelError(f"city:{name}: the shipped cities are {', '.join(known())}.")
    with as_file(files(__package__).joinpath(f"{name}.npz")) as file:
        if hashlib.sha256(file.read_bytes()).hexdigest() != known()[name]["sha256"]:
            raise ChannelError(f"city:{name}: its file was changed since it was shipped: install mmwave-gym again.")
        return read_channel(file)
