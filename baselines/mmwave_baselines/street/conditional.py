"""Conditional handover by event A3: the UE leaves by itself when a prepared cell is better enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from mmwave_baselines.street.fresh import UNLIMITED_DB, FreshMemory
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.agents.tuned import tuned_for
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Allowed, Count, Range
from mmwave_gym.core.types import Int64Array

NEEDS = (
    "cho-a3 needs a task with handover='conditional', such as street/car-sparse-conditional-v1; here it is 'command'."
)


class ChoA3(Rule):
    """Conditional handover (3GPP TS 38.331, 5.3.5.13) on condEventA3: RSRP_n > RSRP_s + hysteresis, both of now.

    Of the prepared cells that are better enough the strongest is taken. It plays where `handover="conditional"` alone.

    hysteresis_db. gate_db: only below this serving SINR of now. decisions: so many in a row must agree, from 1 (time to
    trigger). ValueError for what is out of range.
    """

    tunable: ClassVar[dict[str, Allowed]] = {
        "hysteresis_db": Range(0.0, 12.0, "dB"),
        "gate_db": Range(0.0, UNLIMITED_DB, "dB"),
        "decisions": Count(1, 4),
    }

    def __init__(self, *, hysteresis_db: float = 3.0, gate_db: float = UNLIMITED_DB, decisions: int = 1):
        at_least("hysteresis_db", hysteresis_db, -100.0)
        at_least("gate_db", gate_db, -UNLIMITED_DB)
        at_least("decisions", decisions, 1, integer=True)
        self.config: Mapping[str, Any] = {
            "hysteresis_db": float(hysteresis_db),
            "gate_db": float(gate_db),
            "decisions": int(decisions),
        }
        self.label = f"CHO on A3 ({hysteresis_db:g} dB)"

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Self:
        """The rule for a task; AgentError for a training seed, NotApplicable without conditional handover."""
        if training_seed is not None:
            raise AgentError(f"cho-a3 is a rule and has no training seeds, got {training_seed}.")
        if task is not None and not task.scenario().conditional:
            raise NotApplicable(NEEDS)
        made: Self = tuned_for(cls, task)
        return made

    def remember(self, view: View) -> FreshMemory:
        if view.constants.get("handover") != "conditional":
            raise NotApplicable(NEEDS)
        return FreshMemory(np.zeros(view.num_rows, np.int64), np.full(view.num_rows, -1))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        its, memory, serving = self.config, seen.memory, seen["serving"].argmax(axis=1)
        row, now_dbm = np.arange(len(serving)), seen["now_dbm"].astype(np.float64)
        others_dbm = np.where(seen["prepared"] > 0.0, now_dbm, -np.inf)
        target = others_dbm.argmax(axis=1)
        better = others_dbm[row, target] > now_dbm[row, serving] + its["hysteresis_db"]
        better &= seen["sinr_db"][:, 0] < its["gate_db"]
        count = np.where(serving == memory.serving, memory.decisions_better, 0)
        memory.decisions_better = np.where(better, count + 1, 0)
        memory.serving = serving
        return np.where(memory.decisions_better >= its["decisions"], target, serving)
