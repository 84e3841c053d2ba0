"""3GPP's events (TS 38.331, 5.5.4) on filtered RSRQ for UDN handover: A2, A3 and A5, with offsets by cell.

All compare what `filtered_db` makes of the RSRQ: a running mean, and how much of its last change is still to come.
A candidate is as in `rules`: heard and allowed. Who may not stay takes the strongest candidate, as A3 does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.handover.rules import Reading, num_cells, read
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Many, Range
from mmwave_gym.core.types import Float64Array, Int64Array

LEAST_DB, MOST_DB = -200.0, 200.0


@dataclass
class FilterMemory:
    level_db: Float64Array  # (rows, cells): the running mean
    slots: Int64Array  # (rows,): slots that it holds


class Event(Rule):
    """Base: the best candidate is taken where `holds` says so.

    past: weight of the past in the running mean of RSRQ, 0 to below 1. trend: how many of its last changes are still to
    come, from 0. ValueError otherwise.
    """

    common: ClassVar[dict[str, Allowed]] = {"past": Range(0.0, 0.95), "trend": Range(0.0, 2.0)}

    def __init__(self, *, past: float = 0.0, trend: float = 0.0):
        between("past", past, 0.0, 0.999)
        at_least("trend", trend, 0.0)
        self.config: Mapping[str, Any] = {"past": float(past), "trend": float(trend)}

    def remember(self, view: View) -> FilterMemory:
        return FilterMemory(np.zeros((view.num_rows, num_cells(view))), np.zeros(view.num_rows, np.int64))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now = read(seen)
        level_db = self.compared_db(self.filtered_db(seen, now))
        row = np.arange(len(level_db))
        others_db = np.where(now.candidate, level_db, -np.inf)
        others_db[row, now.serving] = -np.inf
        target = others_db.argmax(axis=1)
        found = others_db[row, target] > -np.inf
        lost = ~now.of(now.candidate, now.serving)
        goes = found & (lost | self.holds(level_db[row, now.serving], others_db[row, target]))
        stays = now.of(now.allowed, now.serving)
        return np.where(goes, target, np.where(stays, now.serving, now.allowed.argmax(axis=1)))

    def filtered_db(self, seen: Seen, now: Reading) -> Float64Array:
        """RSRQ as the event sees it, dB, (rows, cells)."""
        memory, before = seen.memory, seen.memory.level_db
        first = memory.slots == 0
        share = np.where(first, 1.0, 1.0 - self.config["past"])[:, None]
        memory.level_db = before + share * (now.rsrq_db - before)
        memory.slots = memory.slots + 1
        change = np.where(first[:, None], 0.0, memory.level_db - before)
        return memory.level_db + self.config["trend"] * change

    def compared_db(self, level_db: Float64Array) -> Float64Array:
        """What cells are compared by, (rows, cells), of filtered RSRQ `level_db` (rows, cells), in dB."""
        return level_db

    def holds(self, serving_db: Float64Array, best_db: Float64Array) -> NDArray[np.bool_]:
        """Whether the event holds for the serving cell and the best other candidate, (rows,) all."""
        raise NotImplementedError


class A3Filtered(Event):
    """Event A3 on filtered RSRQ, below a threshold of the serving cell (event A2 first).

    hysteresis_db: any. gate_db: only below this filtered RSRQ. Other keywords are those of `Event`.
    """

    named = "A3, filtered"
    tunable: ClassVar[Any] = {
        "hysteresis_db": Range(0.0, 25.0, "dB"),
        "gate_db": Range(-30.0, 0.0, "dB"),
        **Event.common,
    }

    def __init__(self, *, hysteresis_db: float = 3.0, gate_db: float = 0.0, offset_db: Any = (), **common: Any):
        super().__init__(**common)
        at_least("hysteresis_db", hysteresis_db, LEAST_DB)
        at_least("gate_db", gate_db, LEAST_DB)
        offsets = [float(x) for x in offset_db]
        self.config = {
            "hysteresis_db": float(hysteresis_db),
            "gate_db": float(gate_db),
            "offset_db": offsets,
            **self.config,
        }
        self.label = f"{self.named} ({hysteresis_db:g} dB)"

    def remember(self, view: View) -> FilterMemory:
        if (given := len(self.config["offset_db"])) not in (0, num_cells(view)):
            raise AgentError(f"offset_db must have {num_cells(view)} numbers, one a cell, got {given}.")
        return super().remember(view)

    def compared_db(self, level_db: Float64Array) -> Float64Array:
        """RSRQ with offsets, (rows, cells), of filtered RSRQ `level_db` (rows, cells), in dB."""
        return level_db + np.array(self.config["offset_db"]) if self.config["offset_db"] else level_db

    def holds(self, serving_db: Float64Array, best_db: Float64Array) -> NDArray[np.bool_]:
        return (best_db > serving_db + self.config["hysteresis_db"]) & (serving_db <= self.config["gate_db"])


class A3Offsets(A3Filtered):
    """`A3Filtered` with an offset for each cell (cellIndividualOffset), where all episodes have the same cells."""

    named = "A3, offsets by cell"

    @classmethod
    def tunable(cls, task: Any) -> dict[str, Allowed]:
        """What a search may choose: offsets only where the cells are those of a file, or of a fixed layout."""
        config = task.scenario().config
        if config.channel is None and config.layout_seed is None:
            return dict(A3Filtered.tunable)
        cells = task.scenario().num_cells
        return {**A3Filtered.tunable, "offset_db": Many(Range(-6.0, 6.0, "dB"), cells, cells)}


class A5(Event):
    """Event A5 (TS 38.331, 5.5.4.6): the serving cell below one threshold, a neighbour above another.

    serving_db, neighbour_db: thresholds of filtered RSRQ. Other keywords are those of `Event`.
    """

    named = "A5"
    tunable: ClassVar[Any] = {
        "serving_db": Range(-40.0, 0.0, "dB"),
        "neighbour_db": Range(-40.0, 0.0, "dB"),
        **Event.common,
    }

    def __init__(self, *, serving_db: float = -10.0, neighbour_db: float = -5.0, **common: Any):
        super().__init__(**common)
        at_least("serving_db", serving_db, LEAST_DB)
        at_least("neighbour_db", neighbour_db, LEAST_DB)
        self.config = {"serving_db": float(serving_db), "neighbour_db": float(neighbour_db), **self.config}
        self.label = f"{self.named} ({serving_db:g}, {neighbour_db:g} dB)"

    def holds(self, serving_db: Float64Array, best_db: Float64Array) -> NDArray[np.bool_]:
        return (serving_db < self.config["serving_db"]) & (best_db > self.config["neighbour_db"])


class A2(Event):
    """Event A2 (TS 38.331, 5.5.4.3): below a threshold of the serving cell to the best other candidate.

    serving_db: threshold of filtered RSRQ. Other keywords are those of `Event`.
    """

    named = "A2"
    tunable: ClassVar[Any] = {"serving_db": Range(-40.0, 0.0, "dB"), **Event.common}

    def __init__(self, *, serving_db: float = -10.0, **common: Any):
        super().__init__(**common)
        at_least("serving_db", serving_db, LEAST_DB)
        self.config = {"serving_db": float(serving_db), **self.config}
        self.label = f"{self.named} ({serving_db:g} dB)"

    def holds(self, serving_db: Float64Array, best_db: Float64Array) -> NDArray[np.bool_]:
        return serving_db < self.config["serving_db"]
