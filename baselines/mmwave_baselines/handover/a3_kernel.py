"""Event A3 on a whole trace in compiled code: what imitation learns from, and what A3C is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.handover.world import LOWEST_RSRQ_DB


@njit(cache=True)
def a3(rsrq_db: Any, begins: Any, hysteresis_db: float, wait: int, action: Any) -> None:
    """Event A3 of one UE, as `rules.A3` plays it where every cell is heard: action (T,) for rsrq_db (T + 1, cells)."""
    cells = rsrq_db.shape[1]
    better = np.zeros(cells, np.int64)
    serving = 0
    for t in range(len(action)):
        if begins[t]:
            serving = rsrq_db[t].argmax()
            better[:] = 0
        threshold = rsrq_db[t, serving] + np.float32(hysteresis_db)
        best = -1
        for k in range(cells):
            better[k] = better[k] + 1 if rsrq_db[t, k] > threshold else 0
            if better[k] > wait and (best < 0 or rsrq_db[t, k] > rsrq_db[t, best]):
                best = k
        if rsrq_db[t, serving] <= LOWEST_RSRQ_DB:  # not heard any more: left at once
            best = rsrq_db[t].argmax()
        if best >= 0 and best != serving:
            serving = best
            better[:] = 0
        action[t] = serving
