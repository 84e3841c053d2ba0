"""How `world.StreetWorld` draws, compiled: the same numbers to the bit, several steps of NumPy in one pass each.

The formula, for a UE that is a part f of a metre beyond point p of its way in tick t, and cell k:

    gain_db = -((1 - f) loss_k(p) + f loss_k(p + 1)) - blockage_k(t)
    snr     = 10^((link budget + gain_db) / 10)
    sinr_db = 10 log10(snr_k / (1 + weight * (sum of snr - snr_k)))

and a measurement is the mean of a cell's RSRP over a period, with a normal error. Powers and logarithms stay NumPy's,
between `drive`, `interfered` and `stored`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FEW = 8
"""NumPy sums fewer numbers than these one after the other, and more in eight partial sums."""


@njit(cache=True)
def drive(
    loss_db: Any, way: Any, begin_m: float, tick_m: float, law_db: Any, per_db: float, blocked: Any,
    place_m: Any, rsrp_dbm: Any, level: Any,
) -> None:  # fmt: skip
    """Fill `place_m` (tick, 2) in metres, `rsrp_dbm` (tick, cell) and `level` (tick, cell), ln(SNR), no unit.

    loss_db: (lane, point, cell) in dB; way: lane (n,), point (n,) and place (n, 2) in metres of a route, from `begin_m`
    on, `tick_m` a tick; law_db (3,): link budget, noise over 0 dBm and loss of a body; per_db: ln(10) / 10; blocked:
    (tick, cell), 1 where a body blocks, without rows where none does.
    """
    lane, point, way_m = way
    last_m = len(lane) - 1.001
    budget_db = law_db[0] + law_db[1]
    for tick in range(len(place_m)):
        along_m = min(begin_m + tick_m * tick, last_m)
        at = int(along_m)
        part = along_m - at
        rest = 1.0 - part
        for axis in range(2):
            place_m[tick, axis] = rest * way_m[at, axis] + part * way_m[at + 1, axis]
        street, metre, next_street, next_metre = lane[at], point[at], lane[at + 1], point[at + 1]
        for cell in range(loss_db.shape[2]):
            here_db, there_db = loss_db[street, metre, cell], loss_db[next_street, next_metre, cell]
            gain_db = -(rest * np.float64(here_db) + part * np.float64(there_db))
            if len(blocked):
                gain_db -= law_db[2] * blocked[tick, cell]
            rsrp_dbm[tick, cell] = budget_db + gain_db
            level[tick, cell] = (law_db[0] + gain_db) * per_db


@njit(cache=True, error_model="numpy")
def interfered(snr: Any, total: Any, weight: float) -> None:
    """Turn linear SNRs (tick, cell) into SINRs; weight: share that interferes. No unit.

    total: (tick,), the sums of SNRs, no unit; without ticks they are made here, in NumPy's order for fewer than
    `FEW` cells.
    """
    for tick in range(len(snr)):
        if len(total):
            all_cells = total[tick]
        else:
            all_cells = snr[tick, 0]
            for cell in range(1, snr.shape[1]):
                all_cells += snr[tick, cell]
        for cell in range(snr.shape[1]):
            snr[tick, cell] = snr[tick, cell] / (1.0 + weight * (all_cells - snr[tick, cell]))


@njit(cache=True)
def stored(
    decades: Any, rsrp_dbm: Any, noise: Any, period: int, error_db: float, sinr_db: Any, measured_dbm: Any
) -> None:
    """Fill `sinr_db` (tick, cell) and `measured_dbm` (measurement, cell).

    decades: (tick, cell), log10 of the SINR, no unit; rsrp_dbm: (tick, cell); noise: (measurement, cell), standard
    normal, no unit; period: ticks a measurement.
    """
    for tick in range(len(decades)):
        for cell in range(decades.shape[1]):
            sinr_db[tick, cell] = 10.0 * decades[tick, cell]
    whole = (len(rsrp_dbm) - 1) // period
    for i in range(len(measured_dbm)):
        of = min(i, whole)
        for cell in range(rsrp_dbm.shape[1]):
            mean_dbm = np.float64(rsrp_dbm[0, cell])
            if of > 0:
                first = 1 + (of - 1) * period
                mean_dbm = np.float64(rsrp_dbm[first, cell])
                for tick in range(first + 1, first + period):
                    mean_dbm += np.float64(rsrp_dbm[tick, cell])
                mean_dbm /= period
            measured_dbm[i, cell] = mean_dbm + error_db * noise[i, cell]
