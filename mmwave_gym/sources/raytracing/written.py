"""A traced city on disk: its channel file, its picture, and what is said of both."""

from __future__ import annotations

from pathlib import Path

from mmwave_gym.core.errors import require
from mmwave_gym.core.files import try_place
from mmwave_gym.links.files import write_channel
from mmwave_gym.links.remarks import remarks
from mmwave_gym.sources.raytracing import tracing
from mmwave_gym.sources.raytracing.city import Wanted, trace
from mmwave_gym.sources.raytracing.picture import draw

__all__ = ["Wanted", "write"]


def write(wanted: Wanted, out: Path, on_progress: tracing.Progress, *, picture: bool = True) -> str:
    """Trace a city and write it to `out` (.npz), with a picture (.png) beside it; returns what to tell.

    Before any work it raises ImportError without Sionna RT, or without matplotlib for the picture, and OSError for a
    place that cannot be written; then CityError for what cannot be traced.
    """
    tracing.check_installed()
    if picture:
        require("the picture of a city", "matplotlib")
    try_place(out)
    city = trace(wanted, on_progress)
    write_channel(out, city.links)
    told = [str(out), city.links.describe(), *remarks(city.links)]
    if picture:
        draw(out.with_suffix(".png"), city)
        told.insert(1, str(out.with_suffix(".png")))
    return "\n".join(told)
