"""Known routes: where UEs will be, which cells they will have, and the decision epochs that follow from it.

A route is a polyline with knots at equal time steps and constant velocity between them. A visit is an interval in
which a cell is a UE's candidate: in range and in line of sight. Epochs are the instants at which a UE's candidates
change; between them nothing is decided. Pure functions of arrays, one world at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import FloatArray, IntArray
from mmwave_gym.radio.units import spectral_efficiency_bps_hz

TOUCH_S = 1e-9
"""Times that differ by less are one: what ends at a street corner goes on behind it."""

FORESIGHT_S = 30.0
"""Routes go on this much longer than an episode, so that its last epochs foresee as much as others."""

_GAUSS = {most: np.polynomial.legendre.leggauss(nodes) for most, nodes in ((0.7, 4), (1.6, 6), (3.0, 10), (np.inf, 16))}
"""Nodes and weights for integrals over up to so much in the logarithm of the distance: error below 1e-6."""


@dataclass(frozen=True)
class LinkBudget:
    """Spectral efficiency of a link in line of sight, log2(1 + snr_1m max(d, 1 m)^-exponent), d in three dimensions."""

    snr_1m: float
    """Linear SNR at a metre."""
    exponent: float
    height_m: float = 0.0
    """Of the base station's antenna above the UE's."""

    def efficiency_bps_hz(self, distance_squared_m2: FloatArray) -> FloatArray:
        """bit/s/Hz, in the shape of the squared distances on the map, (...)."""
        return self._efficiency_bps_hz(distance_squared_m2 + self.height_m**2)

    def _efficiency_bps_hz(self, squared_m2: FloatArray) -> FloatArray:
        """From squared distances to the antenna."""
        return spectral_efficiency_bps_hz(self.snr_1m * np.maximum(squared_m2, 1.0) ** (-0.5 * self.exponent))

    def integral(self, from_m: FloatArray, to_m: FloatArray, duration_s: FloatArray) -> FloatArray:
        """Integral over time, in bit/Hz, along straight pieces at constant velocity, shape (pieces,).

        from_m, to_m: places relative to the base station, (pieces, 2) in metres; duration_s: (pieces,).

        Gauss's rule in the logarithm of the distance, because efficiency peaks sharply near the base station. Relative
        error, measured against adaptive quadrature: below 5e-6 up to an exponent of 3, below 3e-4 up to one of 5.
        """
        (x, y), (dx, dy) = from_m.T, (to_m - from_m).T
        length = np.sqrt(dx * dx + dy * dy)
        still = length < 1e-9
        each = 1.0 / np.where(still, 1.0, length)
        # Along the line, from the place nearest to the base station on the map.
        first = (x * dx + y * dy) * each
        last = first + length
        beside = ((x * dy - y * dx) * each) ** 2 + self.height_m**2
        near, far = np.abs(first), np.abs(last)
        near, far = np.minimum(near, far), np.maximum(near, far)
        through = np.flatnonzero((first < 0.0) & (last > 0.0))  # these pass the nearest place: twice the near part
        whole = self._away(near, far, beside)
        whole[through] += 2.0 * self._away(np.zeros(len(through)), near[through], beside[through])
        mean = whole * each
        if still.any():
            mean[still] = self.efficiency_bps_hz(x[still] ** 2 + y[still] ** 2)
        return mean * duration_s

    def _away(self, near_m: FloatArray, far_m: FloatArray, beside_m2: FloatArray) -> FloatArray:
        """Integral over a line from `near_m` to `far_m` beyond its place nearest to the antenna, in m bit/s/Hz.

        beside_m2: squared distance of that place from the antenna.
        """
        flat = np.sqrt(np.maximum(1.0 - beside_m2, 0.0)).clip(near_m, far_m)  # within a metre of the antenna
        scale = np.sqrt(np.maximum(beside_m2, 1.0))
        low, high = np.arcsinh(flat / scale), np.arcsinh(far_m / scale)
        middle, half, curved = 0.5 * (high + low), 0.5 * (high - low), np.zeros(len(low))
        least = -1.0
        for most, rule in _GAUSS.items():
            chosen = np.flatnonzero((2.0 * half > least) & (2.0 * half <= most))
            least = most
            m, h, r, beside = middle[chosen], half[chosen], 0.5 * scale[chosen], beside_m2[chosen]
            total = np.zeros(len(chosen))
            for node, weight in zip(*rule, strict=True):
                grown = np.exp(m + h * node)
                shrunk = 1.0 / grown
                x_m = r * (grown - shrunk)
                total += weight * (grown + shrunk) * self._efficiency_bps_hz(x_m * x_m + beside)
            curved[chosen] = h * r * total
        best = float(self._efficiency_bps_hz(np.ones(1))[0])
        return (flat - near_m) * best + curved


@dataclass(frozen=True)
class Routes:
    """Where the UEs of a world are: UE u is at `knots_m[u, i]` at time `first_s[u] + i * knot_s`."""

    first_s: FloatArray  # (ue,)
    knot_s: float
    knots_m: FloatArray  # (ue, knot, 2)
    present_s: FloatArray | None = None  # (ue, 2): from when to when each UE is there; None: all the time

    def at(self, ue: IntArray, time_s: FloatArray) -> FloatArray:
        """Places (…, 2) in metres of UEs (…), indices, at times (…) in seconds.

        Before and after its route a UE stands still.
        """
        return place_m(self.first_s[ue], self.knot_s, self.knots_m, ue, time_s)


def place_m(first_s: FloatArray, knot_s: float, knots_m: FloatArray, route: IntArray, time_s: FloatArray) -> FloatArray:
    """Places (…, 2) in metres on routes (…), indices, at times (…) in seconds.

    knots_m: all routes, (routes, knot, 2); first_s: when each of the routes (…) begins.
    """
    last = knots_m.shape[1] - 1
    step = np.minimum(np.maximum((time_s - first_s) / knot_s, 0.0), last)
    knot = np.minimum(step.astype(np.intp), max(last - 1, 0))
    flat = knots_m.reshape(-1, 2)
    at = route * (last + 1) + knot
    begin, end = flat.take(at, axis=0), flat.take(at + (last > 0), axis=0)
    return begin + (end - begin) * (step - knot)[..., None]


@dataclass(frozen=True)
class Visits:
    """Intervals in which a base station is a candidate of a UE; all arrays are (visits,)."""

    ue: IntArray
    bs: IntArray
    start_s: FloatArray
    end_s: FloatArray

    def joined(self) -> Visits:
        """The same visits, ordered by UE, base station and time; those that touch are one."""
        order = np.lexsort((self.start_s, self.ue * (int(self.bs.max(initial=0)) + 1) + self.bs))
        ue, bs, start, end = self.ue[order], self.bs[order], self.start_s[order], self.end_s[order]
        goes_on = np.zeros(len(ue), bool)
        goes_on[1:] = (ue[1:] == ue[:-1]) & (bs[1:] == bs[:-1]) & (start[1:] <= end[:-1] + TOUCH_S)
        first = np.flatnonzero(~goes_on)
        last = np.append(first[1:], len(ue)) - 1
        return Visits(ue[first], bs[first], start[first], end[last])


@dataclass(frozen=True)
class Epochs:
    """The decision epochs of a world in order of time: K epochs, at most C candidates each, strongest first."""

    time_s: FloatArray  # (K,)
    ue: IntArray  # (K,)
    interval_s: FloatArray  # (K,) until the same UE's next epoch, which may lie beyond the end of the episode
    candidate: IntArray  # (K, C), -1: none
    efficiency: FloatArray  # (K, C) bit/s/Hz at the epoch
    mean_efficiency: FloatArray  # (K, C) over the interval
    stay_efficiency: FloatArray  # (K, C) mean until the cell stops being a candidate
    stay_s: FloatArray  # (K, C) until then
    first_serving: IntArray  # (ue,) the strongest candidate at time 0, -1: none
    first_efficiency: FloatArray  # (ue,) its mean until the UE's first epoch
    first_interval_s: FloatArray  # (ue,) until the UE's first epoch


def epochs(routes: Routes, visits: Visits, bs_m: FloatArray, budget: LinkBudget, end_s: float, most: int) -> Epochs:
    """The epochs after time 0 and before `end_s`. The `most` strongest candidates at an epoch are offered.

    bs_m: places of base stations, (bs, 2) in metres. Visits should reach some way beyond `end_s`, so that what is
    foreseen there is right.
    """
    num_ues, visits = len(routes.first_s), visits.joined()
    change, first, last = _changes(visits)
    # One link for each visit and each of the UE's intervals that it covers, ordered as the visits are.
    count = last - first
    visit = np.repeat(np.arange(len(count)), count)
    at = np.arange(len(visit)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    ue, bs = visits.ue[visit], visits.bs[visit]
    begin, finish = change.time_s[at], change.time_s[at + 1]
    bits = link_integral(routes, bs_m, budget, ue, bs, begin, finish)
    whole, so_far = np.cumsum(bits), np.concatenate(([0.0], np.cumsum(bits)))
    to_come = whole[(np.cumsum(count) - 1)[visit]] - so_far[:-1]
    stay_s = visits.end_s[visit] - begin

    inside = (change.time_s > 0.0) & (change.time_s < end_s)
    chosen = np.flatnonzero(inside)
    chosen = chosen[np.lexsort((change.ue[chosen], change.time_s[chosen]))]
    row_of = np.full(len(change.time_s), -1)
    row_of[chosen] = np.arange(len(chosen))
    # Links at the epochs, one row each, strongest first; links of one row are in any order before.
    offered = np.flatnonzero(inside[at])
    offered = offered[np.argsort(row_of[at[offered]], kind="stable")]
    row = row_of[at[offered]]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    apart = routes.at(ue[offered], begin[offered]) - bs_m[bs[offered]]
    now = np.full((len(chosen), max(int(rank.max(initial=0)) + 1, most)), -1.0)
    now[row, rank] = budget.efficiency_bps_hz((apart**2).sum(axis=-1))
    link = np.full(now.shape, -1)
    link[row, rank] = offered
    order = np.argsort(-now, axis=1, kind="stable")[:, :most]
    link = np.take_along_axis(link, order, axis=1)

    def table(values: NDArray[Any], nothing: float) -> NDArray[Any]:
        return np.where(link >= 0, values.take(link, mode="clip"), np.array(nothing, values.dtype))

    following = np.append(change.time_s[1:], np.inf)
    same = np.append(change.ue[1:] == change.ue[:-1], False)
    interval_s = np.where(same, following, end_s) - change.time_s
    serving, planned = np.full(num_ues, -1), np.zeros(num_ues)
    until = np.full(num_ues, end_s)
    running = np.flatnonzero((begin <= 0.0) & (finish > 0.0))
    distance = ((routes.at(ue[running], np.zeros(len(running))) - bs_m[bs[running]]) ** 2).sum(axis=-1)
    running = running[np.argsort(-distance, kind="stable")]  # the nearest is written last
    part = link_integral(routes, bs_m, budget, ue[running], bs[running], np.zeros(len(running)), finish[running])
    serving[ue[running]] = bs[running]
    planned[ue[running]] = part / finish[running]
    until[ue[running]] = finish[running]
    return Epochs(
        time_s=change.time_s[chosen],
        ue=change.ue[chosen],
        interval_s=interval_s[chosen],
        candidate=table(bs, -1),
        efficiency=np.maximum(np.take_along_axis(now, order, axis=1), 0.0),
        mean_efficiency=table(bits / (finish - begin), 0.0),
        stay_efficiency=table(to_come / stay_s, 0.0),
        stay_s=table(stay_s, 0.0),
        first_serving=serving,
        first_efficiency=planned,
        first_interval_s=until,
    )


@dataclass(frozen=True)
class _Changes:
    """The instants at which a UE's candidates change, ordered by UE and time."""

    ue: IntArray
    time_s: FloatArray


