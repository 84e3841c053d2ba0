"""What a supervised agent may use: time, memory, output, processes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from mmwave_gym.core.checks import at_least

GIB, MIB = 2**30, 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one run of a supervised agent. Raises ValueError for a limit that is no positive number."""

    step_s: float = 60.0
    """Seconds for one call: of `predict`, `learn`, `begin`, or the agent's start with its imports."""
    total_s: float = 3600.0
    """Seconds for all calls of a run together."""
    memory_gib: float = 4.0
    """Memory of one process of the agent, and resident memory of all of them together."""
    output_mib: float = 1.0
    """What the agent may print in a run."""
    file_gib: float = 1.0
    """The size of a file that the agent writes."""
    processes: int = 32
    """Processes that the agent may have at a time beside its own."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "processes":
                at_least(field.name, value, 0, integer=True)
            elif not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
                raise ValueError(f"the limit {field.name} must be a number above 0, got {value!r}.")

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gib * GIB)

    @property
    def file_bytes(self) -> int:
        return int(self.file_gib * GIB)

    @property
    def output_bytes(self) -> int:
        return int(self.output_mib * MIB)


USUAL = Limits()
"""Generous for an agent that thinks, short enough that one that hangs does not hold up a board for the night."""
