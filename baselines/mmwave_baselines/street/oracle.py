"""The best that anybody could have done in a street, and what every decision is worth in hindsight.

What a UE passes does not depend on the cells it chooses, so with its whole way known the best decisions follow from
a recursion over decisions and serving cells, with the environment's own times, lost commands and failed accesses:

    V_d(s) = max( what 100 ms on s bring + V_{d+1}(s),  the best handover from s and what follows it )

T310 is left out, and re-establishment may be asked for at any decision, so V_0 is a bound for everybody. Nobody can ask
for it, and it would cost less than a handover: `Oracle` plays by values without it, and is a little below the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agent import RowRng, begun
from mmwave_gym.radio import db_to_linear, spectral_efficiency_bps_hz
from mmwave_gym.scenario import View

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """By copy, decision and serving cell, in bit/s/Hz times 100 ms."""

    best: Floats  # (copy, decision, cell): the most from here on
    stay: Floats  # (copy, decision, cell): what 100 ms on the serving cell bring
    before: Floats  # (copy, decision, cell): what the serving cell brings during the preparation
    after: Floats  # (copy, decision, target): what the target and everything after it bring, its access checked
    commanded: NDArray[np.bool_]  # (copy, decision, cell): does the command of a handover arrive?
    lost: Floats  # (copy, decision): what follows a lost command

    def handovers(self, decision: int) -> Floats:
        """(copy, cell, target): what a handover and all after it bring; -inf for none."""
        arrives = self.commanded[:, decision, :, None]
        value = np.where(arrives, self.after[:, decision, None, :], self.lost[:, decision, None, None])
        value = value + self.before[:, decision, :, None]
        cells = np.arange(value.shape[1])
        value[:, cells, cells] = -np.inf
        return value


def values(sinr_db: NDArray[Any], rsrp_dbm: NDArray[Any], constants: Mapping[str, Any], at_will: bool = True) -> Values:
    """Solve ways (copy, tick, cell) backwards; `constants` are those of the environment.

    at_will: re-establishment may be asked for, which makes the values a bound.
    """
    c = constants
    each, end = int(c["decision_ticks"]), int(c["ticks"])
    copies, ticks, cells = sinr_db.shape
    decisions = -(-end // each)
    ahead = (ticks - decisions * each) // each  # decisions that a step may pass beyond the end
    at = each * np.arange(decisions)
    commanded_at = at + int(c["preparation_ticks"])
    accessed_at = commanded_at + int(c["interruption_ticks"])
    refined_at = accessed_at + int(c["refinement_ticks"])

    def sums(less_db: float) -> Floats:
        rate = np.minimum(spectral_efficiency_bps_hz(db_to_linear(sinr_db - less_db)), c["most_bps_hz"])
        rate = np.where((sinr_db - less_db >= c["out_db"]) & (np.arange(ticks)[:, None] < end), rate, 0.0)
        return np.concatenate((np.zeros((copies, 1, cells)), rate.cumsum(axis=1, dtype=np.float64)), axis=1) / each

    fine, wide = sums(0.0), sums(float(c["refinement_db"]))
    stay = fine[:, at + each] - fine[:, at]
    before = fine[:, commanded_at] - fine[:, at]
    gained = wide[:, refined_at] - wide[:, accessed_at]
    gained = gained + fine[:, at + int(c["handover_ticks"])] - fine[:, refined_at]
    commanded = sinr_db[:, commanded_at] >= c["out_db"]
    accessible = sinr_db[:, accessed_at] >= c["in_db"]
    strongest = rsrp_dbm.argmax(axis=2)

    def back_at(failed_at: NDArray[np.int64]) -> NDArray[np.int64]:
        """The decision at which a link lost at those ticks is there again."""
        return -(-(failed_at + int(c["reestablishment_ticks"])) // each)

    best = np.zeros((copies, decisions + ahead + 1, cells))
    after, lost = np.zeros((copies, decisions, cells)), np.zeros((copies, decisions))
    copy = np.arange(copies)
    solved = Values(best[:, : decisions + 1], stay, before, after, commanded, lost)

    def again(decision: int) -> Floats:
        """(copy,): the value of being re-established then."""
        if decision >= decisions:
            return np.zeros(copies)
        return best[copy, decision, strongest[:, decision * each]]

    handover = int(c["handover_ticks"]) // each
    back = {name: back_at(when) for name, when in (("now", at), ("command", commanded_at), ("access", accessed_at))}
    for d in range(decisions - 1, -1, -1):
        lost[:, d] = again(int(back["command"][d]))
        failed = again(int(back["access"][d]))[:, None]
        after[:, d] = np.where(accessible[:, d], gained[:, d] + best[:, d + handover], failed)
        move = solved.handovers(d).max(axis=2) if cells > 1 else np.full((copies, 1), -np.inf)
        best[:, d] = np.maximum(stay[:, d] + best[:, d + 1], move)
        if at_will:
            best[:, d] = np.maximum(best[:, d], again(int(back["now"][d]))[:, None])
    return solved


@dataclass
class Plan:
    view: View
    solved: Values | None = None
    decision: NDArray[np.int64] | None = None


class Oracle:
    """Plays by the values in hindsight; ties stay."""

    access = "hindsight"
    kind = "ceiling"
    label = "oracle"

    def begin(self, view: View, rng: RowRng | None = None) -> Plan:
        return Plan(view)

    def predict(
        self,
        observation: NDArray[Any],
        state: Plan | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Plan]:
        plan: Plan = begun(state, self)
        started = np.zeros(len(observation), bool) if episode_start is None else np.asarray(episode_start, bool)
        if plan.solved is None or started.any():
            seen = plan.view.look("sinr_ahead_db", "rsrp_ahead_dbm")
            ways = seen["sinr_ahead_db"], seen["rsrp_ahead_dbm"]
            plan = Plan(plan.view, values(*ways, plan.view.constants, at_will=False))
        solved = plan.solved
        assert solved is not None
        c = plan.view.constants
        tick = plan.view.look("tick")["tick"]
        serving = plan.view.fields.split(observation)["serving"].argmax(axis=1)
        row, d = np.arange(len(serving)), np.minimum(tick // c["decision_ticks"], solved.stay.shape[1] - 1)
        stay = solved.stay[row, d, serving] + solved.best[row, d + 1, serving]
        arrives = solved.commanded[row, d, serving][:, None]
        move = np.where(arrives, solved.after[row, d], solved.lost[row, d][:, None])
        move = move + solved.before[row, d, serving][:, None]
        move[row, serving] = -np.inf
        target = move.argmax(axis=1)
        return np.where(move[row, target] > stay, target, serving), plan
