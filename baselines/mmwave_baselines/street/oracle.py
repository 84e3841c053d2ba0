"""The best that anybody could have done in a street, and what every decision is worth in hindsight.

What a UE passes does not depend on the cells it chooses, so with its whole way known the best decisions follow from
a recursion over decisions d, serving cells s and how long T310 has run, c, with the environment's own times, lost
commands and failed accesses:

    V_d(s, c) = max( what 100 ms on s bring and what follows them,  the best handover from s and what follows it )

What follows staying is V_{d+1}(s, c') or, where T310 runs out, being re-established. A handover begins with c = 0.
Since v1 a lost command is the same as to stay. So a handover is possible only where report and command arrive and T310
does not run out between them; where handovers are conditional, only to a prepared cell.
`bound` leaves T310 out and lets a link be re-established at any decision, which nobody can ask for: a tenth of the work
for a little more than the best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core import compiled
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio import t310
from mmwave_gym.radio.units import db_to_linear, spectral_efficiency_bps_hz

TIMES = "decision", "preparation", "interruption", "handover", "reestablishment"


@cache
def _kernel() -> Any:
    from mmwave_baselines.street import oracle_kernel  # numba takes half a second to load

    return oracle_kernel


class Way:
    """Ways (way, tick, cell) by decision: what staying and handing over bring, in bit/s/Hz times 100 ms.

    best (way, decision, cell): what the best decisions bring from a decision on, in bit/s/Hz times 100 ms.
    prepared: (way, decision, serving cell, 2) cells where handovers are conditional, else None.
    """

    def __init__(
        self,
        sinr_db: NDArray[Any],
        rsrp_dbm: NDArray[Any],
        constants: Mapping[str, Any],
        prepared: NDArray[Any] | None = None,
    ):
        self.constants = c = constants
        self.each = each = int(c["decision_ticks"])
        self.sinr_db = sinr_db
        self.num_envs, ticks, self.cells = sinr_db.shape
        end = int(c["ticks"])
        self.decisions = -(-end // each)
        self.beyond = (ticks - self.decisions * each) // each  # decisions that a step may pass after the end
        self.strongest = rsrp_dbm[:, : self.decisions * each : each].argmax(axis=2)  # (way, decision)
        at = each * np.arange(self.decisions)
        self._commanded_at = at + int(c["preparation_ticks"])
        self._accessed_at = self._commanded_at + int(c["interruption_ticks"])
        self.allowed = None if prepared is None else _allowed(prepared, self.cells)
        self.fails = c.get("lost_command", "fails") == "fails"
        """Does a lost command fail the link?"""
        self.commanded = sinr_db.take(self._commanded_at, axis=1) >= c["out_db"]
        if not self.fails:  # the report may be lost, too
            self.commanded &= sinr_db.take(at, axis=1) >= c["out_db"]
        if self.allowed is not None:  # no command
            self.fails, self.commanded = False, np.ones_like(self.commanded)
        self.accessible = sinr_db.take(self._accessed_at, axis=1) >= c["in_db"]

        def rates(less_db: float) -> Float64Array:
            level_db = sinr_db - less_db
            rate = spectral_efficiency_bps_hz(db_to_linear(level_db))
            np.minimum(rate, c["most_bps_hz"], out=rate)
            rate *= level_db >= c["out_db"]
            rate[:, end:] = 0.0
            return np.divide(rate, each, dtype=np.float64)

        self.rate, wide_rate = rates(0.0), rates(float(c["refinement_db"]))
        self.kernel = _kernel() if compiled.wanted(()) else None
        self.times = tuple(int(c[f"{name}_ticks"]) for name in TIMES)
        refined_at = self._accessed_at + int(c["refinement_ticks"])
        fine, wide = self._summed(self.rate), self._summed(wide_rate)
        self.stay: Float64Array = fine(at + each) - fine(at)
        """(way, decision, cell): what 100 ms on the serving cell bring."""
        self.before: Float64Array = fine(self._commanded_at) - fine(at)
        """(way, decision, cell): what they bring before the command to leave it."""
        gained = wide(refined_at) - wide(self._accessed_at)
        self.gained: Float64Array = gained + fine(at + int(c["handover_ticks"])) - fine(refined_at)
        """(way, decision, cell): what the cell that is handed over to brings."""

    def _summed(self, rate: Float64Array) -> Callable[[NDArray[np.int64]], Any]:
        """Sums of rates (way, tick, cell) before ticks (n,): a function of these, (way, n, cell), in their unit."""
        total = np.zeros((self.num_envs, rate.shape[1] + 1, self.cells))
        if self.kernel:
            self.kernel.summed(rate, total)
        else:
            rate.cumsum(axis=1, out=total[:, 1:])
        return partial(total.take, axis=1)

    def empty(self) -> Float64Array:
        """(way, decision, cell): values of 0 bit/s/Hz times 100 ms, with those after the end."""
        return np.zeros((self.num_envs, self.decisions + self.beyond + 1, self.cells))

    def again(self, best: Float64Array, failed_at: int) -> Float64Array:
        """(way,): what re-establishment brings after a link was lost at that tick, in bit/s/Hz times 100 ms."""
        decision = -(-(failed_at + int(self.constants["reestablishment_ticks"])) // self.each)
        if decision >= self.decisions:
            return np.zeros(self.num_envs)
        env = np.arange(self.num_envs)
        return best[env, decision, self.strongest[:, decision]]

    def of_handovers(self) -> tuple[NDArray[Any], ...]:
        """What the kernel wants to know of handovers, in the units below, all but the last (way, decision, cell).

        What the old cell and what the new one bring, in bit/s/Hz times 100 ms; is the command received, is access
        good? The last, (way, decision, serving cell, cell): is the cell prepared? Without entries where all cells are.
        """
        allowed = np.empty((0, 0, 0, 0), bool) if self.allowed is None else self.allowed
        return self.before, self.gained, self.commanded, self.accessible, allowed

    def handovers(self, best: Float64Array, decision: int) -> Float64Array:
        """(way, cell, target): what a handover and all after it bring, in bit/s/Hz times 100 ms; -inf for none."""
        d = decision
        failed = self.again(best, int(self._accessed_at[d]))[:, None]
        ended = best[:, d + int(self.constants["handover_ticks"]) // self.each]
        after = np.where(self.accessible[:, d], self.gained[:, d] + ended, failed)
        lost: Any = self.again(best, int(self._commanded_at[d]))[:, None, None] if self.fails else -np.inf
        value = np.where(self.commanded[:, d, :, None], after[:, None, :], lost) + self.before[:, d, :, None]
        cells = np.arange(self.cells)
        value[:, cells, cells] = -np.inf
        return value if self.allowed is None else np.where(self.allowed[:, d], value, -np.inf)

    def arrives(self, decision: int, most: int) -> NDArray[np.bool_]:
        """(way, cell, T310 at the decision): does T310 not run out before a command? `most`: ticks of T310."""
        ran = np.broadcast_to(np.arange(most), (self.num_envs, self.cells, most))
        good = np.ones(ran.shape, bool)
        if not self.fails:
            for tick in range(decision * self.each, int(self._commanded_at[decision])):
                ran = self._after_tick(ran, tick)
                good &= ran < most
        return good

    def _after_tick(self, ran: NDArray[np.int64], tick: int) -> NDArray[np.int64]:
        """How long T310 has run after a tick, (way, cell, T310 before it)."""
        c = self.constants
        return t310.after_tick(ran, self.sinr_db[:, tick, :, None], c["out_db"], c["in_db"])

    def kept(self, best: Float64Array, following: Float64Array, decision: int) -> Float64Array:
        """(way, cell, T310 at the decision): what staying and all after it bring, in bit/s/Hz times 100 ms.

        following: the same, (way, cell, T310 at the next decision), in its unit.
        """
        most = following.shape[2]
        ran = np.broadcast_to(np.arange(most), following.shape)
        failed = np.zeros(following.shape, bool)
        value = np.zeros(following.shape)
        for tick in range(decision * self.each, (decision + 1) * self.each):
            value += np.where(failed, 0.0, self.rate[:, tick, :, None])
            ran = self._after_tick(ran, tick)
            fails = ~failed & (ran >= most)
            if fails.any():
                value += np.where(fails, self.again(best, tick + 1)[:, None, None], 0.0)
                failed |= fails
        on = np.take_along_axis(following, np.minimum(ran, most - 1), axis=2)
        return value + np.where(failed, 0.0, on)


def _allowed(prepared: NDArray[Any], cells: int) -> NDArray[np.bool_]:
    """(way, decision, serving cell, cell): is the cell among those `prepared` (way, decision, serving cell, 2)?"""
    return (prepared[..., None] == np.arange(cells)).any(axis=3)


def bound(
    sinr_db: NDArray[Any], rsrp_dbm: NDArray[Any], constants: Mapping[str, Any], prepared: NDArray[Any] | None = None
) -> Float64Array:
    """(way, decision, cell): no policy gets more from a decision on, in bit/s/Hz times 100 ms.

    sinr_db, rsrp_dbm (way, tick, cell): what a UE measures along its way. constants: those of the environment.
    prepared: (way, decision, serving cell, 2), numbers of cells without unit, None where handovers are commands.
    """
    way = Way(sinr_db, rsrp_dbm, constants, prepared)
    best = way.empty()
    if way.kernel:
        way.kernel.bound(best, way.strongest, way.stay, *way.of_handovers(), way.times, way.fails)
        return best[:, : way.decisions + 1]
    for d in range(way.decisions - 1, -1, -1):
        at_will = way.again(best, d * way.each)[:, None]
        best[:, d] = np.maximum(way.stay[:, d] + best[:, d + 1], way.handovers(best, d).max(axis=2))
        best[:, d] = np.maximum(best[:, d], at_will)
    return best[:, : way.decisions + 1]


class Solved(NamedTuple):
    """The best decisions of ways that are known."""

    value: Float64Array  # (way, cell): from the start, in bit/s/Hz times 100 ms
    moves: NDArray[np.bool_]  # (way, decision, cell, T310 in ticks): is a handover better than to stay?
    target: NDArray[np.int64]  # (way, decision, cell): to which cell


def solve(
    sinr_db: NDArray[Any], rsrp_dbm: NDArray[Any], constants: Mapping[str, Any], prepared: NDArray[Any] | None = None
) -> Solved:
    """The best decisions in hindsight, by the recursion of the module's text.

    sinr_db, rsrp_dbm (way, tick, cell): what a UE measures along its way. constants: those of the environment.
    prepared: (way, decision, serving cell, 2), numbers of cells without unit, None where handovers are commands.
    """
    way = Way(sinr_db, rsrp_dbm, constants, prepared)
    most = int(constants["t310_ticks"])
    best = way.empty()
    moves = np.zeros((way.num_envs, way.decisions, way.cells, most), bool)
    target = np.zeros((way.num_envs, way.decisions, way.cells), np.int64)
    if way.kernel:
        limits_db = np.array((constants["out_db"], constants["in_db"]), sinr_db.dtype)
        law = (*way.of_handovers(), way.times)
        way.kernel.solve(best, way.strongest, *law, way.fails, way.rate, sinr_db, limits_db, moves, target)
        return Solved(best[:, 0], moves, target)
    following = np.zeros((way.num_envs, way.cells, most))
    for d in range(way.decisions - 1, -1, -1):
        handovers = way.handovers(best, d)
        move = np.where(way.arrives(d, most), handovers.max(axis=2)[..., None], -np.inf)
        kept = way.kept(best, following, d)
        moves[:, d], target[:, d] = move > kept, handovers.argmax(axis=2)
        following = np.maximum(kept, move)
        best[:, d] = following[..., 0]
    return Solved(best[:, 0], moves, target)


class Oracle(Rule):
    """The best decisions in hindsight; ties stay."""

    access = "hindsight"
    kind = "ceiling"
    label = "oracle"

    def remember(self, view: View) -> Solved:
        return self._solved(view, np.ones(view.num_rows, bool))

    def restart(self, memory: Solved, view: View, rows: NDArray[np.bool_]) -> Solved:
        changed: Any = Solved._make(part.copy() for part in memory)
        for part, new in zip(changed, self._solved(view, rows), strict=True):
            part[rows] = new
        return changed

    def act(self, seen: Seen, rng: RowRng) -> NDArray[np.int64]:
        solved: Solved = seen.memory
        serving = seen["serving"].argmax(axis=1)
        ran = np.rint(seen["t310_s"][:, 0] / seen.constants["tick_s"]).astype(np.int64)
        d = np.minimum(seen.look("tick")["tick"] // seen.constants["decision_ticks"], solved.moves.shape[1] - 1)
        row = np.arange(len(seen))
        return np.where(solved.moves[row, d, serving, ran], solved.target[row, d, serving], serving)

    def _solved(self, view: View, rows: NDArray[np.bool_]) -> Solved:
        """The best decisions of the ways of some `rows` (rows,)."""
        conditional = view.constants.get("handover") == "conditional"
        names = "sinr_ahead_db", "rsrp_ahead_dbm", *(("prepared_ahead",) if conditional else ())
        way = view.look(*names)
        sinr_db, rsrp_dbm, *prepared = (way[name][rows] for name in names)
        return solve(sinr_db, rsrp_dbm, view.constants, *prepared)
