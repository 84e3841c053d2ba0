"""Rules for shared streets: events A3 and A5, load offsets, greedy shares, and conditional handover beside each.

A rule commands in the slots of its UE's own measurement. In the other slots a rule with a condition may carry out a
conditional handover: it goes to the stronger of the two prepared cells once that is `offset_db` above the serving cell
and the serving cell's SINR is below `below_db`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.ranges import Flag, Range
from mmwave_gym.core.types import Float64Array, Int64Array
from mmwave_gym.scenarios.shared_street.scores import LEAST_BPS_HZ

ALWAYS_DB = 60.0
"""A serving SINR that no UE reaches where it matters: the condition then asks for the offset alone."""


class RandomCandidate(Rule):
    """A candidate at random whenever another one is allowed: the floor."""

    label = "random candidate"
    kind = "floor"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return rng.choice(seen.allowed)


class Stay(Rule):
    """Never hands over; lost links come back on the strongest cell."""

    label = "stay"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return np.zeros(len(seen), np.int64)


class Commanding(Rule):
    """Base of rules that score candidates in the slots of measurement, with or without a condition.

    conditional: whether there is a condition. offset_db, below_db: the condition, see the module's text.
    """

    condition: ClassVar[Any] = {
        "conditional": Flag(),
        "offset_db": Range(2.0, 12.0, "dB"),
        "below_db": Range(-8.0, ALWAYS_DB, "dB"),
    }

    def __init__(self, conditional: bool = False, offset_db: float = 6.0, below_db: float = ALWAYS_DB):
        self.conditional, self.offset_db, self.below_db = bool(conditional), float(offset_db), float(below_db)
        self.config: dict[str, Any] = {"conditional": self.conditional}
        if self.conditional:
            self.config |= {"offset_db": self.offset_db, "below_db": self.below_db}

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        action = np.zeros(len(seen), np.int64)
        allowed = seen.allowed
        measured = (seen["measures"][:, 0] > 0.0) & allowed[:, 1:].any(axis=1)
        rows = np.flatnonzero(measured)
        if len(rows):
            gain = np.where(allowed[rows, 1:], self.gain(seen, rows), -np.inf)
            action[rows] = np.where(gain.max(axis=1) > 0.0, 1 + gain.argmax(axis=1), 0)
        if self.conditional:
            rows = np.flatnonzero(~(seen["measures"][:, 0] > 0.0) & allowed[:, 1:].any(axis=1))
            now_dbm = seen["now_dbm"][rows]
            above_db = np.where(allowed[rows, 1:], now_dbm[:, 1:] - now_dbm[:, :1] - self.offset_db, -np.inf)
            goes = (above_db.max(axis=1) > 0.0) & (seen["sinr_db"][rows, 0] < self.below_db)
            action[rows] = np.where(goes, 1 + above_db.argmax(axis=1), 0)
        return action

    def gain(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        """(rows, choices but the serving cell): the best one above 0 is commanded."""
        return np.full((len(rows), seen.allowed.shape[1] - 1), -1.0)


class A3(Commanding):
    """Event A3 (TS 38.331, 5.5.4.4): a neighbour's RSRP is `hysteresis_db` above the serving cell's."""

    tunable: ClassVar[Any] = {"hysteresis_db": Range(0.0, 10.0, "dB")}

    def __init__(self, hysteresis_db: float = 4.0, **condition: Any):
        super().__init__(**condition)
        self.hysteresis_db = float(hysteresis_db)
        self.config = {"hysteresis_db": self.hysteresis_db, **self.config}
        self.label = f"A3 ({self.hysteresis_db:g} dB)"

    def gain(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        level_dbm = seen["rsrp_0_dbm"][rows].astype(np.float64)
        return level_dbm[:, 1:] - level_dbm[:, :1] - self.hysteresis_db


class A5(Commanding):
    """Event A5 (5.5.4.6) in this form: own SINR below `serving_db`, a neighbour's RSRP `margin_db` above the own."""

    tunable: ClassVar[Any] = {"serving_db": Range(-6.0, 25.0, "dB"), "margin_db": Range(-4.0, 8.0, "dB")}

    def __init__(self, serving_db: float = 8.0, margin_db: float = 2.0, **condition: Any):
        super().__init__(**condition)
        self.serving_db, self.margin_db = float(serving_db), float(margin_db)
        self.config = {"serving_db": self.serving_db, "margin_db": self.margin_db, **self.config}
        self.label = f"A5 ({self.serving_db:g} dB, {self.margin_db:g} dB)"

    def gain(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        level_dbm = seen["rsrp_0_dbm"][rows].astype(np.float64)
        above_db = level_dbm[:, 1:] - level_dbm[:, :1] - self.margin_db
        return np.where(seen["sinr_db"][rows] < self.serving_db, above_db, -1.0)


class A3Load(Commanding):
    """A3 with an offset of each cell by its load, as mobility load balancing has it: `octave_db` for twice as many UEs.

    The offset is at most 15 dB.
    """

    tunable: ClassVar[Any] = {"hysteresis_db": Range(0.0, 10.0, "dB"), "octave_db": Range(0.0, 8.0, "dB")}
    most_db = 15.0

    def __init__(self, hysteresis_db: float = 5.0, octave_db: float = 4.0, **condition: Any):
        super().__init__(**condition)
        self.hysteresis_db, self.octave_db = float(hysteresis_db), float(octave_db)
        self.config = {"hysteresis_db": self.hysteresis_db, "octave_db": self.octave_db, **self.config}
        self.label = f"A3 + load ({self.hysteresis_db:g} dB, {self.octave_db:g} dB)"

    def gain(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        level_dbm = seen["rsrp_0_dbm"][rows].astype(np.float64)
        octaves = np.log2(np.maximum(seen["sharing"][rows], 1.0).astype(np.float64))
        offset_db = np.clip(self.octave_db * (octaves[:, :1] - octaves[:, 1:]), -self.most_db, self.most_db)
        return level_dbm[:, 1:] - level_dbm[:, :1] + offset_db - self.hysteresis_db


class ChoA3(Commanding):
    """Conditional handover alone: no commands, the UE goes to a prepared cell `offset_db` above its own."""

    tunable: ClassVar[Any] = {"offset_db": Range(0.0, 12.0, "dB")}

    def __init__(self, offset_db: float = 6.0):
        super().__init__(conditional=True, offset_db=offset_db)
        self.config = {"offset_db": self.offset_db}
        self.label = f"CHO-A3 ({self.offset_db:g} dB)"


class Greedy(Commanding):
    """The greatest ln(efficiency / active UEs with this one + 0.01), `hysteresis` above the serving cell's.

    The serving cell's efficiency is that of its SINR of now, the others' that of the newest measurement.
    """

    tunable: ClassVar[Any] = {"hysteresis": Range(0.1, 2.0)}

    def __init__(self, hysteresis: float = 0.7, **condition: Any):
        super().__init__(**condition)
        self.hysteresis = float(hysteresis)
        self.config = {"hysteresis": self.hysteresis, **self.config}
        self.label = f"greedy ({self.hysteresis:g})"

    def gain(self, seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
        value = np.log(own_efficiency(seen, rows) / sharing(seen, rows) + LEAST_BPS_HZ)
        return value[:, 1:] - value[:, :1] - self.hysteresis


class GreedyCho(Greedy):
    """Greedy commands with a condition beside them."""

    tunable: ClassVar[Any] = {
        **Greedy.tunable,
        "offset_db": Commanding.condition["offset_db"],
        "below_db": Commanding.condition["below_db"],
    }

    def __init__(self, hysteresis: float = 1.0, offset_db: float = 9.0, below_db: float = 6.0):
        super().__init__(hysteresis, conditional=True, offset_db=offset_db, below_db=below_db)
        self.label = f"greedy + CHO ({self.hysteresis:g}, {self.offset_db:g} dB below {self.below_db:g} dB)"


def own_efficiency(seen: Seen, rows: NDArray[np.intp], name: str = "efficiency_bps_hz") -> Float64Array:
    """(rows, choices): efficiency of each candidate in bit/s/Hz, that of the serving cell by its SINR of now."""
    efficiency = seen[name][rows].astype(np.float64)
    constants = seen.constants
    own_db = seen["sinr_db"][rows, 0].astype(np.float64)
    own = np.minimum(np.log2(1.0 + 10.0 ** (0.1 * own_db)), constants["most_bps_hz"])
    efficiency[:, 0] = np.where(own_db < constants["out_db"], 0.0, own)
    return efficiency


def sharing(seen: Seen, rows: NDArray[np.intp]) -> Float64Array:
    """(rows, choices): active UEs of each candidate with this one, one at least."""
    return np.maximum(seen["sharing"][rows], 1.0).astype(np.float64)
