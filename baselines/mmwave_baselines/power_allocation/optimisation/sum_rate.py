"""The largest sum rate, without requirements (`wmmse`) and with them (`sca`)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmwave_baselines.power_allocation.optimisation.feasibility import (
    admitted,
    aim,
    largest_target,
    least_powers,
    solve,
    towards,
)
from mmwave_baselines.power_allocation.optimisation.network import Network, interference
from mmwave_gym.core.types import BoolArray, FloatArray


def wmmse(network: Network, iterations: int = 200) -> FloatArray:
    """Powers (N, A) mW of a local optimum of the sum rate without QoS: weighted MMSE from full power.

    Shi, Razaviyayn, Luo and He, IEEE Trans. Signal Processing 2011, one antenna; amplitudes clipped to the box.
    """
    back = network.coupling.swapaxes(1, 2)
    low, high = np.sqrt(network.least), np.sqrt(network.greatest)

    def charged(heard: FloatArray) -> FloatArray:
        return np.asarray((back @ heard[..., None])[..., 0])

    return wmmse_iteration(lambda power: interference(network, power), charged, low, high, iterations)


def wmmse_iteration(
    interference: Callable[[FloatArray], FloatArray],
    charged: Callable[[FloatArray], FloatArray],
    low: FloatArray,
    high: FloatArray,
    iterations: int,
) -> FloatArray:
    """Powers in mW after `iterations` of weighted MMSE from the amplitudes `high`; (N, A), or (A,) of one network.

    interference: p to F p + eta, mW. charged: x to F' x, in the unit of x. low, high: least and greatest amplitudes,
    sqrt(mW). All arrays have the shape of the powers; `low` may be a scalar. Source: as `wmmse`.
    """
    amplitude = high
    for _ in range(iterations):
        power = amplitude**2
        total = power + interference(power)
        receiver = amplitude / total
        weight = total / (total - power)  # 1 / MSE
        heard = weight * receiver**2
        price = heard + charged(heard)
        amplitude = np.clip(weight * receiver / np.maximum(price, 1e-300), low, high)
    return amplitude**2


def sca(network: Network, starts: int | None = None, chosen: BoolArray | None = None) -> FloatArray:
    """Powers (N, A) mW of the largest sum rate found with SINR >= q for all, or for those `admitted` where it must be.

    Successive convex approximation (SCALE, Papandriopoulos and Evans, IEEE Trans. Information Theory 2009): ln(1 +
    SINR) is replaced by its tangent in ln SINR, and the convex problem that leaves is solved by an interior-point
    method in ln p; here the tangent moves with every Newton step. The first start is the middle of the feasible set
    under a strong barrier that fades slowly: that path alone ends, measured on 14 BSs, within 1e-5 of the best of
    hundreds of runs. The others (nearly max-min, full power, WMMSE, then random powers, drawn into the feasible set)
    begin with a weaker one, which helps in small networks: 16 starts up to 6 BSs, else 6, where `starts` is None.
    Rates of those not admitted count nothing. `chosen` (N, A) says who is to be satisfied instead; rows in which they
    cannot be hold NaN.
    """
    power = np.empty(network.present.shape)
    starts = starts or (16 if network.present.shape[1] <= 6 else 6)
    chosen = admitted(network) if chosen is None else chosen
    block = max(1, 200_000 // (starts * network.present.shape[1] ** 2))  # ours: stay in cache
    for first in range(0, len(network), block):
        rows = slice(first, first + block)
        power[rows] = _sca(network.take(rows), starts, chosen[rows])
    return power


def _sca(network: Network, starts: int, chosen: BoolArray) -> FloatArray:
    target, power, possible = aim(network, chosen)
    rows = np.flatnonzero(possible & chosen.any(axis=1))
    middle, edge, roomy = _middle(network.take(rows), target[rows])
    rows, middle, edge = rows[roomy], middle[roomy], edge[roomy]
    if not len(rows):
        return power
    network, target = network.take(rows), target[rows]
    low, high = np.log(network.power_mw)
    uniform = np.random.default_rng(0).random((max(0, starts - 4), network.present.shape[1]))
    others = [edge, network.greatest, wmmse(network, 30)]
    others += [np.where(network.present, np.exp(low + (high - low) * u), 0.0) for u in uniform]
    anchor = np.where(network.present, middle, 1.0)
    inner = [towards(network, target, start, middle) / anchor for start in others[: starts - 1]]
    inside = [middle, *(np.where(network.present, anchor * ratio**0.95, 0.0) for ratio in inner)]
    barriers = np.empty((48, starts, len(network)))
    barriers[:, 0] = np.append(np.ones(3), np.geomspace(1.0, 1e-7, 45))[:, None]
    barriers[:, 1:] = np.append(np.full(6, 0.1), np.geomspace(0.1, 1e-7, 42))[:, None, None]
    many = network.take(np.tile(np.arange(len(network)), starts))
    found, value = _climb(many, np.tile(target, (starts, 1)), np.concatenate(inside), barriers.reshape(48, -1))
    winner = value.reshape(starts, -1).argmax(axis=0)
    power[rows] = found.reshape(starts, len(network), -1)[winner, np.arange(len(network))]
    return power


def _middle(network: Network, target: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Powers (N, A) well inside the box and the targets, those of nearly the largest common SINR / target, and
    whether there is room between the two, (N,)."""
    edge, ratio = largest_target(network, target, halvings=16)
    roomy = ratio > 1.0 + 1e-6
    inner, _ = least_powers(network, target * np.sqrt(np.maximum(ratio, 1.0))[:, None])
    # all powers grow together, half way in dB to the box, which raises every SINR
    lift = np.sqrt(network.power_mw[1] / np.maximum(inner.max(axis=1), network.power_mw[0]))[:, None]
    return inner * lift, edge, roomy


