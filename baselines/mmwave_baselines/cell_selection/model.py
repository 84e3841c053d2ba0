"""The game of cell selection, and the Markov decision process that one UE sees in it (arXiv 1507.00387, section II).

A UE's state is its channel to every BS and the number of *other* UEs at each BS, written in the UE's own frame: BS 0
of a frame is the one that serves it, and the frame of a UE at BS b is the network with the names 0 and b exchanged.
BSs have the same statistics, so a policy written in the frame holds for every serving BS.

The kernel is never built. It factors into channels, P for every link, and loads, a law T[n, n'] of the others' next
loads (`loads.py`), and an action only exchanges names: E[v | s, a] = P^{(x)L} (v o swap_a) T'.

What differs from the text:

1. Loads exclude the UE itself (sum N - 1). With sum N, eq. 4 taken literally, staying would count the UE twice.
2. Actions are numbered from 0, and action 0 is to stay.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.checks import at_least, between, probabilities
from mmwave_gym.core.types import Float64Array, Int64Array

REWARDS = ("prev", "next")
"""How eq. 9 counts the load of the chosen BS: as it was ("prev", footnote 1), or as it is expected to be ("next")."""


@dataclass(frozen=True)
class Game:
    """The stochastic game: N UEs, L BSs, K channel states a link. Hashable, so that solutions can be cached.

    transition: rows of P, slot to slot, the same for all links. rate_bps_hz: of each state, alone in the cell.
    handover_cost: share of the slot that a UE loses by changing BS. Raises ValueError.

    Axes: C = K^L channel states of a UE in lexicographic order (`links`), M loads of the others (`loads`).
    """

    transition: tuple[tuple[float, ...], ...]
    rate_bps_hz: tuple[float, ...]
    num_ues: int
    num_cells: int = 3
    handover_cost: float = 0.1

    def __post_init__(self) -> None:
        at_least("num_ues", self.num_ues, 1, integer=True)
        at_least("num_cells", self.num_cells, 1, integer=True)
        between("handover_cost", self.handover_cost, 0.0, 1.0)
        for row in self.transition:
            probabilities("a row of transition", row, len(self.transition))
        if len(self.rate_bps_hz) != len(self.transition):
            raise ValueError(f"one rate a channel state is needed: {len(self.transition)}, got {self.rate_bps_hz}.")

    @classmethod
    def of(cls, transition: Any, rate_bps_hz: Iterable[float], **numbers: Any) -> Game:
        """The same from arrays."""
        rows = tuple(tuple(float(p) for p in row) for row in np.asarray(transition))
        return cls(rows, tuple(float(r) for r in rate_bps_hz), **numbers)

    @classmethod
    def of_constants(cls, constants: Mapping[str, Any]) -> Game:
        """The game of a task, from what its scenario tells every agent."""
        return cls.of(
            constants["transition"],
            constants["rate_bps_hz"],
            num_ues=int(constants["num_ues"]),
            num_cells=int(constants["num_cells"]),
            handover_cost=float(constants["handover_cost"]),
        )

    def with_ues(self, num_ues: int) -> Game:
        """The same network with another number of UEs."""
        return Game(self.transition, self.rate_bps_hz, num_ues, self.num_cells, self.handover_cost)

    @cached_property
    def matrix(self) -> Float64Array:
        """P, (K, K): probabilities of the next state of a link."""
        return np.array(self.transition)

    @cached_property
    def stationary(self) -> Float64Array:
        """pi of P, (K,): probabilities of the states of a link."""
        k = len(self.matrix)
        equations = np.vstack([self.matrix.T - np.eye(k), np.ones(k)])
        return np.linalg.lstsq(equations, np.r_[np.zeros(k), 1.0], rcond=None)[0]

    @cached_property
    def expected_rate_bps_hz(self) -> Float64Array:
        """Mean rate in the next slot of a link in each state now, (K,): the inner sum of eqs. 8-9."""
        return self.matrix @ np.array(self.rate_bps_hz)

    @cached_property
    def links(self) -> Int64Array:
        """Channel states of a UE, (C, L)."""
        states = itertools.product(range(len(self.matrix)), repeat=self.num_cells)
        return np.array(list(states), dtype=np.int64)

    @cached_property
    def links_law(self) -> Float64Array:
        """Stationary probability of each row of `links`, (C,)."""
        return self.stationary[self.links].prod(axis=1)

    @cached_property
    def loads(self) -> Int64Array:
        """Numbers of others at each BS, (M, L): all ways to share N - 1 UEs out."""
        return compositions(self.num_ues - 1, self.num_cells)

    @cached_property
    def _load_index(self) -> Int64Array:
        index = np.full(self.num_ues**self.num_cells, -1)
        index[self._load_code(self.loads)] = np.arange(len(self.loads))
        return index

    def _load_code(self, loads: Int64Array) -> Int64Array:
        return loads @ (self.num_ues ** np.arange(self.num_cells))

    def index_of_loads(self, loads: Int64Array) -> Int64Array:
        """Rows of `loads` (…, L) as indices (…), -1 where they do not sum to N - 1."""
        return self._load_index[self._load_code(loads)]

    def index_of_links(self, channel: Int64Array) -> Int64Array:
        """Channel states (…, L) as indices (…) of `links`."""
        k = len(self.matrix)
        return channel @ (k ** np.arange(self.num_cells - 1, -1, -1))

    @cached_property
    def swapped_links(self) -> Int64Array:
        """(L, C): `links` with the names 0 and a exchanged."""
        return np.stack([self.index_of_links(self.links[:, o]) for o in swaps(self.num_cells)])

    @cached_property
    def swapped_loads(self) -> Int64Array:
        """(L, M): `loads` with the names 0 and a exchanged."""
        return np.stack([self.index_of_loads(self.loads[:, o]) for o in swaps(self.num_cells)])

    def reward(self, law: Float64Array | None = None) -> Float64Array:
        """Eqs. 8-9, (L, C, M) in bit/s/Hz: what a UE expects from action a. With a law (M, M), T, of loads."""
        share = 1.0 / (self.loads + 1.0)
        if law is not None:
            share = law @ share
        kept = np.full(self.num_cells, 1.0 - self.handover_cost)
        kept[0] = 1.0
        rate = self.expected_rate_bps_hz[self.links]
        return kept[:, None, None] * rate.T[:, :, None] * share.T[:, None, :]

    def mix(self, values: Float64Array, matrix: Float64Array | None = None) -> Float64Array:
        """P^{(x)L} values, (C, M): the expectation of values (C, M) over the next channels, in their unit.

        It is taken one link at a time. matrix (K, K): probabilities to take instead of P.
        """
        k = len(self.matrix)
        one_link = self.matrix if matrix is None else matrix
        c = k**self.num_cells
        for _ in range(self.num_cells):  # each turn mixes the first link and moves it to the end
            mixed = one_link @ values.reshape(k, -1)
            values = mixed.reshape(k, c // k, -1).swapaxes(0, 1).reshape(c, -1)
        return values

    def to_network(self, policy: NDArray[Any]) -> NDArray[np.int8]:
        """A policy of the frame, (C, M), as actions in the network, (C, L, M): channels, serving BS, others' loads."""
        names = swaps(self.num_cells)
        tables = [names[b][policy[np.ix_(self.swapped_links[b], self.swapped_loads[b])]] for b in range(self.num_cells)]
        return np.stack(tables, axis=1).astype(np.int8)


def swaps(num_cells: int) -> Int64Array:
    """(L, L): row b exchanges the names 0 and b."""
    names = np.tile(np.arange(num_cells), (num_cells, 1))
    for b in range(num_cells):
        names[b, [0, b]] = b, 0
    return names


def compositions(total: int, parts: int) -> Int64Array:
    """All vectors of `parts` non-negative integers with that sum, (count, parts), in lexicographic order."""
    if parts == 1:
        return np.array([[total]])
    pieces = []
    for first in range(total + 1):
        rest = compositions(total - first, parts - 1)
        pieces.append(np.hstack([np.full((len(rest), 1), first), rest]))
    return np.vstack(pieces)
