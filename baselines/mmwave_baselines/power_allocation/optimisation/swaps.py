"""The largest rate less a price on whoever is not satisfied: SCA of a set of users, improved by swaps. Ours."""

from __future__ import annotations

import numpy as np

from mmwave_baselines.power_allocation.optimisation.feasibility import admitted
from mmwave_baselines.power_allocation.optimisation.large import penalty_optimum
from mmwave_baselines.power_allocation.optimisation.network import Network, satisfied, satisfied_rate, sinr
from mmwave_baselines.power_allocation.optimisation.sum_rate import sca
from mmwave_gym.core.types import BoolArray, FloatArray

BINDS = 1.05
"""A requirement binds whose SINR is less than this above it: giving it up can pay."""
RIVALS = 6
"""Users who may leave for another: those whom it disturbs, and who disturb it, most."""
MOST_TRIED = 200
"""Base stations up to which every swap is tried until none helps; of more, whose SCA takes seconds, none is."""
GAIN = 1e-6
"""What a swap must bring, relatively."""


def sca_with_swaps(network: Network, missed_bps_hz: float) -> FloatArray:
    """Powers (A,) mW of one network (N = 1) of the largest `satisfied_rate` less `missed_bps_hz` a missing user found.

    1. `sca` maximises the rate of whom `admitted` chooses, and of whom `penalty_optimum` satisfies; the better counts.
    2. A user joins, leaves where its requirement binds, or takes the place of a rival, whichever brings most.
    3. Step 2 is repeated until nothing brings more.
    """
    known = network.gain[0], network.own_gain[0], network.noise_mw[0], network.qos_sinr, network.power_mw
    penalised = penalty_optimum(*known)[None]
    size = network.present.shape[1]
    sets = [satisfied(network, penalised)]
    if size <= MOST_TRIED:
        sets.append(admitted(network))
    chosen, power, value = _best(network, np.concatenate(sets), missed_bps_hz)
    while size <= MOST_TRIED and len(tried := _swaps(network, chosen, power)):
        other, found, reached = _best(network, tried, missed_bps_hz)
        if reached <= value + GAIN * abs(value):
            break
        chosen, power, value = other, found, reached
    return power if value > _worth(network, penalised, missed_bps_hz)[0] else penalised[0]


def _best(network: Network, sets: BoolArray, missed_bps_hz: float) -> tuple[BoolArray, FloatArray, float]:
    """The best of the sets (sets, A): who is in it, its powers in mW, and what they are worth."""
    many = network.take(np.zeros(len(sets), np.intp))
    power = sca(many, 1, sets)
    worth = _worth(many, power, missed_bps_hz)
    best = int(worth.argmax())
    return sets[best], power[best], float(worth[best])


def _worth(network: Network, power: FloatArray, missed_bps_hz: float) -> FloatArray:
    """(N,) bit/s/Hz; -inf where the users cannot be satisfied together, whose powers are NaN."""
    missing = (network.present & ~satisfied(network, power)).sum(axis=1)
    possible = ~np.isnan(power).any(axis=1)
    return np.where(possible, np.nan_to_num(satisfied_rate(network, power)) - missed_bps_hz * missing, -np.inf)


def _swaps(network: Network, chosen: BoolArray, power: FloatArray) -> BoolArray:
    """The sets (sets, A) that are one step away from the users `chosen` (A,) at powers (A,) mW."""
    present, ratio = network.present[0], sinr(network, power[None])[0] / network.qos_sinr
    left_out = np.flatnonzero(present & ~chosen)
    leaving = np.flatnonzero(chosen & (ratio < BINDS))
    disturbance = (network.coupling[0] + network.coupling[0].T) * chosen
    pairs = [(user, rival) for user in left_out for rival in np.argsort(-disturbance[user])[:RIVALS] if chosen[rival]]
    changes = [(user,) for user in (*left_out, *leaving)] + pairs
    sets = np.repeat(chosen[None], len(changes), axis=0)
    for row, users in zip(sets, changes, strict=True):
        row[list(users)] ^= True
    return sets
