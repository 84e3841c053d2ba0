"""The recursions of `hindsight`, compiled: one UE of one episode, the others held.

Arrays of an episode, slots 0 to the horizon: `efficiency` and `wide` (slot, ue, cell) in bit/s/Hz on a fine and on a
wide beam, `sinr_db` (slot, ue, cell), `measured_dbm` (measurement, ue, cell), `active` and `present` (slot, ue), and
`strongest` (slot, ue), the cell of the greatest RSRP. `limits`: `out_db`, `in_db` (float32), slots of T310 and of
re-establishment. `ways`: are there commands, and may UEs go by themselves?
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS
from mmwave_gym.scenarios.shared_street.game import COMMAND_SLOTS, CONDITIONAL_SLOTS
from mmwave_gym.scenarios.shared_street.scores import LEAST_BPS_HZ
from mmwave_gym.scenarios.shared_street.state import CANDIDATES

BEFORE_LOSS, SILENT_LOSS, LOST_COMMAND_LOSS = 0.4, 1.0, 0.01
"""What a command's first slot, a silent slot and a lost command cost, see `hindsight`."""
FREE, MOVING, LOST = 0, 1, 2


@njit(cache=True)
def slot_values(
    ue: int, efficiency: Any, wide: Any, active: Any, cell: Any, load: Any, weight: float, values: Any
) -> None:
    """Fill `values` (2, slot, cell): what a slot on each cell's fine and wide beam is worth.

    cell: (slot, ue), whose bandwidth each shares, -1 for none; load: (slot, cell), active UEs, this one included;
    weight: of what the others lose by sharing.
    """
    slots, _, cells = efficiency.shape
    for t in range(slots):
        for c in range(cells):
            if not active[t, ue]:
                values[0, t, c] = values[1, t, c] = 0.0
                continue
            others = load[t, c] - (1.0 if t < len(cell) and cell[t, ue] == c else 0.0)
            price = weight * others * math.log((others + 1.0) / others) if others > 0.0 else 0.0
            values[0, t, c] = math.log(efficiency[t, ue, c] / (others + 1.0) + LEAST_BPS_HZ) - price
            values[1, t, c] = math.log(wide[t, ue, c] / (others + 1.0) + LEAST_BPS_HZ) - price


@njit(cache=True)
def ran_out(ue: int, sinr_db: Any, present: Any, limits: Any, fails: Any) -> None:
    """Fill `fails` (slot, cell): does T310 run out in a slot on a cell that has served since long before?"""
    for c in range(fails.shape[1]):
        ran = 0
        for t in range(fails.shape[0]):
            level = sinr_db[t, ue, c]
            ran = ran + 1 if present[t, ue] and (level < limits[0] or (ran > 0 and level <= limits[1])) else 0
            fails[t, c] = ran >= limits[2]
            if fails[t, c]:
                ran = 0


@njit(cache=True)
def sorted_cells(level: Any, order: Any) -> None:
    """Fill `order` (cell,) with cells by `level` (cell,), highest first, the first of equal ones first."""
    for cell in range(len(level)):
        at = cell
        while at > 0 and level[order[at - 1]] < level[cell]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = cell


@njit(cache=True)
def lost(ue: int, since: int, values: Any, active: Any, present: Any, strongest: Any, limits: Any, best: Any) -> float:
    """What a lost link brings from its first whole slot on, and all after it; best (slot, cell, 2) as of `solve`."""
    end, back = active.shape[0] - 1, since + limits[3]
    total = 0.0
    for t in range(since, back):
        if t >= end or not present[t, ue]:
            return total
        if active[t, ue]:
            total += values[0, t, strongest[min(back, end), ue]] - SILENT_LOSS
    if back >= end or not present[back, ue]:
        return total
    return total + best[back, strongest[back, ue], 0]


