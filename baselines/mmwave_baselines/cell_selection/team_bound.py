"""A proven bound on what local policies can earn, whatever they remember: one-step delayed sharing, solved exactly.

Suppose every UE also knew all that anybody knew one slot ago: all channels K(t-1) = kappa, all seats, all decisions.
Every local policy is still possible, so the best with this knowledge bounds them all, with any memory and any network.
Channels are not moved by actions, so given that past they are independent between UEs, and a slot is a team problem
with private types: UE u draws its channels from P(kappa_u, .) and decides by a rule d_u from channels to cells.

Handovers couple slots. As in `bounds.py`, a potential w of a UE's link to its own cell is added, whose increments
average to zero in the long run, so with p the seats before (known to all)

    J <= E_kappa max_p max_d E[ sum_u x_u / n + (P w)(K_u, d_u) - w(K_u, p_u) ],
    x_u = (1 - OH [d_u != p_u]) R(K_u, d_u).

*The maximum over d is exact.* Given the others' rules, a UE's best rule takes the cell with the largest
alpha_l x_l + beta_l + (P w)_l, where alpha_l > 0 and beta_l are numbers: the mean of 1 / n, and what the others lose.
Where P w rises with the expected rate, every cell's score rises with its link's, so the rule is that of some ranking of
the K L pairs (cell, state) that respects the order within each cell (ties may be broken by any). There are
(K L)! / (K!)^L of these, 1680 at K = L = 3, and 543 different rules. All are listed for the first N - 1 UEs, and
the last UE's best answer is computed. This is done for N = 2 and 3; the expectation is a sum over all kappa, up to the
names of UEs and cells. Nothing is sampled: the bound is exact up to rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from mmwave_baselines.cell_selection.model import Game
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.core.types import Float64Array, Int64Array

compiled: Any = njit(cache=True)


@dataclass(frozen=True)
class LocalBound:
    """No local policy earns more than `sum_rate_bps_hz` a slot; `potential` (K,) is the w that proves it."""

    sum_rate_bps_hz: float
    potential: Float64Array
    pasts: int  # how many kappa were solved, up to names


class Table(NamedTuple):
    """What each rule of one UE amounts to, given its own channels before and its seat."""

    rate: Float64Array  # (rules, L): E[x 1(d = l)]
    share: Float64Array  # (rules, L): P(d = l)
    extra: Float64Array  # (rules,): E of the potential's increment


def ranking_rules(game: Game) -> Int64Array:
    """Rules (D, C) of all rankings of (cell, state) that respect the order of expected rates within each cell."""
    level = np.argsort(np.argsort(game.expected_rate_bps_hz, kind="stable"))[game.links]  # (C, L)
    k, cells = len(game.matrix), game.num_cells
    found = set()
    for word in _words((k,) * cells):
        rank = np.empty((cells, k), np.int64)
        used = [0] * cells
        for position, cell in enumerate(word):
            rank[cell, used[cell]] = position
            used[cell] += 1
        found.add(rank[np.arange(cells), level].argmax(axis=1).astype(np.int8).tobytes())
    return np.array([np.frombuffer(rule, np.int8) for rule in sorted(found)]).astype(np.int64)


def _words(left: tuple[int, ...]) -> list[list[int]]:
    if not any(left):
        return [[]]
    words = []
    for cell, count in enumerate(left):
        if count:
            rest = (*left[:cell], count - 1, *left[cell + 1 :])
            words += [[cell, *word] for word in _words(rest)]
    return words


class DelayedSharing:
    """The team problems of a game, N = 2 or 3, with the potential w (K,) of one's own link (None: zero)."""

    def __init__(self, game: Game, potential: Float64Array | None = None):
        if game.num_ues not in (2, 3):
            raise NotApplicable(f"the local bound is proven for 2 or 3 UEs, got {game.num_ues}: use the joint bound.")
        self.game = game
        self.potential = np.zeros(len(game.matrix)) if potential is None else np.asarray(potential, float)
        self._ahead = game.matrix @ self.potential
        rate = game.expected_rate_bps_hz
        order = np.argsort(rate, kind="stable")
        if (np.diff(self._ahead[order]) < 0.0).any():
            raise ValueError(f"P w must rise with the expected rate, or the bound is not proven; got {self._ahead}.")
        if (np.diff(rate[order]) == 0.0).any() and self._ahead.any():
            raise ValueError("states of equal expected rate need a potential of zero.")
        self.rules = ranking_rules(game)
        self._law = game.mix(np.eye(len(game.links)))  # (C, C): types given the channels before
        # One's own seat only matters where moving costs something or w is not flat.
        self.seats = range(game.num_cells) if game.handover_cost > 0.0 or np.ptp(self.potential) > 0.0 else range(1)
        self._tables = {(c, p): self._table(c, p) for c in range(len(game.links)) for p in self.seats}

    def _kept(self, seat: int) -> Float64Array:
        return np.where(np.arange(self.game.num_cells) == seat, 1.0, 1.0 - self.game.handover_cost)

    def _table(self, before: int, seat: int) -> Table:
        game, law = self.game, self._law[before]
        x = game.expected_rate_bps_hz[game.links] * self._kept(seat)
        chosen = self.rules[:, :, None] == np.arange(game.num_cells)
        extra = np.where(chosen, self._ahead[game.links], 0.0).sum(axis=2) @ law
        return Table(
            np.einsum("c,dcl,cl->dl", law, chosen, x),
            np.einsum("c,dcl->dl", law, chosen),
            extra - law @ self.potential[game.links[:, seat]],
        )

    def best(self, pasts: tuple[int, ...]) -> float:
        """max over seats and rules for the channels before, one index of `links` a UE."""
        tables = [self._any_seat(past) for past in pasts[:-1]]
        return max(self._best_rules(tables, pasts[-1], seat) for seat in self.seats)

    @cache  # noqa: B019, lives as long as the game's tables
    def _any_seat(self, past: int) -> Table:
        """Rules of a UE at each of its seats, without those that are worse than the same rule at another seat."""
        tables = [self._tables[past, seat] for seat in self.seats]
        rate, extra = np.stack([t.rate for t in tables]), np.stack([t.extra for t in tables])
        kept = np.ones(extra.shape, bool)
        for seat, other in itertools.permutations(range(len(tables)), 2):
            # A rate counts with E[1 / n], something from 1 / N to 1: the best case for `seat` must not help it.
            gain = rate[seat] - rate[other]
            most = np.where(gain > 0.0, gain, gain / self.game.num_ues).sum(axis=1) + extra[seat] - extra[other]
            kept[seat] &= (most > 0.0) | ((most == 0.0) & (seat < other))
        share = np.stack([t.share for t in tables])
        return Table(rate[kept], share[kept], extra[kept])

    def _best_rules(self, tables: list[Table], past: int, seat: int) -> float:
        """The best rules of the first UEs, the last one answering from its seat."""
        game = self.game
        nobody = Table(np.zeros((1, game.num_cells)), np.zeros((1, game.num_cells)), np.zeros(1))
        first, second = tables if len(tables) == 2 else (tables[0], nobody)
        offer = game.expected_rate_bps_hz * self._kept(seat)[:, None]  # (L, K)
        law = game.matrix[game.links[past]]  # (L, K)
        rising = np.argsort(game.expected_rate_bps_hz, kind="stable")  # scores rise in this order, see the text above
        found: float = best_answer(*first, *second, offer[:, rising], law[:, rising], self._ahead[rising])
        return found - float(self._law[past] @ self.potential[game.links[:, seat]])


