"""Figures of the reproduction of arXiv 1801.02077, from tables, and their points as a CSV file.

The paper's figures have no numbers in any text, so none of its points are shown. Error bars and bands are 95 %
intervals over worlds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mmwave_baselines.handover.reproduction.claims import STARTS
from mmwave_baselines.handover.reproduction.clusters import CONVENTIONS
from mmwave_baselines.handover.reproduction.measures import A3C_MODES, NAMES, Measured, needed, printed, total_ues
from mmwave_baselines.handover.reproduction.plan import BETAS
from mmwave_baselines.reproduction.figures import (
    BLUE,
    DARK,
    GREEN,
    GRID,
    LIGHT_BLUE,
    LINE,
    RED,
    SHADE,
    YELLOW,
    error_bars,
    errors,
    legend_above,
    panels,
)
from mmwave_baselines.reproduction.measures import mean
from mmwave_baselines.reproduction.paper import Points
from mmwave_gym.benchmark.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {"a3c-paper": RED, "a3c-stable": BLUE, "oracle": DARK, "a3": GREEN}
_STARTS = {"": BLUE, "-alone": LIGHT_BLUE, "-unsupervised": RED, "-unsupervised-alone": YELLOW}
_SPEEDS = {
    "delayed": ("pushes in turn", "o-", BLUE),
    "fresh": ("the same without delay", "s--", LIGHT_BLUE),
    "averaged": ("averaged", "^-", GREEN),
    "paper": ("paper mode", "v:", RED),
}
WINDOWS = {"first": "first 2 s", "last": "last 2 s", "whole": "121 s"}


def _points(m: Measured) -> Iterator[tuple[Any, ...]]:
    """Every point: figure, method, where (UEs, beta, block or window), metric and interval."""
    for name in CONVENTIONS:
        for n in total_ues():
            for h in (2, 3):
                yield "table 1", name, n, f"{h} clusters", m.index(name, n, h)
    for method in _COLOURS:
        for beta in BETAS:
            for metric in ("throughput", "handovers"):
                yield 8, method, f"{beta:g}", metric, mean(m.at_beta(method, metric, beta))
    for mode in A3C_MODES:
        for start in STARTS:
            for part in ("value", "discounted_return", "reward"):
                curve = m.curve(f"a3c-{mode}{start}", part)
                for block in range(0, curve.shape[1], 10):
                    yield 9, f"a3c-{mode}{start}", block + 1, part, mean(curve[:, block])
    for method in NAMES:
        for window in WINDOWS:
            for metric in ("reward", "throughput", "handovers"):
                yield 10, method, window, metric, m.mean(method, metric, window)


def _table1(m: Measured) -> Figure:
    """Ours over the paper's, all conventions; those off the axis are told in the table."""
    figure, axes = panels(1, 2, 11, 4.2, sharey=True)
    rows = list(reversed(CONVENTIONS))
    for axis, clusters in zip(axes, (2, 3), strict=True):
        axis.axvspan(0.96, 1.04, color=SHADE, zorder=0)
        axis.axvline(1.0, color=LINE, linewidth=1.2)
        for n, mark, colour in zip(total_ues(), "os^", (BLUE, RED, GREEN), strict=True):
            ratio = np.array([m.index(name, n, clusters).mean for name in rows]) / printed(n, clusters)
            axis.plot(ratio, range(len(rows)), mark, color=colour, markersize=6, label=f"{n} UEs")
        axis.set_xlim(0.15, 1.85)
        axis.set_xlabel(f"index for {clusters} clusters, ours over the paper's")
        axis.grid(axis="x", color=GRID, linewidth=0.8)
    axes[0].set_yticks(range(len(rows)), [CONVENTIONS[name].title for name in rows], fontsize=8)
    axes[1].legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def _figure8(m: Measured) -> Figure:
    figure, axes = panels(1, 2, 11, 4.4)
    for axis, some in zip(axes, (("oracle", "a3"), ("a3c-stable", "a3c-paper")), strict=True):
        for method in some:
            found = {k: [mean(m.at_beta(method, k, b)) for b in BETAS] for k in ("handovers", "throughput")}
            x, y = ([i.mean for i in found[k]] for k in ("handovers", "throughput"))
            axis.plot(x, y, "o-", color=_COLOURS[method], markersize=5, label=NAMES[method])
            there: dict[tuple[float, float], list[str]] = {}
            for beta, at in zip(BETAS, zip(x, y, strict=True), strict=True):
                there.setdefault(at, []).append(f"{beta:g}")  # A3's pair may be that of another beta, too
            lift = -11 if method == "a3" else 4
            for at, betas in there.items():
                axis.annotate(
                    ", ".join(betas), at, (4, lift), textcoords="offset points", fontsize=8, color=_COLOURS[method]
                )
        axis.set_xlabel("handovers a slot")
        axis.legend(frameon=False, fontsize=9)
        axis.margins(0.1)
    axes[0].set_ylabel("throughput (bit/s/Hz), 121 s")
    return figure


