"""Stops on shapes: how far along its shape a trip is when it calls at a stop.

The nearest point of a shape is the wrong one where a shape comes near itself (a loop, both sides of a street). Here
the whole trip is placed at once: of each stop's few nearest points those are taken that follow each other along the
shape and lie nearest in all (dynamic programming), with `shape_dist_traveled`, in whatever unit, to settle ties.
"""

from __future__ import annotations

import numpy as np

from mmwave_gym.core.types import FloatArray

NEAR_M = 40.0
"""Points of the shape this much farther from a stop than the nearest are still thought of: ours, a wide street."""
MOST_POINTS = 12
SHARE_WEIGHT = 0.05
"""A metre of difference to the given distance weighs this much of a metre between stop and shape."""
FAST_PENALTY_M = 1e4


def along_shape(
    stop_m: FloatArray, shape_m: FloatArray, least_s: FloatArray, speed_mps: float, shares: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Places of a trip's stops along its shape, in metres from its start, not falling, and how far each is from it.

    stop_m (stops, 2), shape_m (points, 2); least_s (stops - 1,): the longest that each leg may take, a leg that
    would need more than `speed_mps` is taken only where nothing else is left; shares (stops,): shares of the shape's
    length, NaN where not given. Returns (stops,) and (stops,).
    """
    length = np.hypot(*np.diff(shape_m, axis=0).T)
    start = np.concatenate(([0.0], np.cumsum(length)))
    at, off = zip(*(_nearest(place_m, shape_m, length, start) for place_m in stop_m), strict=True)
    cost = [o.copy() for o in off]
    # Feeds exist whose two tables have different units.
    if shares is not None and not np.abs(at[-1] - shares[-1] * start[-1]).min() > 0.1 * start[-1] + NEAR_M:
        for stop in np.flatnonzero(np.isfinite(shares)):
            cost[stop] += SHARE_WEIGHT * np.abs(at[stop] - shares[stop] * start[-1])
    total, came = [cost[0]], []
    for i in range(1, len(at)):
        leg = at[i][None] - at[i - 1][:, None]
        # Backwards by a few metres is rounding of the feed's; it becomes standing still.
        back = np.maximum(-leg, 0.0)
        fast = leg > speed_mps * least_s[i - 1] + NEAR_M
        step = total[-1][:, None] + np.where(back > NEAR_M, np.inf, 10.0 * back) + np.where(fast, FAST_PENALTY_M, 0.0)
        if not np.isfinite(step).any():
            step = total[-1][:, None] + 10.0 * back
        came.append(step.argmin(axis=0))
        total.append(step.min(axis=0) + cost[i])
    choice: list[int] = [int(total[-1].argmin())]
    for origin in reversed(came):
        choice.append(int(origin[choice[-1]]))
    choice.reverse()
    places = np.array([a[c] for a, c in zip(at, choice, strict=True)])
    return np.maximum.accumulate(places), np.array([o[c] for o, c in zip(off, choice, strict=True)])


def _nearest(
    stop: FloatArray, shape_m: FloatArray, length: FloatArray, start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Points where a shape comes nearest to a stop, each time it passes: along the shape and away from it."""
    begin, step = shape_m[:-1], np.diff(shape_m, axis=0)
    share = ((stop - begin) * step).sum(axis=1) / np.maximum(length**2, 1e-12)
    share = share.clip(0.0, 1.0)
    off = np.hypot(*(begin + share[:, None] * step - stop).T)
    before, after = np.concatenate(([np.inf], off[:-1])), np.concatenate((off[1:], [np.inf]))
    local = np.flatnonzero((off <= before) & (off <= after) & (off <= off.min() + NEAR_M))
    local = np.sort(local[np.argsort(off[local], kind="stable")[:MOST_POINTS]])
    return start[local] + share[local] * length[local], off[local]
