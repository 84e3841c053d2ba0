"""What measures of reproductions share: intervals of values by run, and gains in %."""

from __future__ import annotations

import numpy as np

from mmwave_gym.benchmark.statistics import Interval, difference_interval, mean_interval, score_interval
from mmwave_gym.core.types import Float64Array


def mean(values: Float64Array) -> Interval:
    """Of values (run,), in their unit."""
    return mean_interval(values[None])


def difference(values: Float64Array, other: Float64Array) -> Interval:
    """The mean of `values - other`, both (run,) in the same unit, paired by run."""
    return difference_interval(values[None], other[None])


def gain(values: Float64Array, over: Float64Array) -> Interval:
    """How much more `values` are than those of `over`, in % of its mean; both (seed, episode), paired by episode."""
    ratio = score_interval(values, np.zeros_like(over), over)
    low, high = (None if end is None else 100.0 * (end - 1.0) for end in (ratio.low, ratio.high))
    return Interval(100.0 * (ratio.mean - 1.0), low, high)
