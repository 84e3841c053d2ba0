"""Scales of pictures and texts: where a level lies in a range, and round lengths and steps."""

from __future__ import annotations

import math
from typing import NamedTuple


class Scale(NamedTuple):
    """The range of `size` cells' signals in dB."""

    size: int
    low: float
    high: float

    def share(self, level_db: float) -> float:
        """Where between low (0) and high (1) a level lies."""
        return min(1.0, max(0.0, (level_db - self.low) / (self.high - self.low)))


def nice_length(span: float, share: float) -> float:
    """The longest round length (1, 2 or 5 times a power of ten) that is at most that share of `span`."""
    most = max(span, 1e-9) * share
    power = 10.0 ** math.floor(math.log10(most))
    return next(m * power for m in (5, 2, 1) if m * power <= most * 1.001)


def nice_step(span: float, parts: int) -> float:
    """A round step (1, 2 or 5 times a power of ten) that cuts `span` into at most about `parts`."""
    rough = max(span, 1e-12) / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
