"""Seeds and render modes as every API takes them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np

RENDER_MODES = ("human", "rgb_array", "ansi")
MAX_SEED = 2**63 - 1


def episode_seeds(seed: int | Sequence[int | None] | None, num_envs: int) -> list[int]:
    """One seed for each environment. An integer s gives environment i the seed s + i (Gymnasium's rule), None draws.

    Raises ValueError for a number out of range, or another number of seeds than environments.
    """
    seeds: list[Any]
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str):
        seeds = list(seed)
        if len(seeds) != num_envs:
            raise ValueError(f"seed must be an integer or {num_envs} of them, got {len(seeds)} of them.")
    elif isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        seeds = [int(seed) + i for i in range(num_envs)]
    else:
        seeds = [seed] * num_envs
    for s in seeds:
        wrong = isinstance(s, bool) or not isinstance(s, int | np.integer)
        if s is not None and (wrong or not 0 <= s <= MAX_SEED):
            raise ValueError(f"seed must be an integer between 0 and {MAX_SEED}, got {s!r}.")
    return [secrets.randbits(62) if s is None else int(s) for s in seeds]


def check_render_mode(mode: str | None) -> None:
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode must be None or one of {', '.join(RENDER_MODES)}, got {mode!r}.")
