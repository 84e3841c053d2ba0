"""How `game.Street` steps, compiled: the same numbers to the bit, without a call of NumPy for every sum.

A step is two passes, and between them NumPy makes rates of SINRs, since other libraries round logarithms differently:

1. `heard`: the SINR of every tick in which a UE may be served, one UE after the other.
2. `settle`: what the rates bring, whether the link is lost, and the state after the step.

A UE that stays is served in `decision` ticks by its cell, in more where it waited for a command that was lost. One that
moves is served in `preparation` ticks by the old cell, and after the interruption by the new one: `refinement` ticks on
a wide beam, then the rest up to `handover`.

`times`, in ticks: decision, preparation, interruption, refinement, handover, reestablishment, t310, the episode's, and
what a lost command takes. `limits`: `out_db` and `in_db`, seconds a tick, seconds of a ping-pong, J a handover, ticks a
window. State arrays have one entry a UE, as `game.StreetState` names them; `row` (n,) is where a UE's drive is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

F32 = np.float32
FAILS, STAYS, CONDITIONAL = range(3)
"""What becomes of a UE that is named another cell: a lost command fails the link, or not; no command is needed."""


@njit(cache=True)
def t310_after(ran: int, level_db: float, limits: Any) -> int:
    """`t310.after_tick` of one UE: level_db in dB, `ran` in ticks."""
    return ran + 1 if level_db < F32(limits[0]) or (ran > 0 and level_db <= F32(limits[1])) else 0


@njit(cache=True)
def leaves(level_db: Any, begin: int, ran: int, new: int, prepared: Any, kind: int, times: Any, limits: Any) -> bool:
    """`Street._carried_out` of one UE that is named another cell, `new`; level_db: (tick,), its cell's SINR in dB.

    prepared: (2,), cells, which a conditional handover alone reads.
    """
    if kind == FAILS:
        return True
    if kind == CONDITIONAL:
        return new == prepared[0] or new == prepared[1]
    commanded = begin + times[1]
    for tick in range(begin, commanded):
        ran = t310_after(ran, level_db[tick], limits)
        if ran >= times[6]:
            return False
    return bool(level_db[begin] >= F32(limits[0]) and level_db[commanded] >= F32(limits[0]))


@njit(cache=True)
def heard(
    drive: Any, state: Any, target: Any, ready: Any, kind: int, times: Any, limits: Any, wide_db: float, kept: Any,
    found: Any,
) -> int:  # fmt: skip
    """Fill `found` (n * most,) with SINRs in dB, and return how many they are.

    Fill `kept` (n,) with the ticks in which a UE stays, 0 where it leaves its cell. drive, state, target: as of
    `settle`; ready: `prepared` (storage, measurement, cell, 2) and the newest measurement (n,) whose cells are
    prepared, read where `kind` is CONDITIONAL; wide_db: loss on the wide beam in dB.
    Raises IndexError for a target that is no cell and for an episode so long over that its drive has no such tick.
    """
    row, _, sinr_db = drive
    tick, serving, out_ticks = state[0], state[1], state[4]
    prepared, newest = ready
    decision, preparation, interruption, refinement, handover = times[:5]
    count = 0
    for i in range(len(row)):  # compiled code would read, and write, whatever lies beyond its arrays
        if tick[i] + (decision if target[i] == serving[i] else handover) >= sinr_db.shape[1]:
            raise IndexError("an episode is over: restart it before the next step.")
        if target[i] < 0 or target[i] >= sinr_db.shape[2]:
            raise IndexError("an action is outside the action space.")
    for i in range(len(row)):
        at, begin, old, new = row[i], tick[i], serving[i], target[i]
        kept[i] = decision
        if new != old:
            its = prepared[at, newest[i], old] if kind == CONDITIONAL else prepared[0, 0, 0]
            goes = leaves(sinr_db[at, :, old], begin, out_ticks[i], new, its, kind, times, limits)
            kept[i] = 0 if goes else times[8]
        for t in range(begin, begin + (kept[i] if kept[i] else preparation)):
            found[count] = sinr_db[at, t, old]
            count += 1
        if kept[i]:
            continue
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
def settle(
    drive: Any, state: Any, target: Any, kept: Any, rate: Any, kind: int, times: Any, limits: Any, column: Any,
    truncated: Any,
) -> int:  # fmt: skip
    """Move the state on by a step, fill `column` (8, n) and `truncated` (n,), and return how many episodes are over.

    drive: row, `rsrp_dbm` and `sinr_db`, both (storage, tick, cell) in dBm and dB; state: tick, serving, previous,
    handover_tick, out_ticks, past_sinr_db, window; target: (n,); kept: (n,) of `heard`, in ticks; rate: (m,),
    those of `heard` in bit/s/Hz.
    Columns: reward, s elapsed, and the metrics but the last: rate in bit/s/Hz times s, links lost times s a minute,
    handovers, ping-pongs, s without data, energy in J.
    """
    row, rsrp_dbm, sinr_db = drive
    tick, serving, previous, handover_tick, out_ticks, past_sinr_db, window = state
    decision, preparation, interruption, _, handover, reestablishment, t310, ticks, _ = times
    out_db, in_db, tick_s, ping_pong_s, energy_j, window_ticks = limits
    after = handover - preparation - interruption
    first = over = 0
    for i in range(len(row)):
        at, begin, old, new = row[i], tick[i], serving[i], target[i]
        moves = kept[i] == 0
        received: Any = 0.0
        silent, failed = 0, -1
        back = moves and new == previous[i] and (begin - handover_tick[i]) * tick_s <= ping_pong_s
        if not moves:
            end, ran = begin + kept[i], out_ticks[i]
            for t in range(begin, end):
                ran = t310_after(ran, sinr_db[at, t, old], limits)
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
            if kind == FAILS and sinr_db[at, commanded, old] < F32(out_db):
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
