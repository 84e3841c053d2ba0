"""Samples at equal steps of time: the nearest one, and none where none is near. Nothing is invented in between."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.types import Float64Array

MAX_ROWS = 2_000_000


def grid(time_s: Float64Array, step_s: float) -> Float64Array:
    """(steps,): times from the first to the last of `time_s` (samples,) in steps of `step_s`. Raises ChannelError."""
    if not (isinstance(step_s, int | float) and math.isfinite(step_s) and step_s > 0.0):
        raise ChannelError(f"the step to resample to must be above 0 s, got {step_s!r}.")
    first, span = float(time_s.min()), float(np.ptp(time_s))
    if span / step_s > MAX_ROWS:
        raise ChannelError(f"{span:g} s in steps of {step_s:g} s are more than {MAX_ROWS:,} rows: take a longer step.")
    return first + step_s * np.arange(math.floor(span / step_s + 1e-6) + 1, dtype=np.float64)


def nearest(time_s: Float64Array, at_s: Float64Array, usual_step_s: float) -> NDArray[np.intp]:
    """(steps,): the index of the sample nearest to each of `at_s` (steps,), -1 where none is within one usual step.

    time_s: (samples,), in any order; of equal times the last counts.
    """
    order = np.argsort(time_s, kind="stable")
    ordered = time_s[order]
    after = np.searchsorted(ordered, at_s, side="right").clip(0, len(ordered) - 1)
    before = (np.searchsorted(ordered, at_s, side="right") - 1).clip(0)
    closer = np.abs(ordered[after] - at_s) < np.abs(ordered[before] - at_s)
    pick = np.where(closer, after, before)
    pick = np.searchsorted(ordered, ordered[pick], side="right") - 1
    reach_s = (usual_step_s if usual_step_s > 0.0 else 0.0) * (1.0 + 1e-6) + 1e-9
    found: NDArray[np.intp] = np.where(np.abs(ordered[pick] - at_s) <= reach_s, order[pick], -1)
    return found
