"""How evenly UEs were served, from what each received while it was there."""

from __future__ import annotations

import numpy as np

from mmwave_gym.core.scenario import Metric
from mmwave_gym.core.types import Float64Array

SHORTEST_PRESENCE_S = 5.0
"""UEs that are there for less are left out: ours, a mean rate of a moment tells nothing."""
LEAST_RATE_MBPS = 1e-3
"""A UE that received nothing counts as this in the mean of logarithms."""
METRICS = (
    Metric("p5_rate_mbps", "Mbit/s", "all", "5th percentile of the UEs' mean rates after `settle_s`, at the end"),
    Metric("jain_index", "1", "all", "Jain's fairness index of these rates, at the end"),
    Metric("mean_log_rate", "log2(Mbit/s)", "all", "proportional fairness: mean log2 of these rates, at the end"),
)


def fairness(mbit: Float64Array, there_s: Float64Array, counted_s: float) -> tuple[float, float, float]:
    """Values of `METRICS` from the Mbit that UEs received, (ue,), in the seconds that each was there, (ue,).

    Zeros if nobody was there for long; `counted_s` is how long was counted in all, at most 0 where an episode ends
    before `settle_s`.
    """
    counts = (there_s > 0.0) & (there_s >= min(SHORTEST_PRESENCE_S, counted_s))
    if not counts.any():
        return 0.0, 0.0, 0.0
    rate = mbit[counts] / there_s[counts]
    jain = rate.sum() ** 2 / max(len(rate) * (rate**2).sum(), 1e-300)
    return float(np.percentile(rate, 5)), float(jain), float(np.log2(np.maximum(rate, LEAST_RATE_MBPS)).mean())
