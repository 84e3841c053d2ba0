"""How an episode of a shared street is scored: by what each active UE has in each second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import Metric
from mmwave_gym.scenarios.shared_street.config import SharedStreetConfig

LEAST_BPS_HZ = 0.01
"""What is added to a rate before its logarithm (ours): about 1 % of the geometric mean."""
MBIT = 1e-6
METRICS = (
    Metric("utility", "ln(bit/s/Hz)", "all", "mean over active UE-seconds of ln(mean rate + 0.01), rates in bit/s/Hz"),
    Metric("p5_mbps", "Mbit/s", "all", "5th percentile of the mean rates of active UE-seconds"),
    Metric("mean_mbps", "Mbit/s", "all", "mean rate of active UE-seconds"),
    Metric("target_share", "1", "all", "share of active UE-seconds with a mean rate of `target_mbps` at least"),
    Metric("failures_per_min", "1/min", "second", "link failures of a UE: failed accesses and T310"),
    Metric("handovers_per_s", "1/s", "second", "handovers of a UE started"),
    Metric("ping_pongs_per_s", "1/s", "second", "returns of a UE to its previous cell within a second"),
)
SCORES = tuple(m.name for m in METRICS if m.per == "all")


def score(rate_bps_hz: NDArray[np.float64], config: SharedStreetConfig) -> dict[str, float]:
    """The metrics of `SCORES` of mean rates of UE-seconds (n,) in bit/s/Hz; none where there are no seconds."""
    if not len(rate_bps_hz):
        return {}
    mbps = config.bandwidth_hz * MBIT * rate_bps_hz
    return {
        "utility": float(np.log(rate_bps_hz + LEAST_BPS_HZ).mean()),
        "p5_mbps": float(np.percentile(mbps, 5.0)),
        "mean_mbps": float(mbps.mean()),
        "target_share": float((mbps >= config.target_mbps).mean()),
    }
