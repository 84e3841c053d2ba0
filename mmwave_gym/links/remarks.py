"""What is odd in a link matrix but may be right: said by `mmwave-gym channel`, never refused."""

from __future__ import annotations

import numpy as np

from mmwave_gym.links.matrix import LinkMatrix

COMMON_SHARE = 0.3
"""A level in more of the values that are heard is suspicious: ours, as for recordings."""
FEWEST_VALUES = 20
SHORTEST_STEP_S = 1e-5
"""Ours: shorter than any slot of 5G NR, which has 15.6 us at 960 kHz."""
LONGEST_STEP_S = 60.0
"""Ours: a UE moves on by streets within it, so that rows so far apart are no channel, or are in milliseconds."""


def remarks(matrix: LinkMatrix) -> list[str]:
    """A line for each thing that is odd."""
    found = []
    heard = matrix.rsrp_dbm[~np.isnan(matrix.rsrp_dbm)]
    values, counts = np.unique(heard, return_counts=True)
    if len(heard) >= FEWEST_VALUES and counts.max() > COMMON_SHARE * len(heard):
        value, share = float(values[counts.argmax()]), counts.max() / len(heard)
        found.append(
            f"note: {value:g} dBm is {share:.0%} of what is heard; if it means not heard, say so "
            f"(--no-signal {value:g})"
        )
    step_s = 1.0 if matrix.time_s is None else float(np.median(np.diff(matrix.time_s)))
    if step_s < SHORTEST_STEP_S:
        found.append(f"note: its times are {step_s:g} s apart; time_s is in seconds: are these days?")
    if step_s > LONGEST_STEP_S:
        found.append(f"note: its times are {step_s:g} s apart; time_s is in seconds: are these milliseconds?")
    return found
