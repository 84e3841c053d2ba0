"""A proven bound of `utility` in shared streets: bandwidth at the best prices, handovers free, links split at will.

In a second, UE u is active in k_u slots; its mean rate r_u is their sum of rates over k_u. A cell serves its active UEs
with equal shares, so its shares of a slot's bandwidth sum to 1 at most, whoever is on it. Let e_uc be the greatest
efficiency of UE u to cell c over its active slots of the second, and x_uc the shares that u has of c, summed over them:

    k_u r_u <= sum_c x_uc e_uc,      sum_u x_uc <= 10,      r_u <= R_u = max_c e_uc.

For any prices l_c >= 0 weak duality bounds what the second can bring over its UEs that count:

    sum_u ln(r_u + 0.01) <= sum_u max_r [ ln(r + 0.01) - q_u r ] + 10 sum_c l_c,    q_u = k_u min_c l_c / e_uc,

with 0 <= r <= R_u. The maximum is at r = 1 / q_u - 0.01, cut to that range. Handovers, silence and failures only take
away; a UE-second's rate is told in float32. UEs that do not count pay nothing here, which only raises the bound. A UE
that leaves within a second takes its part of it along: the seconds that count are those of who is there at its end.

Where interference follows load, e_uc is that without interference. With queues a UE may be sent data in any slot, and
e_uc is the greatest of them all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio.street_maps import NOISE_DBM
from mmwave_gym.scenarios.shared_street.config import SLOTS_A_SECOND
from mmwave_gym.scenarios.shared_street.game import SharedStreet
from mmwave_gym.scenarios.shared_street.scores import LEAST_BPS_HZ
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes

BITS_OF_ROUNDING = 1e-6
"""Relative errors of float32 rates move a logarithm by less."""
STEPS = 400
LITTLE = 1e-12


def fair_bound(scenario: SharedStreet, episodes: SharedStreetEpisodes, env: int) -> float:
    """No agent's `utility` of the episode of environment `env` is above this; 0 where no second counts."""
    row, seconds = episodes.row[env], scenario.horizon // SLOTS_A_SECOND
    slots = seconds * SLOTS_A_SECOND
    present = episodes.present[row, :slots]
    active = (episodes.active[row, :slots] & present).reshape(seconds, SLOTS_A_SECOND, -1)
    if scenario.now.by_load:
        links_db = episodes.rsrp_dbm[row, :slots] - np.float32(NOISE_DBM)
    else:
        links_db = episodes.sinr_db[row, :slots]
    efficiency = np.asarray(scenario.world.efficiency_bps_hz(links_db), np.float64)
    efficiency = efficiency.reshape(seconds, SLOTS_A_SECOND, *efficiency.shape[1:])
    here = present.reshape(active.shape)
    # Of two UEs that follow each other in an agent slot within a second the later one's slots count, if it stays.
    active &= np.cumsum(~here[:, ::-1], axis=1)[:, ::-1] == 0
    k = active.sum(axis=1)
    counts = k >= SLOTS_A_SECOND // 2
    if not counts.any():
        return 0.0
    served = here if scenario.now.queued else active
    best = np.where(served[..., None], efficiency, 0.0).max(axis=1)  # (second, ue, cell)
    return float(_dual(best, k.astype(np.float64), counts).sum() / counts.sum())


def _dual(best: Float64Array, k: Float64Array, counts: Any) -> Float64Array:
    """(second,): the least dual value that a few steps on the prices find.

    best: (second, ue, cell), efficiencies in bit/s/Hz; k: (second, ue), active slots; counts: (second, ue).
    """
    most, second = best.max(axis=2), np.arange(len(best))[:, None]
    inverse = 1.0 / np.maximum(best, LITTLE)  # a cell without a link costs more than anything is worth
    takes = counts & (most > 0.0)
    ues = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    price = np.ones((len(best), best.shape[2])) * ues / (SLOTS_A_SECOND * best.shape[2])
    least = np.full(len(best), np.inf)
    for step in range(STEPS):
        cost = price[:, None, :] * inverse
        cell = cost.argmin(axis=2)[..., None]
        q = k * np.take_along_axis(cost, cell, axis=2)[..., 0]
        rate = np.where(takes, np.clip(1.0 / np.maximum(q, LITTLE) - LEAST_BPS_HZ, 0.0, most), 0.0)
        gain = np.where(counts, np.log(rate + LEAST_BPS_HZ) - q * rate, 0.0)
        least = np.minimum(least, gain.sum(axis=1) + SLOTS_A_SECOND * price.sum(axis=1))
        used = np.zeros_like(price)
        np.add.at(used, (second, cell[..., 0]), rate * k * np.take_along_axis(inverse, cell, axis=2)[..., 0])
        excess = used / SLOTS_A_SECOND - 1.0
        price = price * np.exp(np.clip(excess, -1.0, 1.0) * 0.5 / (1.0 + step / 10.0))
    return least
