"""What new measurements bring, compiled: `SharedStreet._measured` to the bit, without the efficiencies of look-ups."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS, SLOT_S
from mmwave_gym.scenarios.shared_street.radio_map import AHEAD_S, BIN_M, CHANGES, EVEN, LEAST_WEIGHT, REACH
from mmwave_gym.scenarios.shared_street.state import CANDIDATES, FREE

F32 = np.float32
ONE, BIN, HALF, LEAST, SAME = F32(1.0), F32(BIN_M), F32(0.5), F32(LEAST_WEIGHT), F32(EVEN)
MIDDLE = F32(1.5 * SLOT_S)
AHEAD = np.array(AHEAD_S, F32)


@njit(cache=True)
def measured(drawn: Any, state: Any, comes: Any, out_db: float, shared: bool, look_ups: Any, who: Any) -> int:
    """Change the state; fill `look_ups` (count, AHEAD_S, cell) in dBm and `who` (count, 2), environment and UE.

    Returns count, how many UEs have a new measurement. drawn, state: arrays of `SharedStreetEpisodes` and
    `SharedStreetState` in the order below; comes: (N, A), who has just arrived; out_db: in dB, float32.
    """
    row, lane, links, measured_dbm, reported_m, speed_mps, reports = drawn
    sinr_db, its_row, when = links
    slot, ids, serving, doing, order, candidate, prepared, map_dbm, map_count, change_db, known = state
    n, a, cells = order.shape
    choices = min(CANDIDATES, cells)
    count = 0
    for i in range(n):
        r, t, begin = row[i], slot[i], count
        for ue in range(a):
            new = ids[i, ue] >= 0 and ((t + ue) % MEASURED_SLOTS == 0 or comes[i, ue])
            own = serving[i, ue]
            if new:
                level = measured_dbm[r, (t + ue % MEASURED_SLOTS) // MEASURED_SLOTS, ue]
                _sort(level, order[i, ue])
                who[count, 0], who[count, 1] = i, ue
                for ahead in range(len(AHEAD)):
                    for cell in range(cells):
                        look_ups[count, ahead, cell] = level[cell]
                count += 1
            candidate[i, ue, 0] = own
            found = 1
            for k in range(cells):
                if found == choices:
                    break
                if order[i, ue, k] != own:
                    candidate[i, ue, found] = order[i, ue, k]
                    found += 1
            if new and doing[i, ue] == FREE and sinr_db[its_row[i], when[i], ue, own] >= out_db:
                prepared[i, ue, 0], prepared[i, ue, 1] = candidate[i, ue, 1], candidate[i, ue, 2]
        if not shared:
            continue
        for j in range(begin, count):
            ue = who[j, 1]
            number = (t + ue % MEASURED_SLOTS) // MEASURED_SLOTS
            if not reports[r, ue] or comes[i, ue]:
                continue
            middle = reported_m[r, number, ue] - speed_mps[r, number, ue] * MIDDLE
            at = math.floor(middle / BIN)
            if at < 0 or at >= map_count.shape[2]:
                continue
            street = lane[r, number, ue]
            map_count[i, street, at] += ONE
            weight = max(ONE / map_count[i, street, at], LEAST)
            for cell in range(cells):
                level_dbm = map_dbm[i, street, at, cell]
                map_dbm[i, street, at, cell] = level_dbm + weight * (look_ups[j, 0, cell] - level_dbm)
        for j in range(begin, count):
            ue = who[j, 1]
            number = (t + ue % MEASURED_SLOTS) // MEASURED_SLOTS
            place, speed, street = reported_m[r, number, ue], speed_mps[r, number, ue], lane[r, number, ue]
            for ahead in range(len(AHEAD)):
                known[i, ue, ahead] = _look_up(
                    map_dbm[i, street], map_count[i, street], place + speed * AHEAD[ahead], look_ups[j, ahead]
                )
            level = measured_dbm[r, number, ue]
            for k in range(len(CHANGES)):
                for cell in range(cells):
                    change_db[i, ue, k, cell] = look_ups[j, CHANGES[k], cell] - level[cell]
            for cell in range(cells):
                look_ups[j, 0, cell] = level[cell]
    return count


@njit(cache=True)
def _sort(level: Any, order: Any) -> None:
    """Fill `order` (cell,) with cells by `level` (cell,), highest first, the first of equal ones first."""
    for cell in range(len(level)):
        at = cell
        while at > 0 and level[order[at - 1]] < level[cell]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = cell


@njit(cache=True)
def _look_up(level_dbm: Any, count: Any, place_m: float, found: Any) -> bool:
    """`radio_map.look_up` of one place on one lane, (bin, cell) and (bin,): fill `found` (cell,) if it is known."""
    bins = len(count)
    scaled = place_m / BIN - HALF
    first = F32(math.floor(scaled))
    part = scaled - first
    low = int(first)
    here, there = F32(0.0), F32(0.0)
    if 0 <= low < bins and count[low] > 0.0:
        here = (ONE - part) + SAME
    if 0 <= low + 1 < bins and count[low + 1] > 0.0:
        there = part + SAME
    one = low
    if here == 0.0 and there == 0.0:
        nearest = -REACH - 1
        for far in range(1, REACH + 1):
            for sign in (-1, 1):
                at = low + sign * far
                if nearest < -REACH and 0 <= at < bins and count[at] > 0.0:
                    nearest = sign * far
        if nearest < -REACH:
            return False
        one, here = low + nearest, ONE
    one, two = min(max(one, 0), bins - 1), min(max(low + 1, 0), bins - 1)
    for cell in range(len(found)):
        found[cell] = (here * level_dbm[one, cell] + there * level_dbm[two, cell]) / (here + there)
    return True
