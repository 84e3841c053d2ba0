"""Training scripts of a checkout: `python -m train.ppo …` is `mmwave-gym train ppo …`. See docs/training.md."""

from __future__ import annotations

import sys

from mmwave_gym.cli import main as command_line


def main(algorithm: str) -> None:
    """The command line's `train`, with the words of this process."""
    command_line(["train", algorithm, *sys.argv[1:]])
