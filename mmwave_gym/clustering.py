"""FLOC: base stations cluster themselves by messages, each cluster within two units of its head.

M. Demirbas, A. Arora, V. Mittal, V. Kulathumani, "A fault-local self-stabilizing clustering service for wireless ad
hoc networks", IEEE TPDS 17(9), 2006, as R. Amiri and H. Mehrpouyan use it (arXiv 1804.05757, section III). Nodes that
are close to a head (within `unit_m`, *inbound*) belong to it; nodes up to two units away (*outbound*) do so while no
head is closer. An event-driven simulation: every message takes its own time.

The protocol, with D the longest delay:

1. An idle node waits a random time up to `idle_s`, then announces its candidacy to the nodes within a unit.
2. A head that hears it answers, an inbound node answers with its own head (a conflict).
3. After 2 D the candidate joins the nearest head that answered (inbound), or the cluster of the nearest node that
   told of a conflict (outbound); if nobody answered it is a head and tells all nodes within two units.
4. Who hears of a new head within a unit joins it, unless it is inbound elsewhere or a head; who is idle and within
   two units joins as outbound.
5. Of two candidates that hear each other the later one becomes idle again; an idle node that hears a candidate waits
   at least 4 D more. Both are ours: with delays, two heads could be within a unit otherwise.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mmwave_gym.checks import at_least

IDLE, CANDIDATE, HEAD, INBOUND, OUTBOUND = range(5)
_ALARM, _DECIDE, _CANDIDACY, _NEWS, _ANSWER, _CONFLICT = range(6)
_COMPILED_FROM = 5_000
"""Nodes from which on compiling pays (with numba, where it is installed)."""


@dataclass
class Clusters:
    """Who belongs to whom. `head[v]` is v's head, itself for a head, -1 for a node that is not there."""

    status: NDArray[np.int8]  # (node,)
    head: NDArray[np.int64]  # (node,)
    messages: int
    """Broadcasts and answers sent until now."""
    settled_s: float
    """When the last node got its status, counted from the beginning of the last run."""

    @property
    def number(self) -> NDArray[np.int64]:
        """(node,): clusters numbered in the order of their heads, -1 for absent nodes."""
        heads = np.flatnonzero(self.status == HEAD)
        number = np.full(len(self.head), -1)
        there = self.head >= 0
        number[there] = np.searchsorted(heads, self.head[there])
        return number


def floc(
    place_m: NDArray[Any],
    rng: np.random.Generator,
    *,
    unit_m: float = 100.0,
    idle_s: float = 10.0,
    delay_s: float = 0.01,
    before: Clusters | None = None,
    present: NDArray[np.bool_] | None = None,
) -> Clusters:
    """Cluster nodes at `place_m` (node, 2), or heal the clusters of `before` after nodes came and went.

    present (node,): who is there now, None: all. Members of a head that went become idle, newcomers begin idle, all
    others keep what they are until a message tells otherwise. Raises ValueError for bad numbers.
    """
    place = np.asarray(place_m, np.float64)
    if place.ndim != 2 or place.shape[1] != 2 or not np.isfinite(place).all():
        raise ValueError(f"place_m must be finite numbers of shape (nodes, 2), got shape {place.shape}.")
    for name, value in (("unit_m", unit_m), ("idle_s", idle_s)):
        at_least(name, value, 0.0, strict=True)
    at_least("delay_s", delay_s, 0.0)
    nodes = len(place)
    there = np.ones(nodes, bool) if present is None else np.asarray(present, bool)
    status, head = np.full(nodes, IDLE, np.int8), np.full(nodes, -1)
    if before is not None:
        keeps = there & (before.head >= 0)
        keeps[keeps] = there[before.head[keeps]]
        status[keeps], head[keeps] = before.status[keeps], before.head[keeps]
    alarm_s = np.where(there & (head < 0), rng.random(nodes) * idle_s, np.inf)
    first, neighbour, apart = _neighbours(place, 2.0 * unit_m, there)
    chance = rng.random(1 << 16)
    run = _compiled() if nodes >= _COMPILED_FROM else _run
    messages, settled_s = run(
        status, head, alarm_s, first, neighbour, apart, chance, unit_m, float(idle_s), float(delay_s)
    )
    return Clusters(status, head, messages + (before.messages if before else 0), settled_s)


