"""Links of a street at 28 GHz: 3GPP TR 38.901's UMi street canyon, outdoor UEs.

Tables of TR 38.901 V16.1.0, section 7: path loss and shadowing 7.4.1-1, probability of line of sight 7.4.2-1,
correlation distances of shadowing 7.5-6 and of the LOS state 7.6.3.1-2. Pure functions of arrays; metres, dB, GHz.
"""

from __future__ import annotations

import math

import numpy as np

from mmwave_gym.core.types import FloatArray

LIGHT_MPS = 299_792_458.0
EFFECTIVE_HEIGHT_M = 1.0  # h_E of UMi: what is taken from both heights for the breakpoint
SHADOWING_DB = {"los": 4.0, "nlos": 7.82}
SHADOWING_CORRELATION_M = {"los": 10.0, "nlos": 13.0}
LOS_CORRELATION_M = 50.0


def los_probability(distance_m: FloatArray) -> FloatArray:
    """P(LOS) of an outdoor UE, element-wise for distances on the ground, (…) in metres (table 7.4.2-1)."""
    d = np.maximum(distance_m, 18.0)
    return 18.0 / d + np.exp(-d / 36.0) * (1.0 - 18.0 / d)


def los_path_loss_db(
    distance_m: FloatArray, site_height_m: float, ue_height_m: float, frequency_ghz: float
) -> FloatArray:
    """PL_UMi-LOS in dB, element-wise for distances on the ground, (…) in metres (table 7.4.1-1).

    21 dB a decade up to the breakpoint, 40 dB a decade beyond.
    """
    rise_m = site_height_m - ue_height_m
    apart_m = np.hypot(distance_m, rise_m)
    heights = (site_height_m - EFFECTIVE_HEIGHT_M) * (ue_height_m - EFFECTIVE_HEIGHT_M)
    break_m = 4.0 * heights * frequency_ghz * 1e9 / LIGHT_MPS
    near_db = 32.4 + 21.0 * np.log10(apart_m) + 20.0 * math.log10(frequency_ghz)
    bend_db = 9.5 * math.log10(break_m**2 + rise_m**2)
    far_db = 32.4 + 40.0 * np.log10(apart_m) + 20.0 * math.log10(frequency_ghz) - bend_db
    return np.where(distance_m <= break_m, near_db, far_db)


def nlos_path_loss_db(
    distance_m: FloatArray, site_height_m: float, ue_height_m: float, frequency_ghz: float
) -> FloatArray:
    """PL_UMi-NLOS in dB, never below that of LOS, element-wise for distances on the ground, (…) in metres.

    Table 7.4.1-1.
    """
    apart_m = np.hypot(distance_m, site_height_m - ue_height_m)
    alone_db = 22.4 + 35.3 * np.log10(apart_m) + 21.3 * math.log10(frequency_ghz) - 0.3 * (ue_height_m - 1.5)
    return np.maximum(los_path_loss_db(distance_m, site_height_m, ue_height_m, frequency_ghz), alone_db)