class _Barrier:
    """The sum rate in y = ln p with logarithmic barriers at the targets and at both ends of the box."""

    def __init__(self, network: Network, target: FloatArray):
        self.network, self.wanted = network, target > 0
        self.counts = self.wanted.astype(float)
        self.goal = np.log(np.where(self.wanted, target, 1.0))
        self.floor, self.ceiling = np.log(network.power_mw)

    def at(self, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Powers, interference (N, A), slacks (3, N, A) of target, ceiling, floor (1 if none), sum ln(1 + SINR).

        y (N, A): ln of powers in mW.
        """
        present = self.network.present
        power = np.where(present, np.exp(y), 0.0)
        load = interference(self.network, power)
        ln_sinr = y - np.log(load)
        slack = np.stack([ln_sinr - self.goal, self.ceiling - y, y - self.floor])
        slack = np.where(np.stack([self.wanted, present, present]), slack, 1.0)
        return power, load, slack, (self.counts * np.logaddexp(0.0, ln_sinr)).sum(axis=1)

    def newton(
        self, point: tuple[FloatArray, ...], dual: FloatArray, barrier: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Step of y, gradient of the merit (N, A), and step of the duals (3, N, A).

        point: what `at` returns, powers in mW (N, A) first. barrier (N,): weight of the logarithms.
        """
        power, load, slack, _ = point
        shares = self.network.coupling * (power[:, None, :] / load[:, :, None])
        back = shares.swapaxes(1, 2)
        kept = self.counts * power / (power + load)
        pull = barrier[:, None] / slack
        pull[0] *= self.wanted
        worth = kept + pull[0]
        gradient = worth - (back @ worth[..., None])[..., 0] - pull[1] + pull[2]
        stiff = dual / slack
        curve = kept + dual[0]
        # curvature of -sum curve ln SINR, and J' diag(stiff) J with J = 1 - shares the slope of ln SINR
        crossed = stiff[0][:, :, None] * shares
        hessian = back @ ((stiff[0] - curve)[:, :, None] * shares) - crossed - crossed.swapaxes(1, 2)
        place = np.arange(power.shape[1])
        hessian[:, place, place] += (back @ curve[..., None])[..., 0] + stiff.sum(axis=0) + 1e-12
        absent = ~self.network.present
        hessian[:, place, place] = np.where(absent, 1.0, hessian[:, place, place])
        gradient = np.where(absent, 0.0, gradient)
        move = solve(hessian, gradient)
        change = np.stack([move - (shares @ move[..., None])[..., 0], -move, move])
        return move, gradient, pull - dual - stiff * change


def _climb(
    network: Network, target: FloatArray, power: FloatArray, barriers: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Powers (N, A) mW and sum of ln(1 + SINR) (N,) after a Newton step in ln p for each of the barriers (T, N).

    `power` must lie strictly inside the box and the targets. A primal-dual step for sum a_i ln SINR_i, a_i = SINR_i /
    (1 + SINR_i) as of now, which lies below the sum rate; halved until sum rate plus barrier grows.
    """
    problem = _Barrier(network, target)
    y = np.log(np.where(network.present, power, np.sqrt(network.power_mw[0] * network.power_mw[1])))
    point = problem.at(y)
    dual = barriers[0][:, None] / point[2]
    dual[0] *= problem.wanted
    dual[1:] *= network.present
    for barrier in barriers:
        move, gradient, dual_move = problem.newton(point, dual, barrier)
        merit = point[3] + barrier * np.log(point[2]).sum(axis=(0, 2))
        slope = (gradient * move).sum(axis=1)
        room = np.where(move > 0, point[2][1], point[2][2]) / np.maximum(np.abs(move), 1e-300)
        size = np.minimum(1.0, 0.99 * room.min(axis=1))
        better = np.zeros(len(network), dtype=bool)
        for _ in range(10):
            tried = problem.at(y + size[:, None] * move)
            inside = (tried[2] > 0.01 * point[2]).all(axis=(0, 2))
            gain = tried[3] + barrier * np.log(np.maximum(tried[2], 1e-300)).sum(axis=(0, 2)) - merit
            better = inside & (gain >= 1e-4 * size * slope)
            if better.all():
                break
            size = np.where(better, size, 0.5 * size)
        size = np.where(better, size, 0.0)
        y = y + size[:, None] * move
        point = problem.at(y) if not better.all() else tried
        shrink = np.where(dual_move < 0, dual / np.maximum(-dual_move, 1e-300), np.inf).min(axis=(0, 2))
        dual = dual + np.minimum(1.0, 0.99 * shrink)[None, :, None] * dual_move
    return point[0], point[3]
