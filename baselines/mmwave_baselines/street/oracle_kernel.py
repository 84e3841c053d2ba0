"""The recursions of `oracle`, compiled: its formula to the bit, one way, decision and cell after the other.

    staying on s       = what each tick brings, up to where T310 runs out, and what follows
    handing over to k  = what comes before the command + ( the command is lost: re-establishment after it, in v0 alone
                                                           access fails:        re-establishment after it
                                                           else:                what k brings, and what follows )

Values are in bit/s/Hz times 100 ms. `times` are the ticks of a decision, of preparation, of interruption,
of a handover and of re-establishment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def summed(rate: Any, total: Any) -> None:
    """Fill `total` (way, tick + 1, cell), which begins with 0: the sums of `rate` (way, tick, cell) before each tick.

    Both have one unit.
    """
    for way in range(len(rate)):
        for tick in range(rate.shape[1]):
            for cell in range(rate.shape[2]):
                total[way, tick + 1, cell] = total[way, tick, cell] + rate[way, tick, cell]


@njit(nogil=True, error_model="numpy")
def again(best: Any, strongest: Any, way: int, failed_at: int, times: Any) -> float:
    """What re-establishment brings after a link was lost at that tick; arrays as of `bound`."""
    d = (failed_at + times[4] + times[0] - 1) // times[0]
    return best[way, d, strongest[way, d]] if d < strongest.shape[1] else 0.0


@njit(nogil=True, error_model="numpy")
def access(
    best: Any, strongest: Any, gained: Any, accessible: Any, way: int, d: int, times: Any, after: Any
) -> float:  # fmt: skip
    """Fill `after` (cell,) with what access to each cell brings; what a lost command brings. Arrays as of `bound`."""
    commanded_at = d * times[0] + times[1]
    failed = again(best, strongest, way, commanded_at + times[2], times)
    ended = d + times[3] // times[0]
    for cell in range(len(after)):
        good = gained[way, d, cell] + best[way, ended, cell]
        after[cell] = good if accessible[way, d, cell] else failed
    return again(best, strongest, way, commanded_at, times)


@njit(nogil=True, error_model="numpy")
def t310_after(ran: int, level_db: float, out_db: float, in_db: float) -> int:
    """`t310.after_tick` of one UE: `ran` in ticks."""
    return ran + 1 if level_db < out_db or (ran > 0 and level_db <= in_db) else 0


@njit(nogil=True, error_model="numpy")
def handover(after: Any, before: float, allowed: Any, way: int, d: int, cell: int) -> tuple[float, int]:
    """What the best handover from `cell` brings, and its target; -inf where none is prepared.

    after: (cell,), as `before` in the unit of what is returned; allowed: as of `bound`.
    """
    most, target = -np.inf, 0
    if len(allowed):
        for to in range(len(after)):
            value = after[to] + before
            if to != cell and value > most and allowed[way, d, cell, to]:
                most, target = value, to
        return most, target
    for to in range(len(after)):
        value = after[to] + before
        if to != cell and value > most:
            most, target = value, to
    return most, target


@njit(cache=True, nogil=True, error_model="numpy")
def bound(
    best: Any, strongest: Any, stay: Any, before: Any, gained: Any, commanded: Any, accessible: Any, allowed: Any,
    times: Any, fails: bool,
) -> None:  # fmt: skip
    """Fill `best` (way, decision, cell), which holds 0 after the last decision: T310 left out, links lost at will.

    strongest: (way, decision); allowed: (way, decision, cell, target) or no entries; the others are (way, decision,
    cell), those of `Way`, as `fails` is.
    """
    after = np.empty(best.shape[2])
    for way in range(len(best)):
        for d in range(stay.shape[1] - 1, -1, -1):
            at_will = again(best, strongest, way, d * times[0], times)
            lost = access(best, strongest, gained, accessible, way, d, times, after)
            for cell in range(len(after)):
                if commanded[way, d, cell]:
                    moved, _ = handover(after, before[way, d, cell], allowed, way, d, cell)
                else:
                    moved = lost + before[way, d, cell] if fails else -np.inf
                best[way, d, cell] = max(stay[way, d, cell] + best[way, d + 1, cell], moved, at_will)


@njit(cache=True, nogil=True, error_model="numpy")
def solve(
    best: Any, strongest: Any, before: Any, gained: Any, commanded: Any, accessible: Any, allowed: Any, times: Any,
    fails: bool, rate: Any, sinr_db: Any, limits_db: Any, moves: Any, target: Any,
) -> None:  # fmt: skip
    """Fill `best` as `bound` does, with T310, `moves` (way, decision, cell, T310 in ticks) and `target` as of `Solved`.

    rate, sinr_db: (way, tick, cell), bit/s/Hz times 100 ms and dB; limits_db: (2,), Qout and Qin of the SINRs' type;
    the others are those of `bound`.
    """
    out_db, in_db = limits_db
    cells, most = best.shape[2], moves.shape[3]
    after, following, now = np.empty(cells), np.empty((cells, most)), np.empty((cells, most))
    for way in range(len(best)):
        following[:] = 0.0
        for d in range(moves.shape[1] - 1, -1, -1):
            lost = access(best, strongest, gained, accessible, way, d, times, after)
            begin, commanded_at = d * times[0], d * times[0] + times[1]
            for cell in range(cells):
                moved, to = -np.inf, 0
                if commanded[way, d, cell]:
                    moved, to = handover(after, before[way, d, cell], allowed, way, d, cell)
                elif fails:  # the first other cell is as good as any
                    moved, to = lost + before[way, d, cell], int(cell == 0)
                target[way, d, cell] = to
                stops = sinr_db[way, begin, cell] > max(out_db, in_db)  # T310, whenever it began
                for began in range(1 if stops else most):
                    ran, kept = began, 0.0
                    for tick in range(begin, begin + times[0]):
                        kept += rate[way, tick, cell]
                        ran = t310_after(ran, sinr_db[way, tick, cell], out_db, in_db)
                        if ran >= most:
                            kept += again(best, strongest, way, tick + 1, times)
                            break
                    else:
                        kept += following[cell, ran]
                    ran, good = began, True
                    if not fails:  # the command may come too late
                        for tick in range(begin, commanded_at):
                            ran = t310_after(ran, sinr_db[way, tick, cell], out_db, in_db)
                            good = good and ran < most
                    moves[way, d, cell, began] = good and moved > kept
                    now[cell, began] = max(kept, moved) if good else kept
                if stops:
                    moves[way, d, cell, 1:], now[cell, 1:] = moves[way, d, cell, 0], now[cell, 0]
            following[:] = now
            best[way, d] = now[:, 0]
