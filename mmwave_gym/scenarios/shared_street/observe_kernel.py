"""`observation.Observer.observe`, compiled: the same numbers to the bit, one UE after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS, SLOT_S
from mmwave_gym.scenarios.shared_street.observation import PAST_MEASUREMENTS
from mmwave_gym.scenarios.shared_street.radio_map import AHEAD_S, CHANGES
from mmwave_gym.scenarios.shared_street.state import CANDIDATES, FREE
from mmwave_gym.scenarios.shared_street.world import MOVING_MPS

K = CANDIDATES
F32 = np.float32
NOW = K * PAST_MEASUREMENTS
SERVING, PREPARED, EFFICIENCY, SHARING, SHARING_CHANGE, DISTANCE, APPROACH, AHEAD = (NOW + K * i for i in range(1, 9))
CHANGE = AHEAD + K * (len(AHEAD_S) - 1)
KNOWN = CHANGE + K * len(CHANGES)
OWN = KNOWN + len(AHEAD_S) - 1
"""Where the fields of `observation.fields_of` begin."""


@njit(cache=True)
def observe(drawn: Any, state: Any, place: Any, bounds: Any, cars: int, seen: Any) -> None:
    """Fill `seen` (N, A, features), zeros before; arrays and bounds in the order of `CompiledObserver`."""
    row, lane, active, rsrp_dbm, links, measured_dbm, reported_m, speed_mps, error_db = drawn
    sinr_db, its_row, when = links
    (
        slot, ids, serving, since, doing, out_slots, prepared, candidate, first, load, load_before, efficiency,
        change_db, known,
    ) = state  # fmt: skip
    site_m, heading, middle, arm_m = place
    least_dbm, most_dbm, least_db, highest_db, most_change_db, farthest_m, fastest_mps, long_s, t310_s = bounds
    for i in range(ids.shape[0]):
        r, t = row[i], slot[i]
        for ue in range(ids.shape[1]):
            if ids[i, ue] < 0:
                continue
            out = seen[i, ue]
            number = (t + ue % MEASURED_SLOTS) // MEASURED_SLOTS
            own = serving[i, ue]
            wants = active[i, ue]
            street, speed = lane[r, number, ue], speed_mps[r, number, ue]
            along_m = np.float64(reported_m[r, number, ue] - arm_m)
            x = middle[street, 0] + along_m * heading[street, 0]
            y = middle[street, 1] + along_m * heading[street, 1]
            for k in range(K):
                cell = candidate[i, ue, k]
                if cell < 0:
                    continue
                for past in range(PAST_MEASUREMENTS):
                    at = max(number - past, first[i, ue]) if past else number
                    out[past * K + k] = min(max(measured_dbm[r, at, ue, cell], F32(least_dbm)), F32(most_dbm))
                now_dbm = measured_dbm[r, number, ue, cell]
                if k == 0:
                    now_dbm = rsrp_dbm[r, t, ue, cell] + error_db[r, t, ue, 0]
                for j in range(prepared.shape[2]):
                    if prepared[i, ue, j] == cell:
                        now_dbm = rsrp_dbm[r, t, ue, cell] + error_db[r, t, ue, 1 + j]
                        out[PREPARED + k] = 1.0
                out[NOW + k] = min(max(now_dbm, F32(least_dbm)), F32(most_dbm))
                for ahead in range(1, len(AHEAD_S)):
                    out[AHEAD + K * (ahead - 1) + k] = efficiency[i, ue, ahead, cell]
                out[EFFICIENCY + k] = efficiency[i, ue, 0, cell]
                for j in range(len(CHANGES)):
                    change = change_db[i, ue, j, cell]
                    out[CHANGE + K * j + k] = min(max(change, F32(-most_change_db)), F32(most_change_db))
                sharing = load[i, cell] + 1.0
                if k == 0 and wants:
                    sharing = max(load[i, cell], 1.0)
                out[SHARING + k] = sharing
                out[SHARING_CHANGE + k] = load[i, cell] - load_before[i, cell]
                dx, dy = site_m[cell, 0] - x, site_m[cell, 1] - y
                far_m = math.sqrt(dx * dx + dy * dy)
                out[DISTANCE + k] = min(far_m, farthest_m)
                if speed > MOVING_MPS:
                    towards = (dx * heading[street, 0] + dy * heading[street, 1]) / max(far_m, 1.0)
                    out[APPROACH + k] = min(max(towards, -1.0), 1.0)
            out[SERVING] = 1.0
            for ahead in range(1, len(AHEAD_S)):
                out[KNOWN + ahead - 1] = 1.0 if known[i, ue, ahead] else 0.0
            out[OWN] = min(max(sinr_db[its_row[i], when[i], ue, own], F32(least_db)), F32(highest_db))
            out[OWN + 1] = min((t - since[i, ue]) * SLOT_S, long_s)
            out[OWN + 2] = min(out_slots[i, ue] * SLOT_S, t310_s)
            out[OWN + 3] = 1.0 if wants else 0.0
            out[OWN + 4] = 1.0 if ue < cars else 0.0
            out[OWN + 5] = min(max(speed, F32(0.0)), F32(fastest_mps))
            out[OWN + 6] = 1.0 if (t + ue) % MEASURED_SLOTS == 0 else 0.0
            out[OWN + 7] = 1.0 if doing[i, ue] == FREE else 0.0
