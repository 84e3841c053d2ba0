"""`mmwave-gym sites`: cluster and power a network of real base-station sites, and draw it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.scenarios.power_allocation.config import MANY_SITES, RANGE_M, REFERENCE


def sites(
    source: Annotated[
        str, typer.Argument(help="a file of sites, .csv, .tsv, .txt or .geojson, or sites:melbourne (MMWAVE_DATA)")
    ],
    agent: Annotated[str, typer.Option(help="who chooses the powers; mmwave-gym list agents")] = REFERENCE,
    picture: Annotated[Path | None, typer.Option("--out", help="draw the network: .png, .svg or .pdf")] = None,
    ue_radius_m: Annotated[float, typer.Option("--ue-radius", help="a UE is at most so far from its site")] = 30.0,
    unit_m: Annotated[float, typer.Option("--unit", help="FLOC's unit; a cluster reaches two from its head")] = 100.0,
    levels: Annotated[int | None, typer.Option(help="powers to choose from; any without")] = None,
    range_m: Annotated[
        float | None,
        typer.Option("--range", help=f"of single interferers; {RANGE_M:g} above {MANY_SITES} sites, else all"),
    ] = None,
    warmup: Annotated[int, typer.Option(help="slots to settle, or to learn, before those that count")] = 20,
    scored: Annotated[int, typer.Option(help="slots that count")] = 20,
    episodes: Annotated[int, typer.Option(help="draws of UEs and shadowing")] = 8,
    crs: Annotated[str | None, typer.Option(help="of eastings and northings, as in EPSG:28355")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="refuse a file with an unusable row")] = False,
) -> None:
    """Cluster base-station sites by FLOC, let an agent choose their powers, and compare it with full power."""
    from mmwave_gym.scenarios.power_allocation.site_report import report  # slow to import

    report(source, agent, picture, ue_radius_m, unit_m, levels, range_m, warmup, scored, episodes, crs, strict)
