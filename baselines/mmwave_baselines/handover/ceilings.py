"""What agents of UDN handover can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from mmwave_gym.benchmark.bounds import Bound, of_agent

BOUNDS: tuple[Bound, ...] = (
    of_agent("oracle", "Viterbi over the drawn episode: the best series of cells in hindsight.", cheap=True),
)