def _figure9(m: Measured) -> Figure:
    """Above what the paper shows, the critic's value; below what followed, and the reward a slot."""
    parts = (
        ("value", "the critic's value"),
        ("discounted_return", "discounted return that followed"),
        ("reward", "reward a slot (bit/s/Hz)"),
    )
    figure, axes = panels(len(parts), 2, 11, 9.0, sharex=True)
    for column, mode in enumerate(A3C_MODES):
        for row, (part, label) in enumerate(parts):
            axis = axes[2 * row + column]
            for start, title in STARTS.items():
                curve = m.curve(f"a3c-{mode}{start}", part)
                seconds = np.arange(1, curve.shape[1] + 1)
                found = [mean(values) for values in curve.T]
                low, high = (
                    [i.mean if v is None else v for i, v in ((i, getattr(i, end)) for i in found)]
                    for end in ("low", "high")
                )
                axis.fill_between(seconds, low, high, color=_STARTS[start], alpha=0.15, linewidth=0)
                axis.plot(seconds, [i.mean for i in found], color=_STARTS[start], linewidth=1.3, label=title)
            axis.set_ylabel(label)
        axes[column].set_title(f"Fig. 9: {mode} mode, beta 25", fontsize=10)
        axes[2 * len(parts) - 2 + column].set_xlabel("learning time (s)")
    legend_above(figure, axes[0], columns=4)
    return figure


def _figure10(m: Measured) -> Figure:
    """Throughput less the oracle's, and handovers, in all windows."""
    figure, axes = panels(1, 2, 12, 6.2, sharey=True)
    methods = list(reversed(NAMES))
    y = np.arange(len(methods))
    for at, (window, title) in enumerate(WINDOWS.items()):
        colour = ("#9fc3dd", BLUE, DARK)[at]
        lacking: list[Interval] = [m.apart(method, "oracle", "throughput", window) for method in methods]
        rates = [m.mean(method, "handovers", window) for method in methods]
        for axis, found in zip(axes, (lacking, rates), strict=True):
            axis.errorbar(
                [i.mean for i in found],
                y + 0.22 * (1 - at),
                xerr=errors(found),
                fmt="os^"[at],
                color=colour,
                markersize=4,
                capsize=2,
                linewidth=1.0,
                label=title,
            )
    axes[0].set_yticks(y, [NAMES[method] for method in methods], fontsize=9)
    axes[0].set_xlabel("throughput less the oracle's (bit/s/Hz), paired")
    axes[1].set_xlabel("handovers a slot (no handover is at the left edge)")
    axes[1].set_xscale("symlog", linthresh=0.001)
    axes[1].set_xlim(left=0.0)
    axes[1].set_xticks([0.0, 0.001, 0.01, 0.1, 1.0], ["0", "0.001", "0.01", "0.1", "1"])
    for axis in axes:
        axis.grid(axis="x", color=GRID, linewidth=0.8)
    legend_above(figure, axes[0], columns=3)
    return figure


def _ues(m: Measured) -> Figure:
    """Blocks to the target, the reward at the end, and delays beside the bound."""
    figure, axes = panels(1, 3, 13, 4.2)
    for name, (label, style, colour) in _SPEEDS.items():
        rows = m.speed(name)
        counts = sorted({row["ues"] for row in rows})
        blocks = [needed(rows, n) for n in counts]
        axes[0].plot(counts, [b if np.isfinite(b) else np.nan for b in blocks], style, color=colour, label=label)
        found = [mean(np.array([r["final_reward"] - r["a3_reward"] for r in rows if r["ues"] == n])) for n in counts]
        error_bars(axes[1], counts, found, fmt=style, color=colour, capsize=2, label=label)
    rows = m.speed("delayed")
    counts = sorted({row["ues"] for row in rows})
    first = [next(r for r in rows if r["ues"] == n) for n in counts]
    axes[2].plot(counts, [r["bound_ues"] for r in first], "^-", color=DARK, label="square root of all updates")
    axes[2].plot(counts, counts, "k:", label="UEs")
    axes[2].plot(counts, [r["mean_delay"] for r in first], "o-", color=BLUE, label="mean delay, updates")
    axes[0].set_ylabel("median blocks to half of the way to A3\n(missing: never reached)")
    axes[1].set_ylabel("reward at the end less A3's (bit/s/Hz)")
    axes[2].set_ylabel("pushes in turn")
    axes[2].set_yscale("log")
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_xticks(counts, [str(n) for n in counts])
        axis.set_xlabel("UEs that share a server")
    axes[0].set_xlim(axes[1].get_xlim())
    axes[0].set_ylim(0.0, 1.1 * max(axes[0].dataLim.y1, 1.0))
    axes[0].legend(frameon=False, fontsize=8)
    axes[2].legend(frameon=False, fontsize=8)
    return figure


PICTURES = {"table1": _table1, "figure8": _figure8, "figure9": _figure9, "figure10": _figure10, "ues": _ues}
POINTS = Points(("figure", "method", "where", "metric"), _points)
