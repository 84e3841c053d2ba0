"""What `game.Street` shows agents, compiled: the same numbers to the bit, field after field in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

F32 = np.float32


@njit(cache=True)
def observe(row: Any, measured_dbm: Any, state: Any, times: Any, bounds: Any, seen: Any) -> None:
    """Fill `seen` (n, 1, feature), each field in its unit.

    measured_dbm: (storage, measurement, cell) in dBm; state: as for `step_kernel.settle`; times: ticks a measurement,
    and measurements seen; bounds: of levels in dBm, of SINRs in dB, of times served and of T310 in s; and s a tick.
    """
    tick, serving, _, handover_tick, out_ticks, past_sinr_db, _ = state
    period, measurements = times
    least_dbm, most_dbm, least_db, most_db, long_s, t310_s, tick_s = bounds
    cells = measured_dbm.shape[2]
    first = measurements * cells
    for i in range(len(row)):
        newest = tick[i] // period
        for ago in range(measurements):
            for cell in range(cells):
                level_dbm = measured_dbm[row[i], max(newest - ago, 0), cell]
                seen[i, 0, ago * cells + cell] = min(max(level_dbm, F32(least_dbm)), F32(most_dbm))
        for cell in range(cells):
            seen[i, 0, first + cell] = F32(0.0)
        seen[i, 0, first + serving[i]] = F32(1.0)
        at = first + cells
        seen[i, 0, at] = (tick[i] - newest * period) * tick_s
        seen[i, 0, at + 1] = min((tick[i] - handover_tick[i]) * tick_s, long_s)
        seen[i, 0, at + 2] = min(out_ticks[i] * tick_s, t310_s)
        for j in range(past_sinr_db.shape[1]):
            seen[i, 0, at + 3 + j] = min(max(past_sinr_db[i, j], least_db), most_db)


@njit(cache=True)
def observe_prepared(row: Any, ready: Any, now_dbm: Any, at: Any, state: Any, bounds: Any, seen: Any) -> None:
    """Fill the fields of conditional handovers, the last ones of `seen` (n, 1, feature), each in its unit.

    ready: as of `step_kernel.heard`; now_dbm: (storage, decision, cell) in dBm; at: (n,), numbers of decisions; the
    others: those of `observe`, which has filled the other fields.
    """
    serving, (prepared, newest) = state[1], ready
    cells = now_dbm.shape[2]
    first = seen.shape[2] - 2 * cells
    for i in range(len(row)):
        pair = prepared[row[i], newest[i], serving[i]]
        for cell in range(cells):
            told = cell == pair[0] or cell == pair[1]
            level_dbm = min(max(now_dbm[row[i], at[i], cell], F32(bounds[0])), F32(bounds[1]))
            seen[i, 0, first + cell] = F32(1.0) if told else F32(0.0)
            seen[i, 0, first + cells + cell] = level_dbm if told or cell == serving[i] else seen[i, 0, cell]
