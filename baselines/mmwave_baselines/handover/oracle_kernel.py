"""Viterbi's recursion of `oracle`, compiled: the same values to the bit, one UE and slot after the other.

    V_t(s) = max( R_t(s) + V_{t+1}(s),  max_a R_{t+w-1}(a) kept - price + V_{t+w}(a) )

R is the rate in bit/s/Hz, 0 in slots that do not count; there a change costs nothing. w: slots from a handover to the
next decision, of which only the last brings data, in its share `kept`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True)
def best_change(
    rate: Any, value: Any, first: Any, counts: bool, pays: bool, price: float, kept: float, masked: bool
) -> tuple[float, int]:
    """What the best change of cell brings in bit/s/Hz, and to which: the first of equals.

    rate, value: (cell,), bit/s/Hz, of the first slot with data and of the decision after it; first: (cell,), bit/s/Hz
    of the slot of the change. counts: does the slot with data count? pays: does that of the change?
    """
    most, target = -np.inf, 0
    for cell in range(len(value)):
        brings = value[cell] + kept * rate[cell] if counts else value[cell]
        brings = brings - price if pays else brings
        if brings > most and not (masked and first[cell] <= 0.0):
            most, target = brings, cell
    return most, target


@njit(cache=True, nogil=True)
def values(rate: Any, departure: Any, price: float, kept: float, wait: int, value: Any) -> None:
    """Fill `value` (episode, slot + 1, ue, cell), which holds 0 after the last slot, in the unit of rates.

    rate: (episode, slot, ue, cell) in bit/s/Hz; departure: (episode, ue), a slot; wait: slots of a handover.
    """
    slots = rate.shape[1]
    for episode in range(rate.shape[0]):
        for ue in range(rate.shape[2]):
            gone = min(departure[episode, ue], slots)
            for t in range(slots - 1, -1, -1):
                now, counts = rate[episode, t, ue], t < gone
                following, data = value[episode, t + 1, ue], t + wait - 1
                first, after = rate[episode, min(data, slots - 1), ue], value[episode, min(data + 1, slots), ue]
                changed, _ = best_change(first, after, now, data < gone, counts, price, kept, False)
                for cell in range(rate.shape[3]):
                    stayed = following[cell] + now[cell] if counts else following[cell]
                    value[episode, t, ue, cell] = max(stayed, changed)


@njit(cache=True, nogil=True)
def plan(
    rate: Any, departure: Any, price: float, kept: float, wait: int, masked: bool, begin: int, first: int,
    target: Any, stay: Any,
) -> None:  # fmt: skip
    """Fill the plan from slot `first` on: `target` (slot, episode, ue), and `stay` (slot, episode, ue, cell).

    rate: (episode, slot, ue, cell) in bit/s/Hz, of which only cells with a rate may be chosen where `masked`;
    departure: (episode, ue), a slot; begin: the first slot that counts; wait: slots of a handover.
    """
    end, turns = first + len(target), wait + 1
    value = np.empty((turns, rate.shape[3]))  # of the last slots, by turns
    for episode in range(rate.shape[0]):
        for ue in range(rate.shape[2]):
            value[:] = 0.0
            gone = min(departure[episode, ue], end)
            for t in range(end - 1, first - 1, -1):
                now, counts, data = rate[episode, t, ue], begin <= t < gone, t + wait - 1
                here, following, after = value[t % turns], value[(t + 1) % turns], value[(data + 1) % turns]
                rates = rate[episode, min(data, end - 1), ue]
                changed, to = best_change(rates, after, now, begin <= data < gone, counts, price, kept, masked)
                target[t - first, episode, ue] = to
                for cell in range(len(now)):
                    stayed = following[cell] + now[cell] if counts else following[cell]
                    stay[t - first, episode, ue, cell] = stayed >= changed
                    here[cell] = max(stayed, changed)
