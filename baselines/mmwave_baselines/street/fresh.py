"""Event A3 with what a UE knows best: its own SINR of now, against the neighbours' measurements of up to 0.4 s ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmwave_baselines.street.rules import offsets
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Count, Flag, Range
from mmwave_gym.core.types import Float64Array, FloatArray, Int64Array
from mmwave_gym.radio.units import db_to_linear, linear_to_db, spectral_efficiency_bps_hz
from mmwave_gym.scenarios.street.world import NOISE_DBM

UNLIMITED_DB = 100.0
"""Above every SINR: a gate that is always open."""


@dataclass
class FreshMemory:
    decisions_better: Int64Array  # (rows,): decisions in a row for which the condition has held
    serving: Int64Array  # (rows,): whom the counter is about


class A3Fresh(Rule):
    """Event A3 (3GPP TS 38.331, 5.5.4.4) on SINR: the serving cell's of now, the neighbours' as last measured.

    A neighbour's SINR follows from the measured RSRP of all cells, each filtered over eight measurements. The best one
    is taken where SINR_n + offset_n > SINR_s + offset_s + hysteresis. All else is off by default.

    hysteresis_db. past: weight of the filter's past, 0 to below 1. gate_db: only below this serving SINR (event A2).
    trend, own_trend: how many of the last changes of neighbours and of the serving cell are still to come, from 0.
    capped: no SINR counts above that of the best code. factor: rates are compared instead,
    rate(SINR_n - hysteresis) > factor rate(SINR_s). stay_s: least time with a cell. decisions: so many in a row must
    agree. commands_in_outage: below `out_db` always commands, though that may lose the link at once; else never.
    offset_db: one a cell. ValueError for what is out of range.
    """

    def __init__(
        self,
        *,
        hysteresis_db: float = 3.0,
        past: float = 0.0,
        gate_db: float = UNLIMITED_DB,
        trend: float = 0.0,
        own_trend: float = 0.0,
        capped: bool = False,
        factor: float = 0.0,
        stay_s: float = 0.0,
        decisions: int = 1,
        commands_in_outage: bool = False,
        offset_db: tuple[float, ...] = (),
    ):
        at_least("hysteresis_db", hysteresis_db, -100.0)
        between("past", past, 0.0, 0.999)
        at_least("gate_db", gate_db, -UNLIMITED_DB)
        for parameter, value in {"trend": trend, "own_trend": own_trend, "factor": factor, "stay_s": stay_s}.items():
            at_least(parameter, value, 0.0)
        at_least("decisions", decisions, 1, integer=True)
        self.config: Mapping[str, Any] = {
            "hysteresis_db": float(hysteresis_db),
            "past": float(past),
            "gate_db": float(gate_db),
            "trend": float(trend),
            "own_trend": float(own_trend),
            "capped": bool(capped),
            "factor": float(factor),
            "stay_s": float(stay_s),
            "decisions": int(decisions),
            "commands_in_outage": bool(commands_in_outage),
            "offset_db": [float(x) for x in offset_db],
        }
        self.label = f"A3 on fresh SINR ({hysteresis_db:g} dB)"

    @classmethod
    def tunable(cls, task: Any) -> dict[str, Allowed]:
        """What a search may choose: offsets only for the cells of one street."""
        return {
            "hysteresis_db": Range(-2.0, 10.0, "dB"),
            "past": Range(0.0, 0.9),
            "gate_db": Range(0.0, UNLIMITED_DB, "dB"),
            "trend": Range(0.0, 2.0),
            "own_trend": Range(0.0, 3.0),
            "capped": Flag(),
            "factor": Range(0.0, 2.5),
            "stay_s": Range(0.0, 2.0, "s"),
            "decisions": Count(1, 4),
            "commands_in_outage": Flag(),
            **offsets(task),
        }

    def remember(self, view: View) -> FreshMemory:
        cells, offset_db = int(view.constants["num_cells"]), self.config["offset_db"]
        if offset_db and len(offset_db) != cells:
            raise AgentError(f"offset_db must have {cells} numbers, one a cell, got {len(offset_db)}.")
        return FreshMemory(np.zeros(view.num_rows, np.int64), np.full(view.num_rows, -1))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        its, memory, known, serving = self.config, seen.memory, seen.constants, seen["serving"].argmax(axis=1)
        row, own_db = np.arange(len(serving)), seen["sinr_db"].astype(np.float64)
        offset_db = np.array(its["offset_db"] or [0.0] * known["num_cells"])
        most_db = linear_to_db(2.0 ** known["most_bps_hz"] - 1.0) if its["capped"] else np.inf
        now_db = np.minimum(own_db[:, 0] + its["own_trend"] * (own_db[:, 0] - own_db[:, 1]), most_db)
        others_db = np.minimum(self.measured_db(seen), most_db) + offset_db
        others_db[row, serving] = -np.inf
        target = others_db.argmax(axis=1)
        best_db, now_db = others_db[row, target] - its["hysteresis_db"], now_db + offset_db[serving]
        if its["factor"]:
            best_db, now_db = _rate(best_db, known), its["factor"] * _rate(now_db, known)
        better = (best_db > now_db) & (own_db[:, 0] < its["gate_db"]) & (seen["served_s"][:, 0] >= its["stay_s"])
        memory.decisions_better = np.where(serving == memory.serving, memory.decisions_better, 0)
        memory.decisions_better = np.where(better, memory.decisions_better + 1, 0)
        memory.serving = serving
        agreed = memory.decisions_better >= its["decisions"]
        goes = np.where(own_db[:, 0] < known["out_db"], its["commands_in_outage"], agreed)
        return np.where(goes, target, serving)

    def measured_db(self, seen: Seen) -> FloatArray:
        """SINR in dB of each cell, (rows, cells), from the filtered measurements and their trend."""
        past, known = self.config["past"], seen.constants
        count = sum(name.startswith("rsrp_") for name in seen.parts)
        level_dbm = before_dbm = seen[f"rsrp_{count - 1}_dbm"].astype(np.float64)
        for i in range(count - 2, -1, -1):
            before_dbm, level_dbm = level_dbm, past * level_dbm + (1.0 - past) * seen[f"rsrp_{i}_dbm"]
        level_dbm = level_dbm + self.config["trend"] * (level_dbm - before_dbm)
        snr = db_to_linear(level_dbm - NOISE_DBM)
        share = 0.0 if known["interference_db"] is None else db_to_linear(np.float64(known["interference_db"]))
        return linear_to_db(snr / (1.0 + share * (snr.sum(axis=1, keepdims=True) - snr)))


def _rate(sinr_db: Float64Array, known: Mapping[str, Any]) -> Float64Array:
    """bit/s/Hz at SINRs in dB, (rows,) both, as the world gives them: none below `out_db`, at most the best code's."""
    rate = np.minimum(spectral_efficiency_bps_hz(db_to_linear(sinr_db)), known["most_bps_hz"])
    return np.where(sinr_db >= known["out_db"], rate, 0.0)
