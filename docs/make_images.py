"""Draws docs/images: plays a fixed episode by the tuned A3 rule and writes a PNG and a GIF.

`make docs` runs it. The pictures change only when the scenario, the rule or the drawing does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from mmwave_gym.agent import RowRng, load_agent
from mmwave_gym.suite import task

IMAGES = Path(__file__).parent / "images"
TASK = "handover/a3-beta25"
SEED = 181
LAST_SLOT, SLOTS_PER_FRAME = 400, 4
STILL_SLOT = 340
FRAME_MS = 70
COLOURS = 96


def episode(seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The frames of the animation and the still."""
    env: Any = gym.make("MmwaveHandover-v0", render_mode="rgb_array", mobility="A3", start="uniform")
    observation, _ = env.reset(seed=seed)
    agent = load_agent("a3", "handover", task(TASK))
    memory = agent.begin(env.unwrapped.view(), RowRng.from_seed(0, 1))
    frames, still = [], env.render()
    for slot in range(LAST_SLOT + 1):
        if slot % SLOTS_PER_FRAME == 0:
            frames.append(env.render())
        if slot == STILL_SLOT:
            still = env.render()
        action, memory = agent.predict(observation[None], state=memory, episode_start=np.array([slot == 0]))
        observation, _, terminated, truncated, _ = env.step(action[0])
        if terminated or truncated:
            break
    frames.append(env.render())
    env.close()
    return frames, still


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    frames, still = episode(SEED)
    Image.fromarray(still).save(IMAGES / "handover.png", optimize=True)
    # One palette for all frames: otherwise unchanged pixels flicker and the file grows.
    palette = Image.fromarray(still).quantize(COLOURS, dither=Image.Dither.NONE)
    entries = palette.getpalette() or []
    palette.putpalette([255 if value >= 250 else value for value in entries])  # the mean of its bin, not quite white
    small = [Image.fromarray(frame).resize((800, 600), Image.Resampling.LANCZOS) for frame in frames]
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in small]
    durations = [FRAME_MS] * (len(pictures) - 1) + [2000]
    path = IMAGES / "handover.gif"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True, disposal=1
    )
    print(f"{path}: {len(frames)} frames, {sum(durations) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
