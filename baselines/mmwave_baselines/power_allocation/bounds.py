"""A proven bound on `qos_rate_bps_hz`: branch and bound over who is satisfied and over SINRs.

One network, powers p in a box, any real number in it, so that the bound holds for levels too. F_ij = g_ij / g_ii,
eta_i = n_i / g_ii, y = ln p, and user i has t_i(y) = ln SINR_i = y_i - ln(sum_j F_ij e^{y_j} + eta_i). With the
required SINR q, C(t) = log2(1 + e^t) and the price M of an unsatisfied user (`missed_bps_hz`) the metric is

    sum_i f(t_i(y)),    f(t) = C(t) where t >= ln q, else -M.

**Bound of a node.** A node says of each user that it is served with t_i in [l_i, u_i], given up, or open. For every
w >= 0 and every y0 in the node's box,

    sum_i f(t_i(y)) <= sum_i max_t [f(t) - w_i t] + sum_i w_i t_i(y0) + sum_j max_y g_j (y_j - y0_j),

g the gradient of sum_i w_i t_i at y0, maxima over what the node allows.
Proof. f(t_i) <= max_t [f(t) - w_i t] + w_i t_i. As ln sum exp is convex, t_i is concave in y, so sum_i w_i t_i lies
below its tangent at y0, whose maximum over a box is taken in each coordinate. The first maxima are at ends of
intervals, because C is convex: C'' = e^t / ((1 + e^t)^2 ln 2) > 0. An open user may also be at its least t with -M.
Any (w, y0) is valid; Newton's method on the concave envelopes of f makes it tight (Lagrangian duality).

**Search.** The largest bound is split: an open user into served and given up, a served one's interval in two. A node
is dropped when its bound is below the best known plus a tolerance, or no powers are left: least powers (R. Yates, IEEE
JSAC 13(7), 1995) bound powers from below, these bound SINRs and powers from above. A user that is given up may as well
send its least power, since its own term is a constant and all others gain. The result is the largest bound left.

**Where satisfied users count first** (`missed_bps_hz=None`), the roots are the largest sets of users that can be
satisfied: larger ones are proven impossible by least powers, smaller ones are worse than any solution of that size by
the proof of `PowerAllocationConfig.missed`. Otherwise there is one root in which all users are open.

Rounding: each bound adds 1e-10 of the sum of its terms' sizes, thousands of times what double precision loses.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, replace
from itertools import combinations, count
from math import comb

import numpy as np

from mmwave_baselines.power_allocation.bound_kernel import (
    GIVEN_UP,
    OPEN,
    OUTWARD,
    SERVED,
    loosest,
    raise_floor,
    reduce,
    solve_node,
    tighten,
)
from mmwave_baselines.power_allocation.optimisation.network import Network, satisfied_rate
from mmwave_baselines.power_allocation.optimisation.sets import MOST_SETS
from mmwave_gym.core.types import FloatArray, Int64Array

MET = 2e-9
"""A SINR this much below q, relatively, counts as q here; the environment's own margin is 1e-9."""
FIRST = np.geomspace(0.5, 2e-4, 7)
NEXT = np.geomspace(0.1, 2e-4, 6)
LONG = np.geomspace(0.2, 3e-5, 12)
"""Barriers, in bit/s/Hz: of a root, of a node whose parent's point is known, and of one whose bound hardly fell."""


CLOSE = 0.1
"""Ours: how exactly nodes that will be split anyway are solved, see `solve_node`."""


@dataclass(frozen=True)
class Certificate:
    """What the search proved and found of one network, in bit/s/Hz; `power_mw` (A,) reaches `lower`."""

    upper: float
    lower: float
    power_mw: FloatArray
    nodes: int
    seconds: float


@dataclass
class Node:
    """What is left of a network: kinds, limits of t and of powers, all (A,), its bound and the point behind it."""

    kind: Int64Array
    low: FloatArray
    high: FloatArray
    p_low: FloatArray
    p_high: FloatArray
    y: FloatArray
    bound: float = np.inf


