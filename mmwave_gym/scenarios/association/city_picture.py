"""A city as a still picture: buildings, routes, base stations, and the links of one moment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.scenarios.association.city import City
from mmwave_gym.sources.tracks import clock

GROUND, BUILDING, ROUTE = "#f7f6f2", "#d3cec4", "#7d93ad"
SITE, VEHICLE, SEEN, BLOCKED = "#14324f", "#d1495b", "#2a9d5c", "#c9a0a0"
INCHES = 9.0


def busiest_s(city: City) -> float:
    """The whole ten seconds at which most vehicles are present."""
    time_s = np.arange(0.0, city.span_s, 10.0)
    there = (city.present_s[:, :1] <= time_s) & (city.present_s[:, 1:] > time_s)
    return float(time_s[there.sum(axis=0).argmax()])


def places_at(city: City, time_s: float) -> tuple[Any, Any]:
    """Vehicles present at a time (n,) and their places (n, 2)."""
    here = np.flatnonzero((city.present_s[:, 0] <= time_s) & (city.present_s[:, 1] > time_s))
    ways = [city.track(int(v)) for v in here]
    place = [[np.interp(time_s, when, way[:, axis]) for axis in (0, 1)] for when, way in ways]
    return here, np.array(place).reshape(-1, 2)


def draw(axes: Any, city: City, time_s: float | None = None) -> None:
    """Draw on matplotlib axes; `time_s` (None: the busiest) is that of the vehicles and their links."""
    from matplotlib.collections import LineCollection, PolyCollection

    moment_s = busiest_s(city) if time_s is None else time_s
    axes.set_facecolor(GROUND)
    axes.add_collection(PolyCollection(city.buildings, facecolors=BUILDING, edgecolors="white", linewidths=0.4))
    routes = [city.track(v)[1][::5] for v in range(len(city.vehicles))]
    axes.add_collection(LineCollection(routes, colors=ROUTE, linewidths=0.8, alpha=0.15, zorder=2))

    here, place = places_at(city, moment_s)
    on = (city.visit_s[:, 0] <= moment_s) & (city.visit_s[:, 1] > moment_s)
    candidates = set(zip(city.visit_vehicle[on].tolist(), city.visit_bs[on].tolist(), strict=True))
    seen: list[tuple[Any, Any]] = []
    blocked: list[tuple[Any, Any]] = []
    for vehicle, at in zip(here.tolist(), place, strict=True):
        for bs in np.flatnonzero(np.hypot(*(city.bs_m - at).T) <= city.radius_m).tolist():
            (seen if (vehicle, bs) in candidates else blocked).append((at, city.bs_m[bs]))
    axes.add_collection(LineCollection(blocked, colors=BLOCKED, linewidths=0.7, linestyles=":", zorder=3))
    axes.add_collection(LineCollection(seen, colors=SEEN, linewidths=1.0, alpha=0.8, zorder=4))
    axes.scatter(*city.bs_m.T, marker="^", s=46, c=SITE, edgecolors="white", linewidths=0.7, zorder=6)
    axes.scatter(*place.T, s=26, c=VEHICLE, edgecolors="white", linewidths=0.6, zorder=5)

    edge = np.concatenate((city.knots_m, city.bs_m))
    low, high = edge.min(axis=0), edge.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[], aspect="equal")
    width = high[0] - low[0]
    bar = 10.0 ** np.floor(np.log10(width / 3.0))
    bar *= max(m for m in (1.0, 2.0, 5.0) if m * bar <= width / 3.0 or m == 1.0)
    left, bottom = low + 0.03 * (high - low)
    axes.plot((left, left + bar), (bottom, bottom), color=SITE, linewidth=2.5, zorder=7)
    axes.text(left + bar / 2.0, bottom + 0.008 * (high[1] - low[1]), f"{bar:.0f} m", ha="center", zorder=7, fontsize=8)
    axes.set_title(
        f"{clock(city.start_s + moment_s)}   {len(here)} vehicles, {len(city.bs_m)} base stations; links in range: "
        f"{len(seen)} in sight, {len(blocked)} blocked",
        fontsize=9,
        loc="left",
    )


def save(city: City, path: str | os.PathLike[str], time_s: float | None = None) -> None:
    """Write the picture as .png, .svg or .pdf, with the attribution that the map's licence asks for."""
    file = Path(path)
    if file.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"a picture ends in .png, .svg or .pdf, got {str(file)!r}.")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
    except ImportError as error:
        raise ImportError(f"a picture needs matplotlib: pip install 'mmwave-gym[render]' ({error}).") from None
    width, height = np.ptp(np.concatenate((city.knots_m, city.bs_m)), axis=0)
    tall = float(np.clip(height / max(width, 1.0), 0.4, 2.0))
    figure = Figure(figsize=(INCHES, INCHES * tall + 0.6) if tall <= 1.0 else (INCHES * 1.2 / tall, INCHES * 1.2 + 0.6))
    FigureCanvasAgg(figure)
    below, above = 0.35 / figure.get_figheight(), 0.4 / figure.get_figheight()
    axes = figure.add_axes((0.02, below, 0.96, 1.0 - below - above), anchor="N")
    draw(axes, city, time_s)
    handles = [
        Line2D([], [], marker="^", color="none", markerfacecolor=SITE, markeredgecolor="white", label="base station"),
        Line2D([], [], marker="o", color="none", markerfacecolor=VEHICLE, markeredgecolor="white", label="vehicle"),
        Line2D([], [], color=SEEN, label="candidate"),
        Line2D([], [], color=BLOCKED, linestyle=":", label="blocked"),
        Line2D([], [], color=ROUTE, label="route"),
    ]
    axes.legend(handles=handles, loc="best", fontsize=8, framealpha=0.9)
    figure.text(0.02, 0.3 * below, city.attribution, fontsize=7, color="#555555")
    figure.savefig(file, dpi=150)
