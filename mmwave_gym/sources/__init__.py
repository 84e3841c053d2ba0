"""Readers of what others measured, computed or published: one file a format.

`open_channel` is what the keyword `channel` of an environment means, `convert` what `mmwave-gym channel` does;
`open_sites` is what `layout` means.
Data is found in the folder that the environment variable MMWAVE_DATA names; docs/channel_files.md and
docs/city_files.md say where to get it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.notes import Notes
from mmwave_gym.links.files import is_channel, read_channel, write_channel
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.links.regions import within
from mmwave_gym.links.remarks import remarks
from mmwave_gym.sources import cities, deepmimo, mssn, raytraced, recordings, sites
from mmwave_gym.sources.recordings import Options

SCHEMES: dict[str, Callable[[Path, str], LinkMatrix]] = {"mssn": mssn.open_named, "raytraced": raytraced.open_named}
"""Prefix of a source -> reader(data folder, name)."""
ELSEWHERE: dict[str, Callable[[str], LinkMatrix]] = {"city": cities.open_named, "deepmimo": deepmimo.open_named}
"""Prefix of a source that needs no data folder -> reader(name)."""


def open_channel(channel: str | os.PathLike[str] | LinkMatrix) -> LinkMatrix:
    """A link matrix, as it is, from an .npz or .csv file, or from a source "scheme:name".

    Sources are "city:munich" (comes with the package), "deepmimo:FOLDER", and "mssn:…" and "raytraced:…" in the
    MMWAVE_DATA folder.

    An .npz file with `gain_db` is read as what a ray tracer gives.

    "#north" behind it means that region of it, see `links.regions`. Raises ChannelError, a ValueError, that names the
    file or the source and what is wrong.
    """
    if isinstance(channel, LinkMatrix):
        return channel
    if not isinstance(channel, str | os.PathLike):
        raise ChannelError(
            f"channel must be the path of an .npz or .csv file, a source such as 'mssn:V-R10/2071667', or a "
            f"LinkMatrix, got {channel!r}."
        )
    text = os.fspath(channel)
    whole, mark, region = text.rpartition("#")
    if mark and not Path(text).exists():
        matrix = open_channel(whole)
        try:
            return within(matrix, region)
        except ChannelError as error:
            raise ChannelError(f"{text}: {error}") from None
    scheme, colon, name = text.partition(":")
    if colon and scheme in ELSEWHERE:
        return ELSEWHERE[scheme](name)
    if colon and scheme in SCHEMES:
        return SCHEMES[scheme](data_folder(text), name)
    if colon and len(scheme) > 1 and not Path(text).exists():  # one letter is a drive of Windows
        raise ChannelError(f"{text}: there is no such file, and the known sources are {_schemes()}.")
    return raytraced.read(text) if raytraced.is_traced(text) else read_channel(text)


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    options: Options | None = None,
    resample_s: float | None = None,
    noise_dbm: float | None = None,
) -> str:
    """Write the link matrix of `source` (see `open_channel`) to the .npz or .csv file `out`; returns its description.

    A table without the columns of a channel file is read as a recording, with `options`. resample_s: to equal steps of
    time. noise_dbm: of a file that does not tell it. Raises ChannelError where the source is wrong or the file cannot
    be written, RecordingError for a recording.
    """
    text, described = os.fspath(source), ""
    if Path(text).is_file() and not is_channel(text):
        recording = recordings.read(text, options)
        described = recording.describe() + "\n"
        matrix = recordings.to_links(recording, resample_s=resample_s, noise_dbm=noise_dbm)
    elif Path(text).is_file() and not raytraced.is_traced(text):
        not_heard_dbm = (options.no_signal if options else None) or ()
        matrix = read_channel(text, noise_dbm=noise_dbm, resample_s=resample_s, not_heard_dbm=not_heard_dbm)
    else:
        matrix = open_channel(source)
    write_channel(out, matrix)
    return "\n".join([f"{described}{os.fspath(out)}", matrix.describe(), *remarks(matrix)])


def data_folder(wanted: str, page: str = "docs/channel_files.md") -> Path:
    """The folder that MMWAVE_DATA names; ChannelError says what to do if it names none."""
    value = os.environ.get("MMWAVE_DATA", "")
    if not value:
        raise ChannelError(
            f"{wanted}: set the environment variable MMWAVE_DATA to the folder that holds the data; "
            f"{page} says where to get it."
        )
    folder = Path(value)
    if not folder.is_dir():
        raise ChannelError(f"{wanted}: MMWAVE_DATA is {value!r}, which is not a folder.")
    return folder


def _schemes() -> str:
    return ", ".join(f"{scheme}:…" for scheme in (*ELSEWHERE, *SCHEMES))


def open_sites(
    layout: str | os.PathLike[str], *, crs: str | None = None, notes: Notes | None = None
) -> tuple[tuple[str, ...], NDArray[np.floating[Any]], str]:
    """Names, places (S, 2) in metres and a note of a file of sites, or of a known "sites:name".

    `crs`: of a file's numbers, where they are not degrees; `notes` hears what is left out. Raises CityError, a
    ValueError, that names the file or the source and what is wrong.
    """
    text = os.fspath(layout)
    if text.startswith("sites:"):
        return sites.read_named(text, lambda: data_folder(text, "docs/environments/power_allocation.md"))
    return sites.read_alone(text, crs=crs, notes=notes)
