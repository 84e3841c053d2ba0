"""Rules for UDN handover that learn nothing: random, stay, strongest cell, and 3GPP's event A3.

They read observations by field name, so they play every world of `MmwaveHandover-v0`, measured ones too. RSRQ is a
cell's share of the power that a UE receives, so within a slot a difference of two RSRQ in dB is the difference of the
two RSRP in dB, and eq. 32 of the paper (arXiv 1801.02077) can be asked of either.

A cell is a *candidate* where the UE hears it and the action mask, if there is one, allows it. A cell is heard where
the field `heard` says so, and in worlds without that field where its RSRQ is above the low bound of `rsrq_db`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Allowed, Range
from mmwave_gym.core.types import Int64Array


class Reading(NamedTuple):
    """What rules take from an observation; all leading axes are rows."""

    rsrq_db: NDArray[np.float32]  # (rows, cells)
    serving: Int64Array  # (rows,)
    allowed: NDArray[np.bool_]  # (rows, cells): by the action mask
    candidate: NDArray[np.bool_]  # (rows, cells): heard and allowed

    def of(self, per_cell: NDArray[Any], cell: Int64Array) -> NDArray[Any]:
        """The entry of each row's `cell`, shape (rows,)."""
        return np.take_along_axis(per_cell, cell[:, None], axis=1)[:, 0]

    def strongest(self, among: NDArray[np.bool_]) -> Int64Array:
        """The strongest cell (rows,) among those that `among` (rows, cells) marks.

        Ties go to the serving cell, then to the lowest index. A row without a mark stays with its serving cell, or
        takes the first allowed one if it may not.
        """
        level_db = np.where(among, self.rsrq_db, -np.inf)
        best = level_db.argmax(axis=1)
        stays = self.of(level_db, self.serving) == self.of(level_db, best)  # also where nothing is marked
        cell = np.where(stays, self.serving, best)
        return np.where(self.of(self.allowed, cell), cell, self.allowed.argmax(axis=1))


def read(seen: Seen) -> Reading:
    """The parts of the observations that rules use."""
    rsrq_db = seen["rsrq_db"]
    lowest_db = next(f.low for f in seen.view.fields if f.name == "rsrq_db")
    heard = seen["heard"] > 0 if "heard" in seen.parts else rsrq_db > lowest_db
    allowed = np.ones(rsrq_db.shape, bool) if seen.mask is None else seen.mask
    return Reading(rsrq_db, seen["serving"].argmax(axis=1), allowed, heard & allowed)


def num_cells(view: View) -> int:
    """How many cells an observation tells of."""
    return next(f.size for f in view.fields if f.name == "rsrq_db")


class RandomCell(Rule):
    """A cell at random in every slot, uniformly among those that the action mask allows: the floor."""

    label = "random cell"
    kind = "floor"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return rng.choice(seen.allowed)


class Stay(Rule):
    """Never hands over; where the serving cell is not allowed any more, takes the strongest candidate."""

    label = "stay"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now = read(seen)
        may_stay = now.of(now.allowed, now.serving)
        return np.where(may_stay, now.serving, now.strongest(now.candidate))


class StrongestCell(Rule):
    """The candidate with the highest RSRQ in every slot, whatever the handover costs; ties stay."""

    label = "strongest cell"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now = read(seen)
        return now.strongest(now.candidate)


DEFAULT_PAIR = (3.0, 0.15)  # dB, s: 3 slots of 50 ms; the best of the pairs that we tried at beta = 25


@dataclass
class A3Memory:
    """Counters of event A3, one row a UE."""

    slots_better: NDArray[np.int64]  # (rows, cells): slots in a row in which the entering condition has held
    serving: Int64Array  # (rows,): whom the counters compare with


class A3(Rule):
    """Event A3, "neighbour becomes offset better than the serving cell" (3GPP TS 38.331, 5.5.4.4; paper eq. 32).

    The entering condition is RSRQ_n > RSRQ_s + hysteresis (inequality A3-1 with all offsets zero). A neighbour
    triggers when the condition has held for every measurement during the time-to-trigger (TS 38.331, 5.5.4.1): with a
    time of n slots that is n + 1 measurements in a row, with 0 it is one. Among triggered cells the strongest is taken.
    Every cell has its own counter; all start anew after a handover and when an episode starts.

    Only candidates (see the module's text) trigger, and a slot in which a cell is none interrupts its time. A serving
    cell that is no candidate itself is left at once for the strongest candidate, as after a radio link failure; if
    there is none, the UE stays.

    hysteresis_db: at least 0. time_to_trigger_s: at least 0, rounded up to whole slots. ValueError otherwise.
    """

    tunable: ClassVar[dict[str, Allowed]] = {
        "hysteresis_db": Range(0.0, 15.0, "dB"),
        "time_to_trigger_s": Range(0.0, 1.0, "s"),
    }

    def __init__(self, hysteresis_db: float = DEFAULT_PAIR[0], time_to_trigger_s: float = DEFAULT_PAIR[1]):
        at_least("hysteresis_db", hysteresis_db, 0.0)
        at_least("time_to_trigger_s", time_to_trigger_s, 0.0)
        self.hysteresis_db = float(hysteresis_db)
        self.time_to_trigger_s = float(time_to_trigger_s)
        self.label = f"A3 ({self.hysteresis_db:g} dB, {1e3 * self.time_to_trigger_s:g} ms)"
        self.config: dict[str, Any] = {"hysteresis_db": self.hysteresis_db, "time_to_trigger_s": self.time_to_trigger_s}

    def remember(self, view: View) -> A3Memory:
        shape = (view.num_rows, num_cells(view))
        return A3Memory(np.zeros(shape, np.int64), np.full(view.num_rows, -1))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now, memory = read(seen), seen.memory
        same = now.serving == memory.serving
        # Slots first: 0.15 s is 3 slots of 0.05 s, whatever the last bit of the quotient says.
        wait = math.ceil(self.time_to_trigger_s / seen.constants["step_s"] - 1e-9)
        threshold_db = now.of(now.rsrq_db, now.serving)[:, None] + np.float32(self.hysteresis_db)
        better = now.candidate & (now.rsrq_db > threshold_db)
        memory.slots_better = np.where(better, memory.slots_better * same[:, None] + 1, 0)
        memory.serving = now.serving
        lost = ~now.of(now.candidate, now.serving)
        triggered = np.where(lost[:, None], now.candidate, memory.slots_better > wait)
        return now.strongest(triggered)
