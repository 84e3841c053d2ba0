"""Draws docs/images: of each environment a fixed episode as PNG and GIF, the policies of cell selection, networks.

`make docs` runs it. The pictures change only when the scenario, the agent or the drawing does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import policy_picture
import power_pictures
import street_pictures
from PIL import Image

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import RowRng, sees
from mmwave_gym.benchmark.suite import task

IMAGES = Path(__file__).parent / "images"
COLOURS = 96


@dataclass(frozen=True)
class Film:
    """An episode to show: who plays what, and what of it is seen."""

    name: str
    env_id: str
    agent: str
    task: str
    keywords: Mapping[str, Any]
    seed: int
    last_slot: int
    slots_per_frame: int
    still_slot: int
    frame_ms: int


FILMS = (
    Film(
        name="handover",
        env_id="MmwaveHandover-v0",
        agent="a3",
        task="handover/a1-beta25",
        keywords={"mobility": "A3", "start": "uniform"},
        seed=181,
        last_slot=400,
        slots_per_frame=4,
        still_slot=340,
        frame_ms=70,
    ),
    Film(
        name="cell_selection",
        env_id="MmwaveCellSelection-v0",
        agent="team",
        task="cell_selection/n6-cost10",
        keywords={"num_ues": 6},
        seed=3,
        last_slot=60,
        slots_per_frame=1,
        still_slot=57,
        frame_ms=400,
    ),
    Film(
        name="association",
        env_id="MmwaveAssociation-v0",
        agent="cover",
        task="association/blocked-512",
        keywords={"geometry": "blocked", "num_ues": 150},
        seed=3,
        last_slot=440,
        slots_per_frame=12,
        still_slot=432,
        frame_ms=200,
    ),
)


def episode(film: Film) -> tuple[list[np.ndarray], np.ndarray]:
    """The frames of the animation and the still. Agents that share a world all play the same."""
    agent = load_agent(film.agent, film.name, task(film.task))
    env: Any = gym.make(film.env_id, render_mode="rgb_array", others=agent, **film.keywords)
    env.reset(seed=film.seed)
    batch = env.unwrapped.batch
    start = np.ones(batch.scenario.num_agents, bool)
    memory = agent.begin(env.unwrapped.view(sees(agent)), RowRng.from_seed(0, len(start)))
    frames, still = [], env.render()
    for slot in range(film.last_slot + 1):
        if slot % film.slots_per_frame == 0:
            frames.append(env.render())
        if slot == film.still_slot:
            still = env.render()
        action, memory = agent.predict(batch.observe()[0], state=memory, episode_start=start)
        start[:] = False
        _, _, terminated, truncated, _ = env.step(action[0])
        if terminated or truncated:
            break
    frames.append(env.render())
    env.close()
    return frames, still


def write(name: str, frames: list[np.ndarray], still: np.ndarray | None, frame_ms: int) -> None:
    """Write the still, if there is one, and the animation, whose last frame stays for two seconds."""
    if still is not None:
        Image.fromarray(still).save(IMAGES / f"{name}.png", optimize=True)
    # One palette for all frames: otherwise unchanged pixels flicker and the file grows.
    palette = Image.fromarray(frames[-1] if still is None else still).quantize(COLOURS, dither=Image.Dither.NONE)
    entries = palette.getpalette() or []
    palette.putpalette([255 if value >= 250 else value for value in entries])  # the mean of its bin, not quite white
    size = 800, round(800 * frames[0].shape[0] / frames[0].shape[1])
    small = [Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS) for frame in frames]
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in small]
    durations = [frame_ms] * (len(pictures) - 1) + [2000]
    path = IMAGES / f"{name}.gif"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True, disposal=1
    )
    print(f"{path}: {len(frames)} frames, {sum(durations) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for film in FILMS:
        write(film.name, *episode(film), film.frame_ms)
    policy_picture.draw(IMAGES / "cell_selection_policy.png")
    power_pictures.draw(IMAGES, write)
    street_pictures.draw(IMAGES, write)


if __name__ == "__main__":
    main()
