"""The options of a command that reads a recording."""

from __future__ import annotations

from typing import Annotated

import typer

from mmwave_gym.sources.recordings.options import PRESETS, OptionError, Options

Time = Annotated[str | None, typer.Option("--time", metavar="COL", help="the column of times")]
Level = Annotated[
    str | None, typer.Option("--level", metavar="COL", help="the column of levels; rsrp or snr: the usual one")
]
Cell = Annotated[str | None, typer.Option("--cell", metavar="COL", help="the column of the cell; none: without one")]
Unit = Annotated[str | None, typer.Option("--unit", help="of times that are numbers: s, ms, us, ns, min or d")]
Separator = Annotated[str | None, typer.Option("--sep", help="between fields: a character, tab or space")]
NoSignal = Annotated[
    list[str] | None,
    typer.Option("--no-signal", metavar="VALUE", help="a level that means no signal; may be repeated; none: none does"),
]
Kind = Annotated[str | None, typer.Option("--kind", help="what the level is: rsrp (dBm) or snr (dB)")]
Preset = Annotated[str | None, typer.Option("--preset", help=f"the logger: {', '.join(PRESETS)}")]
Resample = Annotated[float | None, typer.Option("--resample", metavar="SECONDS", help="to equal steps of time")]
Noise = Annotated[float | None, typer.Option("--noise", metavar="DBM", help="the noise that the levels stand above")]


def chosen(
    preset: str | None,
    *,
    time: str | None = None,
    level: str | None = None,
    cell: str | None = None,
    unit: str | None = None,
    separator: str | None = None,
    no_signal: list[str] | None = None,
    kind: str | None = None,
) -> Options:
    """The options of the words that a user gave. Raises OptionError."""
    values: tuple[float, ...] | None = None
    if no_signal:
        try:
            values = tuple(float(word) for word in no_signal if word != "none")
        except ValueError:
            raise OptionError(f"--no-signal must be numbers, or none, got {', '.join(no_signal)!r}.") from None
    options = Options(
        time=time,
        level=level,
        cell="" if cell == "none" else cell,
        unit=unit,
        separator="\t" if separator == "\\t" else separator,
        no_signal=values,
        kind=kind,
    )
    return options.over(preset)
