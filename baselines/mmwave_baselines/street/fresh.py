"""Handover events with what a UE knows best: its own SINR of now, against the neighbours' measurements of before.

Events are those of 3GPP TS 38.331, 5.5.4: A2 (the serving cell is weak), A3 (a neighbour is better by an offset), A5
(the serving cell is weak and a neighbour is good). A neighbour's SINR follows from the measured RSRP of all cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.street.rules import offsets, one_map
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Count, Flag, Many, Range
from mmwave_gym.core.types import Float64Array, FloatArray, Int64Array
from mmwave_gym.radio.street_maps import NOISE_DBM
from mmwave_gym.radio.units import db_to_linear, linear_to_db, spectral_efficiency_bps_hz

UNLIMITED_DB = 100.0
"""Above every SINR: a gate that is always open."""
MOST_PAIRS = 100
"""Pairs of cells of the largest street whose offsets by pair are searched."""


@dataclass
class FreshMemory:
    decisions_better: Int64Array  # (rows,): decisions in a row for which the condition has held
    serving: Int64Array  # (rows,): whom the counter is about


class Fresh(Rule):
    """Base: the neighbour with the best SINR is taken where `better` says so, for so many decisions in a row.

    past: weight of the past in the filter of eight measurements, 0 to below 1. decisions: so many in a row must agree.
    stay_s: least time with a cell. commands_in_outage: below `out_db` always commands, though that may lose the link at
    once; else never. ValueError for what is out of range.
    """

    common: ClassVar[dict[str, Allowed]] = {
        "past": Range(0.0, 0.9),
        "decisions": Count(1, 4),
        "stay_s": Range(0.0, 2.0, "s"),
        "commands_in_outage": Flag(),
    }

    def __init__(self, *, past: float = 0.0, decisions: int = 1, stay_s: float = 0.0, commands_in_outage: bool = False):
        between("past", past, 0.0, 0.999)
        at_least("decisions", decisions, 1, integer=True)
        at_least("stay_s", stay_s, 0.0)
        self.config: Mapping[str, Any] = {
            "past": float(past),
            "decisions": int(decisions),
            "stay_s": float(stay_s),
            "commands_in_outage": bool(commands_in_outage),
        }

    def remember(self, view: View) -> FreshMemory:
        return FreshMemory(np.zeros(view.num_rows, np.int64), np.full(view.num_rows, -1))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        its, memory, serving = self.config, seen.memory, seen["serving"].argmax(axis=1)
        row, own_db = np.arange(len(serving)), seen["sinr_db"].astype(np.float64)
        score_db = self.neighbours_db(seen, serving)
        score_db[row, serving] = -np.inf
        target = score_db.argmax(axis=1)
        better = self.better(seen, own_db, score_db[row, target], serving)
        better &= seen["served_s"][:, 0] >= its["stay_s"]
        memory.decisions_better = np.where(serving == memory.serving, memory.decisions_better, 0)
        memory.decisions_better = np.where(better, memory.decisions_better + 1, 0)
        memory.serving = serving
        agreed = memory.decisions_better >= its["decisions"]
        goes = np.where(own_db[:, 0] < seen.constants["out_db"], its["commands_in_outage"], agreed)
        return np.where(goes, target, serving)

    def neighbours_db(self, seen: Seen, serving: Int64Array) -> FloatArray:
        """What cells are compared by, dB, (rows, cells). serving: (rows,)."""
        return self.measured_db(seen)

    def better(self, seen: Seen, own_db: Float64Array, best_db: Float64Array, serving: Int64Array) -> NDArray[np.bool_]:
        """Where the best neighbour is worth a handover, (rows,).

        own_db: SINR of the serving cell at this decision and those before, dB, (rows, past). best_db: (rows,), of
        `neighbours_db`. serving: (rows,).
        """
        raise NotImplementedError

    def measured_db(self, seen: Seen) -> FloatArray:
        """SINR in dB of each cell, (rows, cells), from the filtered measurements and their trend."""
        past, trend, known = self.config["past"], self.config.get("trend", 0.0), seen.constants
        count = sum(name.startswith("rsrp_") for name in seen.parts)
        level_dbm = before_dbm = seen[f"rsrp_{count - 1}_dbm"].astype(np.float64)
        for i in range(count - 2, -1, -1):
            before_dbm, level_dbm = level_dbm, past * level_dbm + (1.0 - past) * seen[f"rsrp_{i}_dbm"]
        level_dbm = level_dbm + trend * (level_dbm - before_dbm)
        return measured_sinr_db(level_dbm, known)


class A3Fresh(Fresh):
    """Event A3 (3GPP TS 38.331, 5.5.4.4) on SINR: the serving cell's of now, the neighbours' as last measured.

    The best neighbour is taken where SINR_n + offset_n > SINR_s + offset_s + pair_sn + hysteresis. Beside the keywords
    of `Fresh`:

    hysteresis_db. gate_db: only below this serving SINR (event A2 first). capped: no SINR counts above that of the best
    code. trend, own_trend: how many of the last changes of neighbours and of the serving cell are still to come, from
    0. offset_db: one a cell (cellIndividualOffset). pair_db: one for each serving cell and neighbour, serving cells
    first. ValueError for what is out of range.
    """

    named = "A3 on fresh SINR"
    tunable: ClassVar[Any] = {
        "hysteresis_db": Range(-2.0, 10.0, "dB"),
        "gate_db": Range(0.0, UNLIMITED_DB, "dB"),
        "capped": Flag(),
        **Fresh.common,
    }

    def __init__(
        self,
        *,
        hysteresis_db: float = 3.0,
        gate_db: float = UNLIMITED_DB,
        capped: bool = False,
        trend: float = 0.0,
        own_trend: float = 0.0,
        offset_db: tuple[float, ...] = (),
        pair_db: tuple[float, ...] = (),
        **common: Any,
    ):
        super().__init__(**common)
        at_least("hysteresis_db", hysteresis_db, -100.0)
        at_least("gate_db", gate_db, -UNLIMITED_DB)
        at_least("trend", trend, 0.0)
        at_least("own_trend", own_trend, 0.0)
        self.config = {
            "hysteresis_db": float(hysteresis_db),
            "gate_db": float(gate_db),
            "capped": bool(capped),
            "trend": float(trend),
            "own_trend": float(own_trend),
            "offset_db": [float(x) for x in offset_db],
            "pair_db": [float(x) for x in pair_db],
            **self.config,
        }
        self.label = f"{self.named} ({hysteresis_db:g} dB)"

    def remember(self, view: View) -> FreshMemory:
        cells = int(view.constants["num_cells"])
        for name, count, each in (("offset_db", cells, "one a cell"), ("pair_db", cells**2, "one a pair of cells")):
            if (given := len(self.config[name])) not in (0, count):
                raise AgentError(f"{name} must have {count} numbers, {each}, got {given}.")
        return super().remember(view)

    def neighbours_db(self, seen: Seen, serving: Int64Array) -> FloatArray:
        its, cells = self.config, int(seen.constants["num_cells"])
        score_db = np.minimum(self.measured_db(seen), self._most_db(seen))
        if its["offset_db"]:
            score_db = score_db + np.array(its["offset_db"])
        if its["pair_db"]:
            score_db = score_db - np.array(its["pair_db"]).reshape(cells, cells)[serving]
        return score_db

    def better(self, seen: Seen, own_db: Float64Array, best_db: Float64Array, serving: Int64Array) -> NDArray[np.bool_]:
        its = self.config
        now_db = np.minimum(own_db[:, 0] + its["own_trend"] * (own_db[:, 0] - own_db[:, 1]), self._most_db(seen))
        if its["offset_db"]:
            now_db = now_db + np.array(its["offset_db"])[serving]
        return self.pays(seen, best_db, now_db) & (own_db[:, 0] < its["gate_db"])

    def pays(self, seen: Seen, best_db: Float64Array, now_db: Float64Array) -> NDArray[np.bool_]:
        """Whether the best neighbour is better enough, (rows,). best_db, now_db: its SINR and the serving, (rows,)."""
        return best_db > now_db + self.config["hysteresis_db"]

    def _most_db(self, seen: Seen) -> float:
        return float(linear_to_db(2.0 ** seen.constants["most_bps_hz"] - 1.0)) if self.config["capped"] else np.inf


class A3Trend(A3Fresh):
    """`A3Fresh` on what follows if the last changes of both cells go on."""

    named = "A3 on fresh SINR and its trend"
    tunable: ClassVar[Any] = {**A3Fresh.tunable, "trend": Range(0.0, 2.0), "own_trend": Range(0.0, 3.0)}


class A3Cells(A3Fresh):
    """`A3Trend` with an offset for each cell, tuned for the street (TS 38.331: cellIndividualOffset)."""

    named = "A3 on fresh SINR, offsets by cell"

    @classmethod
    def tunable(cls, task: Any) -> dict[str, Allowed]:
        """What a search may choose: offsets only for the cells of one street."""
        return {**A3Trend.tunable, **offsets(task)}


class A3Pairs(A3Fresh):
    """`A3Fresh` with an offset for each pair of serving cell and neighbour, tuned for a street of few cells."""

    named = "A3 on fresh SINR, offsets by pair"

    @classmethod
    def tunable(cls, task: Any) -> dict[str, Allowed]:
        """What a search may choose: offsets only for the pairs of one street of at most `MOST_PAIRS` pairs."""
        pairs = task.scenario().num_cells ** 2
        if not one_map(task) or pairs > MOST_PAIRS:
            return dict(A3Fresh.tunable)
        return {**A3Fresh.tunable, "pair_db": Many(Range(-6.0, 6.0, "dB"), pairs, pairs)}


class RateFresh(A3Fresh):
    """`A3Fresh` in rates: the neighbour's, `hysteresis_db` below its SINR, is more than `factor` times the serving's.

    factor: at least 0, ValueError otherwise. Other keywords are those of `A3Fresh`.
    """

    named = "rate on fresh SINR"

    @classmethod
    def tunable(cls, task: Any) -> dict[str, Allowed]:
        """What a search may choose: offsets only for the cells of one street."""
        return {**A3Trend.tunable, "factor": Range(1.0, 3.0), **offsets(task)}

    def __init__(self, *, factor: float = 1.25, **keywords: Any):
        super().__init__(**keywords)
        at_least("factor", factor, 0.0)
        self.config = {"factor": float(factor), **self.config}
        self.label = f"{self.named} (x {factor:g})"

    def pays(self, seen: Seen, best_db: Float64Array, now_db: Float64Array) -> NDArray[np.bool_]:
        """Whether the neighbour's rate is so much more, (rows,). best_db, now_db: both SINRs, (rows,)."""
        known, margin_db = seen.constants, self.config["hysteresis_db"]
        return rate_bps_hz(best_db - margin_db, known) > self.config["factor"] * rate_bps_hz(now_db, known)