@compiled
def best_answer(rate_1, share_1, extra_1, rate_2, share_2, extra_2, offer, law, ahead):
    """max over pairs of rules of two UEs of what all earn when a third answers best.

    rate, share (rules, L) and extra (rules,) as in `Table`; offer (L, K): what a cell gives the third alone, in each
    state of its link; law (L, K): probabilities of the states; ahead (K,): P w of them. Offers and P w rise with k.
    """
    cells, states = law.shape
    score, top, below = np.empty((cells, states)), np.empty(cells, np.int64), np.empty(cells)
    best = -np.inf
    for i in range(len(extra_1)):
        for j in range(len(extra_2)):
            value = extra_1[i] + extra_2[j]
            for cell in range(cells):
                b1, b2 = share_1[i, cell], share_2[j, cell]
                both = rate_1[i, cell] * b2 + rate_2[j, cell] * b1  # rates that are there together
                single = rate_1[i, cell] + rate_2[j, cell] - both
                value += single + both / 2.0
                alpha = 1.0 - (b1 + b2) / 2.0 + b1 * b2 / 3.0  # E[1 / n] over none, one or two others
                beta = -(single / 2.0 + both / 6.0)
                below[cell], top[cell] = 1.0, states - 1
                for s in range(states):
                    score[cell, s] = alpha * offer[cell, s] + beta + ahead[s]
            # E of the largest of independent scores: the probability that all lie below falls from 1, score by score.
            chance = 1.0
            for _ in range(cells * states):
                high, c = -np.inf, 0
                for cell in range(cells):
                    if top[cell] >= 0 and score[cell, top[cell]] > high:
                        high, c = score[cell, top[cell]], cell
                if chance < 1e-15:
                    break
                if value + high * chance <= best:  # what is left cannot reach the best
                    value = -np.inf
                    break
                below[c] = max(below[c] - law[c, top[c]], 0.0)
                top[c] -= 1
                rest = 1.0
                for cell in range(cells):
                    rest *= below[cell]
                value += high * (chance - rest)
                chance = rest
            if value > best:
                best = value
    return best


def pasts_up_to_names(game: Game) -> dict[tuple[int, ...], float]:
    """All channels of N UEs up to the names of UEs and cells, with their stationary probabilities."""
    orders = list(itertools.permutations(range(game.num_cells)))
    renamed = np.stack([game.index_of_links(game.links[:, order]) for order in orders]).tolist()
    found: dict[tuple[int, ...], float] = {}
    law = game.links_law
    for pasts in itertools.product(range(len(game.links)), repeat=game.num_ues):
        name = min(tuple(sorted(names[c] for c in pasts)) for names in renamed)
        found[name] = found.get(name, 0.0) + float(law[list(pasts)].prod())
    return found


def local_bound(
    game: Game, potential: Float64Array | None = None, report: Callable[[int, int], None] | None = None
) -> LocalBound:
    """The bound on the sum rate of local policies, bit/s/Hz; it takes minutes at N = 3.

    potential (K,), bit/s/Hz: w of the module's text, one value for each channel state. None is a potential of zero and
    no handover cost, which bounds every cost. report: called with the number of pasts solved and of all pasts.
    Raises NotApplicable for other N than 2 and 3, ValueError for a potential that the proof does not cover.
    """
    free = Game(game.transition, game.rate_bps_hz, game.num_ues, game.num_cells, 0.0)
    solved = free if potential is None else game
    team = DelayedSharing(solved, potential)
    pasts = pasts_up_to_names(game)
    total = 0.0
    for done, (past, weight) in enumerate(pasts.items()):
        total += weight * team.best(past)
        if report:
            report(done + 1, len(pasts))
    return LocalBound(total, team.potential, len(pasts))
