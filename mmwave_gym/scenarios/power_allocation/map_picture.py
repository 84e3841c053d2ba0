"""A network of base stations as a still map, for a page or a paper: clusters, and powers where they are known.

Colour is the cluster, a line leads from a member to its head, which is filled; the size of a disc is the power. A dot
is a UE, a cross one that is not satisfied.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.rendering.colours import WHITE, blend, series_colour
from mmwave_gym.rendering.scales import nice_length
from mmwave_gym.scenarios.power_allocation.scene import colours, disc_share

INCHES = 9.0
GREY, INK = "#6e6e6e", "#222222"
CROWD = 4000  # from so many base stations on the map is dots


def draw(
    axes: Any,
    place_m: NDArray[Any],
    head: NDArray[np.int64],
    *,
    unit_m: float = 100.0,
    power_share: NDArray[Any] | None = None,
    ue_m: NDArray[Any] | None = None,
    satisfied: NDArray[np.bool_] | None = None,
) -> None:
    """Draw on matplotlib axes. Arrays are by base station: places (A, 2), the head of each one's cluster (A,).

    power_share (A,): 0 for the least power, 1 for the greatest; without, clusters only. ue_m (A, 2), satisfied (A,).
    """
    from matplotlib.collections import EllipseCollection, LineCollection

    def colour(number: Any, pale: float) -> tuple[float, ...]:
        return tuple(v / 255 for v in blend(series_colour(int(number)), WHITE, pale))

    heads = np.unique(head)
    number = np.zeros(len(place_m), np.int64)
    number[heads] = colours(place_m[heads], unit_m)
    number = number[head]
    everything = place_m if ue_m is None else np.concatenate((place_m, ue_m))
    low, high = everything.min(axis=0), everything.max(axis=0)
    edge = 0.03 * float((high - low).max()) + 1.0
    axes.set(xlim=(low[0] - edge, high[0] + edge), ylim=(low[1] - edge, high[1] + edge), xticks=[], yticks=[])
    axes.set_aspect("equal")
    apart_m = float(np.sqrt(np.prod(np.maximum(high - low, 1.0)) / len(place_m)))
    if len(place_m) > CROWD:
        _draw_dots(axes, place_m, [colour(n, 0.0) for n in number], power_share, satisfied)
        _draw_scale(axes, low - edge, high + edge)
        return

    def discs(at: NDArray[Any], radius_m: Any, zorder: float, **look: Any) -> None:
        wide = np.broadcast_to(2.0 * np.asarray(radius_m), len(at))
        axes.add_collection(
            EllipseCollection(
                wide, wide, np.zeros(len(at)), units="xy", offsets=at, offset_transform=axes.transData,
                zorder=zorder, **look
            )
        )  # fmt: skip

    mark_m = 0.085 * apart_m
    if power_share is not None:
        order = np.argsort(-power_share, kind="stable")
        radius_m = 0.42 * apart_m * disc_share(power_share[order])
        inside, rim = ([colour(n, pale) for n in number[order]] for pale in (0.75, 0.5))
        discs(place_m[order], radius_m, 1, facecolors=inside, edgecolors=rim, linewidths=0.5)
    member = head != np.arange(len(head))
    lines = list(np.stack((place_m[member], place_m[head[member]]), axis=1))
    axes.add_collection(
        LineCollection(lines, colors=[colour(n, 0.2) for n in number[member]], linewidths=0.8, zorder=2)
    )
    if ue_m is not None:
        lines = list(np.stack((place_m, ue_m), axis=1))
        axes.add_collection(LineCollection(lines, colors=GREY, linewidths=0.4, zorder=2))
    strong = np.array([colour(n, 0.0) for n in number])
    discs(place_m[member], mark_m, 3, facecolors="white", edgecolors=strong[member], linewidths=1.1)
    discs(place_m[~member], 1.35 * mark_m, 4, facecolors=strong[~member], edgecolors=INK, linewidths=0.7)
    if ue_m is not None:
        met = np.ones(len(ue_m), bool) if satisfied is None else satisfied
        discs(ue_m[met], 0.045 * apart_m, 5, facecolors=INK, linewidths=0)
        for width, look_of in ((3.4, "white"), (1.5, INK)):
            axes.scatter(*ue_m[~met].T, marker="x", s=34, c=look_of, linewidths=width, zorder=6)
    _draw_scale(axes, low - edge, high + edge)


def _draw_dots(axes: Any, place_m: NDArray[Any], strong: list[Any], share: Any, satisfied: Any) -> None:
    """A dot a base station, the paler the less it transmits; who is not satisfied above the others."""
    size = float(np.clip(80_000.0 / len(place_m), 0.15, 16.0))
    paint = np.column_stack((np.array(strong), np.ones(len(strong)) if share is None else 0.2 + 0.8 * share))
    axes.scatter(*place_m.T, s=size, c=paint, linewidths=0, rasterized=True)
    if satisfied is not None:
        axes.scatter(*place_m[~satisfied].T, s=size, c=INK, linewidths=0, rasterized=True)


def _draw_scale(axes: Any, low: NDArray[Any], high: NDArray[Any]) -> None:
    """A bar of a round length, below the map."""
    from matplotlib.transforms import blended_transform_factory

    length_m = nice_length(float(high[0] - low[0]), 0.2)
    below = blended_transform_factory(axes.transData, axes.transAxes)
    axes.plot((low[0], low[0] + length_m), (-0.02, -0.02), color=INK, lw=2, transform=below, clip_on=False)
    axes.annotate(
        f"{length_m:g} m", (low[0] + length_m, -0.02), (6, 0), below,
        textcoords="offset points", va="center", fontsize=8, annotation_clip=False,
    )  # fmt: skip


def save(path: str | os.PathLike[str], title: str, attribution: str = "", **network: Any) -> None:
    """Write the map of one network (see `draw`) as .png, .svg or .pdf. Raises ValueError, ImportError."""
    file = Path(path)
    check_ending(file)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"a picture needs the extra: pip install 'mmwave-gym[render]' ({error}).") from None
    wide, tall = np.maximum(np.ptp(network["place_m"], axis=0), 1.0)
    ratio = float(np.clip(tall / wide, 0.35, 1.6))
    figure = Figure(figsize=(INCHES, INCHES * ratio + 1.0), facecolor="white")
    FigureCanvasAgg(figure)
    above, below = 0.42 / figure.get_figheight(), 0.62 / figure.get_figheight()
    axes = figure.add_axes((0.015, below, 0.97, 1.0 - above - below))
    draw(axes, **network)
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    figure.legend(
        handles=legend(network), loc="lower right", ncols=5, fontsize=8, frameon=False, bbox_to_anchor=(0.99, 0.0),
        handletextpad=0.4, columnspacing=1.4,
    )  # fmt: skip
    figure.text(0.015, 0.12 / figure.get_figheight(), attribution, fontsize=7, color=GREY)
    figure.savefig(file, dpi=130)


def check_ending(file: Path) -> None:
    """ValueError unless a picture can be written there."""
    if file.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"a picture ends in .png, .svg or .pdf, got {str(file)!r}.")


def legend(network: Any) -> list[Any]:
    """What the marks mean."""
    from matplotlib.lines import Line2D

    def mark(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="none", label=label, **look)

    power = network.get("power_share") is not None
    if len(network["place_m"]) > CROWD:
        handles = [mark("base station" + (", strong: much power" if power else ""), marker="o", ms=5, mfc="C0", mew=0)]
        return handles + ([mark("UE not satisfied", marker="o", ms=5, mfc=INK, mew=0)] if power else [])
    handles = [mark("base station", marker="o", ms=6, mfc="white", mec="#0072b2", mew=1.2)]
    handles.append(mark("head of a cluster", marker="o", ms=7, mfc="#0072b2", mec=INK, mew=0.7))
    if power:
        handles.append(mark("power", marker="o", ms=13, mfc="#bfdcec", mec="#80b8d8", mew=0.6))
    if network.get("ue_m") is not None:
        handles.append(mark("UE", marker="o", ms=4, mfc=INK, mew=0))
        handles.append(mark("UE not satisfied", marker="x", ms=6, mec=INK, mew=1.5))
    return handles
