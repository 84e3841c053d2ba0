"""Pictures of the street: two policies on one way through it, and what one cell is worth along the lanes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from mmwave_baselines.pictures import Album
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.suite import task
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.radio.street_maps import NOISE_DBM, STREET_M, StreetMap, street_map
from mmwave_gym.rendering.cells import MAP_AT, MAP_SIDE, PLOT_AT
from mmwave_gym.scenarios.street.config import StreetConfig

TASK = "street/car-sparse"
POLICIES = (("a3", "A3, tuned"), ("ppo", "PPO, trained on this street"))
SEED = 50
FRAME_S, FRAME_MS = 0.4, 120
WIDTH, MAP_TOP, PLOT_HEIGHT = 960, 40, 246
NUMBERS = ("rate_bps_hz", "handovers_per_s", "failures_per_min", "no_data_fraction")
CELL, MAP_SEED = 4, 1
APART = 5.0  # how many times too far from the middle lanes are drawn on the map
INK, GREY, HOUSES = "#222222", "#6e6e6e", "#e2e2e6"
LANES = ("#0072b2", "#d55e00")  # there and back


def draw(album: Album) -> None:
    """Two policies on one way, and what one cell is worth along the lanes."""
    lanes(album.folder / "street_map.png")
    films = [play(agent) for agent, _ in POLICIES]
    frames = [compose(moment) for moment in zip(*films, strict=True)]
    album.film("street", frames, frames[-1], FRAME_MS)


def play(agent_name: str) -> list[tuple[np.ndarray, dict[str, float]]]:
    """What is to be seen every `FRAME_S`, and the sums up to then of `NUMBERS`."""
    found = task(TASK)
    agent = load_agent(agent_name, found.scenario_name, found)
    env: Any = gym.make(found.env_id, render_mode="rgb_array", **found.kwargs)
    env.reset(seed=SEED)
    batch = env.unwrapped.batch
    rollout, over, time_s = Rollout.of(agent, batch), False, 0.0
    sums = dict.fromkeys(NUMBERS, 0.0)
    film: list[tuple[np.ndarray, dict[str, float]]] = []
    for t in np.arange(0.0, batch.scenario.ticks * 0.02 + FRAME_S / 2, FRAME_S):
        while not over and time_s < t - 1e-9:
            _, _, _, over, info = env.step(rollout.act()[0, 0])
            rollout.follow()
            time_s += info["elapsed_s"]
            for name in NUMBERS:
                sums[name] += info[name]
        film.append((env.render(), {**sums, "seconds": max(time_s, 0.02)}))
    env.close()
    return film


def compose(moment: tuple[tuple[np.ndarray, dict[str, float]], ...]) -> np.ndarray:
    """Maps side by side with numbers, and under them what each policy received over time."""
    height = MAP_TOP + MAP_SIDE + 30 + len(moment) * PLOT_HEIGHT
    picture = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(picture)
    half = WIDTH // len(moment)
    for i, ((frame, sums), (_, name)) in enumerate(zip(moment, POLICIES, strict=True)):
        shown = Image.fromarray(frame)
        left, top = MAP_AT
        picture.paste(shown.crop((left, top, left + MAP_SIDE, top + MAP_SIDE)), (i * half + 8, MAP_TOP))
        pen.text((i * half + 8, 10), name, INK, _font(17, True))
        words = (
            ("bit/s/Hz", f"{sums['rate_bps_hz'] / sums['seconds']:.2f}"),
            ("handovers", f"{sums['handovers_per_s']:.0f}"),
            ("lost links", f"{sums['failures_per_min'] / 60.0:.0f}"),
            ("no data", f"{sums['no_data_fraction']:.1f} s"),
        )
        for j, (what, value) in enumerate(words):
            pen.text((i * half + MAP_SIDE + 14, MAP_TOP + 62 * j), value, INK, _font(21, True))
            pen.text((i * half + MAP_SIDE + 14, MAP_TOP + 27 + 62 * j), what, GREY, _font(12, False))
        y = MAP_TOP + MAP_SIDE + 30 + i * PLOT_HEIGHT
        plot = shown.crop((0, PLOT_AT[1] - 2, WIDTH, PLOT_AT[1] - 2 + PLOT_HEIGHT - 14))
        picture.paste(plot, (0, y))
        pen.text((PLOT_AT[0], y - 14), name, INK, _font(13, True))
        if i == 0:
            words_ = "SINR, bold: serving cell, thin: best; grey: no data, handover; red: link lost"
            pen.text((PLOT_AT[0] + 90, y - 13), words_, GREY, _font(12, False))
    return np.asarray(picture)


def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), size)


def lanes(path: Path) -> None:
    """One cell of one map: its power on the map, and along both streets with the places in sight marked."""
    found = task(TASK)
    scenario: Any = make_scenario(found.scenario_name, **found.kwargs)
    config: StreetConfig = scenario.config
    here = street_map(scenario.geometry, MAP_SEED, config.frequency_ghz)
    power_dbm = config.link_budget_db + NOISE_DBM - here.loss_db[:, :, CELL]
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": GREY}):
        figure = Figure(figsize=(12.0, 5.4), facecolor="white")
        _map(figure, figure.add_axes((0.02, 0.05, 0.40, 0.85)), here, power_dbm)
        _profiles(figure, here, power_dbm)
        figure.savefig(path, dpi=100)


def _map(figure: Figure, axes: Axes, here: StreetMap, power_dbm: np.ndarray) -> None:
    arm, half = here.geometry.arm_m, STREET_M / 2.0 * APART
    for x in (-arm, half):
        for y in (-arm, half):
            axes.fill_between((x, x + arm - half), y, y + arm - half, color=HOUSES, lw=0)
    for lane, (heading, middle) in enumerate(here.geometry.lane_axes):
        along = np.arange(here.geometry.points_a_lane) - arm
        place = APART * middle + along[:, None] * heading
        los = here.los[lane, :, CELL]
        for seen, marker in ((True, "s"), (False, ".")):
            x_m, y_m = place[los == seen].T
            shown = axes.scatter(
                x_m, y_m, c=power_dbm[lane, los == seen], s=24 if seen else 8, marker=marker,
                cmap="viridis", vmin=-120, vmax=-30, lw=0,
            )  # fmt: skip
    site = here.site_m[CELL] * np.where(np.abs(here.site_m[CELL]) < STREET_M, APART, 1.0)
    axes.plot(*site, "*", color=LANES[1], ms=17, mec="white")
    axes.set(xlim=(-arm, arm), ylim=(-arm, arm), aspect="equal", xticks=[], yticks=[])
    axes.set_title(
        f"Power of cell {CELL} (star), map {MAP_SEED}: wide where in sight, dots where not", loc="left", fontsize=9.5
    )
    axes.set_xlabel(f"streets drawn {APART:g} times as wide as they are", color=GREY)
    bar = figure.colorbar(shown, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("dBm")


def _profiles(figure: Figure, here: StreetMap, power_dbm: np.ndarray) -> None:
    arm = here.geometry.arm_m
    names = (("east-west", "eastwards", "westwards"), ("north-south", "northwards", "southwards"))
    for street, (name, *ways) in enumerate(names):
        axes = figure.add_axes((0.51, 0.56 - 0.47 * street, 0.47, 0.36))
        for back, colour in enumerate(LANES):
            lane = 2 * street + back
            along = (np.arange(here.geometry.points_a_lane) - arm) * (-1.0 if back else 1.0)
            level, los = power_dbm[lane].astype(float), here.los[lane, :, CELL]
            axes.plot(along, level, color=colour, lw=0.9, ls=(0, (2, 1.5)))
            axes.plot(along, np.where(los, level, np.nan), color=colour, lw=2.6, label=ways[back])
        if street == 0:
            axes.axvline(here.site_m[CELL][0], color=GREY, lw=0.8, ls=":")
        axes.set(xlim=(-arm, arm), ylim=(-125, -20), ylabel="dBm")
        axes.set_title(f"along the {name} street; bold: in sight", loc="left", fontsize=9.5)
        axes.legend(frameon=False, loc="upper right", fontsize=8.5)
        axes.spines[["top", "right"]].set_visible(False)
        if street == 1:
            axes.set_xlabel("metres from the crossing")
