"""`mmwave-gym transition`: the law of a link from drive tests, for `transition=FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmwave_gym.core.notes import Notes
from mmwave_gym.sources.recordings import words

out = Console(emoji=False)
SHOWN = 3
"""Recordings of which is told what was understood."""


def transition(
    source: Annotated[Path, typer.Argument(help="a drive test: a recording, a folder of them, or a .zip")],
    out_file: Annotated[Path, typer.Option("--out", help="the fit to write, .json")],
    level: words.Level = None,
    thresholds_db: Annotated[
        tuple[float, float] | None,
        typer.Option("--thresholds", metavar="OUTAGE LOS", help="outage below, LOS from here"),
    ] = None,
    slot_s: Annotated[
        float | None, typer.Option("--slot", help="slot in seconds; by default 1, or the recording's step if longer")
    ] = None,
    any_cell: Annotated[bool, typer.Option("--any-cell", help="count across a change of the serving cell too")] = False,
    time: words.Time = None,
    cell: words.Cell = None,
    unit: words.Unit = None,
    separator: words.Separator = None,
    no_signal: words.NoSignal = None,
    kind: words.Kind = None,
    preset: words.Preset = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="refuse a folder or .zip with a recording that cannot be read")
    ] = False,
) -> None:
    """Fit the transition matrix of a link to drive tests, for `transition=FILE` of cell selection.

    The level is the SNR where neither --level nor --preset names another.
    """
    from mmwave_gym.scenarios.cell_selection import drive_test

    if out_file.suffix != ".json":
        raise ValueError(f"--out must end in .json, got {str(out_file)!r}.")
    options = words.chosen(
        preset, time=time, level=level, cell=cell, unit=unit, separator=separator, no_signal=no_signal, kind=kind
    )
    notes = Notes(strict=strict, error=drive_test.TraceError)
    read = drive_test.recordings_of(source, drive_test.with_level(options, "snr"), notes)
    for one in read[:SHOWN]:
        out.print(one.describe(), markup=False, highlight=False, soft_wrap=True)
    if len(read) > SHOWN:
        out.print(f"and {len(read) - SHOWN} more recordings", highlight=False)
    for line in notes.lines():
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if notes.first_wrong:
        out.print(notes.first_wrong, markup=False, highlight=False, soft_wrap=True)
    found = drive_test.fit_of(read, source, thresholds_db, slot_s, not any_cell)
    found.save(out_file)
    out.print(drive_test.table(found), markup=False, highlight=False, soft_wrap=True)
