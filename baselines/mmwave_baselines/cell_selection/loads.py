"""How one UE thinks the others move: T[n, n'], the law of their next loads given those of now (eqs. 11-13).

Every other UE decides on the occupancy alone, its channels averaged over their stationary law (eq. 12). The text does
not say in whose frame its policy is asked, for the approximate state s* (eq. 11) has no serving BS. Two readings:

* "same": in the frame of the UE that asks, with the same loads. This is the text to the letter.
* "own-mean", "own-exact": the n_b UEs at BS b decide with b as their serving BS and with the loads that they see. Who
  sits where is not known: either every seat holds the average policy, or all ways to seat the policies count equally.

The names of the BSs that do not serve carry nothing: a state stands for all its permutations (section II). A table
must name one of them even where two are in the same state, so eq. 12 is averaged over their names. Without this the
lowest name gets every tie, and most of Algorithm 1's cycles are UEs that pass this asymmetry round.

All policies here are tables (C, M) of actions in the frame of `model.Game`. Memory: T has M^2 numbers, 75 MB at
L = 5, N = 15.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.model import Game, compositions, swaps
from mmwave_gym.core.checks import one_of
from mmwave_gym.core.types import Float64Array, Int64Array

FRAMES = ("same", "own-mean", "own-exact")


def choices(game: Game, policy: NDArray[Any]) -> Float64Array:
    """Eq. 12: chances (M, L) of where a UE goes, given the loads, for a policy (C, M) of actions.

    They are averaged over its channels and the names of other BSs.
    """
    one_hot = policy[:, :, None] == np.arange(game.num_cells)
    named = np.tensordot(game.links_law, one_hot, axes=1)
    chance = np.zeros_like(named)
    orders = [(0, *order) for order in itertools.permutations(range(1, game.num_cells))]
    for order in orders:
        chance[:, order] += named[game.index_of_loads(game.loads[:, order])]
    return chance / len(orders)


def load_law(game: Game, others: Sequence[NDArray[Any]], frame: str = "same") -> Float64Array:
    """T (M, M) of the N - 1 others' policies (C, M) of actions; rows sum to 1.

    Raises ValueError for an unknown frame.
    """
    one_of("frame", frame, FRAMES)
    if len(others) != game.num_ues - 1:
        raise ValueError(f"{game.num_ues - 1} policies of others are needed, got {len(others)}.")
    if not others:
        return np.ones((1, 1))
    laws = np.stack([choices(game, policy) for policy in others])  # (N-1, M, L)
    if frame == "same":
        return _law_of_sum(game, laws)
    if frame == "own-mean":
        return _law_of_sum(game, _seated(game, laws.mean(axis=0)))
    return _law_over_seatings(game, laws)


def _law_of_sum(game: Game, laws: Float64Array) -> Float64Array:
    """Law (M, M) of the loads that independent choices make; laws: (choosers, M, L), row by row of T."""
    law = np.ones((len(game.loads), 1))
    for chosen, choice in enumerate(laws):
        step = one_more(chosen, game.num_cells)
        grown = np.zeros((len(law), len(compositions(chosen + 1, game.num_cells))))
        for cell in range(game.num_cells):
            grown[:, step[cell]] += law * choice[:, cell, None]
        law = grown
    return law


@lru_cache(maxsize=256)
def one_more(total: int, parts: int) -> Int64Array:
    """(parts, count): the index of every composition of `total` after one more at each part."""
    of_code = {tuple(row): i for i, row in enumerate(compositions(total + 1, parts).tolist())}
    rows = compositions(total, parts)
    unit = np.eye(parts, dtype=np.int64)
    return np.array([[of_code[tuple(row)] for row in (rows + unit[cell]).tolist()] for cell in range(parts)])


def _own_frame(game: Game, choice: Float64Array) -> Float64Array:
    """A UE's choice law (M, L) of its own frame, asked at each seat: (L, M, L) seat, loads of whoever asks, BS.

    The UE that asks sits at BS 0 and sees n; who sits at b sees n without itself and with the one at 0.
    """
    seats = np.full((game.num_cells, *choice.shape), np.nan)
    names = swaps(game.num_cells)
    for b in range(game.num_cells):
        rows = np.flatnonzero(game.loads[:, b] > 0)
        seen = game.loads[rows].copy()
        seen[:, b] -= 1
        seen[:, 0] += 1
        index = game.index_of_loads(seen[:, names[b]])
        seats[b, rows] = choice[index][:, names[b]]
    return seats


def _seated(game: Game, choice: Float64Array) -> Float64Array:
    """Choice laws (N-1, M, L) of the seats, all with the choice law of one policy."""
    seats = _own_frame(game, choice)
    who = np.array([np.repeat(np.arange(game.num_cells), row) for row in game.loads])  # (M, N-1): BS of each seat
    return seats[who.T, np.arange(len(game.loads))[None, :]]


def _law_over_seatings(game: Game, laws: Float64Array) -> Float64Array:
    """Law (M, M) where the policies take the seats in every order equally often.

    The weight of y^n in prod_x sum_b y_b sum_i P[x at b -> i] z_i, divided by the number of seatings n allows; grown
    UE by UE over pairs (seats taken, loads made).
    """
    m = len(game.loads)
    law = np.ones((m, 1, 1))
    for placed, choice in enumerate(laws):
        seats = np.nan_to_num(_own_frame(game, choice))
        step = one_more(placed, game.num_cells)
        size = len(compositions(placed + 1, game.num_cells))
        grown = np.zeros((m, size, size))
        for b in range(game.num_cells):
            for cell in range(game.num_cells):
                grown[:, step[b][:, None], step[cell]] += law * seats[b, :, cell, None, None]
        law = grown
    full = law[np.arange(m), np.arange(m)]
    return full / full.sum(axis=1, keepdims=True)
