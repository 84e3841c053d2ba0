"""A network of 100,000 base stations, clustered, learnt and drawn: `python -m mmwave_baselines.power_allocation.scale`.

A Poisson network at the paper's density, UEs up to 30 m away. Interference is that of the whole network: base stations
nearer than 200 m count each by itself, farther ones by their number and mean power. FLOC clusters the network; then
CDP-Q, independent, and Q-learning on the difference reward choose among 32 levels, in one process on one core. The
curves are what is played, exploration included; base stations explore in the first 80 % of the iterations.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_baselines.power_allocation import q_learning
from mmwave_baselines.power_allocation.tabular import DifferenceQ
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio.units import db_to_linear, linear_to_db
from mmwave_gym.scenarios.power_allocation.clustering import floc
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.map_picture import draw
from mmwave_gym.scenarios.power_allocation.world import Chance, World, Worlds

RANGE_M = 200.0  # ours: 15 interferers on average; the rest is left to their mean
UE_RADIUS_M = 30.0
WINDOW_M = 1500.0  # side of the part that is drawn large
DOTS = 5000  # most base stations that are drawn one by one
LABELS = {"cdpq": "CDP-Q", "difference-q": "Q on the difference reward"}


@dataclass
class Result:
    """What a run of the whole came to."""

    config: PowerAllocationConfig
    world: World
    learned: dict[str, q_learning.Learned]
    fixed: dict[str, tuple[float, float]]
    """Mean rate in bit/s/Hz and satisfied share with all at full or at minimum power."""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return int(self.world.present[0].sum())


def play(num_bs: int, iterations: int, seed: int = 0) -> Result:
    """Draw, cluster and learn a network of `num_bs` base stations on average.

    ValueError: fewer than 1 base station or iteration.
    """
    at_least("bs", num_bs, 1, integer=True)
    at_least("iterations", iterations, 1, integer=True)
    seconds: dict[str, float] = {}
    with _timed(seconds, "draw the network, clusters included"):
        config, world, air = air_of(num_bs, seed)
    there = world.present[0]
    with _timed(seconds, "cluster it (FLOC alone, once more)"):
        floc(world.place_m[there], np.random.default_rng(seed), unit_m=config.unit_m)
    q_learning.run(**air, rng=np.random.default_rng(seed), steps=1, reward="difference")  # compiles
    learned: dict[str, q_learning.Learned] = {}
    for name in LABELS:
        with _timed(seconds, f"learn by {LABELS[name]}"):
            learned[name] = q_learning.run(
                **air, rng=np.random.default_rng([seed, len(learned)]), steps=iterations, **settings(name, iterations)
            )
    result = Result(config, world, learned, {}, seconds)
    for name, level in (("full power", -1), ("minimum power", 0)):
        all_alike = {**air, "levels_mw": air["levels_mw"][[level]]}
        one = q_learning.run(**all_alike, rng=np.random.default_rng(seed), steps=1)
        result.fixed[name] = (float(one.rate_bps_hz[0]) / result.count, float(one.satisfied[0]))
    return result


def air_of(num_bs: int, seed: int = 0) -> tuple[PowerAllocationConfig, World, dict[str, Any]]:
    """A network of `num_bs` base stations on average: its configuration, itself, and its keywords of `q_learning.run`.

    Gains in it are linear, those of base stations that are there.
    """
    config = PowerAllocationConfig(
        layout="poisson", scope="network", interference="network", interference_range_m=RANGE_M,
        ue_radius_m=UE_RADIUS_M, side_m=1e3 * math.sqrt(num_bs / PowerAllocationConfig.density_per_km2),
    )  # fmt: skip
    worlds = Worlds(config)
    world = worlds.draw(Chance(EpisodeRng(EpisodeKey(seed))))
    there = world.present[0]
    air = {
        "gain": world.gain[:, there][there],
        "own_gain": world.own_gain[there],
        "noise_mw": worlds.noise_mw,
        "levels_mw": db_to_linear(np.linspace(*config.power_dbm, config.levels or 32)),
        "far_gain": world.far_gain[there],
        "qos_sinr": config.qos_sinr,
    }
    return config, world, air


def settings(name: str, iterations: int) -> dict[str, Any]:
    """Keywords of `q_learning.run`, as the agents of these names have them."""
    if name == "cdpq":
        return {"reward": "paper"}
    agent = DifferenceQ().config
    falling = 1.0 - np.arange(iterations) / (q_learning.EXPLORING * iterations)
    return {
        "reward": "difference",
        "epsilon": agent["epsilon"] * np.maximum(falling, 0.0),
        "aimed_sinr": (1.0 + agent["margin"]) * PowerAllocationConfig.qos_sinr,
        **{k: agent[k] for k in ("alpha", "gamma", "penalty", "first_q")},
    }


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    start = time.process_time()  # of one core, whatever else the machine does
    yield
    seconds[what] = time.process_time() - start


def report(result: Result) -> str:
    """What was measured, line by line."""
    heads = len(np.unique(result.world.head[0][result.world.present[0]]))
    links = result.world.gain.nnz
    lines = [
        f"{result.count:,} base stations on {1e-3 * result.config.side_m:.1f} km x "
        f"{1e-3 * result.config.side_m:.1f} km, {heads:,} clusters, {links / result.count:.1f} interferers each within "
        f"{RANGE_M:g} m"
    ]
    lines += [f"{seconds:8.1f} s of one core: {what}" for what, seconds in result.seconds.items()]
    for name, run in result.learned.items():
        seconds = result.seconds[f"learn by {LABELS[name]}"]
        lines.append(
            f"{1e-6 * run.steps * result.count / seconds:8.2f} million agent-steps a second of one core: {LABELS[name]}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)
    lines.append(f"{1e-9 * peak:8.2f} GB of memory at most, {1e-3 * peak / result.count:.1f} kB a base station")
    rows = {name: (rate, met) for name, (rate, met) in result.fixed.items()}
    for name, run in result.learned.items():
        last = slice(-max(1, run.steps // 50), None)
        rows[LABELS[name]] = float(run.rate_bps_hz[last].mean()) / result.count, float(run.satisfied[last].mean())
    lines += [f"{rate:8.3f} bit/s/Hz a UE, {100 * met:6.2f} % satisfied: {name}" for name, (rate, met) in rows.items()]
    return "\n".join(lines)


# ---------------------------------------------------------------------- pictures


def draw_curves(result: Result, path: Path) -> None:
    """Rate a base station and satisfied share against the iteration."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    colours = ("#0b6e99", "#d9822b")
    for panel, (part, label) in enumerate(
        (("rate_bps_hz", "mean rate, bit/s/Hz a UE"), ("satisfied", "satisfied UEs, %"))
    ):
        scale = (1.0 / result.count, 100.0)[panel]
        for colour, (name, run) in zip(colours, result.learned.items(), strict=True):
            window = max(1, run.steps // 500)
            value = scale * getattr(run, part)[: run.steps // window * window].reshape(-1, window).mean(axis=1)
            axes[panel].plot((np.arange(len(value)) + 0.5) * window, value, color=colour, label=LABELS[name], lw=1.6)
        for dash, (name, both) in zip(("--", ":"), result.fixed.items(), strict=True):
            axes[panel].axhline((1.0, 100.0)[panel] * both[panel], color="#555555", ls=dash, lw=1.2, label=name)
        steps = max(run.steps for run in result.learned.values())
        axes[panel].axvline(q_learning.EXPLORING * steps, color="#cccccc", lw=0.8, zorder=0)
        axes[panel].set(xlabel="iteration", ylabel=label, xlim=(0, steps))
        axes[panel].grid(alpha=0.25)
        axes[panel].spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, loc="lower right")
    figure.suptitle(f"{result.count:,} base stations learn their powers (no exploration right of the grey line)")
    figure.savefig(path, dpi=110)


def draw_map(result: Result, path: Path, name: str = "difference-q") -> None:
    """The powers of the whole network, and a part of it with its clusters."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    low_dbm, high_dbm = result.config.power_dbm
    run, world = result.learned[name], result.world
    there = world.present[0]
    place_m, head = world.place_m[there], (np.cumsum(there) - 1)[world.head[0][there]]
    power_dbm = linear_to_db(run.power_mw)
    figure = Figure(figsize=(14.0, 7.2))
    FigureCanvasAgg(figure)
    whole, part = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.09, top=0.93, wspace=0.08)
    if result.count > DOTS:  # dots would be smaller than the picture's
        square_m = 250.0
        edges = np.arange(0.0, result.config.side_m + square_m, square_m)
        many = np.histogram2d(place_m[:, 0], place_m[:, 1], bins=(edges, edges))[0]
        total = np.histogram2d(place_m[:, 0], place_m[:, 1], bins=(edges, edges), weights=power_dbm)[0]
        with np.errstate(invalid="ignore"):
            shown = whole.pcolormesh(1e-3 * edges, 1e-3 * edges, (total / many).T, cmap="viridis", rasterized=True)
        shown.set_clim(*np.nanpercentile(total[many > 0] / many[many > 0], (1, 99)))
        title = f"{result.count:,} base stations: mean power on squares of {square_m:g} m"
    else:
        dots = float(np.clip(3e4 / result.count, 6.0, 30.0))
        shown = whole.scatter(*(1e-3 * place_m.T), c=power_dbm, s=dots, lw=0, vmin=low_dbm, vmax=high_dbm)
        title = f"power of {result.count:,} base stations"
    whole.set(aspect="equal", xlabel="km", ylabel="km", title=title)
    figure.colorbar(shown, ax=whole, label="dBm", shrink=0.8)

    middle = place_m.mean(axis=0)
    inside = np.flatnonzero((np.abs(place_m[head] - middle) < 0.5 * WINDOW_M).all(axis=1))
    number = np.full(result.count, -1)
    number[inside] = np.arange(len(inside))
    draw(
        part,
        place_m[inside],
        number[head[inside]],
        unit_m=result.config.unit_m,
        power_share=(power_dbm[inside] - low_dbm) / (high_dbm - low_dbm),
        ue_m=world.ue_m[there][inside],
        satisfied=run.sinr[inside] >= result.config.qos_sinr,
    )
    part.set_title("in the middle: clusters, powers (discs), UEs (cross: not satisfied)", fontsize=11)
    corner = 1e-3 * (middle - 0.5 * WINDOW_M)
    from matplotlib.patches import Rectangle

    whole.add_patch(Rectangle(tuple(corner), 1e-3 * WINDOW_M, 1e-3 * WINDOW_M, fill=False, ec="red", lw=1.2))
    figure.savefig(path, dpi=100)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--bs", type=int, default=100_000, help="base stations on average (default: %(default)s)")
    parser.add_argument("--iterations", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="folder (default: %(default)s)")
    wanted = parser.parse_args(arguments)
    try:
        result = play(wanted.bs, wanted.iterations, wanted.seed)
    except ValueError as error:
        parser.error(str(error))
    wanted.out.mkdir(parents=True, exist_ok=True)
    draw_curves(result, wanted.out / "power_allocation_scale.png")
    draw_map(result, wanted.out / "power_allocation_scale_map.png")
    sys.stdout.write(report(result) + "\n")


if __name__ == "__main__":
    main()
