"""SMART, in the world of Ning et al. (arXiv 2201.05983, section IV): handovers by what they add to the total rate.

The paper says only that SMART "controls the handover frequency, subject to the incremental total rate after a
handover"; the original chooses by an upper confidence bound on what was experienced. What follows is our
reconstruction. In each context, a road and a direction, a UE's mean efficiency m with each candidate over the interval
after such an epoch is learnt by all UEs together. With n the other UEs of a candidate and S their mean efficiency now,

    index = ( m - S + c sqrt( ln N / plays ) ) / ( n + 1 ),   N: plays of all candidates in the context

and the serving base station is kept unless the highest index exceeds its (m - S) / (n + 1) by delta.

S over the others' intervals, which SMART could not know, would earn a tenth more at 512 UEs.

Road and direction show in the two strongest candidates, in order, and in how many there are. An efficiency is learnt
when it is over, at the UE's next epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.association.reading import with_cells_now
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import Float64Array, Int64Array


@dataclass
class SmartMemory:
    """What the rows have learnt, row by row apart. An arm is a candidate in a context of a row."""

    waiting: Int64Array  # (rows, ue): the arm that each UE plays, -1: none
    number: dict[int, int] = field(default_factory=dict)  # arms by row, context and base station
    mean: Float64Array = field(default_factory=lambda: np.zeros(1024))  # (arm,) bit/s/Hz
    plays: Float64Array = field(default_factory=lambda: np.zeros(1024))  # (arm,)


class Smart(Rule):
    """exploration: c in bit/s/Hz. delta: in bit/s/Hz. Both at least 0, ValueError otherwise."""

    access = "central"
    kind = "paper"
    carries = True
    label = "SMART"

    def __init__(self, exploration: float = 0.2, delta: float = 0.02):
        at_least("exploration", exploration, 0.0)
        at_least("delta", delta, 0.0)
        self._exploration, self._delta = float(exploration), float(delta)
        self.config: dict[str, Any] = {"exploration": exploration, "delta": delta}

    def remember(self, view: View) -> SmartMemory:
        return SmartMemory(np.full(view.look("serving")["serving"].shape, -1))

    def restart(self, memory: SmartMemory, view: View, rows: NDArray[np.bool_]) -> SmartMemory:
        """The memory without arms to be learnt in the marked `rows` (rows,); what was learnt stays. In place."""
        memory.waiting[rows] = -1
        return memory

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        memory: SmartMemory = seen.memory
        now = seen.look("deciding", "offered", "planned")
        rows, ue = np.arange(len(now["deciding"])), now["deciding"]
        self._learn(memory, memory.waiting[rows, ue], now["planned"][rows, ue])

        reading = with_cells_now(seen)
        cells = len(seen.constants["bs_m"]) + 1
        arm = self._arms(memory, cells, now["offered"].astype(np.int64), reading.efficiency)
        exists = arm >= 0
        mean, plays = memory.mean[arm], memory.plays[arm]
        all_plays = np.where(exists, plays, 0.0).sum(axis=1, keepdims=True)
        bound = np.sqrt(np.log(np.maximum(all_plays, 1.0)) / np.maximum(plays, 1.0))
        added = reading.gain(mean)
        index = added + self._exploration * bound / (reading.load + 1.0)
        best = reading.best(index)
        kept = reading.serving.argmax(axis=1)
        stays = reading.serving.any(axis=1) & (index[rows, best] - added[rows, kept] < self._delta)
        action = np.where(stays, kept, best)
        memory.waiting[rows, ue] = arm[rows, action]
        return action

    def _learn(self, memory: SmartMemory, arm: Int64Array, efficiency: Float64Array) -> None:
        """Count what UEs have had; arms (rows,), -1: none. Rows share no arms."""
        known = arm >= 0
        arm, efficiency = arm[known], efficiency[known]
        memory.plays[arm] += 1.0
        memory.mean[arm] += (efficiency - memory.mean[arm]) / memory.plays[arm]

    def _arms(self, memory: SmartMemory, cells: int, offered: Int64Array, efficiency: Float64Array) -> Int64Array:
        """The arms of candidates (rows, candidate), -1: none. A new one starts with its efficiency now, as one play."""
        rows, candidates = offered.shape
        exists = offered >= 0
        second = offered[:, min(1, candidates - 1)]
        context = np.arange(rows)
        for part, size in ((offered[:, 0] + 1, cells), (second + 1, cells), (exists.sum(axis=1), candidates + 1)):
            context = context * size + part
        arm = np.full(offered.shape, -1)
        row, rank = np.nonzero(exists)
        keys = context[row] * cells + offered[row, rank]
        known = len(memory.number)
        found = np.array([memory.number.setdefault(key, len(memory.number)) for key in keys.tolist()], np.int64)
        arm[row, rank] = found
        while len(memory.number) > len(memory.mean):
            memory.mean, memory.plays = (np.concatenate((a, np.zeros(len(a)))) for a in (memory.mean, memory.plays))
        new = found >= known
        memory.mean[found[new]] = efficiency[row, rank][new]
        memory.plays[found[new]] = 1.0
        return arm
