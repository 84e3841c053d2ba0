"""Finite Markov chains: validation, stationary law, a matrix with given sojourns, and sampling without a time loop.

A transition matrix is (K, K), rows are "from", each row sums to 1. A chain is sampled by inverse distribution: slot t
has a uniform number, and the number and the state before give the state. Seen from the number, a slot is a *map* of
{0, …, K-1} to itself, and the state after t slots is the composition of t maps applied to the first state. Composing
is associative, so all prefixes follow from a tree of compositions, of depth log2 T, as in a parallel prefix sum
(G. E. Blelloch, "Prefix sums and their applications", 1990). Chains that mix forget their start: once every composed
map is constant, the tree ends.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mmwave_gym.core.checks import probabilities
from mmwave_gym.core.types import Float64Array

MOST_STATES = 16  # maps are then told apart by less than 256 intervals of the uniform number
_MOST_MAPS = 256  # for which a table of all compositions is kept
_FEW_SLOTS = 256  # ours: fastest of 32 to 256 for 18 links


def checked_matrix(name: str, value: Any) -> Float64Array:
    """`value` as a (K, K) array of transition probabilities of an ergodic chain.

    Raises ValueError, which names the row or the state at fault. Rows may miss 1 by 1e-9; they are made to sum to it.
    """
    try:
        matrix = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a square matrix of numbers, got {value!r}.") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not 1 <= len(matrix) <= MOST_STATES:
        raise ValueError(f"{name} must be a square matrix of 1 to {MOST_STATES} states, got shape {matrix.shape}.")
    for i, row in enumerate(matrix):
        probabilities(f"row {i} of {name}", row.tolist(), len(matrix))
    matrix /= matrix.sum(axis=1, keepdims=True)
    if (state := _never_reached(matrix)) is not None:
        raise ValueError(
            f"{name} must be ergodic, so that every state keeps coming back whatever the first one was; "
            f"state {state} does not (got {matrix.tolist()})."
        )
    return matrix


def _never_reached(matrix: Float64Array) -> int | None:
    """A state that some state cannot reach in exactly (K-1)² + 1 slots, which an ergodic chain can (Wielandt)."""
    possible = matrix > 0
    reached = np.eye(len(matrix), dtype=bool)
    for _ in range((len(matrix) - 1) ** 2 + 1):
        reached = reached @ possible
    missing = np.flatnonzero(~reached.all(axis=0))
    return int(missing[0]) if len(missing) else None


def stationary_law(matrix: Float64Array) -> Float64Array:
    """(K,): the law pi with pi P = pi of an ergodic chain, whose matrix P is (K, K)."""
    k = len(matrix)
    balance = np.vstack((matrix.T - np.eye(k), np.ones(k)))
    law = np.linalg.lstsq(balance, np.append(np.zeros(k), 1.0), rcond=None)[0]
    return np.maximum(law, 0.0) / np.maximum(law, 0.0).sum()


def matrix_with_sojourns(law: Any, mean_sojourn_slots: Any) -> Float64Array:
    """(K, K): the matrix with this stationary law whose mean sojourns are nearest to the wanted ones.

    law: (K,); mean_sojourn_slots: (K,). Raises ValueError where the solver finds no matrix.

    Minimises sum_i (P_ii - (1 - 1/T_i))² subject to pi P = pi, rows that sum to 1 and P >= 0: a quadratic programme.
    The matrix is rounded to six digits, far above the solver's error, so that it is the same on every machine.
    Where several are equally near, which sojourns that can be met allow, it is the one that the solver finds.
    """
    law = np.asarray(law, np.float64)
    wanted = 1.0 - 1.0 / np.asarray(mean_sojourn_slots, np.float64)
    k = len(law)
    rows = np.kron(np.eye(k), np.ones(k))
    balance = np.kron(law, np.eye(k))[:-1]  # the last equation follows from the others
    equations, values = np.vstack((rows, balance)), np.concatenate((np.ones(k), law[:-1]))
    diagonal = np.arange(k) * (k + 1)

    def gradient(p: Float64Array) -> Float64Array:
        g = np.zeros(k * k)
        g[diagonal] = 2.0 * (p[diagonal] - wanted)
        return g

    problem: dict[str, Any] = {
        "fun": lambda p: float(((p[diagonal] - wanted) ** 2).sum()),
        "x0": np.tile(law, k),  # independent slots: feasible
        "jac": gradient,
        "bounds": [(0.0, 1.0)] * k**2,
        "constraints": {"type": "eq", "fun": lambda p: equations @ p - values, "jac": lambda p: equations},
        "options": {"ftol": 1e-14, "maxiter": 1000},
    }
    found = minimize(method="SLSQP", **problem)
    if not found.success:
        raise ValueError(f"no matrix with law {law.tolist()} and sojourns {mean_sojourn_slots}: {found.message}.")
    matrix = found.x.reshape(k, k).round(6) + 0.0
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
    return matrix


class ChainSampler:
    """Draws paths of a chain. Make one for a matrix, use it often."""

    def __init__(self, matrix: Float64Array):
        k = len(matrix)
        self.num_states = k
        # State j follows i where u lies between these bounds; u is a word of 32 bits, so a bound is exact to 2^-32.
        bounds = np.ceil(np.cumsum(matrix, axis=1)[:, :-1] * 2.0**32)
        edges = np.unique(np.append(0.0, bounds[bounds < 2.0**32]))
        self._edges = edges[1:].astype(np.uint32)
        self._maps = (bounds <= edges[:, None, None]).sum(axis=2).astype(np.uint8)  # (interval of u, from) -> to
        # Maps are known by number: the constant ones by their state, then those of the intervals of u, then the rest.
        known = [(state,) * k for state in range(k)] + [tuple(row) for row in self._maps.tolist()]
        self._table = _compositions(known, k)
        law = np.cumsum(stationary_law(matrix))[:-1]
        self._law_bounds = np.ceil(law * 2.0**32)

    @property
    def has_table(self) -> bool:
        """Are maps known by number?"""
        return self._table is not None

    def stationary_paths(self, words: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """(T, …): states of chains that began long ago, from uniform words (T, …), one a slot and chain."""
        states = np.empty(words.shape, np.uint8)
        states[0] = (words[0][..., None] >= self._law_bounds).sum(axis=-1)
        states[1:] = self.paths(states[0], words[1:])
        return states

    def paths(self, first: NDArray[np.uint8], words: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """(T, …): the states after each slot, for first states (…) and one uniform word a slot and chain (T, …)."""
        if len(words) == 0:
            return np.empty(words.shape, np.uint8)
        shape, words, first = words.shape, words.reshape(len(words), -1), first.ravel()
        interval = np.full(words.shape, 0 if self._table is None else self.num_states, np.uint8)
        for edge in self._edges:
            interval += words >= edge
        if self._table is not None:
            return _states_after(first, interval, self._table, self.num_states).reshape(shape)
        constant = np.broadcast_to(first[..., None], (*first.shape, self.num_states))
        return _images_after(constant, self._maps[interval])[..., 0].reshape(shape)


def uniform_words(rng: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.uint32]:
    """Independent uniform integers of 32 bits, an array of shape `size`.

    They are both halves of the generator's 64-bit words, so that each takes half the time of such a word.
    """
    count = math.prod(size)
    raw = rng.bit_generator.random_raw((count + 1) // 2)
    return np.atleast_1d(raw).astype("<u8", copy=False).view(np.uint32)[:count].reshape(size)


def _compositions(known: list[tuple[int, ...]], k: int) -> NDArray[np.uint8] | None:
    """Flat (256 * 256): number of "first a, then b" at a * 256 + b; None if composing gives too many maps.

    A map that stands twice in `known` has the number of its first place, so that results that are constant lie
    below k.
    """
    generators = list(dict.fromkeys(known[k:]))
    maps = list(known)
    number = {m: i for i, m in reversed(list(enumerate(maps)))}
    at = 0
    while at < len(maps):
        for g in generators:
            both = tuple(g[x] for x in maps[at])
            if both not in number:
                number[both] = len(maps)
                maps.append(both)
        at += 1
        if len(maps) > _MOST_MAPS:
            return None
    table = np.zeros((256, 256), np.uint8)
    for a, first in enumerate(maps):
        for b, second in enumerate(maps):
            table[a, b] = number[tuple(second[x] for x in first)]
    return table.ravel()


def _states_after(
    first: NDArray[np.uint8], slots: NDArray[np.uint8], table: NDArray[np.uint8], num_states: int
) -> NDArray[np.uint8]:
    """The prefix tree on numbers of maps: pairs are composed, solved by recursion, and their inner slots filled in.

    Where few slots are left each is composed with its predecessors, twice as many in every round, until all maps are
    constant: a constant map's number is its state. That needs fewer calls of NumPy than the rest of the tree.
    """

    def compose(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.uint8]:
        pair = a.astype(np.uint16)
        pair <<= 8
        pair |= b
        return table.take(pair)

    num_slots = len(slots)
    states = np.empty_like(slots)
    states[0] = compose(first, slots[0])
    if num_slots <= _FEW_SLOTS:
        states[1:] = slots[1:]
        reach = 1
        while states.max() >= num_states:
            states[reach:] = compose(states[:-reach], states[reach:])
            reach *= 2
        return states
    pairs = compose(slots[: num_slots // 2 * 2 : 2], slots[1::2])
    states[1::2] = after_pairs = _states_after(first, pairs, table, num_states)
    states[2::2] = compose(after_pairs[: (num_slots - 1) // 2], slots[2::2])
    return states


def _images_after(first: NDArray[np.uint8], slots: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same tree where there are too many maps for a table: maps as rows of images, (T, …, K)."""

    def compose(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.take_along_axis(b, a, axis=-1)

    num_slots = len(slots)
    if num_slots == 1:
        return compose(first, slots[0])[None]
    states = np.empty_like(slots)
    states[1::2] = after_pairs = _images_after(first, compose(slots[: num_slots // 2 * 2 : 2], slots[1::2]))
    states[0] = compose(first, slots[0])
    states[2::2] = compose(after_pairs[: (num_slots - 1) // 2], slots[2::2])
    return states