def _neighbours(
    place: NDArray[np.float64], reach_m: float, there: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows of all pairs of present nodes within `reach_m`: node v has those in first[v] : first[v + 1]."""
    known = np.flatnonzero(there)
    pairs = known[cKDTree(place[known]).query_pairs(reach_m, output_type="ndarray")] if len(known) else np.empty((0, 2), int)
    own, other = np.concatenate((pairs, pairs[:, ::-1])).T
    order = np.lexsort((other, own))
    own, other = own[order], other[order]
    first = np.searchsorted(own, np.arange(len(place) + 1))
    return first, other, np.hypot(*(place[own] - place[other]).T)


def _compiled() -> Any:
    """`_run` in machine code, or as it is where numba is missing."""
    global _fast
    if _fast is None:
        try:
            import numba
        except ImportError:
            return _run
        _fast = numba.njit(cache=True)(_run)
    return _fast


_fast: Any = None


def _run(status, head, alarm_s, first, neighbour, apart, chance, unit_m, idle_s, delay_s):  # type: ignore[no-untyped-def]
    """Play the protocol until nothing is left to happen, changing `status` and `head`; see the module's text.

    Events are (time, order, kind, node, place of the sender among the node's neighbours, head).
    """
    nodes = len(status)
    began = np.zeros(nodes)  # of a candidacy
    near = np.full(nodes, np.inf)  # nearest head that answered, or told of a conflict
    answer, conflict = np.full(nodes, -1), np.full(nodes, -1)
    conflict_m = np.full(nodes, np.inf)
    drawn, order, messages, settled_s = 0, 0, 0, 0.0
    events = [(0.0, -1, _ALARM, -1, 0, 0)]
    for v in range(nodes):
        if alarm_s[v] < np.inf:
            heapq.heappush(events, (alarm_s[v], order, _ALARM, v, 0, 0))
            order += 1
    while len(events) > 0:
        now, _, kind, v, at, told = heapq.heappop(events)
        if v < 0:
            continue
        if kind == _ALARM:
            if status[v] != IDLE or alarm_s[v] != now:
                continue
            status[v], began[v] = CANDIDATE, now
            answer[v], conflict[v], near[v], conflict_m[v] = -1, -1, np.inf, np.inf
            messages += 1
            for i in range(first[v], first[v + 1]):
                if apart[i] <= unit_m:
                    drawn += 1
                    order += 1
                    arrives = now + delay_s * chance[drawn % len(chance)]
                    heapq.heappush(events, (arrives, order, _CANDIDACY, neighbour[i], i, v))
            order += 1
            heapq.heappush(events, (now + 2.0 * delay_s, order, _DECIDE, v, 0, 0))
        elif kind == _CANDIDACY:
            u = told  # the candidate; v hears it
            if status[v] == HEAD or status[v] == INBOUND:
                messages += 1
                drawn += 1
                order += 1
                arrives = now + delay_s * chance[drawn % len(chance)]
                reply = _ANSWER if status[v] == HEAD else _CONFLICT
                heapq.heappush(events, (arrives, order, reply, u, at, head[v]))
            elif status[v] == CANDIDATE:
                if began[u] < began[v] or (began[u] == began[v] and u < v):
                    status[v] = IDLE
                    drawn += 1
                    order += 1
                    alarm_s[v] = now + 4.0 * delay_s + idle_s * chance[drawn % len(chance)]
                    heapq.heappush(events, (alarm_s[v], order, _ALARM, v, 0, 0))
            elif status[v] == IDLE and alarm_s[v] < now + 4.0 * delay_s:
                order += 1
                alarm_s[v] = now + 4.0 * delay_s
                heapq.heappush(events, (alarm_s[v], order, _ALARM, v, 0, 0))
        elif kind == _ANSWER or kind == _CONFLICT:
            if status[v] == CANDIDATE:
                if kind == _ANSWER and apart[at] < near[v]:
                    near[v], answer[v] = apart[at], told
                elif kind == _CONFLICT and apart[at] < conflict_m[v]:
                    conflict_m[v], conflict[v] = apart[at], told
        elif kind == _DECIDE:
            if status[v] != CANDIDATE or began[v] + 2.0 * delay_s != now:
                continue
            settled_s = now
            if answer[v] >= 0:
                status[v], head[v] = INBOUND, answer[v]
            elif conflict[v] >= 0:
                status[v], head[v] = OUTBOUND, conflict[v]
            else:
                status[v], head[v] = HEAD, v
                messages += 1
                for i in range(first[v], first[v + 1]):
                    drawn += 1
                    order += 1
                    arrives = now + delay_s * chance[drawn % len(chance)]
                    heapq.heappush(events, (arrives, order, _NEWS, neighbour[i], i, v))
        else:  # news of a head
            if apart[at] <= unit_m:
                if status[v] == IDLE or status[v] == OUTBOUND or status[v] == CANDIDATE:
                    status[v], head[v], settled_s = INBOUND, told, now
            elif status[v] == IDLE:
                status[v], head[v], settled_s = OUTBOUND, told, now
    return messages, settled_s
