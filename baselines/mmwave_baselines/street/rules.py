"""Rules for handover in a street: random, stay, strongest, and event A3 in the forms that a network can give it.

A3 as the standard has it compares filtered measurements, which come every 400 ms. With per-cell offsets (TS 38.331's
cellIndividualOffset) it knows its street a little. `A3Undelayed` hears every cell at every decision: no UE can, it is
the reference that shows what late measurements cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Allowed, Count, Many, Range
from mmwave_gym.core.types import FloatArray, Int64Array

DEFAULT_HYSTERESIS_DB = 3.0


def one_map(task: Any) -> bool:
    """Have all episodes of a task one map, so that its cells can have parameters of their own?"""
    return len(task.scenario().config.map_seeds) == 1


def offsets(task: Any) -> dict[str, Allowed]:
    """What offsets of a task's cells may be; none where an episode may have one of several maps."""
    cells = task.scenario().num_cells
    return {"offset_db": Many(Range(-6.0, 6.0, "dB"), cells, cells)} if one_map(task) else {}


class RandomCell(Rule):
    """A cell at random at every decision: the floor."""

    label = "random cell"
    kind = "floor"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return rng.choice(seen.allowed)


class Stay(Rule):
    """Never hands over; lost links come back on the strongest cell."""

    label = "stay"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return seen["serving"].argmax(axis=1)


class Strongest(Rule):
    """The cell with the greatest measured power."""

    label = "strongest measured"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return seen["rsrp_0_dbm"].argmax(axis=1)


@dataclass
class A3Memory:
    level_dbm: FloatArray  # (rows, cells): the newest measurement
    filtered_dbm: FloatArray  # (rows, cells)
    times_better: NDArray[np.int64]  # (rows, cells): measurements in a row for which the condition has held
    serving: Int64Array  # (rows,): whom the counters compare with


class A3(Rule):
    """Event A3 (3GPP TS 38.331, 5.5.4.4) on filtered measurements (5.5.3.2), with offsets.

    A cell triggers when RSRP_n + offset_n > RSRP_s + offset_s + hysteresis has held for `wait + 1` measurements in a
    row; the one with the greatest RSRP + offset is taken. The filter is F = (1 - a) F + a M with a = 1 / 2^(k / 4).

    hysteresis_db: any. wait: measurements, from 0. filter_k: from 0. offset_db: one a cell, 0 where nothing is said.
    """

    tunable: ClassVar[Any] = {
        "hysteresis_db": Range(-2.0, 10.0, "dB"),
        "wait": Count(0, 8, "measurements"),
        "filter_k": Range(0.0, 8.0),
    }

    def __init__(
        self,
        hysteresis_db: float = DEFAULT_HYSTERESIS_DB,
        wait: int = 0,
        filter_k: float = 0.0,
        offset_db: tuple[float, ...] = (),
    ):
        at_least("hysteresis_db", hysteresis_db, -100.0)
        at_least("wait", wait, 0, integer=True)
        at_least("filter_k", filter_k, 0.0)
        self.hysteresis_db, self.wait, self.filter_k = float(hysteresis_db), int(wait), float(filter_k)
        self.offset_db = tuple(float(x) for x in offset_db)
        self.label = f"{self.named} ({self.hysteresis_db:g} dB, wait {self.wait}, k {self.filter_k:g})"
        self.config: dict[str, Any] = {
            "hysteresis_db": self.hysteresis_db,
            "wait": self.wait,
            "filter_k": self.filter_k,
            "offset_db": list(self.offset_db),
        }

    named = "A3"

    def remember(self, view: View) -> A3Memory:
        cells = int(view.constants["num_cells"])
        if self.offset_db and len(self.offset_db) != cells:
            raise AgentError(f"offset_db must have {cells} numbers, one a cell, got {len(self.offset_db)}.")
        nothing = np.zeros((view.num_rows, cells))
        return A3Memory(nothing, nothing, nothing.astype(np.int64), np.full(view.num_rows, -1))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        memory, starts, serving = seen.memory, seen.started, seen["serving"].argmax(axis=1)
        level_dbm = self.heard(seen)
        new = self.always_new | starts | (level_dbm != memory.level_dbm).any(axis=1)  # a step may pass over some
        share = 0.5 ** (self.filter_k / 4.0)
        filtered = memory.filtered_dbm + np.where(new[:, None], share, 0.0) * (level_dbm - memory.filtered_dbm)
        filtered = np.where(starts[:, None], level_dbm, filtered)
        row = np.arange(len(serving))
        score = filtered + (np.array(self.offset_db) if self.offset_db else 0.0)
        better = score > score[row, serving][:, None] + self.hysteresis_db
        better[row, serving] = False  # with a hysteresis below 0 it would be better than itself
        same = (serving == memory.serving) & ~starts
        count = np.where(same[:, None], memory.times_better, 0)
        count = np.where(new[:, None], np.where(better, count + 1, 0), count)
        triggered = new[:, None] & (count > self.wait)
        target = np.where(triggered, score, -np.inf).argmax(axis=1)
        cell = np.where(triggered.any(axis=1), target, serving)
        memory.level_dbm, memory.filtered_dbm, memory.times_better, memory.serving = level_dbm, filtered, count, serving
        return cell

    always_new = False

    def heard(self, seen: Seen) -> FloatArray:
        """Powers in dBm that the rule compares, (rows, cells)."""
        return seen["rsrp_0_dbm"].astype(np.float64)


class A3Offsets(A3):
    """A3 with an offset for each cell, tuned for the street (cellIndividualOffset)."""

    named = "A3 with offsets"

    @classmethod
    def tunable(cls, task: Any) -> dict[str, Allowed]:
        return {**A3.tunable, **offsets(task)}


class A3Undelayed(A3):
    """A3 on every cell's true power at every decision; `wait` and the filter count decisions."""

    access = "central"
    named = "A3 undelayed"

    always_new = True

    def heard(self, seen: Seen) -> FloatArray:
        return seen.look("rsrp_dbm")["rsrp_dbm"].astype(np.float64)
