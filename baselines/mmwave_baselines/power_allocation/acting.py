"""Actions that stand for powers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.batch import View
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import linear_to_db


def actions(view: View, power_mw: FloatArray) -> NDArray[Any]:
    """Actions (rows,) that come nearest to powers (N, A), in whatever form the environment takes them.

    Levels are rounded in dB. Powers out of range, 0 too, count as the nearest allowed one.
    """
    constants = view.constants
    low_dbm, high_dbm = constants["power_dbm"]
    dbm = np.clip(linear_to_db(np.maximum(power_mw, 1e-30)), low_dbm, high_dbm)
    if constants["levels"] is not None:
        step_db = (high_dbm - low_dbm) / (constants["levels"] - 1)
        return np.rint((dbm - low_dbm) / step_db).astype(np.int64).ravel()
    if constants["action"] == "power":
        return dbm.ravel()
    before_dbm = linear_to_db(np.maximum(view.look("power_mw")["power_mw"], 1e-30))
    most_db = constants["change_db"]
    return np.clip(dbm - before_dbm, -most_db, most_db).ravel()
