"""`mmwave-gym import`: a recording of any logger as a clean table, or as a channel file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.cli.output import out
from mmwave_gym.core.files import write
from mmwave_gym.sources.recordings import words


def import_(
    recording: Annotated[Path, typer.Argument(help="the table that a logger wrote: .csv, .txt, .tsv, also .gz")],
    out_file: Annotated[Path, typer.Option("--out", help=".csv: a clean recording; .npz: a channel file")],
    time: words.Time = None,
    level: words.Level = None,
    cell: words.Cell = None,
    unit: words.Unit = None,
    separator: words.Separator = None,
    no_signal: words.NoSignal = None,
    kind: words.Kind = None,
    preset: words.Preset = None,
    resample_s: words.Resample = None,
    noise_dbm: words.Noise = None,
) -> None:
    """Read a drive test of any logger, say what was understood, and write it.

    A clean recording has the columns time_s, rsrp_dbm or snr_db, cell and run; `mmwave-gym transition` and
    `mmwave-gym channel` read it. A channel file has a column for each cell.
    """
    from mmwave_gym.links.files import write_channel
    from mmwave_gym.sources import recordings

    if out_file.suffix.lower() not in (".csv", ".npz"):
        raise ValueError(f"--out must end in .csv or .npz, got {str(out_file)!r}.")
    options = words.chosen(
        preset, time=time, level=level, cell=cell, unit=unit, separator=separator, no_signal=no_signal, kind=kind
    )
    found = recordings.read(recording, options)
    out.print(found.describe(), markup=False, highlight=False, soft_wrap=True)
    if out_file.suffix.lower() == ".csv":
        write(out_file, recordings.to_csv(found, resample_s))
        out.print(str(out_file), markup=False, highlight=False, soft_wrap=True)
        return
    matrix = recordings.to_links(found, resample_s=resample_s, noise_dbm=noise_dbm)
    write_channel(out_file, matrix)
    out.print(f"{out_file}\n{matrix.describe()}", markup=False, highlight=False, soft_wrap=True)