class A5Fresh(Fresh):
    """Event A5 (3GPP TS 38.331, 5.5.4.6) on SINR: the serving cell below one threshold, a neighbour above another.

    serving_db: threshold of the serving SINR of now. neighbour_db: that of the best neighbour's measured SINR. Other
    keywords are those of `Fresh`.
    """

    named = "A5 on fresh SINR"
    tunable: ClassVar[Any] = {
        "serving_db": Range(-8.0, 25.0, "dB"),
        "neighbour_db": Range(-8.0, 25.0, "dB"),
        **Fresh.common,
    }

    def __init__(self, *, serving_db: float = 3.0, neighbour_db: float = 6.0, **common: Any):
        super().__init__(**common)
        at_least("serving_db", serving_db, -UNLIMITED_DB)
        at_least("neighbour_db", neighbour_db, -UNLIMITED_DB)
        self.config = {"serving_db": float(serving_db), "neighbour_db": float(neighbour_db), **self.config}
        self.label = f"{self.named} ({serving_db:g}, {neighbour_db:g} dB)"

    def better(self, seen: Seen, own_db: Float64Array, best_db: Float64Array, serving: Int64Array) -> NDArray[np.bool_]:
        return (own_db[:, 0] < self.config["serving_db"]) & (best_db > self.config["neighbour_db"])


