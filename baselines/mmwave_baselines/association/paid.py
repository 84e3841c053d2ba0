"""What the metrics of association count, exactly: efficiencies that are constant from one payment to the next.

`Association` does not integrate a UE's efficiency e times its share 1/n of the base station's time. It pays a UE from
time to time: the integral of its share since the last payment, times a mean of its efficiency since then,

    paid = m * integral of 1/n dt,    m a mean of e at a few instants between the two payments.

When it pays follows from the epochs alone, and not from what is chosen. So its metrics are true integrals of another
efficiency, m from one payment to the next. A bound for that efficiency bounds the metric itself, rounding aside.

1. Everybody is paid at the end of a step when more than `TICK_S` has passed since the last time, at the first epoch
   from `settle_s` on, and at the end. If the step alone is longer than that, everybody is paid at its beginning, too.
2. A UE is also paid at its own epochs, by its efficiency in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmwave_baselines.association.world import KnownWorld
from mmwave_gym.core.types import FloatArray, IntArray
from mmwave_gym.scenarios.association.game import GAUSS, TICK_S
from mmwave_gym.scenarios.association.routes import place_m


@dataclass(frozen=True)
class Payments:
    """When everybody is paid, from the first epoch on, and how exactly; all (payments,)."""

    time_s: FloatArray
    ticks: IntArray  # pairs of Gauss's nodes since the payment before
    late: FloatArray  # 1: after the UE of that instant has moved, and was paid by its middle

    def before(self, time_s: float) -> float:
        """The last payment before the step that begins at a time: what that step and later ones count begins there."""
        made = (self.time_s < time_s) | ((self.time_s == time_s) & (self.late == 0.0))
        return float(self.time_s[max(int(made.sum()) - 1, 0)])


def payments(time_s: FloatArray, settle_s: float) -> Payments:
    """The payments of an episode whose epochs and end are at `time_s` (K + 1,)."""
    counted = settled = float(time_s[0])
    found = [(counted, 1, 0.0)]
    last = len(time_s) - 2
    for k, (now, then) in enumerate(zip(time_s[:-1].tolist(), time_s[1:].tolist(), strict=True)):
        settles = settled < settle_s <= then
        if not (then - counted > TICK_S or settles or k == last):
            continue
        if then - now > TICK_S and counted < now:
            found.append((now, _ticks(now - counted), 1.0))
            counted = now
        found.append((then, _ticks(then - counted), 0.0))
        counted = then
        settled = then if settles else settled
    when, ticks, late = (np.array(part) for part in zip(*found, strict=True))
    return Payments(when, ticks, late)


def _ticks(passed_s: float) -> int:
    return max(int(np.ceil(passed_s / TICK_S)), 1)


class Paid:
    """The efficiencies by which the UEs of a world are paid."""

    def __init__(self, world: KnownWorld, settle_s: float):
        self.world = world
        self._knots_m = world.routes.knots_m.astype(np.float32)  # as the game keeps them
        self.payments = payments(world.time_s, settle_s)
        # Each UE's own times in one row: everybody's payments and its epochs, which are rows 0 and 1 of `kind`.
        ues = np.arange(len(world.serving))
        everybody = self.payments.time_s
        ue = np.concatenate((np.repeat(ues, len(everybody)), world.ue))
        when = np.concatenate((np.tile(everybody, len(ues)), world.time_s[:-1]))
        # Where both are at one instant the UE is paid as of what comes first: late payments come after its epoch.
        after = np.concatenate((np.tile(2.0 * self.payments.late, len(ues)), np.ones(len(world.ue))))
        nodes = np.concatenate((np.tile(self.payments.ticks, len(ues)), np.zeros(len(world.ue), np.intp)))
        order = np.lexsort((after, when, ue))
        self.time_s, self.nodes = when[order], nodes[order]
        self.first = np.searchsorted(ue[order], np.arange(len(ues) + 1))
        self._axis = self._place(ue[order], self.time_s)

    def _place(self, ue: IntArray, time_s: FloatArray) -> FloatArray:
        """Increasing with the UE, then with the time."""
        return np.asarray(ue * (2.0 * float(self.world.time_s[-1]) + 1.0) + time_s)

    def bits_per_hz(self, ue: IntArray, bs: IntArray, begin_s: FloatArray, end_s: FloatArray) -> FloatArray:
        """Integrals of the efficiency that is paid, of links `ue`, `bs` from `begin_s` to `end_s`, all (links,).

        Between two epochs of the UE each; 0 before the first epoch of all and after the end.
        """
        begin = np.searchsorted(self._axis, self._place(ue, begin_s), "right")
        last = np.searchsorted(self._axis, self._place(ue, end_s), "left")
        count = np.maximum(last - begin + 1, 0)
        link = np.repeat(np.arange(len(ue)), count)
        at = np.arange(len(link)) - np.repeat(np.cumsum(count) - count - begin, count)
        since_s, until_s = self.time_s[at - 1], self.time_s[at]
        overlap = np.minimum(until_s, end_s[link]) - np.maximum(since_s, begin_s[link])
        use = np.flatnonzero(overlap > 0.0)
        link, at = link[use], at[use]
        mean = self._mean(ue[link], bs[link], since_s[use], until_s[use], self.nodes[at])
        return np.asarray(np.bincount(link, overlap[use] * mean, len(ue)), np.float64)

    def _mean(
        self, ue: IntArray, bs: IntArray, since_s: FloatArray, until_s: FloatArray, ticks: IntArray
    ) -> FloatArray:
        """By what a UE is paid between two payments; ticks 0: by the middle."""
        mean = self._efficiency(ue, bs, 0.5 * (since_s + until_s))
        for many in np.unique(ticks[ticks > 0]).tolist():
            some = np.flatnonzero(ticks == many)
            total = np.zeros(len(some))
            for node in range(2 * many):
                share = (node // 2 + GAUSS[node % 2]) / many
                time_s = since_s[some] + (until_s[some] - since_s[some]) * share
                total += self._efficiency(ue[some], bs[some], time_s)
            mean[some] = total / (2 * many)
        return mean

    def _efficiency(self, ue: IntArray, bs: IntArray, time_s: FloatArray) -> FloatArray:
        routes = self.world.routes
        place = place_m(routes.first_s[ue], routes.knot_s, self._knots_m, ue, time_s)
        apart = place - self.world.bs_m[bs]
        return self.world.budget.efficiency_bps_hz((apart**2).sum(axis=-1))
