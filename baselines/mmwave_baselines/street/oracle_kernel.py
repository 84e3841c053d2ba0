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
def t310_after(ran: int, level_db: float, limits_db: Any) -> int:
    """`t310.after_tick` of one UE: level_db in dB, `ran` in ticks, limits_db (2,) as of `solve`."""
    return ran + 1 if level_db < limits_db[0] or (ran > 0 and level_db <= limits_db[1]) else 0


@njit(nogil=True, error_model="numpy")
def handover(
    after: Any, lost: float, commanded: Any, fails: bool, allowed: Any, before: Any, way: int, d: int, cell: int
) -> tuple[float, int]:
    """What the best handover from `cell` brings, and its target; after: (cell,), in the unit of what is returned.

    The other arrays are those of `bound`. Where the command is lost the first other cell is the target
    if that `fails` the link; else there is no handover, -inf.
    """
    if not commanded[way, d, cell]:
        return (lost + before[way, d, cell], int(cell == 0)) if fails else (-np.inf, 0)
    most, target = -np.inf, 0
    for to in range(len(after)):
        value = after[to] + before[way, d, cell]
        if to != cell and value > most and (not len(allowed) or allowed[way, d, cell, to]):
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
                moved, _ = handover(after, lost, commanded, fails, allowed, before, way, d, cell)
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
    cells, most = best.shape[2], moves.shape[3]
    after, following, now = np.empty(cells), np.empty((cells, most)), np.empty((cells, most))
    for way in range(len(best)):
        following[:] = 0.0
        for d in range(moves.shape[1] - 1, -1, -1):
            lost = access(best, strongest, gained, accessible, way, d, times, after)
            begin, commanded_at = d * times[0], d * times[0] + times[1]
            for cell in range(cells):
                moved, to = handover(after, lost, commanded, fails, allowed, before, way, d, cell)
                target[way, d, cell] = to
                for began in range(most):
                    ran, kept = began, 0.0
                    for tick in range(begin, begin + times[0]):
                        kept += rate[way, tick, cell]
                        ran = t310_after(ran, sinr_db[way, tick, cell], limits_db)
                        if ran >= most:
                            kept += again(best, strongest, way, tick + 1, times)
                            break
                    else:
                        kept += following[cell, ran]
                    ran, good = began, True
                    if not fails:  # the command may come too late
                        for tick in range(begin, commanded_at):
                            ran = t310_after(ran, sinr_db[way, tick, cell], limits_db)
                            good = good and ran < most
                    moves[way, d, cell, began] = good and moved > kept
                    now[cell, began] = max(kept, moved) if good else kept
            following[:] = now
            best[way, d] = now[:, 0]
