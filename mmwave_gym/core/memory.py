"""What a world takes in memory, reckoned from its configuration, so that too large ones are refused before they are.

The limit is 4 GiB a process; the environment variable MMWAVE_MEMORY_GIB sets another.
"""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

from mmwave_gym.core.ranges import costly

VARIABLE = "MMWAVE_MEMORY_GIB"
DEFAULT_GIB = 4.0
STORED = 2
"""Episodes that a batch stores for each environment: the one that is played and the next."""


class Memory(NamedTuple):
    """Bytes that a scenario takes, at their peak. NumPy's arrays count, Python's own objects do not."""

    episode: float
    """Of one drawn episode."""
    state: float
    """Of one environment's state, and of what a step and an observation of it make."""
    working: float = 0.0
    """While episodes are drawn, beside the drawn ones."""
    shared: float = 0.0
    """Once for all environments, such as maps and tables."""

    def total(self, num_envs: int) -> float:
        """Bytes of a batch: its stored episodes, those being drawn, its states, and what is there once."""
        return num_envs * ((STORED + 1) * self.episode + self.state) + self.working + self.shared


def limit_gib() -> float:
    """The limit in GiB. ValueError where the environment variable holds no positive number."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return DEFAULT_GIB
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not limit > 0.0:
        raise ValueError(f"{VARIABLE} must be a number of GiB above 0, got {text!r}.")
    return limit


def check_fits(name: str, memory: Memory | None, num_envs: int, config: Any = None) -> None:
    """ValueError with the sum where `num_envs` environments of a scenario would take more than the limit."""
    if memory is None or (needed := memory.total(num_envs)) <= (limit := limit_gib()) * 2**30:
        return
    keywords = ", ".join(["num_envs", *(costly(type(config)) if config is not None else ())])
    episode, state, working, shared = map(_size, memory)
    raise ValueError(
        f"{name} with num_envs={num_envs} would take {_size(needed)} of memory, more than the limit of {limit:g} GiB: "
        f"for each environment {STORED + 1} episodes of {episode} (played, next, being drawn) and {state} of state; "
        f"{working} while drawing and {shared} once. Lower one of {keywords}, or raise the limit by "
        f"{VARIABLE}={math.ceil(needed / 2**30)} in the environment."
    )


def _size(number: float) -> str:
    """A number of bytes for people."""
    for unit, bytes_of in (("GiB", 2**30), ("MiB", 2**20)):
        if number >= bytes_of:
            return f"{number / bytes_of:,.1f} {unit}"
    return f"{number / 1024:.1f} KiB"
