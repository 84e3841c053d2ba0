"""The radio map that all UEs feed: along each lane in bins of 4 m what every cell is worth there.

A report of a UE at place x counts in the bin of x. With n reports so far, this one included, the bin's level moves by

    level += max(1 / n, 0.2) (measured - level)

so that it is the mean of the first five reports, and later one that forgets. A look-up at x takes the two bins whose
middles are on both sides of x, by their distances (and 0.02 each, so that no weight is 0), where they have reports;
else the nearest bin with reports, up to three away; else the place is unknown. All numbers are ours.

Arrays: `level_dbm` (env, lane, bin, cell) and `count` (env, lane, bin), reports so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BIN_M = 4.0
LEAST_WEIGHT = 0.2
EVEN = 0.02
REACH = 3
"""Bins away up to which the nearest known one counts."""
AHEAD_S = (0.0, 0.4, 0.8, 1.2, 2.0)
"""Times ahead for which a UE looks up its place."""
CHANGES = (0, 2)
"""Of which of them it is told how the map's RSRP differs from what is measured."""


def bins_of(length_m: float) -> int:
    """Bins of a lane."""
    return int(np.ceil(length_m / BIN_M))


def feed(
    level_dbm: NDArray[np.float32],
    count: NDArray[np.float32],
    env: NDArray[np.intp],
    lane: NDArray[np.int64],
    place_m: NDArray[np.float32],
    measured_dbm: NDArray[np.float32],
) -> None:
    """Take reports (n,) from places on lanes of environments, one after the other; measured_dbm: (n, cell).

    level_dbm: (env, lane, bin, cell); count: (env, lane, bin), a number of reports.
    """
    at = np.floor(place_m / np.float32(BIN_M)).astype(np.int64)
    inside = np.flatnonzero((at >= 0) & (at < count.shape[2]))
    # The first report of every environment, then the second: these never share a bin.
    nth = np.zeros(len(inside), np.int64)
    seen: dict[int, int] = {}
    for i, its in enumerate(env[inside].tolist()):
        nth[i] = seen[its] = seen.get(its, -1) + 1
    for rank in range(int(nth.max(initial=-1)) + 1):
        which = inside[nth == rank]
        where = env[which], lane[which], at[which]
        count[where] += np.float32(1.0)
        weight = np.maximum(np.float32(1.0) / count[where], np.float32(LEAST_WEIGHT))[:, None]
        level_dbm[where] += weight * (measured_dbm[which] - level_dbm[where])


def look_up(
    level_dbm: NDArray[np.float32],
    count: NDArray[np.float32],
    env: NDArray[np.intp],
    lane: NDArray[np.int64],
    place_m: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Levels (n, cell) in dBm at places (n,) on lanes of environments, 0 where nothing is known; (n,): is it known?

    level_dbm: (env, lane, bin, cell); count: (env, lane, bin), a number of reports.
    """
    scaled = place_m / np.float32(BIN_M) - np.float32(0.5)
    first = np.floor(scaled)
    part = scaled - first
    bins, low = count.shape[2], first.astype(np.int64)
    near = np.arange(-REACH, REACH + 1)
    at = low[:, None] + near
    known = (at >= 0) & (at < bins)
    known &= count[env[:, None], lane[:, None], np.clip(at, 0, bins - 1)] > 0.0
    both = known[:, REACH : REACH + 2]
    weight = np.where(both, np.stack((np.float32(1.0) - part, part), axis=1) + np.float32(EVEN), np.float32(0.0))
    order = np.array([REACH + sign * far for far in range(1, REACH + 1) for sign in (-1, 1)])
    nearest = order[known[:, order].argmax(axis=1)] - REACH
    between = both.any(axis=1)
    one = np.where(between, low, low + nearest)
    weight[:, 0] = np.where(between, weight[:, 0], np.float32(1.0))
    values = [level_dbm[env, lane, np.clip(j, 0, bins - 1)] for j in (one, low + 1)]
    mean = (weight[:, :1] * values[0] + weight[:, 1:] * values[1]) / (weight[:, 0] + weight[:, 1])[:, None]
    found: Any = known.any(axis=1)
    return np.where(found[:, None], mean, np.float32(0.0)), found
