"""The chance of `world.PaperWorld`, compiled: layouts, walks and fading, the same numbers to the bit.

Numbers of a cause are drawn in the order in which NumPy's code takes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.core.chance_kernel import rekey

F32 = np.float32


@njit(cache=True)
def draw_chance(
    generator: Any, state: Any, keys: Any, causes: Any, drawn: Any, layout: Any, walks: Any, fading: Any
) -> None:
    """Draw layouts, walks and fading of some episodes, or those of them that `drawn` (3,) names; no unit.

    keys: see `compiled.keys_of`; causes (4,) and state: see `rekey`; layout, walks: what `_layout` and `_walks`
    take, with an axis of episodes; fading (episode, n): filled with powers of Rayleigh fading, of mean 1.
    """
    words, counts = keys
    side_m, site_m, white = layout
    uniform, step_s, speed_mps, bounds, stride_m, position_m, departure = walks
    for i in range(len(words)):
        key = words[i, : counts[i]]
        if drawn[0]:
            _layout(generator, state, key, causes, side_m, site_m[i], white[i])
        if drawn[1]:
            rekey(key, causes[2], state)
            _walks(generator, side_m, uniform, step_s, speed_mps, bounds, stride_m, position_m[i], departure[i])
        if drawn[2]:
            rekey(key, causes[3], state)
            here = fading[i]
            for j in range(len(here)):
                here[j] = generator.standard_exponential()


@njit(cache=True)
def _layout(generator: Any, state: Any, words: Any, causes: Any, side_m: float, site_m: Any, white: Any) -> None:
    """Fill `site_m` (cell, 2) in metres, uniform in the square, and `white` (cell, point), standard normal, no unit."""
    rekey(words, causes[0], state)
    for cell in range(len(site_m)):
        for axis in range(2):
            site_m[cell, axis] = F32(side_m) * F32(generator.random())
    rekey(words, causes[1], state)
    for cell in range(white.shape[0]):
        for point in range(white.shape[1]):
            white[cell, point] = generator.standard_normal()


@njit(cache=True)
def _walks(
    generator: Any, side_m: float, uniform: bool, step_s: float, speed_mps: Any, bounds: Any,
    stride_m: Any, position_m: Any, departure: Any,
) -> None:  # fmt: skip
    """Fill `position_m` (2, ue, slot) in metres and `departure` (ue,), the first slot outside the square.

    uniform: are the starts drawn? speed_mps (2,): slowest and fastest; bounds (3,): cumulated chances of a step east,
    south, west, no unit; stride_m (ue, speeds) in metres is overwritten.
    """
    ues, slots = position_m.shape[1:]
    half_m = F32(0.5 * side_m)
    start_m = np.full((2, ues), side_m / 2.0)
    if uniform:
        for axis in range(2):
            for ue in range(ues):
                start_m[axis, ue] = generator.random() * side_m
    for ue in range(ues):
        for i in range(stride_m.shape[1]):
            stride_m[ue, i] = step_s * (speed_mps[0] + (speed_mps[1] - speed_mps[0]) * generator.random())
    for ue in range(ues):
        x_m, y_m = start_m[0, ue], start_m[1, ue]
        departure[ue] = slots
        for slot in range(slots):
            if slot > 0:
                stride = stride_m[ue, min(slot, stride_m.shape[1]) - 1]
                heading = generator.random()
                # Without branches: a heading is a surprise to the processor.
                east, south, west = heading < bounds[0], heading < bounds[1], heading < bounds[2]
                x_m += stride * (east - (west & (not south)))
                y_m += stride * ((not west) - (south & (not east)))
            x, y = F32(x_m), F32(y_m)
            position_m[0, ue, slot], position_m[1, ue, slot] = x, y
            if departure[ue] == slots and (abs(x - half_m) > half_m or abs(y - half_m) > half_m):
                departure[ue] = slot
