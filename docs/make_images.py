"""Draws docs/images: `python docs/make_images.py` plays an episode by the A3 rule and writes a PNG and a GIF.

Needs `pip install 'mmwave-gym[render]' pillow`. The episode is a fixed one, so the pictures change only when the
scenario or its drawing does.
"""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
from PIL import Image

import mmwave_gym  # noqa: F401 registers the environments

IMAGES = Path(__file__).parent / "images"
SEED = 133
# Low power, so that the choice of cell decides between a good rate and outage.
WORLD = {"mobility": "A3", "start": "uniform", "tx_power_dbm": -15.0, "boundary": "leave"}
LAST_SLOT, SLOTS_PER_FRAME = 400, 4
STILL_SLOT = 352
FRAME_MS = 70
COLOURS = 96
HYSTERESIS_DB, TIME_TO_TRIGGER_SLOTS = 2.0, 3


class A3Rule:
    """Hand over when another cell has been better by the hysteresis for the time to trigger (3GPP's event A3)."""

    def __init__(self, num_cells: int):
        self.num_cells = num_cells
        self.filtered_db: np.ndarray | None = None
        self.waited = np.zeros(num_cells, int)

    def act(self, observation: np.ndarray) -> int:
        measured_db, one_hot = observation[: self.num_cells], observation[self.num_cells :]
        serving = int(one_hot.argmax())
        if self.filtered_db is None:
            self.filtered_db = measured_db.copy()
        self.filtered_db += 0.2 * (measured_db - self.filtered_db)  # layer-3 filtering against fading
        better = self.filtered_db > self.filtered_db[serving] + HYSTERESIS_DB
        self.waited = np.where(better, self.waited + 1, 0)
        if self.waited.max() < TIME_TO_TRIGGER_SLOTS:
            return serving
        self.waited[:] = 0
        return int(np.where(better, self.filtered_db, -np.inf).argmax())


def episode(seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The frames of the animation and the still."""
    env = gym.make("MmwaveHandover-v0", render_mode="rgb_array", **WORLD)
    observation, _ = env.reset(seed=seed)
    rule = A3Rule(int(env.action_space.n))
    frames, still = [], env.render()
    for slot in range(LAST_SLOT + 1):
        if slot % SLOTS_PER_FRAME == 0:
            frames.append(env.render())
        if slot == STILL_SLOT:
            still = env.render()
        observation, _, terminated, truncated, _ = env.step(rule.act(observation))
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
