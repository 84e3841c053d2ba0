"""Pictures of the docs: an entry point of the group `mmwave_gym.pictures` draws those of one scenario.

    [project.entry-points."mmwave_gym.pictures"]
    relay = "their_package.pictures:draw"

It names a function `draw(album)`, which writes stills into `album.folder` and animations by `album.film` and
`album.episode`. A picture changes only when the scenario, the agent or the drawing does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.suite import task

GROUP = "mmwave_gym.pictures"
COLOURS = 96
FILM_WIDTH = 800
LAST_FRAME_MS = 2000


@dataclass(frozen=True, kw_only=True)
class Film:
    """An episode to show: who plays what, and what of it is seen."""

    name: str
    env_id: str
    agent: str
    task: str
    """For which the agent is loaded."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    seed: int
    last_slot: int
    slots_per_frame: int
    still_slot: int
    frame_ms: int


@dataclass(frozen=True)
class Album:
    """A folder of pictures."""

    folder: Path

    def episode(self, film: Film) -> None:
        """Play an episode and write it, as a still and as an animation."""
        frames, still = shoot(film)
        self.film(film.name, frames, still, film.frame_ms)

    def film(self, name: str, frames: Sequence[np.ndarray], still: np.ndarray | None, frame_ms: int) -> None:
        """Write a still as PNG, if there is one, and frames (height, width, 3) as GIF, whose last one stays longer."""
        if still is not None:
            Image.fromarray(still).save(self.folder / f"{name}.png", optimize=True)
        # One palette for all frames: otherwise unchanged pixels flicker and the file grows.
        palette = Image.fromarray(frames[-1] if still is None else still).quantize(COLOURS, dither=Image.Dither.NONE)
        entries = palette.getpalette() or []
        # White is the mean of its bin, so not quite white.
        palette.putpalette([255 if value >= 250 else value for value in entries])
        size = FILM_WIDTH, round(FILM_WIDTH * frames[0].shape[0] / frames[0].shape[1])
        small = [Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS) for frame in frames]
        pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in small]
        pictures[0].save(
            self.folder / f"{name}.gif",
            save_all=True,
            append_images=pictures[1:],
            duration=[frame_ms] * (len(pictures) - 1) + [LAST_FRAME_MS],
            loop=0,
            optimize=True,
            disposal=1,
        )


def shoot(film: Film) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames of the animation, and the still, all (height, width, 3). Agents that share a world all play the same."""
    agent = load_agent(film.agent, task(film.task).scenario_name, task(film.task))
    env: Any = gym.make(film.env_id, render_mode="rgb_array", others=agent, **film.keywords)
    env.reset(seed=film.seed)
    batch = env.unwrapped.batch
    rollout, frames, still = Rollout.of(agent, batch), [], env.render()
    for slot in range(film.last_slot + 1):
        if slot % film.slots_per_frame == 0:
            frames.append(env.render())
        if slot == film.still_slot:
            still = env.render()
        _, _, terminated, truncated, _ = env.step(rollout.act()[0, 0])
        rollout.follow()
        if terminated or truncated:
            break
    frames.append(env.render())
    env.close()
    return frames, still


def draw_all(folder: Path) -> list[str]:
    """Draw the pictures of all scenarios whose packages are installed; returns the scenarios' names."""
    folder.mkdir(exist_ok=True)
    points = sorted(entry_points(group=GROUP), key=lambda e: e.name)
    for point in points:
        point.load()(Album(folder))
    return [point.name for point in points]
