"""Problem (5) where not everybody can be satisfied: the most users, and among sets of so many the largest rate."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

from mmwave_baselines.power_allocation.optimisation.feasibility import admitted, feasible, least_powers
from mmwave_baselines.power_allocation.optimisation.network import Network, satisfied, satisfied_rate
from mmwave_baselines.power_allocation.optimisation.sum_rate import sca
from mmwave_gym.core.types import BoolArray, FloatArray

MOST_SETS = 2000
"""Ours. Sets of one size that are tried in a network: four of fourteen users left out (1001), not five (2002)."""


def sca_over_sets(network: Network, starts: int = 6) -> FloatArray:
    """Powers (N, A) mW of the most satisfied users, and of the largest rate found among all sets of so many.

    1. `satisfiable_sets` lists every largest set of users who can be satisfied together.
    2. `sca` with one start maximises the rate of each, and with `starts` that of the best one.
    3. Nobody is worse off than with `sca` of whom `admitted` chooses: those powers compete too.
    """
    power = np.empty(network.present.shape)
    for row in range(len(network)):
        power[row] = _best(network.take(slice(row, row + 1)), starts)
    return power


def satisfiable_sets(network: Network) -> BoolArray:
    """The largest sets of users of one network who can all reach q, (sets, A), at least one.

    Exact for sets whose number `MOST_SETS` allows: sets that lack 0, 1, 2, … users are tried by `least_powers` until
    some exist. Beyond that the one set that `admitted` finds by dropping one user after the other.
    """
    present = network.present[0]
    if feasible(network)[0]:
        return network.present.copy()
    users = np.flatnonzero(present)
    for dropped in range(1, len(users) + 1):
        if comb(len(users), dropped) > MOST_SETS:
            break
        out = np.array(list(combinations(users.tolist(), dropped)))
        sets = np.repeat(network.present, len(out), axis=0)
        sets[np.arange(len(out))[:, None], out] = False
        many = network.take(np.zeros(len(out), np.intp))
        possible = least_powers(many, np.where(sets, network.qos_sinr, 0.0))[1]
        if possible.any():
            return sets[possible]
    return admitted(network)


def _best(network: Network, starts: int) -> FloatArray:
    """`sca_over_sets` of one network, (A,)."""
    greedy = admitted(network)
    sets = satisfiable_sets(network)
    found = sca(network.take(np.zeros(len(sets), np.intp)), 1, sets)
    best = _winner(network, found)
    refined = [sca(network, starts, sets[[best]])] if best is not None else []
    tried = np.concatenate([found, *refined, sca(network, starts, greedy)])
    winner = _winner(network, tried)
    return tried[winner if winner is not None else -1]


def _winner(network: Network, power: FloatArray) -> int | None:
    """Which of the powers (K, A) mW satisfies most users, and has the largest rate among those; None: none is one."""
    usable = np.flatnonzero(~np.isnan(power).any(axis=1))
    if not len(usable):
        return None
    many = network.take(np.zeros(len(usable), np.intp))
    count = satisfied(many, power[usable]).sum(axis=1)
    return int(usable[np.lexsort((satisfied_rate(many, power[usable]), count))[-1]])
