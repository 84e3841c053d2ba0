"""Figures of the reproduction of arXiv 1507.00387, from rows and tables; the paper's values are hollow marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmwave_baselines.cell_selection.reproduction.measures import (
    EFFICIENCY,
    HANDOVERS,
    LIMITS,
    NAMES,
    Measured,
    exact_value,
    printed_gain,
)
from mmwave_baselines.cell_selection.reproduction.plan import COSTS, FIGURE, NUM_UES, POSSIBLE, ROBUST, Setting
from mmwave_baselines.reproduction.figures import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    RED,
    YELLOW,
    error_bars,
    errors,
    legend_above,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, RED, YELLOW, GREEN)


def _table(m: Measured) -> Figure:
    figure, axes = panels(1, len(NUM_UES), 11, 3.4, sharey=True)
    costs = [100 * cost for cost in COSTS]
    for axis, n in zip(axes, NUM_UES, strict=True):
        gains = [m.gain(Setting(n, cost)) for cost in COSTS]
        error_bars(axis, costs, gains, fmt="o-", color=_COLOURS[0], capsize=3, label="ours, fitted rates")
        if all(m.has(Setting(n, cost, "shannon"), "mdp") for cost in COSTS):
            for agent, label, colour in (
                ("mdp", "derived rates", _COLOURS[2]),
                ("mdp-next", "derived, next load", _COLOURS[3]),
            ):
                gains = [m.gain(Setting(n, cost, "shannon"), agent) for cost in COSTS]
                error_bars(axis, costs, gains, fmt=".--", color=colour, linewidth=1, capsize=2, label=label)
        paper = [printed_gain(n, cost) for cost in COSTS]
        axis.plot(costs, paper, "D", color=_COLOURS[1], markerfacecolor="none", markersize=8, label="paper")
        axis.set_title(f"{n} UEs", fontsize=10)
        axis.set_xlabel("handover cost (% of a slot)")
    axes[0].set_ylabel("gain of MDP over Channel (%)")
    axes[-1].legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def _schemes(m: Measured) -> Figure:
    figure, axes = panels(1, 2, 11, 4.2, sharey=True)
    setting = Setting(*FIGURE)
    schemes = [agent for agent in NAMES if m.has(setting, agent)][::-1]
    for axis, metric in zip(axes, (EFFICIENCY, HANDOVERS), strict=True):
        means = [m.mean(setting, agent, metric) for agent in schemes]
        values = [i.mean for i in means]
        colours = [
            _COLOURS[0] if a == "mdp" else DARK if a in ("myopic", "optimum", "genie") else GREY for a in schemes
        ]
        axis.barh(range(len(schemes)), values, color=colours, height=0.65)
        axis.errorbar(values, range(len(schemes)), xerr=errors(means), fmt="none", ecolor="black", capsize=2)
        for at, i in enumerate(means):
            end = (i.mean if i.high is None else i.high, at)
            axis.annotate(f"{i.mean:.2f}", end, (5, 0), textcoords="offset points", va="center", fontsize=8)
        axis.set_xlim(0, 1.12 * max(values))
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(schemes)), [NAMES[agent] for agent in schemes])
    axes[0].set_xlabel("sum spectral efficiency (bit/s/Hz)")
    axes[1].set_xlabel("handovers a slot, all UEs")
    axes[0].set_title("Fig. 1: 3 UEs, 3 BSs, cost 10 %", fontsize=10)
    axes[1].set_title("Fig. 2", fontsize=10)
    return figure


def _states(m: Measured) -> Figure:
    rows: list[dict[str, Any]] = m.results.tables["states"]
    figure, axes = panels(1, 1, 10, 4.2)
    axis = axes[0]
    for cells, colour in zip((2, 3, 4, 5), _COLOURS, strict=True):
        some = [r for r in rows if r["num_cells"] == cells and r["num_ues"] <= 10]
        n = [r["num_ues"] for r in some]
        axis.semilogy(n, [r["repaired"] for r in some], "-", color=colour, label=f"L = {cells}: eq. 21")
        axis.semilogy(n, [r["orbits"] for r in some], ":", color=colour, label=f"L = {cells}: distinct states")
        if cells == 5:
            printed = [r["printed"] for r in some]
            axis.semilogy(n, printed, "D", color=colour, markerfacecolor="none", label="L = 5: eq. 19 as printed")
    axis.set_xlabel("UEs, N")
    axis.set_ylabel("states")
    axis.legend(frameon=False, fontsize=8, ncol=2, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _robustness(m: Measured) -> Figure:
    kinds = {"fitted printed": "matrix (14)"}
    kinds |= {
        "fitted recipe": "recipe's matrix",
        "fitted drive_test": "drive tests",
        "capped printed": "(14), capped rates",
    }
    corners = [(s.num_ues, s.handover_cost) for s in ROBUST[:4]]
    figure, axes = panels(1, len(corners), 11, 3.8, sharey=True)
    for axis, (n, cost) in zip(axes, corners, strict=True):
        for at, kind in enumerate(kinds):
            setting = Setting(n, cost, *kind.split())
            for offset, agent, colour in (
                (-0.25, "mdp", _COLOURS[0]),
                (0.0, "mdp-next", _COLOURS[3]),
                (0.25, "myopic", DARK),
            ):
                if m.has(setting, agent):
                    error_bars(axis, [at + offset], [m.gain(setting, agent)], fmt="o", color=colour, capsize=3)
        paper = printed_gain(n, cost)
        axis.plot([-0.25], [paper], "D", color=_COLOURS[1], markerfacecolor="none", markersize=9)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set_xticks(range(len(kinds)), list(kinds.values()), rotation=35, ha="right", fontsize=8)
        axis.set_title(f"{n} UEs, cost {100 * cost:.0f} %", fontsize=10)
    axes[0].set_ylabel("gain over Channel (%)")
    for label, colour, mark in (
        ("MDP", _COLOURS[0], "o"), ("MDP, expected next load", _COLOURS[3], "o"), ("exhaustive search", DARK, "o"),
        ("paper (MDP)", _COLOURS[1], "D"),
    ):  # fmt: skip
        face = "none" if mark == "D" else colour
        axes[-1].plot([], [], mark, color=colour, markerfacecolor=face, label=label)
    legend_above(figure, axes[-1], columns=4, size=8)
    return figure


def _convergence(m: Measured) -> Figure:
    figure, axes = panels(1, 2, 11, 3.6)
    shift = np.linspace(-0.2, 0.2, len(COSTS))
    for cost, colour, off in zip(COSTS, _COLOURS, shift, strict=True):
        ended = [(s.num_ues + off, c) for s, c in m.configs() if s.handover_cost == cost]
        for settled in (True, False):
            points = [(x, c["updates"]) for x, c in ended if c["converged"] is settled]
            if points:
                face = colour if settled else "none"
                label = f"cost {100 * cost:.0f} %" if settled else None
                axes[0].plot(*zip(*points, strict=True), "o", color=colour, markerfacecolor=face, label=label)
    axes[0].plot([], [], "o", color="black", markerfacecolor="none", label="cycle, not settled")
    axes[0].set_xticks(NUM_UES)
    axes[0].set_xlabel("UEs, N")
    axes[0].set_ylabel("updates of Algorithm 1")
    axes[0].set_title("one UE after the other, each random start", fontsize=10)
    axes[0].legend(frameon=False, fontsize=8)
    for n, colour in zip(NUM_UES, _COLOURS, strict=True):
        some = [r for r in m.results.tables["simultaneous"] if r["num_ues"] == n]
        for i, row in enumerate(some):
            share = 100 * np.array(row["changed_share"])
            label = f"N = {n}" if i == 0 else None
            axes[1].plot(range(1, len(share) + 1), share, ".-", color=colour, linewidth=1, alpha=0.7, label=label)
    rounds = max(len(r["changed_share"]) for r in m.results.tables["simultaneous"])
    axes[1].set_xticks(range(1, rounds + 1))
    axes[1].set_xlabel("round")
    axes[1].set_yscale("symlog", linthresh=1.0)  # what settles ends at 0, what oscillates at a few per cent
    axes[1].set_ylim(-0.1, 120.0)
    axes[1].set_yticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
    axes[1].minorticks_off()
    axes[1].set_ylabel("entries of all policies changed (%)")
    axes[1].set_title("all UEs at once", fontsize=10)
    axes[1].legend(frameon=False, fontsize=8, title="until settled, or repeated", title_fontsize=8)
    return figure


def _possible(m: Measured) -> Figure:
    """A line for each number of UEs and cost: who earns what, below the bounds."""
    figure, axes = panels(1, 1, 11, 4.4)
    axis = axes[0]
    settings = [s for s in POSSIBLE if m.has(s, "team")][::-1]
    marks = dict(zip(LIMITS, ("v", "o", "s", "D", "P", "^"), strict=True))
    colours = dict(zip(LIMITS, (GREY, *_COLOURS, DARK), strict=True))
    for agent, label in LIMITS.items():
        points = [(m.mean(s, agent).mean, at) for at, s in enumerate(settings) if m.has(s, agent)]
        if points:
            axis.plot(*zip(*points, strict=True), marks[agent], color=colours[agent], label=label, markersize=7)
    for what, label, style in (
        ("local", "proven bound, local", ":"), ("optimum", "exact optimum", "-"), ("bound", "proven bound, all", "--"),
    ):  # fmt: skip
        values = [(at, exact_value(m.results, what, s.num_ues, s.handover_cost)) for at, s in enumerate(settings)]
        for at, value in values:
            if value is not None:
                axis.plot([value, value], [at - 0.35, at + 0.35], style, color="black", linewidth=1.6)
        axis.plot([], [], style, color="black", linewidth=1.6, label=label)
    names = [f"{s.num_ues} UEs, cost {100 * s.handover_cost:.0f} %" for s in settings]
    axis.set_yticks(range(len(settings)), names)
    axis.set_xlabel("sum spectral efficiency (bit/s/Hz)")
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _scaling(m: Measured) -> Figure:
    rows: list[dict[str, Any]] = m.results.tables["scaling"]
    figure, axes = panels(1, 3, 11, 3.6)
    columns = (
        ("states", "states of the tables", lambda r: r["states"]),
        ("time", "processor time of one UE's solution (s)", lambda r: r["solve_s"] + r["law_s"]),
        ("memory", "peak memory (MB)", lambda r: r["peak_mb"]),
    )
    for axis, (title, label, value) in zip(axes, columns, strict=True):
        for cells, colour in zip((2, 3, 4, 5), _COLOURS, strict=True):
            some = [r for r in rows if r["num_cells"] == cells]
            axis.loglog(
                [r["num_ues"] for r in some], [value(r) for r in some], "o-", color=colour, label=f"L = {cells}"
            )
        axis.set_xlabel("UEs, N")
        axis.set_ylabel(label)
        axis.set_title(title, fontsize=10)
        axis.set_xticks([3, 6, 12, 24, 48], ["3", "6", "12", "24", "48"])
        axis.minorticks_off()
    axes[0].legend(frameon=False, fontsize=8)
    return figure


PICTURES = {
    "table1": _table,
    "figures1and2": _schemes,
    "figure3": _states,
    "robustness": _robustness,
    "convergence": _convergence,
    "possible": _possible,
    "scaling": _scaling,
}
