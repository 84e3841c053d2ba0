"""What agents of streets can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from mmwave_gym.benchmark.bounds import Bound, of_agent

BOUNDS: tuple[Bound, ...] = (
    of_agent("oracle", "The best series of handovers of the drawn episode, in hindsight.", cheap=True),
)