class A2Fresh(A5Fresh):
    """Event A2 (3GPP TS 38.331, 5.5.4.3): below a threshold of the serving SINR to the best neighbour, whatever it is.

    serving_db, and the keywords of `Fresh`.
    """

    named = "A2 on fresh SINR"
    tunable: ClassVar[Any] = {"serving_db": Range(-8.0, 25.0, "dB"), **Fresh.common}

    def __init__(self, *, serving_db: float = 3.0, **common: Any):
        super().__init__(serving_db=serving_db, neighbour_db=-UNLIMITED_DB, **common)
        self.config = {name: value for name, value in self.config.items() if name != "neighbour_db"}
        self.label = f"{self.named} ({serving_db:g} dB)"

    def better(self, seen: Seen, own_db: Float64Array, best_db: Float64Array, serving: Int64Array) -> NDArray[np.bool_]:
        return own_db[:, 0] < self.config["serving_db"]


def measured_sinr_db(level_dbm: Float64Array, known: Mapping[str, Any]) -> FloatArray:
    """SINR in dB of each cell, (rows, cells), that follows from the RSRP of all, `level_dbm` (rows, cells)."""
    snr = db_to_linear(level_dbm - NOISE_DBM)
    share = 0.0 if known["interference_db"] is None else db_to_linear(np.float64(known["interference_db"]))
    return linear_to_db(snr / (1.0 + share * (snr.sum(axis=1, keepdims=True) - snr)))


def rate_bps_hz(sinr_db: FloatArray, known: Mapping[str, Any]) -> FloatArray:
    """bit/s/Hz at SINRs in dB, (...,) both, as the world gives them: none below `out_db`, at most the best code's."""
    rate = np.minimum(spectral_efficiency_bps_hz(db_to_linear(sinr_db)), known["most_bps_hz"])
    return np.where(sinr_db >= known["out_db"], rate, 0.0)
