"""What a decision of association is paid: the one table of names, meanings and formulas behind `reward=…`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.scenarios.association.sharing import Move, Sharing


class Decision(NamedTuple):
    """What a reward may depend on; arrays are (N,), one decision of each environment copy."""

    mhz: float
    """Bandwidth of a base station in MHz, so that bit/s/Hz times it is Mbit/s."""
    planned: Float64Array
    """Mean efficiency of the chosen link over the UE's coming interval, bit/s/Hz."""
    interval_s: FloatArray
    """Time until the UE's next epoch."""
    elapsed_s: Float64Array
    """Time until the next epoch of any UE."""
    move: Move
    sharing: Sharing
    """Who shares which cell after the decision."""


class Reward(NamedTuple):
    meaning: str
    """For the docs page."""
    mbit: Callable[[Decision], Float64Array]
    """(N,) in Mbit."""


def network(d: Decision) -> Float64Array:
    """(N,): the network's rate after the decision, times `elapsed_s`."""
    return d.mhz * d.elapsed_s * d.sharing.efficiency


def marginal(d: Decision) -> Float64Array:
    """(N,): what the UE adds to the rate of the cell it joins, times `interval_s`, in bit/Hz."""
    mean = d.move.total / np.maximum(d.move.load, 1.0)
    return d.mhz * (d.planned - mean) / (d.move.load + 1.0) * d.interval_s


REWARDS = {
    "network": Reward("data that the network delivers until the next epoch of any UE, from mean efficiencies", network),
    "marginal": Reward(
        "data that the choice adds to the network over the UE's coming interval if nobody else moves, from mean "
        "efficiencies",
        marginal,
    ),
}
