"""How `game.SharedStreet` steps, compiled: the same numbers to the bit, one UE after the other.

Rates and logarithms stay NumPy's, between `serve` and `end`. Arrays are those of `SharedStreetState`, in the order in
which each function takes them apart; `ways`: are there commands, and may UEs go by themselves?
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS
from mmwave_gym.scenarios.shared_street.game import BEFORE_COMMAND, COMMAND_SLOTS, CONDITIONAL_SLOTS, PING_PONG_SLOTS
from mmwave_gym.scenarios.shared_street.state import FREE, LOST, MOVING


@njit(cache=True)
def _may(slot: int, ue: int, cell: int, prepared: Any, ways: Any) -> bool:
    """May a free UE go to a candidate in a slot? prepared: (2,), cells."""
    if ways[0] and (slot + ue) % MEASURED_SLOTS == 0:
        return True
    return ways[1] and (cell == prepared[0] or cell == prepared[1])


@njit(cache=True)
def allowed(state: Any, ways: Any, may: Any) -> None:
    """Fill `may` (N, A, choice), False before, as `SharedStreet.allowed` says."""
    slot, ids, doing, candidate, prepared = state
    for i in range(ids.shape[0]):
        for ue in range(ids.shape[1]):
            may[i, ue, 0] = True
            if ids[i, ue] < 0 or doing[i, ue] != FREE:
                continue
            for k in range(1, may.shape[2]):
                cell = candidate[i, ue, k]
                may[i, ue, k] = cell >= 0 and _may(slot[i], ue, cell, prepared[i, ue], ways)


@njit(cache=True)
def go(links: Any, state: Any, action: Any, ways: Any, out_db: float, moves: Any, back: Any) -> None:
    """Fill `moves` and `back` (N, A), False before, as `SharedStreet._go` says.

    links: as of `Now.links`; action: (N, A), numbers of candidates; out_db: in dB, float32.
    """
    sinr_db, row, when = links
    slot, ids, serving, previous, since, target, doing, left, out_slots, prepared, candidate = state
    for i in range(ids.shape[0]):
        for ue in range(ids.shape[1]):
            k = action[i, ue]
            if k == 0 or ids[i, ue] < 0 or doing[i, ue] != FREE:
                continue
            cell = candidate[i, ue, k]
            if cell < 0 or not _may(slot[i], ue, cell, prepared[i, ue], ways):
                continue
            commanded = ways[0] and (slot[i] + ue) % MEASURED_SLOTS == 0
            if commanded and sinr_db[row[i], when[i], ue, serving[i, ue]] < out_db:
                continue
            moves[i, ue] = True
            back[i, ue] = cell == previous[i, ue] and slot[i] - since[i, ue] <= PING_PONG_SLOTS
            previous[i, ue], target[i, ue] = serving[i, ue], cell
            doing[i, ue], out_slots[i, ue] = MOVING, 0
            left[i, ue] = COMMAND_SLOTS if commanded else CONDITIONAL_SLOTS
            prepared[i, ue] = -1


@njit(cache=True)
def count(state: Any, active: Any, cell: Any, load: Any) -> None:
    """Fill `cell` (N, A) and `load` (N, cell), zeros before, as `SharedStreet._counted` says; active: (N, A)."""
    ids, serving, target, doing, left = state
    for i in range(ids.shape[0]):
        for ue in range(ids.shape[1]):
            its = serving[i, ue]
            if ids[i, ue] < 0 or doing[i, ue] == LOST:
                its = -1
            elif doing[i, ue] == MOVING and left[i, ue] < COMMAND_SLOTS:
                its = target[i, ue]
            cell[i, ue] = its
            if active[i, ue] and its >= 0:
                load[i, its] += 1.0


@njit(cache=True)
def serve(
    links: Any, state: Any, load: Any, limits: Any, link_db: Any, share: Any, sharing: Any, joins: Any,
    refused: Any,
) -> None:  # fmt: skip
    """Fill the last five, (N, A) each, as `SharedStreet._serve` says.

    links: as of `Now.links`; link_db: (N, A); load: (N, cell), active UEs; limits: `in_db` and the wide beam's loss in
    dB, float32.
    """
    sinr_db, row, when = links
    doing, left, cell = state
    for i in range(cell.shape[0]):
        for ue in range(cell.shape[1]):
            its = max(cell[i, ue], 0)
            level = sinr_db[row[i], when[i], ue, its]
            moving = doing[i, ue] == MOVING
            accesses = moving and left[i, ue] == 1
            refused[i, ue] = accesses and level < limits[0]
            joins[i, ue] = accesses and not refused[i, ue]
            link_db[i, ue] = level - limits[1] if joins[i, ue] else level
            if moving and left[i, ue] == COMMAND_SLOTS:
                share[i, ue] = BEFORE_COMMAND
            elif doing[i, ue] == LOST or (moving and not joins[i, ue]):
                share[i, ue] = 0.0
            else:
                share[i, ue] = 1.0
            sharing[i, ue] = max(load[i, its], 1.0)


@njit(cache=True)
def end(state: Any, link_db: Any, joins: Any, refused: Any, limits: Any, times: Any, fails: Any) -> None:
    """Fill `fails` (N, A) as `SharedStreet._end` says.

    link_db: (N, A); limits: `out_db`, `in_db`, float32; times: slots of T310 and of re-establishment.
    """
    slot, ids, serving, since, target, doing, left, out_slots = state
    for i in range(ids.shape[0]):
        for ue in range(ids.shape[1]):
            if joins[i, ue]:
                serving[i, ue], since[i, ue] = target[i, ue], slot[i]
            ran = 0
            if ids[i, ue] >= 0 and doing[i, ue] == FREE:
                level = link_db[i, ue]
                if level < limits[0] or (out_slots[i, ue] > 0 and level <= limits[1]):
                    ran = out_slots[i, ue] + 1
            fails[i, ue] = refused[i, ue] or ran >= times[0]
            if fails[i, ue]:
                doing[i, ue], left[i, ue], out_slots[i, ue] = LOST, times[1], 0
            else:
                left[i, ue], out_slots[i, ue] = max(left[i, ue] - 1, 0), ran


@njit(cache=True)
def begin(row: Any, present: Any, rsrp_dbm: Any, state: Any, sums: Any, comes: Any) -> None:
    """Begin a slot as `SharedStreet._begin` says; fill `comes` (N, A).

    present: (storage, slot, ue); rsrp_dbm: (storage, slot, ue, cell); sums: what is counted of the running second.
    """
    slot, ids, born, serving, previous, since, doing, left, out_slots, prepared, first = state
    received, active_slots, value = sums
    for i in range(ids.shape[0]):
        r, t = row[i], slot[i]
        for ue in range(ids.shape[1]):
            here = present[r, t, ue]
            arrives, leaves = here and ids[i, ue] < 0, not here and ids[i, ue] >= 0
            again = here and doing[i, ue] == LOST and left[i, ue] == 0
            comes[i, ue] = arrives
            if arrives:
                ids[i, ue] = born[i]
                born[i] += 1
                first[i, ue] = (t + ue % MEASURED_SLOTS) // MEASURED_SLOTS
            if leaves:
                ids[i, ue] = -1
            if arrives or again:
                serving[i, ue], since[i, ue] = np.argmax(rsrp_dbm[r, t, ue]), t
            if arrives or again or leaves:
                previous[i, ue], doing[i, ue], left[i, ue], out_slots[i, ue] = -1, FREE, 0, 0
                prepared[i, ue] = -1
            if arrives or leaves:
                received[i, ue], active_slots[i, ue], value[i, ue] = 0.0, 0, 0.0
            if doing[i, ue] == MOVING and left[i, ue] == 0:
                doing[i, ue] = FREE
