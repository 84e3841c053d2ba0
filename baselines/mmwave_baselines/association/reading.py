"""What association agents read from what they see."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.rule import Seen
from mmwave_gym.core.types import Float64Array, Int64Array


class Reading(NamedTuple):
    """An observation's parts, (rows, candidate) each, candidates by rank; efficiencies in bit/s/Hz."""

    efficiency: Float64Array  # now
    mean: Float64Array  # over the UE's coming interval
    load: Float64Array  # UEs of the candidate, this one left out
    cell_mean: Float64Array  # mean efficiency of those
    serving: NDArray[np.bool_]
    allowed: NDArray[np.bool_]

    def best(self, score: Float64Array) -> Int64Array:
        """The rank of the highest score among the allowed, (rows,); ties go to the strongest."""
        return np.where(self.allowed, score, -np.inf).argmax(axis=1)

    def gain(self, efficiency: Float64Array) -> Float64Array:
        """Growth of the sum of cells' mean efficiencies if the UE joins a candidate, (rows, candidate), bit/s/Hz.

            gain = (e - m) / (n + 1)

        e: `efficiency` (rows, candidate) of the UE's link with each candidate, bit/s/Hz. n: the other UEs of the
        candidate. m: their mean efficiency.
        """
        return (efficiency - self.cell_mean) / (self.load + 1.0)


def read(seen: Seen) -> Reading:
    """The parts of the observations."""
    names = "efficiency", "mean_efficiency", "load", "cell_efficiency"
    efficiency, mean, load, cell_mean = (seen[name].astype(np.float64) for name in names)
    return Reading(efficiency, mean, load, cell_mean, seen["serving"] > 0.0, seen.allowed)


def with_cells_now(seen: Seen) -> Reading:
    """The same with the candidates' mean efficiencies at this instant, for agents of central access."""
    now, known = read(seen), seen.look("deciding", "offered", "serving", "efficiency_now")
    envs = np.arange(len(known["deciding"]))
    others = known["efficiency_now"].copy()
    others[envs, known["deciding"]] = 0.0
    cells = len(seen.constants["bs_m"]) + 1  # the last is nobody's
    flat = known["serving"] + envs[:, None] * cells
    total = np.bincount(flat.ravel(), others.ravel(), len(envs) * cells).reshape(-1, cells)
    total = np.take_along_axis(total, known["offered"].astype(np.intp), axis=1)  # rank -1 is not allowed anyway
    return now._replace(cell_mean=total / np.maximum(now.load, 1.0))
