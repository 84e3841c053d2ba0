"""`mmwave-gym channel raytrace`: somebody's own town as a channel file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.cli.output import out, progress
from mmwave_gym.core.shown import visible
from mmwave_gym.sources.raytracing.written import Wanted, write


def raytrace(
    scene: Annotated[
        str, typer.Option(help="munich, etoile, florence, san_francisco, or a map: .osm.pbf, .osm, .geojson")
    ],
    out_file: Annotated[Path, typer.Option("--out", help="the channel file to write, .npz; a picture goes beside it")],
    sites: Annotated[str, typer.Option(help="how many sites to place, or a file of sites (.csv, .geojson)")] = "16",
    frequency: Annotated[float, typer.Option(metavar="HZ", help="carrier frequency in Hz")] = 28e9,
    step: Annotated[float, typer.Option(metavar="M", help="distance of neighbouring places in m")] = 5.0,
    side: Annotated[float, typer.Option(metavar="M", help="side of the square that is traced in m")] = 300.0,
    centre: Annotated[
        tuple[float, float] | None,
        typer.Option(help="its middle: LATITUDE LONGITUDE of a map, X Y in m of a scene", show_default="the map's"),
    ] = None,
    site_height: Annotated[float, typer.Option(metavar="M", help="height of sites above the ground in m")] = 8.0,
    on_roofs: Annotated[bool, typer.Option("--on-roofs", help="sites in a building stand on it")] = False,
    depth: Annotated[int, typer.Option(help="reflections of a path at most")] = 3,
    samples: Annotated[int, typer.Option(help="rays of a site")] = 2_000_000,
    seed: Annotated[int, typer.Option(help="chance of the places that sites are chosen from")] = 0,
    picture: Annotated[bool, typer.Option(help="draw the map beside the file, as .png")] = True,
) -> None:
    """Ray-trace a city with Sionna RT: a channel file for `channel=FILE`, and a picture of its map.

    Needs `pip install 'mmwave-gym[raytrace]'` and LLVM 19.
    """
    if out_file.suffix.lower() != ".npz":
        raise ValueError(f"--out must end in .npz, got {str(out_file)!r}.")
    wanted = Wanted(
        scene=scene, sites=sites, frequency_hz=frequency, step_m=step, side_m=side, centre=centre,
        site_height_m=site_height, depth=depth, samples=samples, seed=seed, on_roofs=on_roofs,
    )  # fmt: skip
    with progress() as bar:
        task = bar.add_task("reading the map", total=None)

        def show(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done, total=of)

        told = write(wanted, out_file, show, picture=picture)
    out.print(visible(told), markup=False, highlight=False, soft_wrap=True)
