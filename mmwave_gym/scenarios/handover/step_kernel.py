"""How `game.Handover` steps and observes, compiled: the same numbers to the bit, one pass over the copies each.

State arrays are those of `game.HandoverState`: slot (n,), the others (n, ue). Views of a row are avoided: numba counts
who holds them, which takes longer than the row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

F32 = np.float32


@njit(cache=True)
def observe(
    row: Any, link: Any, slot: Any, departure: Any, serving: Any, handover_slot: Any, some_leave: bool, waits: Any,
    seen: Any,
) -> None:  # fmt: skip
    """Fill `seen` (n, ue, feature), each field in its unit; with a third field of a cell each, it says who is heard.

    row, link: as for `step`; waits: slots without data after a handover, shown where above 1, and s a slot.
    """
    ues, cells = seen.shape[1], link.shape[3] // 2
    shows_left = waits[0] > 1.0
    heard = seen.shape[2] - shows_left > 2 * cells
    for i in range(len(row)):
        at, now = row[i], slot[i]
        for ue in range(ues):
            absent = some_leave and now >= departure[i, ue]
            for cell in range(cells):
                seen[i, ue, cell] = F32(0.0) if absent else link[at, now, ue, cell]
                seen[i, ue, cells + cell] = F32(0.0)
                if heard:
                    seen[i, ue, 2 * cells + cell] = not absent and link[at, now, ue, cells + cell] > F32(0.0)
            if shows_left:
                left = max(handover_slot[i, ue] - now + waits[0], 0.0)
                seen[i, ue, seen.shape[2] - 1] = F32(0.0) if absent else F32(left * waits[1])
            if not absent:
                seen[i, ue, cells + serving[i, ue]] = F32(1.0)


@njit(cache=True)
def step(
    row: Any, link: Any, state: Any, action: Any, some_leave: bool, limits: Any, costs: Any,
    column: Any, elapsed_s: Any, terminated: Any, truncated: Any, seen: Any,
) -> None:  # fmt: skip
    """Move the state on by a slot, fill `column` (6, n, ue), `elapsed_s` (n,), `terminated` (n, ue), `truncated` (n,).

    Fills `seen` (n, ue, feature) with the observations that follow, as `observe` does.

    row: (n,), where an episode is stored; link: (storage, slot, ue, 2 * cell), in dB and bit/s/Hz; action: (n, ue);
    limits: slots of a ping-pong, the horizon in slots, and the least rate without outage in bit/s/Hz; costs: in
    bit/s/Hz, slots without data, J and s a slot.
    Columns: reward, rate in bit/s/Hz, handovers, energy in J, ping-pongs and outage.
    Raises IndexError, before anything changes, for an action that is no cell and for an episode that is over.
    """
    slot, line, departure, serving, previous, handover_slot = state
    ping_pong_slots, horizon, least_bps_hz = limits
    beta, interrupted, energy_j, slot_s = costs
    ues, cells = action.shape[1], link.shape[3] // 2
    over = outside = False  # compiled code would read, and write, whatever lies beyond its arrays
    for i in range(len(row)):
        over |= slot[i] >= horizon
        for ue in range(ues):
            outside |= (action[i, ue] < 0) | (action[i, ue] >= cells)
    if over:
        raise IndexError("an episode is over: restart it before the next step.")
    if outside:
        raise IndexError("an action is outside the action space.")
    for i in range(len(row)):
        at, now = row[i], slot[i]
        for ue in range(ues):
            # Without branches: whether a UE moves is a surprise to the processor.
            old = serving[i, ue]
            cell = old if interrupted > 1.0 and now - handover_slot[i, ue] < interrupted else action[i, ue]
            present = not some_leave or now < departure[i, ue]
            moves = present & (cell != old)
            back = moves & (cell == previous[i, ue]) & (now <= handover_slot[i, ue] + ping_pong_slots)
            rate_bps_hz = np.float64(link[at, now, ue, cells + cell]) if present else 0.0
            outage = present & (rate_bps_hz < least_bps_hz)
            if interrupted > 1.0:
                since = 0 if moves else now - handover_slot[i, ue]
                rate_bps_hz *= min(max(since + (1.0 - interrupted), 0.0), 1.0)
            else:
                rate_bps_hz *= 1.0 - interrupted * moves
            previous[i, ue] = old if moves else previous[i, ue]
            handover_slot[i, ue] = now if moves else handover_slot[i, ue]
            serving[i, ue] = cell if moves else old
            line[i, ue] += ues
            column[0, i, ue], column[1, i, ue] = rate_bps_hz - beta * moves, rate_bps_hz
            column[2, i, ue], column[3, i, ue], column[4, i, ue] = moves, energy_j * moves, back
            column[5, i, ue] = outage
            terminated[i, ue] = now + 1 == departure[i, ue]
        slot[i], elapsed_s[i], truncated[i] = now + 1, slot_s, now + 1 >= horizon
    observe(row, link, slot, departure, serving, handover_slot, some_leave, (interrupted, slot_s), seen)