def _changes(visits: Visits) -> tuple[_Changes, IntArray, IntArray]:
    """The changes, and for each visit the numbers of those at which it starts and ends."""
    ue = np.concatenate((visits.ue, visits.ue))
    time_s = np.concatenate((visits.start_s, visits.end_s))
    order = np.lexsort((time_s, ue))
    ue, time_s = ue[order], time_s[order]
    new = np.ones(len(ue), bool)
    new[1:] = (ue[1:] != ue[:-1]) | (time_s[1:] > time_s[:-1] + TOUCH_S)
    number = np.empty(len(ue), np.intp)
    number[order] = np.cumsum(new) - 1
    half = len(visits.ue)
    return _Changes(ue[new], time_s[new]), number[:half], number[half:]


def link_integral(
    routes: Routes,
    bs_m: FloatArray,
    budget: LinkBudget,
    ue: IntArray,
    bs: IntArray,
    begin_s: FloatArray,
    end_s: FloatArray,
) -> FloatArray:
    """(links,): integral of each link's efficiency from `begin_s` to `end_s`, in bit/Hz.

    ue, bs: indices, (links,); begin_s, end_s: (links,); bs_m: places of base stations, (bs, 2) in metres.
    """
    knot_s, last = routes.knot_s, routes.knots_m.shape[1] - 2
    begin, end = ((time_s - routes.first_s.take(ue)) / knot_s for time_s in (begin_s, end_s))
    first = np.floor(begin + TOUCH_S).astype(np.intp)
    count = np.maximum(np.ceil(end - TOUCH_S).astype(np.intp) - first, 1)
    link = np.repeat(np.arange(len(ue)), count)
    # One piece for each leg from knot to knot that a link's time covers; both ends as shares of the leg.
    leg = np.arange(len(link)) - np.repeat(np.cumsum(count) - count - first, count)
    share = [np.minimum(np.maximum(np.repeat(t, count) - leg, 0.0), 1.0) for t in (begin, end)]
    knots_m = routes.knots_m.reshape(-1, 2)
    at = np.repeat(ue * (last + 2), count) + np.clip(leg, 0, last)
    start_m = knots_m.take(at, axis=0)
    leg_m = knots_m.take(at + 1, axis=0) - start_m
    start_m -= np.repeat(bs_m.take(bs, axis=0), count, axis=0)
    from_m, to_m = (start_m + leg_m * s[:, None] for s in share)
    pieces = budget.integral(from_m, to_m, (share[1] - share[0]) * knot_s)
    return np.bincount(link, weights=pieces, minlength=len(ue)).astype(np.float64, copy=False)
