"""One network of any size, its gains dense or sparse: the same methods without a linear system to solve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from mmwave_baselines.power_allocation.optimisation.network import LN2, ROUND_OFF, SLACK
from mmwave_baselines.power_allocation.optimisation.sum_rate import wmmse_iteration
from mmwave_gym.core.types import BoolArray, FloatArray

WEIGHTS = (15.0, 3.0, 1.5)
"""Ours: what a missed bit/s/Hz costs in the runs among which `selected_large` chooses."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Large:
    """A base stations, all present; linear gains, powers in mW. Names and units as in `Network`, without axis N.

    gain (A, A): dense or any scipy sparse matrix, the diagonal ignored. far_gain (A,): what UE i gets from all that
    are not in `gain` if each transmits 1 mW: their mean power counts, which is taken for that of all.
    """

    gain: Any
    own_gain: FloatArray
    noise_mw: FloatArray
    qos_sinr: float
    power_mw: tuple[float, float]
    far_gain: FloatArray | float = 0.0

    @cached_property
    def coupling(self) -> Any:
        """F (A, A) with an empty diagonal, of the form of `gain`."""
        is_sparse: bool = sparse.issparse(self.gain)  # by a name, or the type checker narrows `gain`
        if is_sparse:
            scaled = sparse.csr_array(
                sparse.diags_array(1.0 / self.own_gain) @ sparse.csr_array(self.gain, dtype=float)
            )
            return (scaled - sparse.diags_array(scaled.diagonal())).tocsr()
        scaled = self.gain / self.own_gain[:, None]
        np.fill_diagonal(scaled, 0.0)
        return scaled

    @cached_property
    def _back(self) -> Any:
        return self.coupling.T.tocsr() if sparse.issparse(self.gain) else self.coupling.T

    @cached_property
    def noise(self) -> FloatArray:
        """eta (A,), in mW."""
        return self.noise_mw / self.own_gain

    @cached_property
    def _far(self) -> FloatArray:
        return np.broadcast_to(self.far_gain / self.own_gain, self.own_gain.shape)

    def interference(self, power_mw: FloatArray) -> FloatArray:
        """F p + eta in mW of powers (A,) or of K columns (A, K)."""
        heard = (self.coupling @ power_mw).T + self.noise
        return np.asarray((heard + np.multiply.outer(power_mw.mean(axis=0), self._far)).T)

    def charged(self, price: FloatArray) -> FloatArray:
        """F' x for prices x (A,) or (A, K), of the same shape and unit.

        It is what 1 mW of each base station costs at prices x a mW of interference.
        """
        return np.asarray(self._back @ price + (self._far @ price) / len(self.noise))

    def sinr(self, power_mw: FloatArray) -> FloatArray:
        """Linear SINR of every user at powers in mW, (A,) each, or (A, K) each for K columns of powers."""
        return power_mw / self.interference(power_mw)

    def satisfied(self, power_mw: FloatArray) -> BoolArray:
        """Whether each user reaches q at powers in mW, (A,) each, or (A, K) each for K columns of powers."""
        reached: BoolArray = self.sinr(power_mw) >= self.qos_sinr * (1.0 - ROUND_OFF)
        return reached

    def satisfied_rate(self, power_mw: FloatArray) -> FloatArray:
        """Sum of log2(1 + SINR) of those who reach q, one number or (K,), at powers (A,) or (A, K)."""
        ratio = self.sinr(power_mw)
        return np.asarray((np.log1p(ratio) * (ratio >= self.qos_sinr * (1.0 - ROUND_OFF))).sum(axis=0) / LN2)


def full_power_large(network: Large) -> FloatArray:
    """Pmax at every base station, (A,) mW."""
    return np.full(len(network.own_gain), network.power_mw[1])


def foschini_miljanic_large(network: Large, margin: float = SLACK) -> FloatArray:
    """Least powers (A,) with SINR >= q (1 + margin), clipped to the box where that is impossible, by iteration."""
    target = network.qos_sinr * (1.0 + margin)
    return _fixed_point(network, lambda power: target * network.interference(power))


def max_min_large(network: Large) -> FloatArray:
    """Powers (A,) of the largest least SINR: p = max(Pmin, c (F p + eta)) with the c that makes the largest Pmax.

    Where it settles all but those at Pmin have SINR c and one is at Pmax, so that nobody's can grow alone.
    """

    def normalised(power: FloatArray) -> FloatArray:
        need = network.interference(power)
        # half way in dB, without which powers can swing for ever
        return np.sqrt(power * need * (network.power_mw[1] / need.max()))

    return _fixed_point(network, normalised, iterations=3000, tolerance=1e-7)


