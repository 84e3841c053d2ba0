"""Figures of the reproduction of arXiv 1804.05757, from tables, and their points as a CSV file.

The paper's values are in no text, so figures show its lines and axes only. Error bars are 95 % intervals over runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mmwave_baselines.power_allocation.reproduction.measures import LINES, NAMES, TITLES, Measured
from mmwave_baselines.power_allocation.reproduction.networks import FIGURE_DENSITIES, NETWORK_DENSITIES, SCOPES
from mmwave_baselines.power_allocation.reproduction.plan import SETTINGS
from mmwave_baselines.reproduction.figures import (
    BLUE,
    BROWN,
    DARK,
    GREEN,
    GREY,
    LIGHT_BLUE,
    LINE,
    PURPLE,
    RED,
    SHADE,
    YELLOW,
    error_bars,
    legend_above,
    panels,
)
from mmwave_baselines.reproduction.measures import mean
from mmwave_baselines.reproduction.paper import Points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"cdp": BLUE, "exp": RED, "full": GREEN, "random": GREY, "optimum": DARK}
_MARKS = {"cdp": "o-", "exp": "s-", "full": "^--", "random": "v:", "optimum": "--"}
_READINGS = {"": "-", "-code": "--", "-eq6": ":"}
_READING_NAMES = {"": "independent", "-code": "tables of the ring", "-eq6": "all tables"}
_HUES = (BLUE, RED, YELLOW, GREEN, PURPLE, LIGHT_BLUE, BROWN, "#e07a5f")


def _points(m: Measured) -> Iterator[tuple[Any, ...]]:
    """All points of Figs. 4 to 7: figure, setting, size, method, member and interval."""
    for setting in SETTINGS:
        for n in m.sizes:
            for learner, figure in (("cdp", 4), ("exp", 5)):
                for member, value in enumerate(m.members(setting, n, learner), 1):
                    yield figure, setting, n, learner, member, value
            for method in (a for a in NAMES if m.has(setting, n, a)):
                yield "6 per run", setting, n, method, "", m.mean(setting, n, method, "jain")
                yield "6 of means", setting, n, method, "", m.jain_of_means(setting, n, method)
                yield 7, setting, n, method, "", m.mean(setting, n, method)
                yield "satisfied", setting, n, method, "", m.mean(setting, n, method, "satisfied")


def _reward(m: Measured) -> Figure:
    rows: list[dict[str, Any]] = m.results.tables["reward"]
    figure, axes = panels(1, 1, 6.5, 3.4)
    axis = axes[0]
    for learner in ("cdp", "exp"):
        some = [r for r in rows if r["learner"] == learner]
        x, y = [r["capacity_bps_hz"] for r in some], [r["reward"] for r in some]
        axis.plot(x, y, ".", color=COLOURS[learner], markersize=4, label=NAMES[learner])
    for (name, value), style in zip(LINES.items(), ("-", "--"), strict=True):
        axis.axvline(value, color=LINE, linewidth=1.2, linestyle=style)
        axis.annotate(
            f"{name} = {value:.2f}", (value, -1.0), (3, 0), textcoords="offset points", fontsize=8, rotation=90
        )
    axis.set_xlabel("capacity (bit/s/Hz)")
    axis.set_ylabel("reward")
    axis.legend(frameon=False, fontsize=9)
    return figure


def _maps(m: Measured) -> Figure:
    """Clusters in colours, members joined to their heads, which are filled."""
    figure, axes = panels(1, 2, 11, 5.4, sharey=True)
    for axis, density, number in zip(axes, FIGURE_DENSITIES, ("2", "3"), strict=True):
        rows = m.results.tables[f"map-{density}"]
        place = np.array([(r["x_m"], r["y_m"]) for r in rows])
        heads = sorted({r["head"] for r in rows})
        for at, head in enumerate(heads):
            members = np.array([r["bs"] for r in rows if r["head"] == head])
            colour = _HUES[at % len(_HUES)]
            for bs in members:
                axis.plot(*place[[bs, head]].T, color=colour, linewidth=0.8, alpha=0.6)
            axis.plot(*place[members].T, "o", color=colour, markerfacecolor="white", markersize=5)
            axis.plot(*place[head], "o", color=colour, markersize=8)
        axis.set_title(f"Fig. {number}: {len(rows)} base stations, {len(heads)} clusters", fontsize=10)
        axis.set_aspect("equal")
        axis.grid(visible=False)
        axis.set_xlabel("x (m)")
    axes[0].set_ylabel("y (m)")
    return figure


def _clusters(m: Measured) -> Figure:
    """Sizes against what the text says, when clusters settle, and what messages it takes."""
    figure, axes = panels(1, 3, 11, 3.4)
    for density, colour in zip(FIGURE_DENSITIES, _HUES, strict=False):
        some = m.cluster_sizes(density)
        share = 100.0 * np.bincount(some)[1:] / len(some)
        axes[0].plot(range(1, len(share) + 1), share, "o-", color=colour, markersize=3, label=f"{density} per km²")
        axes[1].hist(m.floc(density, "settled_s"), bins=20, histtype="step", color=colour, label=f"{density} per km²")
    axes[0].axvspan(2, 14, color=SHADE, zorder=0, label="the paper's 2 to 14")
    axes[0].set_xlabel("base stations in a cluster")
    axes[0].set_ylabel("clusters (%)")
    axes[0].legend(frameon=False, fontsize=8)
    axes[1].axvline(10.0, color="black", linestyle=":", label="idle timer")
    axes[1].set_xlabel("last base station settled (s)")
    axes[1].set_ylabel("draws")
    axes[1].legend(frameon=False, fontsize=8, loc="upper left")
    rows = m.results.tables["scale"]
    messages = [r["messages"] / r["num_bs"] for r in rows]
    axes[2].semilogx([r["num_bs"] for r in rows], messages, "o", color=_HUES[0])
    axes[2].set_xticks([100, 1000, 10_000], ["100", "1,000", "10,000"])
    axes[2].minorticks_off()
    axes[2].set_ylim(0.0, 1.3 * max(messages))
    axes[2].set_xlabel("base stations, 120 per km²")
    axes[2].set_ylabel("messages a base station")
    return figure


def _members(m: Measured) -> Figure:
    """Figs. 4 and 5: every member's mean over runs, and the least capacity that a member has in any run."""
    figure, axes = panels(2, len(SETTINGS), 12, 6.2, sharex=True, sharey=True)
    for row, learner in enumerate(("cdp", "exp")):
        for column, setting in enumerate(SETTINGS):
            axis = axes[row * len(SETTINGS) + column]
            for n in m.sizes:
                means = [i.mean for i in m.members(setting, n, learner)]
                least = float(m.capacity(setting, n, learner).min())
                axis.plot([n] * n, means, "o", color=COLOURS[learner], markersize=3, alpha=0.8)
                axis.plot(n, least, "x", color="black", markersize=5)
            for (name, value), style in zip(LINES.items(), ("-", "--"), strict=True):
                axis.axhline(value, color=YELLOW, linewidth=1.4, linestyle=style, label=f"{name} = {value:.2f}")
            axis.plot([], [], "o", color=COLOURS[learner], markersize=3, label="a member's mean over runs")
            axis.plot([], [], "x", color="black", label="least of all members and runs")
            figure_number = ("4", "5")[row]
            axis.set_title(f"Fig. {figure_number}: {NAMES[learner]}, {TITLES[setting]}", fontsize=10)
    axes[0].set_ylim(bottom=0.0)
    for axis in axes[len(SETTINGS) :]:
        axis.set_xlabel("cluster size")
    for axis in axes[:: len(SETTINGS)]:
        axis.set_ylabel("capacity (bit/s/Hz)")
        axis.legend(frameon=False, fontsize=8, loc="upper right")
    return figure


