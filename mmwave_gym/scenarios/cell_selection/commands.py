"""`mmwave-gym transition`: the law of a link from drive tests, for `transition=FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out = Console()


def transition(
    source: Annotated[Path, typer.Argument(help="a drive test: a .csv file, a folder of them, or a .zip")],
    out_file: Annotated[Path, typer.Option("--out", help="the fit to write, .json")],
    level: Annotated[str, typer.Option(help="the column that tells states apart: snr or rsrp")] = "snr",
    thresholds_db: Annotated[
        tuple[float, float] | None,
        typer.Option("--thresholds", metavar="OUTAGE LOS", help="outage below, LOS from here"),
    ] = None,
    slot_s: Annotated[float, typer.Option("--slot", help="slot in seconds")] = 1.0,
    any_cell: Annotated[bool, typer.Option("--any-cell", help="count across a change of the serving cell too")] = False,
) -> None:
    """Fit the transition matrix of a link to drive tests, for `transition=FILE` of cell selection."""
    from mmwave_gym.scenarios.cell_selection import drive_test

    if out_file.suffix != ".json":
        raise ValueError(f"--out must end in .json, got {str(out_file)!r}.")
    found = drive_test.fit(source, level=level, thresholds_db=thresholds_db, slot_s=slot_s, same_cell=not any_cell)
    found.save(out_file)
    out.print(drive_test.table(found), markup=False, highlight=False, soft_wrap=True)
