"""Draws docs/images: what the entry points of the group `mmwave_gym.pictures` draw. `make docs` runs it."""

from __future__ import annotations

from pathlib import Path

from mmwave_baselines.pictures import draw_all

IMAGES = Path(__file__).parent / "images"

if __name__ == "__main__":
    print(f"{IMAGES}: {', '.join(draw_all(IMAGES))}")
