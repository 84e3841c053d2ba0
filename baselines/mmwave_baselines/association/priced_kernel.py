"""The rollout of `priced_rollout`, compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_baselines.association.kernels import compiled, copy_of, join, leave, rate_of


@compiled
def best_score(network: Any, epochs: Any, k: int, lam: float, kappa: float, opening: float) -> int:
    """The rank that `Score` takes at epoch k, after its UE has left; ties go to the strongest. Prices in bit/s/Hz."""
    best, most = 0, -np.inf
    for b in range(epochs.choices[k]):
        load = network.load[epochs.cell[k, b]]
        others = network.total[epochs.cell[k, b]] / load if load > 0.0 else 0.0
        value = (epochs.mean[k, b] - lam * others) / (load + 1.0) - kappa / ((load + 1.0) * (load + 2.0))
        if load == 0.0:
            value -= opening
        if value > most:
            best, most = b, value
    return best


@compiled
def rollout(network: Any, epochs: Any, k: int, depth: int, lam: float, kappa: float, opening: float) -> int:
    """The rank at epoch k after which `depth` epochs bring most bit/Hz when `Score` goes on. Prices in bit/s/Hz."""
    end = min(k + depth, len(epochs.ue))
    best, most = 0, -np.inf
    before = rate_of(network)
    for b in range(epochs.choices[k]):
        tried = copy_of(network)
        rate = before + leave(tried, epochs.ue[k])
        rate += join(tried, epochs.ue[k], epochs.cell[k, b], epochs.mean[k, b])
        value = rate * epochs.gap_s[k]
        for later in range(k + 1, end):
            rate += leave(tried, epochs.ue[later])
            c = best_score(tried, epochs, later, lam, kappa, opening)
            rate += join(tried, epochs.ue[later], epochs.cell[later, c], epochs.mean[later, c])
            value += rate * epochs.gap_s[later]
        if value > most:
            best, most = b, value
    return best
