"""Radio arithmetic: decibels, noise, path loss, rate. Pure functions of arrays; the only place that knows dB.

float32 in, float32 out: a scenario chooses its precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmwave_gym.core.types import FloatArray

NATS_PER_DB = math.log(10.0) / 10.0
"""ln(10^(1/10))."""
BITS_PER_NAT = 1.0 / math.log(2.0)


def db_to_linear(value_db: ArrayLike) -> FloatArray:
    """10^(value/10), element-wise: a ratio from dB, or mW from dBm, in the shape of the argument."""
    return np.exp(np.multiply(value_db, NATS_PER_DB))


def linear_to_db(value: ArrayLike) -> FloatArray:
    """10 log10(value), element-wise: dB from a ratio, or dBm from mW, in its shape; the value must be positive."""
    return 10.0 * np.log10(value)


def noise_dbm(bandwidth_hz: float, density_dbm_hz: float = -174.0, noise_figure_db: float = 0.0) -> float:
    """Thermal noise power over a bandwidth, in dBm."""
    return density_dbm_hz + 10.0 * math.log10(bandwidth_hz) + noise_figure_db


def log_distance_path_loss_db(distance_squared_m2: FloatArray, slope_db: float, intercept_db: float) -> FloatArray:
    """Path loss in dB, `slope_db` log10(d) + `intercept_db` with d of at least 1 m; element-wise.

    Takes squared distances (…) in m^2, which saves the root.
    """
    return intercept_db + (0.5 * slope_db) * np.log10(np.maximum(distance_squared_m2, 1.0))


def spectral_efficiency_bps_hz(sinr: NDArray[Any]) -> FloatArray:
    """Shannon's log2(1 + SINR) in bit/s/Hz, element-wise for linear SINRs (…)."""
    return np.log1p(sinr) * BITS_PER_NAT