def _curves(axis: Any, m: Measured, setting: str, values: Any) -> None:
    for method in COLOURS:
        error_bars(
            axis,
            m.sizes,
            [values(setting, n, method) for n in m.sizes],
            fmt=_MARKS[method],
            color=COLOURS[method],
            markersize=4,
            capsize=2,
            linewidth=1.3,
            label=NAMES[method],
        )


def _fairness(m: Measured) -> Figure:
    """Fig. 6, in two ways."""
    figure, axes = panels(2, len(SETTINGS), 12, 6.0, sharex=True, sharey=True)
    for column, setting in enumerate(SETTINGS):
        above, below = axes[column], axes[len(SETTINGS) + column]
        _curves(above, m, setting, m.jain_of_means)
        _curves(below, m, setting, lambda s, n, a: m.mean(s, n, a, "jain"))
        above.axhspan(0.8, 1.1, color=SHADE, zorder=0)
        above.set_title(TITLES[setting], fontsize=10)
        below.set_xlabel("cluster size")
    axes[0].set_ylim(0.4, 1.1)
    axes[0].set_ylabel("Jain's index of members' means\n(shaded: the axis of Fig. 6)")
    axes[len(SETTINGS)].set_ylabel("Jain's index of a run,\nmean over runs")
    legend_above(figure, axes[0])
    return figure


