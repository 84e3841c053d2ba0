"""Draws docs/images: what the entry points of the group `mmwave_gym.pictures` draw, and where learning stands on the board.

`make docs` runs it. With --board only the picture of the board, which takes no time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmwave_baselines.pictures import draw_all
from mmwave_gym.benchmark.quoting import Source
from mmwave_gym.benchmark.standing import picture
from mmwave_gym.core import files

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
STANDING = IMAGES / "learning.svg"

if __name__ == "__main__":
    files.write(STANDING, picture(Source(DOCS).rows.values(), "v1"))
    print(STANDING)
    if "--board" not in sys.argv:
        print(f"{IMAGES}: {', '.join(draw_all(IMAGES))}")
