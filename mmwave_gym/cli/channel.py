"""`mmwave-gym channel`: measured or ray-traced data as a channel file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.cli.output import out


def channel(
    source: Annotated[str, typer.Argument(help="mssn:REGION/CARRIER, raytraced:NAME, or a channel file to check")],
    out_file: Annotated[Path, typer.Option("--out", help="the channel file to write, .npz")],
) -> None:
    """Turn measured or ray-traced data (folder: MMWAVE_DATA) into a channel file for `channel=FILE`."""
    from mmwave_gym.sources import convert

    out.print(convert(source, out_file), highlight=False, soft_wrap=True)
