"""A picture of a traced city: buildings, the best SNR of each place, sites, and whose map it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmwave_gym.core.files import replacing
from mmwave_gym.sources.raytracing.city import City

LOWEST_DB, HIGHEST_DB = -10.0, 50.0
"""Of the colours: ours, from hardly decodable to more than any modulation needs."""


def draw(path: Path, city: City) -> None:
    """Write a .png of the city. Raises ImportError without matplotlib, which Sionna RT brings."""
    from matplotlib.figure import Figure

    links = city.links
    assert links.position_m is not None
    assert links.site_m is not None
    best_db = np.where(links.heard, links.rsrp_dbm, -np.inf).max(axis=1) - links.noise_dbm
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    axes = figure.subplots()
    west, south = city.map_m[0, 0]
    step_m = float(city.map_m[1, 0, 0] - west)
    east, north = city.map_m[-1, -1]
    edge = (west - step_m / 2, east + step_m / 2, south - step_m / 2, north + step_m / 2)
    axes.imshow(city.roof.T, origin="lower", extent=edge, cmap="Greys", vmin=0.0, vmax=2.0, interpolation="nearest")
    there = np.isfinite(best_db)
    x_m, y_m = links.position_m.T
    shown = axes.scatter(
        x_m[there], y_m[there], c=best_db[there], s=9, marker="s", cmap="viridis", vmin=LOWEST_DB, vmax=HIGHEST_DB
    )
    if not there.all():
        axes.scatter(x_m[~there], y_m[~there], s=9, marker="s", color="tab:red", label="no site heard")
    axes.scatter(
        links.site_m[:, 0], links.site_m[:, 1], s=50, marker="^", color="white", edgecolor="black", label="site"
    )
    figure.colorbar(shown, label="SNR of the best site (dB)", shrink=0.8)
    axes.set(xlabel="x (m)", ylabel="y (m)", title=links.source, xlim=edge[:2], ylim=edge[2:], aspect="equal")
    axes.title.set_fontsize(9)
    axes.legend(loc="upper right", fontsize=8)
    if city.attribution:
        figure.text(0.01, 0.005, city.attribution, fontsize=6)
        figure.set_layout_engine("constrained", rect=(0.0, 0.02, 1.0, 0.98))
    with replacing(path, suffix=".png") as draft:
        figure.savefig(draft, dpi=110, metadata={"Copyright": city.attribution} if city.attribution else None)
