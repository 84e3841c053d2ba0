"""`mmwave-gym channel SOURCE`: measured or ray-traced data as a channel file; `mmwave-gym channel raytrace` makes one.

`channel` alone is the older command and takes a source, so a word that names no command of the group is a source.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mmwave_gym.cli.output import out
from mmwave_gym.cli.raytrace import raytrace
from mmwave_gym.core.shown import visible
from mmwave_gym.sources import convert as converted
from mmwave_gym.sources.recordings import words


class _SourceFirst(TyperGroup):
    """A group in which all that is neither a command nor a request for help are the words of `convert`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["convert", *args]
        return super().parse_args(ctx, args)


channel = typer.Typer(
    cls=_SourceFirst,
    no_args_is_help=True,
    help="Channel files for `channel=FILE`: `channel SOURCE --out FILE` converts, `channel raytrace` makes a city.",
)
channel.command()(raytrace)


@channel.command()
def convert(
    source: Annotated[
        str, typer.Argument(help="city:NAME, deepmimo:FOLDER, mssn:REGION/CARRIER, raytraced:NAME, or a file")
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
    options = words.chosen(
        preset, time=time, level=level, cell=cell, unit=unit, separator=separator, no_signal=no_signal
    )
    report = converted(source, out_file, options=options, resample_s=resample_s, noise_dbm=noise_dbm)
    out.print(visible(report), markup=False, highlight=False, soft_wrap=True)
