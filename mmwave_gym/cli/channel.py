"""`mmwave-gym channel`: measured or ray-traced data as a channel file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.cli.output import out
from mmwave_gym.core.shown import visible
from mmwave_gym.sources.recordings import words


def channel(
    source: Annotated[
        str, typer.Argument(help="mssn:REGION/CARRIER, raytraced:NAME, a recording, or a channel file to check")
    ],
    out_file: Annotated[Path, typer.Option("--out", help="the channel file to write, .npz")],
    time: words.Time = None,
    level: words.Level = None,
    cell: words.Cell = None,
    unit: words.Unit = None,
    separator: words.Separator = None,
    no_signal: words.NoSignal = None,
    preset: words.Preset = None,
    resample_s: words.Resample = None,
    noise_dbm: words.Noise = None,
) -> None:
    """Turn measured or ray-traced data (folder: MMWAVE_DATA) into a channel file for `channel=FILE`.

    The options on columns and values are for recordings, see `mmwave-gym import`; --resample, --no-signal and --noise
    are for channel files too.
    """
    from mmwave_gym.sources import convert

    options = words.chosen(
        preset, time=time, level=level, cell=cell, unit=unit, separator=separator, no_signal=no_signal
    )
    report = convert(source, out_file, options=options, resample_s=resample_s, noise_dbm=noise_dbm)
    out.print(visible(report), markup=False, highlight=False, soft_wrap=True)
