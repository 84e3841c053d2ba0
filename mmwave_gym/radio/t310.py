"""T310, the timer of radio link failure (3GPP TS 38.331, 5.3.10), by ticks; thresholds as in TR 36.839."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def after_tick(ran: Any, sinr_db: Any, out_db: float, in_db: float) -> NDArray[np.int64]:
    """How many ticks T310 has run after a tick, any shape; `ran` ticks before it, of the same shape as `sinr_db`.

    It starts below `out_db` (Qout), goes on up to `in_db` (Qin), and is back at 0 above.
    """
    runs = (sinr_db < out_db) | ((ran > 0) & (sinr_db <= in_db))
    return np.where(runs, ran + 1, 0)