@njit(cache=True)
def solve(
    ue: int, values: Any, fails: Any, sinr_db: Any, measured_dbm: Any, active: Any, present: Any, strongest: Any,
    limits: Any, ways: Any, best: Any, stay: Any, access: Any,
) -> None:  # fmt: skip
    """Fill what follows from each slot on, on each cell.

    best (slot, cell, 2): by the best decisions, with nothing prepared and with two prepared cells. stay (slot, cell,
    2): the same after a first decision to stay. access (slot, cell): of two silent slots and access to a cell.
    values: (2, slot, cell) as of `slot_values`; fails: as of `ran_out`; sinr_db: (slot, ue, cell); measured_dbm:
    (measurement, ue, cell).
    """
    end, cells = active.shape[0] - 1, sinr_db.shape[2]
    order = np.empty(cells, np.int64)
    best[end], stay[end], access[end] = 0.0, 0.0, 0.0
    for t in range(end - 1, -1, -1):
        if not present[t, ue]:
            best[t], stay[t], access[t] = 0.0, 0.0, 0.0
            continue
        on = 1.0 if active[t, ue] else 0.0
        measures = (t + ue) % MEASURED_SLOTS == 0
        sorted_cells(measured_dbm[(t + ue % MEASURED_SLOTS) // MEASURED_SLOTS, ue], order)
        after_loss = lost(ue, t + 1, values, active, present, strongest, limits, best)
        for c in range(cells):
            total = values[0, t, c] - SILENT_LOSS * on
            if t + 1 < end and present[t + 1, ue]:
                total += values[0, t + 1, c] - SILENT_LOSS * (1.0 if active[t + 1, ue] else 0.0)
                if t + 2 < end and present[t + 2, ue]:
                    if sinr_db[t + 2, ue, c] < limits[1]:
                        total += values[0, t + 2, c] - SILENT_LOSS * (1.0 if active[t + 2, ue] else 0.0)
                        total += lost(ue, t + 3, values, active, present, strongest, limits, best)
                    else:
                        total += values[1, t + 2, c] + best[t + 3, c, 0]
            access[t, c] = total
        for s in range(cells):
            told = measures and sinr_db[t, ue, s] >= limits[0]
            for ready in range(2):
                following = after_loss if fails[t, s] else best[t + 1, s, 1 if told else ready]
                stay[t, s, ready] = values[0, t, s] + following
                best[t, s, ready] = stay[t, s, ready]
            if told and ways[0]:
                left = values[0, t, s] - BEFORE_LOSS * on
                nth = 0
                for k in range(cells):
                    if order[k] == s:
                        continue
                    nth += 1
                    if nth >= CANDIDATES:
                        break
                    goes = left + access[t + 1, order[k]]
                    for ready in range(2):
                        best[t, s, ready] = max(best[t, s, ready], goes)
            elif ways[1] and not (measures and ways[0]):
                nth = 0
                for k in range(cells):
                    if order[k] == s:
                        continue
                    nth += 1
                    if nth > 2:
                        break
                    best[t, s, 1] = max(best[t, s, 1], access[t, order[k]])
                if told:
                    best[t, s, 0] = best[t, s, 1]


@njit(cache=True)
def follow(
    ue: int, values: Any, sinr_db: Any, measured_dbm: Any, active: Any, present: Any, strongest: Any, limits: Any,
    ways: Any, best: Any, stay: Any, access: Any, cell: Any, plan: Any,
) -> None:  # fmt: skip
    """Let the UE decide by `best`: fill its column of `cell` and `plan` (slot, ue).

    plan: the cell that it goes to, -1 to stay; sinr_db: (slot, ue, cell); measured_dbm: (measurement, ue, cell). The
    procedure is the environment's, so a plan that is played has these
    cells, whatever `solve` leaves out.
    """
    end, cells = active.shape[0] - 1, sinr_db.shape[2]
    order = np.empty(cells, np.int64)
    doing, left, serving, target, ran, there = FREE, 0, 0, 0, 0, False
    ready = np.full(2, -1)
    for t in range(end):
        plan[t, ue], cell[t, ue] = -1, -1
        if not present[t, ue]:
            there = False
            continue
        sorted_cells(measured_dbm[(t + ue % MEASURED_SLOTS) // MEASURED_SLOTS, ue], order)
        comes = not there
        if comes or (doing == LOST and left == 0):
            there, doing, left, serving, ran = True, FREE, 0, strongest[t, ue], 0
            ready[:] = -1
        if doing == MOVING and left == 0:
            doing = FREE
        measures = (t + ue) % MEASURED_SLOTS == 0
        out = sinr_db[t, ue, serving] < limits[0]
        if (measures or comes) and doing == FREE and not out:
            nth = 0
            for k in range(cells):
                if order[k] != serving and nth < 2:
                    ready[nth] = order[k]
                    nth += 1
        if doing == FREE:
            most, to = stay[t, serving, 1 if ready[0] >= 0 else 0] + 1e-6, -1
            nth = 0
            for k in range(cells):
                if order[k] == serving:
                    continue
                nth += 1
                if nth >= CANDIDATES:
                    break
                goes = -np.inf
                if measures and ways[0] and not out:
                    on = 1.0 if active[t, ue] else 0.0
                    goes = values[0, t, serving] - BEFORE_LOSS * on + access[t + 1, order[k]]
                elif ways[1] and not (measures and ways[0]) and (order[k] == ready[0] or order[k] == ready[1]):
                    goes = access[t, order[k]]
                if goes > most:
                    most, to = goes, order[k]
            if to >= 0:
                plan[t, ue], target, doing, ran = to, to, MOVING, 0
                left = COMMAND_SLOTS if measures and ways[0] else CONDITIONAL_SLOTS
                ready[:] = -1
        if doing == MOVING and left < COMMAND_SLOTS:
            cell[t, ue] = target
        elif doing != LOST:
            cell[t, ue] = serving
        failed = False
        if doing == MOVING and left == 1:
            if sinr_db[t, ue, target] < limits[1]:
                failed = True
            else:
                serving = target
        elif doing == FREE:
            level = sinr_db[t, ue, serving]
            ran = ran + 1 if level < limits[0] or (ran > 0 and level <= limits[1]) else 0
            failed = ran >= limits[2]
        left = max(left - 1, 0)
        if failed:
            doing, left, ran = LOST, limits[3], 0


@njit(cache=True)
def worth(
    ue: int, values: Any, sinr_db: Any, active: Any, limits: Any, ways: Any, best: Any, stay: Any, access: Any,
    candidate: Any, prepared: Any, q: Any, v: Any,
) -> None:  # fmt: skip
    """Fill the UE's columns of `q` (slot, ue, choice), what each candidate is worth, and `v` (slot, ue), the best.

    candidate: (slot, ue, choice), cells, the serving one first, -1 for none, nowhere one where there is no decision;
    prepared: (slot, ue), are two cells? sinr_db: (slot, ue, cell). In slots of measurement candidates are commanded, in
    the others gone to.
    """
    for t in range(active.shape[0] - 1):
        s = candidate[t, ue, 0]
        if s < 0:
            continue
        commands = ways[0] and (t + ue) % MEASURED_SLOTS == 0
        ready = 1 if prepared[t, ue] else 0
        v[t, ue], q[t, ue, 0] = best[t, s, ready], stay[t, s, ready]
        for k in range(1, candidate.shape[2]):
            c = candidate[t, ue, k]
            if c < 0:
                continue
            if not commands:
                q[t, ue, k] = access[t, c]
            elif sinr_db[t, ue, s] < limits[0]:
                q[t, ue, k] = stay[t, s, ready] - LOST_COMMAND_LOSS
            else:
                on = 1.0 if active[t, ue] else 0.0
                q[t, ue, k] = values[0, t, s] - BEFORE_LOSS * on + access[t + 1, c]


@njit(cache=True)
def add_load(ue: int, cell: Any, active: Any, load: Any, sign: float) -> None:
    """Add a UE's share, or take it with sign -1, to `load` (slot, cell) where it is active and on a cell (slot, ue)."""
    for t in range(load.shape[0]):
        if active[t, ue] and cell[t, ue] >= 0:
            load[t, cell[t, ue]] += sign
