"""Mobility laws as pure functions of their random draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import FloatArray

HEADINGS: FloatArray = np.array([(1.0, 0.0, -1.0, 0.0), (0.0, -1.0, 0.0, 1.0)])
"""Unit vectors, as columns, to the east, south, west and north: the order of direction probabilities."""


def headings(chances: FloatArray, uniform: FloatArray) -> FloatArray:
    """Unit vectors (2, …) to the east, south, west or north, from uniform draws (…) in [0, 1).

    chances: (4,), the probability of each direction.
    """
    # The last boundary is left out: it is 1, or a rounding error below.
    return HEADINGS.take(np.searchsorted(chances.cumsum()[:3], uniform, side="right"), axis=1)


def walk(start_m: FloatArray, displacement_m: FloatArray) -> FloatArray:
    """Positions (…, T + 1) in metres of a free walk, the start first; start_m (…), displacement_m (…, T)."""
    path = np.empty((*displacement_m.shape[:-1], displacement_m.shape[-1] + 1))
    path[..., 0] = start_m
    path[..., 1:] = displacement_m
    return np.add.accumulate(path, axis=-1, out=path)


def walk_between_walls(start_m: FloatArray, displacement_m: FloatArray, low_m: float, high_m: float) -> FloatArray:
    """Positions of a walk whose every coordinate is clipped to [low_m, high_m] after each step.

    Shapes and units are those of `walk`.

    One step maps x to clip(x + d, low, high), and the composition of two such maps is a map of the same form
    clip(x + shift, floor, ceiling). So all prefixes come from a doubling scan in log2(T) passes, without a loop
    over time.
    """
    shift = displacement_m.copy()
    floor, ceiling = np.full_like(shift, low_m), np.full_like(shift, high_m)
    reach = 1
    while reach < shift.shape[-1]:
        before, now = np.s_[..., :-reach], np.s_[..., reach:]
        new_floor = np.clip(floor[before] + shift[now], floor[now], ceiling[now])
        new_ceiling = np.clip(ceiling[before] + shift[now], floor[now], ceiling[now])
        new_shift = shift[before] + shift[now]
        shift[now], floor[now], ceiling[now] = new_shift, new_floor, new_ceiling
        reach *= 2
    path = np.empty((*shift.shape[:-1], shift.shape[-1] + 1))
    path[..., 0] = start_m
    np.clip(start_m[..., None] + shift, floor, ceiling, out=path[..., 1:])
    return path


def first_outside(place_m: FloatArray, side_m: float) -> NDArray[np.intp]:
    """(…): the first slot in which each place of a path, (2, …, T) in metres, is outside [0, side_m]^2.

    It is T where none is.
    """
    half_m = 0.5 * side_m
    outside = (np.abs(place_m - half_m) > half_m).any(axis=0)
    first = outside.argmax(axis=-1)
    return np.where(outside.any(axis=-1), first, outside.shape[-1])
