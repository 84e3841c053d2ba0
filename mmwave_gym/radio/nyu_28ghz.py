"""28 GHz links after Akdeniz et al.: the law of their state, their path loss, and averages over a cell.

The paper is M. R. Akdeniz, Y. Liu, M. K. Samimi, S. Sun, S. Rangan, T. S. Rappaport, E. Erkip, "Millimeter Wave
Channel Modeling and Cellular Capacity Evaluation", IEEE JSAC 32(6), 2014: section III-D for the state of a link,
table I for its path loss. The numbers are those of ns3-mmwave, whose authors also wrote the cell selection paper
(github nyuwireless-unipd/ns3-mmwave, src/mmwave/model/mmwave-propagation-loss-model.cc).

States stand in the order (LOS, NLOS, outage) throughout.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio import units as radio

OUTAGE_DISTANCE_M = 30.0  # 1 / a_out
OUTAGE_OFFSET = 5.2  # b_out
LOS_DISTANCE_M = 67.1  # 1 / a_los
PATH_LOSS_DB = {"los": (61.4, 20.0, 5.8), "nlos": (72.0, 29.2, 8.7)}
"""State -> intercept, slope per decade, standard deviation of shadowing; distance in metres."""
CELL_RADIUS_M = 200.0  # UEs are uniform in this disc around their cell
_NODES = 200  # of the quadrature; 50 give the same ten digits


def state_probabilities(distance_m: Float64Array) -> Float64Array:
    """(3, …): probabilities of LOS, NLOS and outage at a distance (Akdeniz et al., section III-D)."""
    outage = np.maximum(0.0, 1.0 - np.exp(OUTAGE_OFFSET - distance_m / OUTAGE_DISTANCE_M))
    los = (1.0 - outage) * np.exp(-distance_m / LOS_DISTANCE_M)
    return np.stack((los, 1.0 - outage - los, outage))


@cache
def state_law(radius_m: float = CELL_RADIUS_M) -> tuple[float, float, float]:
    """Shares of LOS, NLOS and outage among UEs uniform in the disc."""
    distance_m, weight = _disc(radius_m)
    los, nlos, outage = (state_probabilities(distance_m) * weight).sum(axis=1).tolist()
    return los, nlos, outage


@cache
def mean_efficiency_bps_hz(
    *,
    tx_power_dbm: float = 30.0,
    array_gain_db: float = 10.0 * math.log10(64 * 16),  # 8x8 antennas at the cell, 4x4 at the UE
    noise_figure_db: float = 7.0,
    bandwidth_hz: float = 1e9,
    loss_db: float = 3.0,
    cap_bps_hz: float = math.inf,
    radius_m: float = CELL_RADIUS_M,
) -> tuple[float, float]:
    """Mean of min(log2(1 + SNR / loss), cap) in LOS and in NLOS, over UEs of that state in the disc."""
    distance_m, weight = _disc(radius_m)
    share = state_probabilities(distance_m)
    budget_db = tx_power_dbm + array_gain_db - loss_db - noise_figure_db - radio.noise_dbm(bandwidth_hz)
    z, z_weight = np.polynomial.hermite_e.hermegauss(60)
    means = []
    for state, (intercept_db, slope_db, shadowing_db) in enumerate(PATH_LOSS_DB.values()):
        snr_db = budget_db - intercept_db - slope_db * np.log10(distance_m)[:, None] - shadowing_db * z
        efficiency = np.minimum(radio.spectral_efficiency_bps_hz(radio.db_to_linear(snr_db)), cap_bps_hz)
        at_distance = efficiency @ (z_weight / z_weight.sum())
        means.append(float(np.average(at_distance, weights=weight * share[state])))
    return means[0], means[1]


def _disc(radius_m: float) -> tuple[Float64Array, Float64Array]:
    """Distances and weights of a quadrature over the area of a disc; the outage law has a kink at 156 m."""
    kink_m = OUTAGE_OFFSET * OUTAGE_DISTANCE_M
    ends = [0.0, min(kink_m, radius_m)] + [radius_m] * (radius_m > kink_m)
    x, w = np.polynomial.legendre.leggauss(_NODES)
    low, high = np.array(ends[:-1])[:, None], np.array(ends[1:])[:, None]
    distance_m = ((high - low) / 2 * x + (high + low) / 2).ravel()
    return distance_m, ((high - low) / 2 * w).ravel() * 2.0 * distance_m / radius_m**2