def _sums(m: Measured) -> Figure:
    figure, axes = panels(1, len(SETTINGS), 12, 4.2, sharey=True)
    for axis, setting in zip(axes, SETTINGS, strict=True):
        _curves(axis, m, setting, m.mean)
        axis.axhspan(0.0, 90.0, color=SHADE, zorder=0)
        axis.set_title(f"Fig. 7: {TITLES[setting]}", fontsize=10)
        axis.set_xlabel("cluster size")
    axes[0].set_ylim(bottom=0.0)
    axes[0].set_ylabel("sum capacity (bit/s/Hz)\n(shaded: the axis of Fig. 7)")
    legend_above(figure, axes[0])
    return figure


def _readings(m: Measured) -> Figure:
    """The three readings of eq. 6."""
    settings = m.of_settings("cdp-eq6")
    figure, axes = panels(len(settings), 3, 12, 3.3 * len(settings), sharex=True, sharey="col")
    for row, setting in enumerate(settings):
        for axis, metric in zip(axes[3 * row :], ("sum", "jain", "satisfied"), strict=False):
            for learner in ("cdp", "exp"):
                for suffix, style in _READINGS.items():
                    method = learner + suffix
                    some = [n for n in m.sizes if m.has(setting, n, method)]
                    found = [m.mean(setting, n, method, metric) for n in some]
                    label = f"{NAMES[learner]}, {_READING_NAMES[suffix]}"
                    error_bars(axis, some, found, fmt=style, color=COLOURS[learner], capsize=2, label=label)
            axis.set_title(TITLES[setting], fontsize=10)
            axis.set_ylabel(
                {"sum": "sum capacity (bit/s/Hz)", "jain": "Jain's index of a run"}.get(metric, "satisfied")
            )
    for axis in axes[-3:]:
        axis.set_xlabel("cluster size")
    legend_above(figure, axes[0], columns=3)
    return figure


def _networks(m: Measured) -> Figure:
    """Capacity and violations in whole networks, without and with the other clusters' interference."""
    figure, axes = panels(2, len(NETWORK_DENSITIES), 12, 6.6, sharey="row")
    for column, density in enumerate(NETWORK_DENSITIES):
        methods = m.network_methods(density)
        for row, (metric, label, scale) in enumerate(
            (("capacity_bps_hz", "capacity a base station (bit/s/Hz)", 1.0), ("violations", "QoS missed (%)", 100.0))
        ):
            axis = axes[row * len(NETWORK_DENSITIES) + column]
            for at, scope in enumerate(SCOPES):
                found = [mean(scale * m.network(density, scope, a, metric)) for a in methods]
                x = np.arange(len(methods)) + 0.4 * (at - 0.5)
                axis.bar(x, [i.mean for i in found], 0.38, color=("#9fc3dd", BLUE)[at], label=f"of the {scope}")
                error_bars(axis, x, found, fmt="none", ecolor="black", capsize=2)
            names = [NAMES[a].replace(", ", ",\n") for a in methods] if row else [""] * len(methods)
            axis.set_xticks(range(len(methods)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
            if not column:
                axis.set_ylabel(label)
            if not row:
                axis.set_title(f"{density} base stations per km²", fontsize=10)
    axes[-1].set_ylim(bottom=0.0)
    legend_above(figure, axes[0], columns=2, title="interference")
    return figure


PICTURES = {
    "figure1": _reward,
    "figures2and3": _maps,
    "clusters": _clusters,
    "figures4and5": _members,
    "figure6": _fairness,
    "figure7": _sums,
    "readings": _readings,
    "networks": _networks,
}
POINTS = Points(("figure", "setting", "size", "method", "member"), _points)
