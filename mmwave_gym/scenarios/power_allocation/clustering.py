"""FLOC: base stations cluster themselves by messages, each cluster within two units of its head.

M. Demirbas, A. Arora, V. Mittal, V. Kulathumani, "A fault-local self-stabilizing clustering service for wireless ad
hoc networks", IEEE TPDS 17(9), 2006, as R. Amiri and H. Mehrpouyan use it (arXiv 1804.05757, section III). Nodes that
are close to a head (within `unit_m`, *inbound*) belong to it; nodes up to two units away (*outbound*) do so while no
head is closer. An event-driven simulation: every message takes its own time, at most D = `delay_s`.

1. An idle node waits a random time up to `idle_s`, then announces its candidacy to the nodes within a unit.
2. A head that hears it answers; an inbound node answers with its own head (a conflict).
3. After 2 D the candidate joins the nearest head that answered (inbound), else the cluster of the nearest node that
   told of a conflict (outbound); if nobody answered it is a head and tells all nodes within two units.
4. Who hears of a new head within a unit joins it, unless it is a head or inbound elsewhere; who is idle and within
   two units joins as outbound.
5. A candidate that hears an earlier one is idle again. It, and an idle node that hears a candidate, waits at least
   3 D more: until that candidate has decided and its news has come.
6. Members of a head that went are idle again, newcomers are idle, and all others keep what they are.

Rules 5 and 6 are ours. Without 5 delays would allow two heads within a unit; in the original departures are noticed
because heads repeat their messages. What follows, whatever the delays:

- No two heads are within a unit: of two candidates the later one stops, or begins when the earlier can answer.
- After `idle_s` and a few D all is settled. It takes longer only where many candidates wait for each other: 38 s for
  120 nodes per km2, D = 5 s and `idle_s` = 10 s.
- Healing changes nothing farther than three units from who came or went. Only idle nodes become heads, these are
  newcomers or within two units of a head that went, and a new head takes over outbound nodes one unit farther.
- An inbound node stays where it is when a head rises nearer to it, which takes delays or healing. After healing, a
  node that lost its head may be outbound of a new one although an older head is within a unit (rule 4 came first).
- Healing does not plan anew. A first run leaves heads two units apart or more (but for delays), newcomers fill the
  gaps between: under steady comings and goings the clusters of 120 nodes per km2 shrink from 7.3 nodes to about 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

IDLE, CANDIDATE, HEAD, INBOUND, OUTBOUND = range(5)

# What happens, in the order that it happens in at one moment: messages come before decisions, these before alarms.
_NEWS, _CANDIDACY, _ANSWER, _CONFLICT, _DECISION, _ALARM = range(6)
_SILENCE = _ALARM + 1
"""No reply: ranks behind every reply."""


@dataclass
class Clusters:
    """Who belongs to whom. `head[v]` is v's head, itself for a head, -1 for a node that is not there."""

    status: NDArray[np.int8]  # (node,): HEAD, INBOUND or OUTBOUND, IDLE for a node that is not there
    head: NDArray[np.int64]  # (node,)
    messages: int
    """Broadcasts and answers sent until now."""
    settled_s: float
    """When the last node got its status, counted from the beginning of the last run."""

    @property
    def number(self) -> NDArray[np.int64]:
        """(node,): clusters numbered in the order of their heads, -1 for absent nodes."""
        heads = np.flatnonzero(self.status == HEAD)
        return np.where(self.head >= 0, np.searchsorted(heads, self.head), -1)


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

    present (node,): who is there now, None: all. Node v of `before` is node v here, at the same place; newcomers may
    have been absent then. `before` is not changed. Raises ValueError for bad numbers and for arrays that do not fit.
    """
    place = np.asarray(place_m, np.float64)
    if place.ndim != 2 or place.shape[1] != 2:
        raise ValueError(f"place_m must have shape (nodes, 2), got {place.shape}.")
    if not np.isfinite(place).all():
        lost = np.flatnonzero(~np.isfinite(place).all(axis=1))[0]
        raise ValueError(f"place_m must be finite, absent nodes included, got {place[lost]} for node {lost}.")
    for name, value in (("unit_m", unit_m), ("idle_s", idle_s)):
        if not 0.0 < value < math.inf:
            raise ValueError(f"{name} must be above 0, got {value}.")
    if not 0.0 <= delay_s < math.inf:
        raise ValueError(f"delay_s must be at least 0, got {delay_s}.")
    nodes = len(place)
    there = np.ones(nodes, bool) if present is None else np.asarray(present)
    if there.shape != (nodes,) or there.dtype != bool:
        raise ValueError(f"present must be {nodes} booleans, got {there.dtype} of shape {there.shape}.")
    if before is not None and before.head.shape != (nodes,):
        raise ValueError(
            f"before must have the same {nodes} nodes, got {len(before.head)}; mark absent ones in present."
        )
    status, head = np.full(nodes, IDLE, np.int8), np.full(nodes, -1)
    if before is not None:
        keeps = there & (before.head >= 0)
        keeps[keeps] = there[before.head[keeps]]
        status[keeps], head[keeps] = before.status[keeps], before.head[keeps]
    run = _Run(place, there, status, head, rng, float(unit_m), float(delay_s))
    run.play(float(idle_s))
    messages = run.messages + (before.messages if before is not None else 0)
    return Clusters(np.array(run.status, np.int8), np.array(run.head, np.int64), messages, run.settled_s)


class _Run:
    """What the nodes know, and the messages under way: (time, what, who hears it, which head it names, metres)."""

    def __init__(
        self,
        place: NDArray[np.float64],
        there: NDArray[np.bool_],
        status: NDArray[np.int8],
        head: NDArray[np.int64],
        rng: np.random.Generator,
        unit_m: float,
        delay_s: float,
    ):
        self.place, self.there, self.tree = place, there, cKDTree(place)
        self.rng, self.unit_m, self.delay_s = rng, unit_m, delay_s
        self.status: list[int] = status.tolist()
        self.head: list[int] = head.tolist()
        self.alarm_s = [0.0] * len(place)  # of an idle node
        self.began_s = [0.0] * len(place)  # of a candidacy
        self.reply = [(_SILENCE, 0.0, -1)] * len(place)  # the best that a candidate had: kind, metres, head
        self.around: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        self.events: list[tuple[float, int, int, int, float]] = []  # a heap
        self.messages, self.settled_s = 0, 0.0

    def play(self, idle_s: float) -> None:
        """Until nothing is left to happen."""
        idle = np.flatnonzero(self.there & (np.array(self.status) == IDLE))
        timer_s = idle_s * self.rng.random(len(idle))
        order = np.argsort(-timer_s, kind="stable")
        # First alarms, the earliest last, stay out of the heap, which so stays small.
        first = [
            (at_s, _ALARM, v, v, 0.0) for at_s, v in zip(timer_s[order].tolist(), idle[order].tolist(), strict=True)
        ]
        for at_s, _, v, _, _ in first:
            self.alarm_s[v] = at_s
        react = {
            _NEWS: self.news,
            _CANDIDACY: self.candidacy,
            _ANSWER: self.reply_came,
            _CONFLICT: self.reply_came,
            _DECISION: self.decision,
            _ALARM: self.alarm,
        }
        while first or self.events:
            early = first and (not self.events or first[-1] < self.events[0])
            now, kind, v, named, apart_m = first.pop() if early else heappop(self.events)
            react[kind](now, kind, v, named, apart_m)

    def alarm(self, now: float, _kind: int, v: int, _named: int, _apart_m: float) -> None:
        if self.status[v] != IDLE or self.alarm_s[v] != now:
            return
        self.status[v], self.began_s[v], self.reply[v] = CANDIDATE, now, (_SILENCE, 0.0, v)
        near, apart_m = self.neighbours(v)
        self.tell(now, _CANDIDACY, v, near[apart_m <= self.unit_m], apart_m[apart_m <= self.unit_m])
        heappush(self.events, (self.later(now, 2), _DECISION, v, v, 0.0))

    def candidacy(self, now: float, _kind: int, v: int, candidate: int, apart_m: float) -> None:
        if self.status[v] in (HEAD, INBOUND):
            reply = _ANSWER if self.status[v] == HEAD else _CONFLICT
            heappush(self.events, (now + self.delay_s * self.rng.random(), reply, candidate, self.head[v], apart_m))
            self.messages += 1
            return
        earlier = (self.began_s[candidate], candidate) < (self.began_s[v], v)
        if self.status[v] == IDLE or (self.status[v] == CANDIDATE and earlier):
            self.status[v] = IDLE
            self.alarm_s[v] = max(self.alarm_s[v], self.later(now, 3))
            heappush(self.events, (self.alarm_s[v], _ALARM, v, v, 0.0))

    def reply_came(self, _now: float, kind: int, v: int, named: int, apart_m: float) -> None:
        self.reply[v] = min(self.reply[v], (kind, apart_m, named))

    def decision(self, now: float, _kind: int, v: int, _named: int, _apart_m: float) -> None:
        if self.status[v] != CANDIDATE:  # it stopped; it begins anew after this moment only
            return
        kind, _, self.head[v] = self.reply[v]
        self.status[v] = {_ANSWER: INBOUND, _CONFLICT: OUTBOUND, _SILENCE: HEAD}[kind]
        self.settled_s = now
        if self.status[v] == HEAD:
            self.tell(now, _NEWS, v, *self.neighbours(v))

    def news(self, now: float, _kind: int, v: int, named: int, apart_m: float) -> None:
        if apart_m <= self.unit_m and self.status[v] in (IDLE, OUTBOUND):
            self.status[v], self.head[v], self.settled_s = INBOUND, named, now
        elif apart_m > self.unit_m and self.status[v] == IDLE:
            self.status[v], self.head[v], self.settled_s = OUTBOUND, named, now

    def tell(self, now: float, kind: int, v: int, near: NDArray[np.int64], apart_m: NDArray[np.float64]) -> None:
        """A broadcast of v, that comes to those `near` (n,), `apart_m` (n,) from it, each in its own time."""
        arrives_s = now + self.delay_s * self.rng.random(len(near))
        for at_s, u, metres in zip(arrives_s.tolist(), near.tolist(), apart_m.tolist(), strict=True):
            heappush(self.events, (at_s, kind, u, v, metres))
        self.messages += 1

    def later(self, now: float, delays: int) -> float:
        """So many of the longest delays later; added one by one, to round as the messages do that it waits for."""
        for _ in range(delays):
            now += self.delay_s
        return now

    def neighbours(self, v: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Who is present within two units of v, and how far in m, (n,) each; found when first needed."""
        if v not in self.around:
            near = np.array(self.tree.query_ball_point(self.place[v], 2.0 * self.unit_m, return_sorted=True))
            near = near[self.there[near] & (near != v)]
            self.around[v] = near, np.hypot(*(self.place[near] - self.place[v]).T)
        return self.around[v]