class Search:
    """Branch and bound of one network; `missed` is what an unsatisfied user costs, in bit/s/Hz."""

    tolerance = 0.0
    """How much above the best known the search stops, in bit/s/Hz."""

    def __init__(self, network: Network, missed: float):
        if len(network) != 1 or not network.present.all():
            raise ValueError("a bound is for one network whose base stations are all present.")
        self.F, self.eta = np.ascontiguousarray(network.coupling[0]), network.noise[0].copy()
        self.p_low, self.p_high = network.least[0].copy(), network.greatest[0].copy()
        self.missed = missed
        self.wanted = float(np.log(network.qos_sinr) + np.log1p(-MET))
        self.lower, self.power_mw = -np.inf, self.p_low.copy()
        self.nodes = 0

    def offer(self, power_mw: FloatArray) -> None:
        """Powers (A,) mW that may be the best known."""
        value = self.value(np.log(power_mw))
        if value > self.lower:
            self.lower, self.power_mw = value, power_mw.copy()

    def value(self, y: FloatArray) -> float:
        """The metric at ln of powers y (A,), with a requirement that is missed by rounding alone taken as met."""
        t = y - np.log(self.F @ np.exp(y) + self.eta)
        return float(np.where(t >= self.wanted, np.logaddexp(0.0, t) / np.log(2.0), -self.missed).sum())

    def root(self, kind: Int64Array) -> Node | None:
        """The node in which users are of these kinds (A,) and nothing else is known; None: proven impossible."""
        high = np.log(self.p_high) - np.log(self.F @ self.p_low + self.eta) + OUTWARD
        kind = np.where((kind == OPEN) & (high < self.wanted), GIVEN_UP, kind)
        low = np.full(len(kind), self.wanted)
        start = np.log(self.power_mw)
        node = Node(kind, low, np.maximum(high, low), self.p_low.copy(), self.p_high.copy(), start)
        return self._bounded(node, FIRST, np.inf)

    @property
    def enough(self) -> float:
        return self.lower + self.tolerance

    def _bounded(self, node: Node, barriers: FloatArray, parent: float) -> Node | None:
        """The node, tightened and with its bound, or None where nothing in it can beat the best known."""
        self.nodes += 1
        close = 0.0 if np.isinf(parent) else CLOSE
        for again in (False, True):
            if not tighten(self.F, self.eta, node.p_low, node.p_high, node.kind, node.low, node.high):
                return None
            # A box of width zero is widened: a larger one is a bound, too.
            y_low = np.log(node.p_low) - OUTWARD
            y_high = np.maximum(np.log(node.p_high) + OUTWARD, y_low + 1e-6)
            least = y_low - np.log(self.F @ np.exp(y_high) + self.eta) - OUTWARD
            limits = (self.F, self.eta, y_low, y_high, node.kind, node.low, node.high, least, self.missed)
            bound, y, w = solve_node(*limits, node.y, barriers, self.enough, close)
            if not again and bound > parent - 0.05:
                other = solve_node(*limits, node.y, LONG, self.enough, close)
                bound, y, w = other if other[0] < bound else (bound, y, w)
            node.bound, node.y = min(node.bound, parent, bound), y
            if node.bound <= self.enough:
                return None
            before = self._width(node)
            reduce(node.kind, node.low, node.high, least, self.missed, w, bound - self.enough)
            if self._width(node) > 0.8 * before:
                break
        return node

    @staticmethod
    def _width(node: Node) -> float:
        return float((node.high - node.low).sum() + 3.0 * (node.kind == OPEN).sum())

    def run(self, roots: list[Node], most_nodes: int) -> float:
        """The bound after about `most_nodes` nodes at most, never below the best known."""
        order = count()
        heap = [(-node.bound, next(order), node) for node in roots]
        heapq.heapify(heap)
        while heap and -heap[0][0] > self.enough and self.nodes < most_nodes:
            node = heapq.heappop(heap)[2]
            self.offer(np.clip(np.exp(node.y), self.p_low, self.p_high))
            for child in self._split(node):
                made = self._bounded(child, NEXT, node.bound)
                if made is not None:
                    heapq.heappush(heap, (-made.bound, next(order), made))
        return max(self.enough, -heap[0][0]) if heap else self.enough

    def _split(self, node: Node) -> list[Node]:
        """Two nodes that together allow what the node does, apart at the user whose envelope is loosest."""
        limits = node.p_low, node.p_high, node.kind, node.low, node.high
        i, t = loosest(self.F, self.eta, *limits, self.missed, node.y)
        a, b = (_copy(node) for _ in range(2))
        if node.kind[i] == OPEN:
            a.kind[i], b.kind[i] = SERVED, GIVEN_UP
        else:
            margin = 0.15 * (node.high[i] - node.low[i])
            middle = min(max(t, node.low[i] + margin), node.high[i] - margin)
            a.low[i] = b.high[i] = middle
        return [a, b]


def _copy(node: Node) -> Node:
    limits = {name: getattr(node, name).copy() for name in ("kind", "low", "high", "p_low", "p_high")}
    return replace(node, **limits)


def certificate(
    network: Network,
    missed: float,
    known_mw: FloatArray,
    *,
    first: bool = False,
    most_nodes: int = 20_000,
    tolerance: float = 0.004,
) -> Certificate:
    """The bound of one network (N = 1) and the best powers found.

    missed: what an unsatisfied user costs, bit/s/Hz. known_mw (A,): powers to begin with, the better the faster.
    first: `missed` is that of `missed_bps_hz=None`. most_nodes: of the search, 14 base stations take 5 to 10 s for
    20,000. tolerance: the search stops where the bound is above the best known by this share of its rate.
    ValueError for several networks or absent base stations.
    """
    began = time.process_time()
    search = Search(network, missed)
    search.offer(known_mw)
    search.tolerance = tolerance * float(satisfied_rate(network, search.power_mw[None])[0])
    kinds = _largest_sets(search) if first else None
    if kinds is None:
        kinds = np.full((1, len(search.eta)), OPEN)
    roots = [node for kind in kinds if (node := search.root(kind)) is not None]
    upper = search.run(roots, most_nodes)
    return Certificate(upper, search.lower, search.power_mw, search.nodes, time.process_time() - began)


def _largest_sets(search: Search) -> Int64Array | None:
    """Kinds (sets, A) of all sets of users as large as the best known serves; None where they are too many to try.

    None also where a larger set is not proven impossible, or the best known serves nobody.
    """
    n = len(search.eta)
    t = np.log(search.power_mw) - np.log(search.F @ search.power_mw + search.eta)
    dropped = int((t < search.wanted).sum())
    if dropped == n or comb(n, dropped) > MOST_SETS:
        return None
    left = []
    for fewer in range(dropped + 1):
        for out in combinations(range(n), fewer):
            kind = np.full(n, SERVED)
            kind[list(out)] = GIVEN_UP
            low = np.full(n, search.wanted)
            if raise_floor(search.F, search.eta, search.p_low.copy(), search.p_high, kind, low):
                left.append(kind)
        if left and fewer < dropped:
            return None
    return np.array(left)
