"""Blockage by screens, 3GPP TR 38.901, 7.6.4.2 (model B): knife-edge diffraction around the edges of a rectangle.

A screen stands upright and perpendicular to the line between both antennas. Of its loss

    L = -20 log10(1 - (F_h1 + F_h2) (F_w1 + F_w2))                                                (7.6-29)
    F = +- atan(pi / 2 sqrt(pi / wavelength (D1 + D2 - r))) / pi                                   (7.6-30)

h1 and h2 are the upper and lower edge, seen from the side, w1 and w2 the left and right one, seen from above. D1 and D2
are the distances of an edge from both antennas, r the length of the line, all in that view. Both signs are plus
where the line passes between two edges; else the nearer edge has minus. An edge that is infinitely far has F = 1/2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio.tr38901_umi import LIGHT_MPS

FAR = 0.5
"""F of an edge that is infinitely far."""
MOST_DB = 200.0
"""Of a loss beyond it nothing could be told apart in float64 (ours)."""


def wavelength_m(frequency_ghz: float) -> float:
    """The wavelength in metres."""
    return LIGHT_MPS / (1e9 * frequency_ghz)


def edge(before_m: Any, after_m: Any, aside_m: Any, rise_m: Any, wave_m: float) -> Float64Array:
    """|F| of an edge, no unit, element-wise.

    before_m, after_m: (…), along the line's ground from both antennas to the screen; aside_m: (…), from the line to the
    edge, in the screen; rise_m: (…), by how much the line rises over both distances together (0 seen from above).
    """
    slope = rise_m / (before_m + after_m)
    # The edge's distances from both antennas: the line's point at the screen is `slope` times the way above each end.
    one = np.hypot(before_m, slope * before_m + aside_m)
    other = np.hypot(after_m, slope * after_m - aside_m)
    excess = np.maximum(one + other - np.hypot(before_m + after_m, rise_m), 0.0)
    return np.arctan(0.5 * np.pi * np.sqrt(np.pi / wave_m * excess)) / np.pi


def between(first_m: Any, second_m: Any, before_m: Any, after_m: Any, rise_m: Any, wave_m: float) -> Float64Array:
    """F_1 + F_2 of two edges with their signs, no unit, element-wise.

    first_m <= second_m: (…), how far aside of the line they are; before_m, after_m, rise_m: (…), as of `edge`.
    """
    nearer_first = np.abs(first_m) <= np.abs(second_m)
    inside = (first_m <= 0.0) & (second_m >= 0.0)
    one = edge(before_m, after_m, first_m, rise_m, wave_m)
    two = edge(before_m, after_m, second_m, rise_m, wave_m)
    return np.where(inside, one + two, np.where(nearer_first, two - one, one - two))


def loss_db(across: Any, up: Any) -> Float64Array:
    """(7.6-29), dB, element-wise, of `across`, F_w1 + F_w2, and `up`, F_h1 + F_h2, (…), no unit."""
    through = np.maximum(1.0 - np.asarray(across) * np.asarray(up), 10.0 ** (-MOST_DB / 20.0))
    return np.maximum(-20.0 * np.log10(through), 0.0)


def screen_loss_db(
    before_m: Any, after_m: Any, aside_m: Any, width_m: Any, height_m: Any, ends_m: tuple[float, float], wave_m: float
) -> Float64Array:
    """What a screen on the ground takes from a link, dB, element-wise.

    before_m, after_m: (…), along the ground from the first antenna to the screen, and on to the second; aside_m: (…),
    from the line to the screen's middle; width_m, height_m: (…), its size; ends_m: heights of both antennas.
    """
    rise_m = ends_m[1] - ends_m[0]
    line_m = ends_m[0] + rise_m * before_m / (before_m + after_m)
    across = between(aside_m - width_m / 2.0, aside_m + width_m / 2.0, before_m, after_m, 0.0, wave_m)
    up = between(-line_m, height_m - line_m, before_m, after_m, rise_m, wave_m)
    return loss_db(across, up)


def corner_loss_db(before_m: Any, after_m: Any, aside_m: Any, hidden: NDArray[np.bool_], wave_m: float) -> Float64Array:
    """What the corner of a building that is wide and high takes from a link, dB, element-wise.

    aside_m: (…), from the line to the corner; hidden: (…), does the line pass through the building? before_m, after_m:
    (…), as of `screen_loss_db`.
    """
    near = edge(before_m, after_m, np.abs(aside_m), 0.0, wave_m)
    return loss_db(FAR + np.where(hidden, near, -near), 2.0 * FAR)
