"""Powers for the largest rate of satisfied users, whoever they are: the requirement of a few is given up for the rest.

`sca` satisfies all whom it can. The rate of satisfied users can be larger where somebody is left out, whose requirement
costs the others more than its own rate is worth; which ones is a matter of search.
"""

from __future__ import annotations

import numpy as np

from mmwave_baselines.power_allocation.optimisation.feasibility import admitted
from mmwave_baselines.power_allocation.optimisation.large import Large, selected_large
from mmwave_baselines.power_allocation.optimisation.network import Network, satisfied, satisfied_rate, sinr
from mmwave_baselines.power_allocation.optimisation.sum_rate import sca, wmmse
from mmwave_gym.core.types import BoolArray, FloatArray

BOUND = 1.05  # ours: a requirement binds whose SINR is less than this above it
GAIN = 1e-6  # ours: what a change must bring, relatively


def selected(network: Network, most_searched: int = 50) -> FloatArray:
    """Powers (N, A) mW of the largest sum of satisfied users' rates found: `sca` of a set of users, found by search.

    Ours. The search starts from all who are `admitted` and from those whom WMMSE satisfies. One user at a time then
    joins, or leaves if its requirement binds, whichever raises the rate most, until nothing does. Networks of more
    than `most_searched` BSs try the admitted and those whom `selected_large` satisfies, without a search. Never below
    `sca` of the admitted, of one start in those.
    """
    few = network.present.shape[1] <= most_searched
    other = wmmse(network) if few else _of_each(network)
    power = sca(network, None if few else 1)
    value = satisfied_rate(network, power)
    for chosen in (admitted(network), satisfied(network, other))[0 if few else 1 :]:
        found = _search(network, chosen, rounds=30 if few else 0)
        reached = satisfied_rate(network, found)
        better = reached > value
        power[better], value[better] = found[better], reached[better]
    return power


def _of_each(network: Network) -> FloatArray:
    """`selected_large` of each network, (N, A) mW."""
    power = np.zeros(network.present.shape)
    for row, there in enumerate(network.present):
        at = np.flatnonzero(there)
        power[row, at] = selected_large(
            Large(
                gain=network.gain[row][np.ix_(at, at)],
                own_gain=network.own_gain[row, at],
                noise_mw=network.noise_mw[row, at],
                qos_sinr=network.qos_sinr,
                power_mw=network.power_mw,
            )
        )
    return power


def _search(network: Network, chosen: BoolArray, rounds: int) -> FloatArray:
    """The search from one set of users, who can all be satisfied."""
    chosen = chosen.copy()
    power = sca(network, 1, chosen)
    value = satisfied_rate(network, power)
    todo = np.arange(len(network))
    for _ in range(rounds):
        now = chosen[todo]
        binds = now & (sinr(network.take(todo), power[todo]) < BOUND * network.qos_sinr)
        at, user = np.nonzero(binds | (network.present[todo] & ~now))
        if not len(at):
            break
        sets = now[at]
        sets[np.arange(len(at)), user] ^= True
        many = network.take(todo[at])
        found = sca(many, 1, sets)
        reached = np.nan_to_num(satisfied_rate(many, np.nan_to_num(found)))
        best = np.zeros((len(todo), network.present.shape[1]))
        best[at, user] = reached
        which = best.argmax(axis=1)
        grown = best[np.arange(len(todo)), which] > value[todo] * (1.0 + GAIN)
        taken = grown[at] & (user == which[at])
        todo = todo[grown]
        power[todo], value[todo], chosen[todo] = found[taken], reached[taken], sets[taken]
        if not len(todo):
            break
    return power
