"""Viterbi's recursion of `oracle`, compiled: the same values to the bit, one UE and slot after the other.

    V_t(s) = max( R_t(s) + V_{t+1}(s),  max_a R_t(a) kept - price + V_{t+1}(a) )

R is the rate in bit/s/Hz, 0 in slots that do not count; there a change costs nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True)
def best_change(rate: Any, value: Any, counts: bool, price: float, kept: float, masked: bool) -> tuple[float, int]:
    """What the best change of cell brings, and to which: the first of equals; rate, value: (cell,), bit/s/Hz."""
    most, target = -np.inf, 0
    for cell in range(len(value)):
        brings = value[cell] + kept * rate[cell] - price if counts else value[cell]
        if brings > most and not (masked and rate[cell] <= 0.0):
            most, target = brings, cell
    return most, target


@njit(cache=True, nogil=True)
def values(rate: Any, departure: Any, price: float, kept: float, value: Any) -> None:
    """Fill `value` (episode, slot + 1, ue, cell), which holds 0 after the last slot, in the unit of rates.

    rate: (episode, slot, ue, cell) in bit/s/Hz; departure: (episode, ue), a slot.
    """
    for episode in range(rate.shape[0]):
        for ue in range(rate.shape[2]):
            for t in range(rate.shape[1] - 1, -1, -1):
                now, counts = rate[episode, t, ue], t < departure[episode, ue]
                following = value[episode, t + 1, ue]
                changed, _ = best_change(now, following, counts, price, kept, False)
                for cell in range(rate.shape[3]):
                    stayed = following[cell] + now[cell] if counts else following[cell]
                    value[episode, t, ue, cell] = max(stayed, changed)


@njit(cache=True, nogil=True)
def plan(
    rate: Any, departure: Any, price: float, kept: float, masked: bool, begin: int, first: int, target: Any, stay: Any
) -> None:
    """Fill the plan from slot `first` on: `target` (slot, episode, ue), and `stay` (slot, episode, ue, cell).

    rate: (episode, slot, ue, cell) in bit/s/Hz, of which only cells with a rate may be chosen where `masked`;
    departure: (episode, ue), a slot; begin: the first slot that counts.
    """
    value = np.empty(rate.shape[3])
    for episode in range(rate.shape[0]):
        for ue in range(rate.shape[2]):
            value[:] = 0.0
            for t in range(first + len(target) - 1, first - 1, -1):
                now, counts = rate[episode, t, ue], begin <= t < departure[episode, ue]
                changed, to = best_change(now, value, counts, price, kept, masked)
                target[t - first, episode, ue] = to
                for cell in range(len(value)):
                    stayed = value[cell] + now[cell] if counts else value[cell]
                    stay[t - first, episode, ue, cell] = stayed >= changed
                    value[cell] = max(stayed, changed)
