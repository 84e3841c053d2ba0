"""What a UE of cell selection is paid: the one table of names, meanings and formulas behind `reward=…`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmwave_gym.core.types import Float64Array


class Reward(NamedTuple):
    meaning: str
    """For the docs page."""
    bps_hz: Callable[[Float64Array, Float64Array], Float64Array]
    """From what each UE received in the slot, (N, A), and the sum over UEs, (N,), in bit/s/Hz: rewards (N, A)."""


def own(received: Float64Array, total: Float64Array) -> Float64Array:
    """(N, A): what each UE received, in bit/s/Hz; the total (N,) in bit/s/Hz is not used."""
    return received


def team(received: Float64Array, total: Float64Array) -> Float64Array:
    """(N, A): the total over UEs of what was received, in bit/s/Hz, for each of them."""
    return np.repeat(total[:, None], received.shape[1], axis=1)


_OWN = (
    "spectral efficiency received in the slot: the rate of the chosen link in its new state, divided by the UEs at "
    "that cell, times 1 - `handover_cost` if the cell is a new one (eq. 9)"
)
REWARDS = {"own": Reward(_OWN, own), "team": Reward(f"sum over all UEs: {_OWN}", team)}
