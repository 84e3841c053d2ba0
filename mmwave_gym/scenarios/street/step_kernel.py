"""How `game.Street` steps, compiled: the same numbers to the bit, without a call of NumPy for every sum.

A step is two passes, and between them NumPy makes rates of SINRs, since other libraries round logarithms differently:

1. `heard`: the SINR of every tick in which a UE may be served, one UE after the other.
2. `settle`: what the rates bring, whether the link is lost, and the state after the step.

A UE that stays is served in `decision` ticks by its cell. One that moves is served in `preparation` ticks by the old
cell, and after the interruption by the new one: `refinement` ticks on a wide beam, then the rest up to `handover`.

`times`, in ticks: decision, preparation, interruption, refinement, handover, reestablishment, t310, and the episode's.
State arrays have one entry a UE, as `game.StreetState` names them; `row` (n,) is where a UE's drive is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

F32 = np.float32


@njit(cache=True)
def heard(row: Any, tick: Any, serving: Any, target: Any, sinr_db: Any, times: Any, wide_db: float, found: Any) -> int:
    """Fill `found` (n * most,) with SINRs in dB, and return how many they are.

    tick, serving, target: (n,), ticks and cells; sinr_db: (storage, tick, cell); wide_db: loss on the wide beam in dB.
    Raises IndexError for a target that is no cell and for an episode so long over that its drive has no such tick.
    """
    decision, preparation, interruption, refinement, handover = times[:5]
    count = 0
    for i in range(len(row)):  # compiled code would read, and write, whatever lies beyond its arrays
        if tick[i] + (decision if target[i] == serving[i] else handover) >= sinr_db.shape[1]:
            raise IndexError("an episode is over: restart it before the next step.")
        if target[i] < 0 or target[i] >= sinr_db.shape[2]:
            raise IndexError("an action is outside the action space.")
    for i in range(len(row)):
        at, begin, old, new = row[i], tick[i], serving[i], target[i]
        if new == old:
            for t in range(begin, begin + decision):
                found[count] = sinr_db[at, t, old]
                count += 1
            continue
        for t in range(begin, begin + preparation):
            found[count] = sinr_db[at, t, old]
            count += 1
        accessed = begin + preparation + interruption
        for t in range(accessed, begin + handover):
            found[count] = sinr_db[at, t, new] - F32(wide_db) if t < accessed + refinement else sinr_db[at, t, new]
            count += 1
    return count


@njit(cache=True)
def summed(rate: Any, first: int, count: int) -> Any:
    """The sum of `count` rates in bit/s/Hz from number `first` on, in the order of NumPy's; rate: (m,)."""
    if count < 8:
        total = F32(0.0)
        for i in range(first, first + count):
            total += rate[i]
        return total
    part = rate[first : first + 8].copy()
    whole = count - count % 8
    for i in range(8, whole):
        part[i % 8] += rate[first + i]
    total = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]))
    for i in range(first + whole, first + count):
        total += rate[i]
    return total


@njit(cache=True)
def _cut(rate: Any, first: int, count: int, tick: int, ticks: int) -> int:
    """How many of `count` rates (m,) in bit/s/Hz, of `tick` on, are 0 before the end; those after it become 0."""
    silent = 0
    for i in range(count):
        if tick + i >= ticks:
            rate[first + i] = F32(0.0)
        elif rate[first + i] == F32(0.0):
            silent += 1
    return silent


@njit(cache=True)
def settle(drive: Any, state: Any, target: Any, rate: Any, times: Any, limits: Any, column: Any, truncated: Any) -> int:
    """Move the state on by a step, fill `column` (8, n) and `truncated` (n,), and return how many episodes are over.

    drive: row, `rsrp_dbm` and `sinr_db`, both (storage, tick, cell) in dBm and dB; state: tick, serving, previous,
    handover_tick, out_ticks, past_sinr_db, window; target: (n,); rate: (m,), those of `heard` in bit/s/Hz.
    limits: `out_db` and `in_db`, seconds a tick, seconds of a ping-pong, J a handover, ticks a window.
    Columns: reward, s elapsed, and the metrics but the last: rate in bit/s/Hz times s, links lost times s a minute,
    handovers, ping-pongs, s without data, energy in J.
    """
    row, rsrp_dbm, sinr_db = drive
    tick, serving, previous, handover_tick, out_ticks, past_sinr_db, window = state
    decision, preparation, interruption, _, handover, reestablishment, t310, ticks = times
    out_db, in_db, tick_s, ping_pong_s, energy_j, window_ticks = limits
    after = handover - preparation - interruption
    first = over = 0
    for i in range(len(row)):
        at, begin, old, new = row[i], tick[i], serving[i], target[i]
        moves = new != old
        received: Any = 0.0
        silent, failed = 0, -1
        back = moves and new == previous[i] and (begin - handover_tick[i]) * tick_s <= ping_pong_s
        if not moves:
            end, ran = begin + decision, out_ticks[i]
            for t in range(begin, end):
                level_db = sinr_db[at, t, old]
                ran = ran + 1 if level_db < F32(out_db) or (ran > 0 and level_db <= F32(in_db)) else 0
                if failed < 0:
                    received += rate[first] if t < ticks else F32(0.0)
                    silent += t < ticks and rate[first] == F32(0.0)
                    failed = t + 1 if ran >= t310 else -1
                first += 1
            out_ticks[i] = ran
        else:
            end, commanded = begin + handover, begin + preparation
            accessed = commanded + interruption
            silent = _cut(rate, first, preparation, begin, ticks)
            total = summed(rate, first, preparation)
            first += preparation
            if sinr_db[at, commanded, old] < F32(out_db):
                failed = commanded
            else:
                silent += min(accessed, ticks) - min(commanded, ticks)
                if sinr_db[at, accessed, new] < F32(in_db):
                    failed = accessed
                else:
                    silent += _cut(rate, first, after, accessed, ticks)
                    total += summed(rate, first, after)
            first += after
            received = np.float64(total)
            out_ticks[i], previous[i], serving[i], handover_tick[i] = 0, old, new, accessed
        lost = 0 <= failed < ticks
        if lost:
            # A command that is lost at once, with no time to re-establish, still takes a decision.
            end = -(-max(failed + reestablishment, begin + 1) // decision) * decision
            silent += min(end, ticks) - min(failed, ticks)
            serving[i] = rsrp_dbm[at, end].argmax()
            previous[i], handover_tick[i], out_ticks[i] = -1, end, 0
        window[i, begin // window_ticks] += received
        tick[i] = end
        for j in range(past_sinr_db.shape[1] - 1, 0, -1):
            past_sinr_db[i, j] = past_sinr_db[i, j - 1]
        past_sinr_db[i, 0] = sinr_db[at, end, serving[i]]
        truncated[i] = end >= ticks
        over += end >= ticks
        column[0, i], column[1, i] = received / decision, tick_s * (min(end, ticks) - min(begin, ticks))
        column[2, i], column[3, i], column[4, i] = received * tick_s, 60.0 * lost, moves
        column[5, i], column[6, i], column[7, i] = back, silent * tick_s, energy_j * moves
    return over
