"""One network of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from mmwave_baselines.power_allocation.optimisation.network import Floats


def penalty_optimum(
    gain: Any,
    own_gain: Floats,
    noise_mw: Floats,
    qos_sinr: float,
    power_mw: tuple[float, float],
    *,
    steps: int = 600,
    weight: float = 15.0,
    margin: float = 0.02,
) -> Floats:
    """Powers (A,) mW of one network of any size: Adam in ln p from full power on the sum rate less a penalty.

    gain (A, A), dense or any scipy sparse matrix, the diagonal ignored; own_gain, noise_mw (A,). The penalty is
    `weight` x sum of max(0, log2(1 + q (1 + margin)) - C): users whom nothing can satisfy cost it little, so it needs
    no admission. Best known, not a bound. Of all steps the one with the greatest penalised sum is returned.
    """
    coupling: Any
    is_sparse: bool = sparse.issparse(gain)
    if is_sparse:
        coupling = sparse.csr_array(sparse.diags_array(1.0 / own_gain) @ sparse.csr_array(gain, dtype=float))
        coupling = (coupling - sparse.diags_array(coupling.diagonal())).tocsr()
        back = coupling.T.tocsr()
    else:
        coupling = gain / own_gain[:, None]
        np.fill_diagonal(coupling, 0.0)
        back = coupling.T
    noise, (floor, ceiling) = noise_mw / own_gain, np.log(power_mw)
    wanted = np.log1p(qos_sinr * (1.0 + margin))
    y = np.full(len(own_gain), ceiling)
    best, value, first, second = y, -np.inf, np.zeros_like(y), np.zeros_like(y)
    for step in range(1, steps + 1):
        power = np.exp(y)
        load = coupling @ power + noise
        rate = np.log1p(power / load)
        now = float((rate - weight * np.maximum(wanted - rate, 0.0)).sum())
        if now > value:
            best, value = y, now
        worth = (1.0 + weight * (rate < wanted)) * power / (power + load)
        slope = worth - power * (back @ (worth / load))
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        rate_of_step = 0.15 * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-3
        size = first / (1.0 - 0.9**step) / (np.sqrt(second / (1.0 - 0.99**step)) + 1e-8)
        y = np.clip(y + rate_of_step * size, floor, ceiling)
    return np.exp(best)
