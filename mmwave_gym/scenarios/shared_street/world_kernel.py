"""How `world.SharedStreetWorld` draws, compiled: the same numbers to the bit, several steps of NumPy in one pass each.

Powers and logarithms stay NumPy's, between `levels`, `interfered` and `stored`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS

F32 = np.float32


@njit(cache=True)
def change(share: float, ends: float, begins: float, u: Any, anew: Any, state: Any) -> None:
    """Fill `state` (slot, ue, part) as `SharedStreetWorld.change` says; u of its shape, anew (slot, ue).

    share, ends, begins: chances, float32.
    """
    for slot in range(u.shape[0]):
        for ue in range(u.shape[1]):
            first = slot == 0 or anew[slot, ue]
            for part in range(u.shape[2]):
                chance = u[slot, ue, part]
                if first:
                    state[slot, ue, part] = chance < share
                elif state[slot - 1, ue, part]:
                    state[slot, ue, part] = chance >= ends
                else:
                    state[slot, ue, part] = chance < begins


@njit(cache=True)
def levels(
    loss_db: Any, lane: Any, along_m: Any, blocked: Any, law_db: Any, scales: Any, rsrp_dbm: Any, level: Any
) -> None:
    """Fill `rsrp_dbm` and `level`, ln(SNR), no unit, (slot, ue, cell) each.

    loss_db: (lane, point, cell) in dB; lane: (slot, ue); along_m: (slot, ue) in metres; blocked: (slot, pedestrian,
    cell); law_db: (3,), budget, loss of a body, noise over 0 dBm; scales: ln(10) / 10, metres a point.
    """
    cars = along_m.shape[1] - blocked.shape[1]
    last = loss_db.shape[1] - 1.001
    for slot in range(along_m.shape[0]):
        for ue in range(along_m.shape[1]):
            place = min(along_m[slot, ue] / scales[1], last)
            at = int(place)
            part = place - at
            rest, street = 1.0 - part, lane[slot, ue]
            for cell in range(loss_db.shape[2]):
                here_db, there_db = loss_db[street, at, cell], loss_db[street, at + 1, cell]
                level_db = law_db[0] - (rest * np.float64(here_db) + part * np.float64(there_db))
                if ue >= cars:
                    level_db -= law_db[1] * blocked[slot, ue - cars, cell]
                rsrp_dbm[slot, ue, cell] = level_db + law_db[2]
                level[slot, ue, cell] = level_db * scales[0]


@njit(cache=True, error_model="numpy")
def interfered(snr: Any, weight: float) -> None:
    """Turn linear SNRs (link, cell) into SINRs; weight: share that interferes. No unit."""
    for link in range(snr.shape[0]):
        total = snr[link, 0]
        for cell in range(1, snr.shape[1]):
            total += snr[link, cell]
        for cell in range(snr.shape[1]):
            snr[link, cell] = snr[link, cell] / (1.0 + weight * (total - snr[link, cell]))


@njit(cache=True)
def measure(rsrp_dbm: Any, present: Any, noise: Any, error_db: float, measured_dbm: Any) -> None:
    """Fill `measured_dbm` (measurement, ue, cell) as `SharedStreetWorld.measure` says.

    rsrp_dbm: (slot, ue, cell); present: (slot, ue); noise: of the shape of `measured_dbm`; error_db: in dB.
    """
    slots, ues, cells = rsrp_dbm.shape
    sums = np.zeros((ues, cells))
    count = np.zeros(ues)
    for slot in range(slots):
        for ue in range(ues):
            arrives = slot == 0 or (present[slot, ue] and not present[slot - 1, ue])
            if arrives:
                count[ue] = 0.0
                for cell in range(cells):
                    sums[ue, cell] = 0.0
            count[ue] += 1.0
            for cell in range(cells):
                sums[ue, cell] += np.float64(rsrp_dbm[slot, ue, cell])
            own = (slot + ue) % MEASURED_SLOTS == 0
            if own or arrives:
                number = (slot + ue % MEASURED_SLOTS) // MEASURED_SLOTS
                for cell in range(cells):
                    level = sums[ue, cell] / count[ue]
                    measured_dbm[number, ue, cell] = level + error_db * np.float64(noise[number, ue, cell])
            if own:
                count[ue] = 0.0
                for cell in range(cells):
                    sums[ue, cell] = 0.0


@njit(cache=True)
def report(
    along_m: Any, speed_mps: Any, lane: Any, present: Any, errors: Any, error_m: float, error_mps: float,
    moving_mps: float, reported_m: Any, told_mps: Any, told_lane: Any,
) -> None:  # fmt: skip
    """Fill `reported_m`, `told_mps` and `told_lane` (measurement, ue) as `SharedStreetWorld.report` says.

    along_m, speed_mps, lane, present: (slot, ue); errors: (2, measurement, ue), standard normal; error_m, error_mps:
    standard deviations in m and m/s; moving_mps: slower UEs stand.
    """
    for slot in range(along_m.shape[0]):
        for ue in range(along_m.shape[1]):
            arrives = slot == 0 or (present[slot, ue] and not present[slot - 1, ue])
            if not (arrives or (slot + ue) % MEASURED_SLOTS == 0):
                continue
            number = (slot + ue % MEASURED_SLOTS) // MEASURED_SLOTS
            told_lane[number, ue] = lane[slot, ue]
            reported_m[number, ue] = along_m[slot, ue] + error_m * errors[0, number, ue]
            moves = 1.0 if speed_mps[slot, ue] > moving_mps else 0.0
            told_mps[number, ue] = speed_mps[slot, ue] + moves * error_mps * errors[1, number, ue]
