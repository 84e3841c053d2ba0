"""Files with deadlines: what waits for each UE, what a slot's rate sends of it, and how late files are.

A file of `file_mbit` comes to a UE when it becomes active, and every `file_period_s` while it is. Files of a UE are
sent one after the other, oldest first. In a slot the cell's bandwidth is shared equally by the UEs for whom data wait;
what a UE does not need of its share is lost (ours). A file that is complete in its n-th slot has a delay of n slots.
What is left of it after `deadline_s` is dropped: it is missed. Files of a UE that leaves count nowhere.

`waiting` (env, ue, age) holds the Mbit left of the file that came `age` slots ago, 0 where there is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import Metric
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.shared_street.config import SLOT_S, SharedStreetConfig

METRICS = (
    Metric("delay_s", "s", "all", "mean time from a file's arrival to its last bit, of delivered files"),
    Metric("delay_p95_s", "s", "all", "least delay that 95 % of delivered files do not exceed"),
    Metric("on_time_share", "1", "all", "share of files delivered by their deadline, of those delivered or missed"),
)
LATE = 0.95


def files(
    config: SharedStreetConfig, rng: np.random.Generator, active: NDArray[np.bool_], arrives: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(slot, ue): in which slots a file comes; active, arrives: (slot, ue), who wants data and who is new."""
    period, slots = config.slots("file_period_s"), np.arange(len(active))[:, None]
    begins = active & arrives
    begins[1:] |= active[1:] & ~active[:-1]
    # Who is active in slot 0 has been so for a while: its files come at a phase of its own.
    first = np.where(begins, slots, -rng.integers(period, size=active.shape[1]))
    return active & ((slots - np.maximum.accumulate(first, axis=0)) % period == 0)


def serve(waiting: Float64Array, mbit: Float64Array) -> tuple[Float64Array, NDArray[np.int64]]:
    """Send up to `mbit` (N, A) of what waits and end the slot; `waiting` (N, A, age), in Mbit, changes.

    Returns Mbit sent (N, A), and how many files (N, 1 + age) were missed, in column 0, or came after so many slots.
    """
    ages = waiting.shape[2]
    left, counts = mbit.copy(), np.zeros((len(waiting), 1 + ages), np.int64)
    for age in reversed(range(ages)):
        its = waiting[:, :, age].copy()
        sent = np.minimum(its, left)
        left -= sent
        waiting[:, :, age] = its - sent
        counts[:, 1 + age] = ((its > 0.0) & (sent == its)).sum(axis=1)
    counts[:, 0] = (waiting[:, :, -1] > 0.0).sum(axis=1)
    waiting[:, :, 1:] = waiting[:, :, :-1].copy()
    waiting[:, :, 0] = 0.0
    return mbit - left, counts


def oldest_s(waiting: Float64Array) -> Float64Array:
    """(N, A): seconds until the deadline of the oldest file, 0 where nothing waits; waiting: (N, A, age), in Mbit."""
    there = waiting > 0.0
    left = 1 + there[:, :, ::-1].argmax(axis=2)
    return np.where(there.any(axis=2), left * SLOT_S, 0.0)


def score(counts: NDArray[np.int64]) -> dict[str, float]:
    """The metrics of `METRICS` of the counts (1 + age,) of files, as `serve` returns them; 0 where there are none."""
    delivered = counts[1:]
    total, due = int(delivered.sum()), int(counts.sum())
    slots = np.arange(1, len(counts))
    late = int(np.searchsorted(delivered.cumsum(), LATE * total)) + 1 if total else 0
    return {
        "delay_s": SLOT_S * float(slots @ delivered) / max(total, 1),
        "delay_p95_s": SLOT_S * late,
        "on_time_share": total / max(due, 1),
    }
