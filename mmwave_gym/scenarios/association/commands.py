"""`mmwave-gym city`: build, look at and draw the cities of `MmwaveAssociation-v0`."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mmwave_gym.core.errors import CityError, require
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.shown import visible

out, err = Console(emoji=False), Console(stderr=True, emoji=False)


def city(
    source: Annotated[
        str | None, typer.Argument(help="a city file, or a known city such as gtfs:helsinki, instead of building one")
    ] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="the city file to write, .npz")] = None,
    picture: Annotated[Path | None, typer.Option(help="also draw it: .png, .svg or .pdf")] = None,
    gtfs: Annotated[Path | None, typer.Option(help="a timetable: a GTFS feed, .zip")] = None,
    fcd: Annotated[Path | None, typer.Option(help="SUMO floating-car data: .xml, .csv (also .gz) or .parquet")] = None,
    net: Annotated[Path | None, typer.Option(help="SUMO's net, if the floating-car data is in its metres")] = None,
    buildings: Annotated[
        Path | None, typer.Option(help="the map: .osm.pbf, .osm or .geojson; nothing is blocked without")
    ] = None,
    sites: Annotated[
        Path | None, typer.Option(help="base stations: .csv, .tsv, .txt or .geojson; by rule without")
    ] = None,
    spacing_m: Annotated[float | None, typer.Option("--spacing", help="metres between sites placed by rule")] = None,
    radius_m: Annotated[float | None, typer.Option("--radius", help="range of a base station in metres")] = None,
    min_snr_db: Annotated[float | None, typer.Option("--min-snr", help="or its range by the SNR in dB there")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="time of day, 07:00; hours may pass 24")] = None,
    to: Annotated[str | None, typer.Option("--to", help="time of day, 09:00")] = None,
    date: Annotated[str | None, typer.Option(help="day of the timetable, 2022-02-22; the busiest without")] = None,
    modes: Annotated[str, typer.Option(help="of the timetable")] = "tram,bus",
    bounds: Annotated[str | None, typer.Option(help="cut the map: west,south,east,north in degrees")] = None,
    licence: Annotated[str, typer.Option(help="to be told with the file: the timetable's licence")] = "",
    persons: Annotated[
        bool, typer.Option("--persons", help="the persons of the floating-car data are UEs, as the vehicles are")
    ] = False,
    crs: Annotated[
        str | None, typer.Option(help="of the file of sites with eastings and northings, as in EPSG:25832")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="refuse files with anything unusable, instead of leaving it out")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="a city that needs no data: the known city demo:helsinki")
    ] = False,
) -> None:
    """Build a city of a timetable (GTFS) or floating-car data (SUMO), a map and base stations, for `city=FILE`."""
    from mmwave_gym.scenarios.association import city_builder
    from mmwave_gym.scenarios.association.cities import open_city
    from mmwave_gym.scenarios.association.city import write_city
    from mmwave_gym.scenarios.association.config import AssociationConfig
    from mmwave_gym.scenarios.association.routes import FORESIGHT_S

    if picture is not None:
        require("a picture", "matplotlib")
    if out_file is None and picture is None and (source is None or gtfs or fcd):
        raise ValueError("nothing is asked for: give --out FILE.npz, --picture FILE.png or both.")
    if sum(map(bool, (source, gtfs, fcd, demo))) != 1:
        raise ValueError("a city needs one of --gtfs FEED, --fcd FILE, --demo, or a city to look at.")
    if out_file is not None and out_file.suffix != ".npz":
        raise ValueError(f"--out must end in .npz, got {str(out_file)!r}.")
    if radius_m is not None and min_snr_db is not None:
        raise ValueError("--radius and --min-snr exclude each other.")
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err, transient=True
    ) as bar:
        task = bar.add_task("reading", total=None)

        def on_stage(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total if total > 1 else None)

        if source or demo:
            found = open_city(source or "demo:helsinki", on_stage=on_stage)
        else:
            if min_snr_db is not None:
                radius_m = city_builder.range_m(min_snr_db)
            found = city_builder.build(
                gtfs_file=gtfs,
                fcd_file=fcd,
                net_file=net,
                buildings_file=buildings,
                sites_file=sites,
                from_s=_time_s("--from", from_),
                to_s=_time_s("--to", to),
                date=_date(date),
                modes=tuple(modes.split(",")),
                bounds=_bounds(bounds),
                spacing_m=city_builder.SPACING_M if spacing_m is None else spacing_m,
                radius_m=city_builder.RADIUS_M if radius_m is None else radius_m,
                licence=licence,
                persons=persons,
                crs=crs,
                notes=Notes(strict=strict, error=CityError),
                on_stage=on_stage,
            )
    if out_file is not None:
        write_city(out_file, found)
        out.print(str(out_file), highlight=False, soft_wrap=True)
    if picture is not None:
        from mmwave_gym.scenarios.association.city_picture import save

        save(found, picture)
        out.print(str(picture), highlight=False, soft_wrap=True)
    out.print(visible(found.describe()), highlight=False, markup=False, soft_wrap=True)
    if found.blocked_share < city_builder.LEAST_BLOCKED:
        least = 100 * city_builder.LEAST_BLOCKED
        err.print(f"warning: buildings block less than {least:.0f} % of the links in range.", highlight=False)
    longest_s = found.span_s - FORESIGHT_S
    if longest_s <= 0.0:
        err.print(
            f"warning: it tells of {found.span_s:g} s; an episode needs more than {FORESIGHT_S:g} s beyond its end, so "
            "that none can be played in it.",
            highlight=False,
        )
    elif longest_s < AssociationConfig().duration_s:
        err.print(f"note: an episode in it lasts at most {longest_s:g} s: duration_s={longest_s:g}", highlight=False)


def _time_s(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?", text)
    if match is None:
        raise ValueError(f"{option} must be a time of day as 07:00 or 07:00:30, got {text!r}.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 3600.0 * hours + 60.0 * minutes + seconds


def _date(text: str | None) -> datetime.date | None:
    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--date must be a day as 2022-02-22, got {text!r}.") from None


def _bounds(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--bounds must be four numbers, west,south,east,north, got {text!r}.") from None
    if not (west < east and south < north):
        raise ValueError(f"--bounds must be west,south,east,north, the lower number first, got {text!r}.")
    return west, south, east, north
