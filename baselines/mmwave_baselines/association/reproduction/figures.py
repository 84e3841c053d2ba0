"""Figures of the reproduction of arXiv 2201.05983, from rows and tables; the paper's values are hollow diamonds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmwave_baselines.association.reproduction.measures import NAMES, Measured, printed
from mmwave_baselines.association.reproduction.plan import FIVE, SETTLE_S
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
    YELLOW,
    error_bars,
    legend_above,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "sbh": GREY,
    "rbh": YELLOW,
    "rbh-network": BROWN,
    "lbh": GREEN,
    "smart": PURPLE,
    "sqa": BLUE,
    "sqa-best": LIGHT_BLUE,
    "msr": DARK,
}
_PAPER = RED
_TITLES = {
    "rbh": "RBH, own rate",
    "rbh-network": "RBH,\nnetwork's rate",
    "sqa-best": "SQA,\nbest setting",
    "msr": "MSR\n(not in the paper)",
}


def _table(m: Measured) -> Figure:
    """A panel a column of Table I, rates above and times below."""
    agents = ("sbh", "rbh", "rbh-network", "lbh", "smart", "sqa", "sqa-best", "msr")
    figure, axes = panels(2, len(agents), 13.5, 5.0, sharey="row", sharex=True)
    for at, agent in enumerate(agents):
        for row, values in enumerate(
            ([m.mean(n, agent) for n in m.densities], [m.time(n, agent) for n in m.densities])
        ):
            axis = axes[row * len(agents) + at]
            error_bars(axis, m.densities, values, fmt="o-", color=COLOURS[agent], capsize=3, label="ours")
            column = "rbh" if agent == "rbh-network" else agent
            if column in FIVE:
                paper = [printed(("rate", "time")[row], n, column) for n in m.densities]
                axis.plot(m.densities, paper, "D", color=_PAPER, markerfacecolor="none", markersize=7, label="paper")
            axis.set_xticks(m.densities, [str(n) for n in m.densities], rotation=45, fontsize=8)
        axes[at].set_title(_TITLES.get(agent, NAMES[agent]), fontsize=10)
        axes[len(agents) + at].set_xlabel("UEs", fontsize=9)
    axes[0].set_ylabel("network's rate (10 Mbit/s)")
    axes[len(agents)].set_ylabel("time between\nhandovers (s)")
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _series(m: Measured) -> Figure:
    """Fig. 2. The second is short beside what changes in the network, so a running mean of five shows the order."""
    width = 5
    columns = min(2, len(m.densities))
    rows = -(-len(m.densities) // columns)
    figure, axes = panels(rows, columns, 11, 3.1 * rows, sharex=True, sharey=True)
    for axis, n in zip(axes, m.densities, strict=True):
        series = m.series(n)
        for agent, rate in series.items():
            same = [other for other in series if np.array_equal(series[other], rate)]
            if agent != same[0]:
                continue
            smooth = np.convolve(rate, np.ones(width) / width, mode="valid")
            second = np.arange(len(smooth)) + width / 2.0
            wide = {"linewidth": 2.2 if agent == "sqa" else 1.3, "linestyle": ":" if agent == "msr" else "-"}
            label = " = ".join(NAMES[other] for other in same) + (" (not in the paper)" if agent == "msr" else "")
            axis.plot(second, smooth, color=COLOURS[agent], label=label, **wide)
        axis.axvline(SETTLE_S, color=LINE, linewidth=1.0, linestyle="--")
        axis.set_title(f"{n} UEs", fontsize=10)
    for axis in axes[-columns:]:
        axis.set_xlabel("time (s)")
    for axis in axes[::columns]:
        axis.set_ylabel("network's rate (10 Mbit/s)")
    legend_above(figure, axes[0])
    return figure


def _cost(m: Measured) -> Figure:
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    rows: Sequence[dict[str, Any]] = m.results.tables["cost"]
    figure, axes = panels(1, 3, 11, 3.3)
    first = [r for r in rows if r["case"] == {"num_ues": 512}]
    for axis, name, label in (
        (axes[0], "iterations", "series sampled for a decision"), (axes[1], "depth_epochs", "epochs in a series"),
    ):  # fmt: skip
        some = sorted(first + [r for r in rows if name in r["case"]], key=lambda r: r[name])
        axis.loglog([r[name] for r in some], [r["epoch_ms"] for r in some], "o-", color=COLOURS["sqa"])
        line = [some[0]["epoch_ms"] * r[name] / some[0][name] for r in some]
        axis.loglog([r[name] for r in some], line, ":", color="black", label="proportional")
        axis.set_xlabel(label)
        axis.set_ylabel("planning a decision (ms)")
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_title("512 UEs", fontsize=10)
        axis.legend(frameon=False, fontsize=8)
    for geometry, mark in (("paper", "o-"), ("blocked", "s--")):
        some = [r for r in rows if r["geometry"] == geometry and set(r["case"]) <= {"num_ues", "geometry"}]
        n = [r["num_ues"] for r in some]
        axes[2].loglog(n, [r["epoch_ms"] for r in some], mark, color=COLOURS["sqa"], label=f"planning, {geometry}")
        axes[2].loglog(n, [r["gap_ms"] for r in some], mark, color=_PAPER, label=f"time there is, {geometry}")
    axes[2].set_xticks([512, 1024, 2048], ["512", "1024", "2048"])
    axes[2].minorticks_off()
    axes[2].yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes[2].yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes[2].set_xlabel("UEs")
    axes[2].set_ylabel("ms a decision")
    axes[2].set_title("planning against time, one core", fontsize=10)
    axes[2].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _search(m: Measured) -> Figure:
    """Each world's columns in the plane of rate and time, beside the paper's."""
    found = m.found()
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure, axes = panels(rows, columns, 11, 3.0 * rows, sharex=True, sharey=True)
    for axis, result in zip(axes, found, strict=False):
        for agent in FIVE:
            paper = printed("time", 512, agent), printed("rate", 512, agent)
            axis.plot(*paper, "D", color=COLOURS[agent], markerfacecolor="none", markersize=7)
            if agent in result.columns:
                ours = result.columns[agent].time_s, result.columns[agent].rate
                axis.plot(*ours, "o", color=COLOURS[agent], markersize=6, label=NAMES[agent])
                axis.plot(*zip(ours, paper, strict=True), color=COLOURS[agent], linewidth=0.9, alpha=0.6)
        world = result.world
        level = "" if world.sbh_rate < 100.0 else ", high SNR"
        axis.set_title(
            f"range {world.radius:g}, sides {world.sides[0]:g} to {world.sides[1]:g}, exponent {world.exponent:g}"
            f"{level}\ndistance {result.rms:.1f} %" + ("" if "sqa" in result.columns else " without SQA"),
            fontsize=9,
        )
    for axis in axes[len(found) :]:
        axis.remove()
    for axis in axes[::columns]:
        axis.set_ylabel("rate (10 Mbit/s)")
    for axis in axes[max(0, len(found) - columns) : len(found)]:
        axis.set_xlabel("time between handovers (s)")
        axis.tick_params(labelbottom=True)
    axes[0].plot([], [], "D", color="black", markerfacecolor="none", label="paper")
    legend_above(figure, axes[0])
    return figure


PICTURES = {"table1": _table, "figure2": _series, "cost": _cost, "search": _search}
