"""Pictures of power allocation: clusters at two densities, powers, what settling, healing and learning look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mmwave_baselines.pictures import Album
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.rendering.renderer import Renderer
from mmwave_gym.scenarios.power_allocation import map_picture as power_allocation_map
from mmwave_gym.scenarios.power_allocation.clustering import floc
from mmwave_gym.scenarios.power_allocation.site_report import last_record, play

SIDE_M = 1000.0
DENSITIES_PER_KM2 = (60, 180)
SLOTS = 20
AGENT, LEARNER = "ppo@0", "difference-q"
HARD = {"ue_radius_m": 30.0, "reward": "difference", "observation": "local"}
NETWORK = {**HARD, "layout": "poisson", "scope": "network", "interference": "network", "levels": None}
CLUSTER = {**HARD, "feasible": "only"}


@dataclass(frozen=True)
class Recording:
    """An episode to show: every so many slots a frame."""

    name: str
    agent: str
    keywords: Mapping[str, Any]
    slots: int
    slots_per_frame: int
    frame_ms: int
    episode: int = 0


FILMS = (
    Recording("power_allocation", AGENT, {**NETWORK, "horizon": 30}, 30, 1, 250, episode=1),
    Recording("power_allocation_healing", AGENT, {**NETWORK, "changes": 8, "horizon": 100}, 100, 2, 200, episode=3),
    Recording("power_allocation_learning", LEARNER, {**CLUSTER, "horizon": 5100}, 5100, 100, 150, episode=7),
)


def draw(album: Album) -> None:
    """Clusters, powers, and episodes."""
    clusters(album.folder / "power_allocation_clusters.png")
    powers(album.folder / "power_allocation_powers.png")
    for film in FILMS:
        frames = shoot(film)
        album.film(film.name, frames, frames[-1] if film is FILMS[0] else None, film.frame_ms)


def shoot(film: Recording) -> list[np.ndarray]:
    """The frames, that before the first slot included."""
    found = _task(film.keywords, film.slots)
    frames: list[np.ndarray] = []
    renderers: list[Renderer] = []

    def watch(batch: Batch, outcome: Outcome | None) -> None:
        if outcome is None:
            renderers.append(Renderer(batch, "rgb_array"))
        renderers[0].record(outcome)
        if int(batch.state.slot[0]) % film.slots_per_frame == 0:
            frames.append(renderers[0].frame())

    play(load_agent(film.agent, found.scenario_name, found), found, watch, film.episode)
    return frames


def _task(keywords: Mapping[str, Any], slots: int) -> Task:
    return Task(env_id="MmwavePowerAllocation-v0", kwargs=keywords, name="power_allocation/picture", scored_steps=slots)


def clusters(path: Path) -> None:
    """FLOC's clusters of two Poisson networks."""
    panels = []
    for seed, density in enumerate(DENSITIES_PER_KM2):
        rng = np.random.default_rng(seed)
        place_m = rng.random((rng.poisson(density * 1e-6 * SIDE_M**2), 2)) * SIDE_M
        formed = floc(place_m, rng)
        size = np.bincount(formed.number)
        title = (
            f"{density} base stations per km²: {len(place_m)} in {len(size)} clusters of {size.min()} to {size.max()}\n"
            f"{formed.messages / len(place_m):.2f} messages a base station, settled after {formed.settled_s:.1f} s"
        )
        panels.append((title, {"place_m": place_m, "head": formed.head}))
    _side_by_side(path, panels)


def powers(path: Path) -> None:
    """One network: everybody at full power, and what an agent makes of it in `SLOTS` slots."""
    panels = []
    for name in ("full-power", AGENT):
        found = _task({**NETWORK, "horizon": SLOTS}, SLOTS)
        record = last_record(load_agent(name, found.scenario_name, found), found, episode=1)
        there = record.present
        unhappy = int((there & ~record.satisfied).sum())
        played = name.partition("@")[0]
        title = (
            f"{played}, slot {SLOTS}: {record.rate_now:,.0f} bit/s/Hz, {unhappy} of {there.sum()} UEs not satisfied\n"
            f"{1e-3 * float(record.power_mw[there].mean()):.2f} W a base station"
        )
        network = {
            "place_m": record.place_m[there],
            "head": (np.cumsum(there) - 1)[record.head[there]],
            "power_share": record.power_share[there],
            "ue_m": record.ue_m[there],
            "satisfied": record.satisfied[there],
        }
        panels.append((title, network))
    _side_by_side(path, panels)


def _side_by_side(path: Path, panels: list[tuple[str, dict[str, Any]]]) -> None:
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(12.0, 6.9), facecolor="white")
        for i, (title, network) in enumerate(panels):
            axes = figure.add_axes((0.01 + 0.5 * i, 0.09, 0.48, 0.84))
            power_allocation_map.draw(axes, **network)
            axes.set_title(title, loc="left", fontsize=9.5, color=power_allocation_map.INK)
        handles = power_allocation_map.legend(panels[-1][1])
        figure.legend(handles=handles, loc="lower right", ncols=5, fontsize=9, frameon=False)
        figure.savefig(path, dpi=100)