def _fixed_point(
    network: Large, step: Callable[[FloatArray], FloatArray], iterations: int = 1000, tolerance: float = 1e-6
) -> FloatArray:
    """Of `step`, from full power down: where targets can be met they are on the way, too."""
    power = full_power_large(network)
    for _ in range(iterations):
        new = np.clip(step(power), *network.power_mw)
        settled = (np.abs(new - power) <= tolerance * new).all()
        power = new
        if settled:
            break
    return power


def wmmse_large(network: Large, iterations: int = 200) -> FloatArray:
    """`wmmse` of a large network, (A,) mW."""
    low, high = np.sqrt(network.power_mw)
    high = np.full(len(network.own_gain), high)
    return wmmse_iteration(network.interference, network.charged, low, high, iterations)


def penalty_optimum(
    gain: Any,
    own_gain: FloatArray,
    noise_mw: FloatArray,
    qos_sinr: float,
    power_mw: tuple[float, float],
    *,
    far_gain: FloatArray | float = 0.0,
    steps: int = 600,
    weight: float = 15.0,
    margin: float = 0.02,
) -> FloatArray:
    """Powers (A,) mW of one network of any size: Adam in ln p from full power on the sum rate less a penalty.

    gain (A, A), sparse; own_gain (A,); noise_mw and far_gain: scalar or (A,); see `Large`. The penalty is `weight` x
    sum of max(0, log2(1 + q (1 + margin)) - C): users whom nothing can satisfy cost it little, so it needs no
    admission. Best known, not a bound. Of all steps the one with the greatest penalised sum is returned.
    """
    network = Large(
        gain=gain, own_gain=own_gain, noise_mw=noise_mw, qos_sinr=qos_sinr, power_mw=power_mw, far_gain=far_gain
    )
    start = full_power_large(network)[:, None]
    return penalty_ascent(network, start, np.ones_like(start), (weight,), steps, margin)[:, 0]


def penalty_ascent(
    network: Large,
    start: FloatArray,
    counts: FloatArray,
    weights: Sequence[float],
    steps: int = 600,
    margin: float = 0.02,
    rate: float = 0.15,
) -> FloatArray:
    """`penalty_optimum` for K weights at once, (A, K) mW, from powers `start` (A, K) mW.

    Users are weighted by `counts` (A, K).
    """
    (floor, ceiling), weight = np.log(network.power_mw), np.asarray(weights)
    wanted = np.log1p(network.qos_sinr * (1.0 + margin))
    y = np.log(start)
    best, value, first, second = y, np.full(y.shape[1], -np.inf), np.zeros_like(y), np.zeros_like(y)
    for step in range(1, steps + 1):
        power = np.exp(y)
        load = network.interference(power)
        gained = np.log1p(power / load)
        now = (counts * (gained - weight * np.maximum(wanted - gained, 0.0))).sum(axis=0)
        best, value = np.where(now > value, y, best), np.maximum(now, value)
        worth = counts * (1.0 + weight * (gained < wanted)) * power / (power + load)
        slope = worth - power * network.charged(worth / load)
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        pace = rate * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-3
        size = first / (1.0 - 0.9**step) / (np.sqrt(second / (1.0 - 0.99**step)) + 1e-8)
        y = np.clip(y + pace * size, floor, ceiling)
    return np.exp(best)


def selected_large(network: Large) -> FloatArray:
    """Powers (A,) mW of the largest sum of satisfied users' rates found, as `selected`.

    Ours. Penalties of several `WEIGHTS`, and WMMSE, say who is satisfied; then these alone count, and must stay so.
    """
    start = np.repeat(full_power_large(network)[:, None], len(WEIGHTS), axis=1)
    first = penalty_ascent(network, start, np.ones_like(start), WEIGHTS)
    first = np.concatenate((first, wmmse_large(network)[:, None]), axis=1)
    kept = network.satisfied(first).astype(float)
    second = penalty_ascent(network, first, kept, (WEIGHTS[0],) * first.shape[1], steps=200, margin=0.002, rate=0.03)
    powers = np.concatenate((first, second), axis=1)
    return np.asarray(powers[:, network.satisfied_rate(powers).argmax()])
