"""Powers that optimise a network whose gains are known: what a policy is compared with, and how one is repaired.

Many networks of A base stations at once, each base station (BS) with one UE, all on one channel:
SINR_i = p_i g_ii / (sum_j g_ij p_j + n_i). Wanted: the largest sum of log2(1 + SINR_i) with SINR_i >= q and
Pmin <= p_i <= Pmax, problem (5) of Amiri and Mehrpouyan, arXiv 1804.05757. In y = ln p the constraints are convex
(ln SINR is concave), the sum rate is not: `sca` returns the best local optimum that several starts reach.

Everywhere F = g_ij / g_ii and eta = n_i / g_ii, so that SINR_i = p_i / (F p + eta)_i, and everything is a function of
F, eta, q and the box. A BS that is not `present` has power 0, disturbs nobody and counts nowhere.

Where no powers satisfy every user, `sca` satisfies those that `admitted` chooses, and maximises their rates alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

SLACK = 1e-5  # ours: aim this much above q, so that powers rounded to float32 dBm still reach it
ROUND_OFF = 1e-9  # a SINR this close below q counts as q
MARGINS = (SLACK, 0.05, 0.3, 1.0, 3.0)  # ours: repairs walk towards the least powers for q (1 + margin)
LN2 = float(np.log(2.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """N networks of A base stations, linear gains, powers in mW.

    gain (N, A, A): from BS j to the UE of BS i at [n, i, j]; the diagonal is ignored. own_gain (N, A): BS i to its UE.
    noise_mw (N, A): noise at each UE, with whatever constant interference comes from outside. qos_sinr: the linear
    SINR q that each UE needs. power_mw: least and greatest power. present (N, A).
    """

    gain: Floats
    own_gain: Floats
    noise_mw: Floats
    qos_sinr: float
    power_mw: tuple[float, float]
    present: Bools

    @cached_property
    def coupling(self) -> Floats:
        """F (N, A, A): gain over own gain, zero for the diagonal and for whoever is absent."""
        both = self.present[:, :, None] & self.present[:, None, :] & ~np.eye(self.present.shape[1], dtype=bool)
        return np.where(both, self.gain / np.where(self.present, self.own_gain, 1.0)[:, :, None], 0.0)

    @cached_property
    def noise(self) -> Floats:
        """eta (N, A), mW: the power that reaches SINR 1 against noise alone; 1 for whoever is absent."""
        return np.where(self.present, self.noise_mw / np.where(self.present, self.own_gain, 1.0), 1.0)

    @cached_property
    def least(self) -> Floats:
        """Pmin (N, A), mW, 0 for whoever is absent."""
        return np.where(self.present, self.power_mw[0], 0.0)

    @cached_property
    def greatest(self) -> Floats:
        """Pmax (N, A), mW, 0 for whoever is absent."""
        return np.where(self.present, self.power_mw[1], 0.0)

    @property
    def target(self) -> Floats:
        """q (N, A), 0 for whoever is absent."""
        return np.where(self.present, self.qos_sinr, 0.0)

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Any) -> Network:
        """The networks of an index, slice or mask; an index may repeat some."""
        gain, own, noise, present = (a[rows] for a in (self.gain, self.own_gain, self.noise_mw, self.present))
        return Network(
            gain=gain, own_gain=own, noise_mw=noise, qos_sinr=self.qos_sinr, power_mw=self.power_mw, present=present
        )


def interference(network: Network, power_mw: Floats) -> Floats:
    """F p + eta (N, A): the power each BS needs for SINR 1."""
    return (network.coupling @ power_mw[..., None])[..., 0] + network.noise


def sinr(network: Network, power_mw: Floats) -> Floats:
    """Linear SINR (N, A) at powers (N, A) in mW; 0 for whoever is absent."""
    return power_mw / interference(network, power_mw)


def capacity_bps_hz(network: Network, power_mw: Floats) -> Floats:
    """log2(1 + SINR) (N, A); 0 for whoever is absent."""
    return np.log1p(sinr(network, power_mw)) / LN2


def satisfied(network: Network, power_mw: Floats) -> Bools:
    """Who is present and reaches q, (N, A)."""
    reached: Bools = sinr(network, power_mw) >= network.qos_sinr * (1.0 - ROUND_OFF)
    return network.present & reached


def full_power(network: Network) -> Floats:
    """Everybody at Pmax, (N, A) mW."""
    return network.greatest.copy()


# ---- Feasibility: the least powers that reach a target


def least_powers(network: Network, target: Floats) -> tuple[Floats, Bools]:
    """Least fixed point of p = max(Pmin, target (F p + eta)), and whether it exists below Pmax: (N, A) mW, (N,).

    `target` (N, A) is the SINR that each UE must have, 0 for none. Any powers in the box that reach the targets are
    nowhere below these (Yates, IEEE JSAC 1995), so they exist exactly if the targets are feasible. Newton's method
    from below: who needs more than Pmin obeys the linear equation, the others stay at Pmin; iterates grow, and stop
    after at most A of them. One that shrinks shows a spectral radius of 1 or more, so no solution. Rows that are not
    feasible hold NaN.
    """
    power, active = network.least.copy(), np.zeros(network.present.shape, dtype=bool)
    found = np.zeros(len(network), dtype=bool)
    todo = np.arange(len(network))
    while len(todo):
        coupling, goal, noise = network.coupling[todo], target[todo], network.noise[todo]
        need = goal * ((coupling @ power[todo, :, None])[..., 0] + noise)
        now = active[todo] | (need > network.least[todo])
        settled = (now == active[todo]).all(axis=1)
        found[todo[settled]] = True
        active[todo] = now
        coupling, goal, noise, now, todo = (a[~settled] for a in (coupling, goal, noise, now, todo))
        system = np.eye(now.shape[1]) - np.where(now, goal, 0.0)[:, :, None] * coupling
        solved = _solve(system, np.where(now, goal * noise, network.least[todo]))
        grown = (solved >= power[todo] * (1.0 - ROUND_OFF)) & (solved <= network.greatest[todo] * (1.0 + 1e-12))
        possible = grown.all(axis=1)
        power[todo] = np.where(possible[:, None], np.minimum(solved, network.greatest[todo]), np.nan)
        todo = todo[possible]
    return power, found


def _solve(matrix: Floats, vector: Floats) -> Floats:
    """Batched matrix^-1 vector; a singular one among them is nudged, and its solution is huge."""
    try:
        return np.linalg.solve(matrix, vector[..., None])[..., 0]
    except np.linalg.LinAlgError:
        nudged = matrix + 1e-13 * np.eye(matrix.shape[-1])
        return np.linalg.solve(nudged, vector[..., None])[..., 0]


def feasible(network: Network) -> Bools:
    """Whether powers in the box give every UE SINR >= q, (N,)."""
    return least_powers(network, network.target)[1]


def clipped_fixed_point(network: Network, target: Floats, iterations: int = 5000, tolerance: float = 1e-10) -> Floats:
    """Fixed point of p = clip(target (F p + eta), Pmin, Pmax), (N, A) mW; unique, whatever the targets (Yates)."""
    power = full_power(network)
    todo = np.arange(len(network))
    for _ in range(iterations):
        rows = network.take(todo)
        new = np.clip(target[todo] * interference(rows, power[todo]), rows.least, rows.greatest)
        moved = (np.abs(new - power[todo]) > tolerance * new).any(axis=1)
        power[todo] = new
        todo = todo[moved]
        if not len(todo):
            break
    return power


def foschini_miljanic(network: Network, margin: float = SLACK) -> Floats:
    """Least powers with SINR >= q (1 + margin), clipped to the box where that is impossible, (N, A) mW.

    Foschini and Miljanic, IEEE Trans. Vehicular Technology 1993; solved exactly instead of iterated.
    """
    target = network.target * (1.0 + margin)
    power, possible = least_powers(network, target)
    if not possible.all():
        power[~possible] = clipped_fixed_point(network.take(~possible), target[~possible])
    return power


def max_min_sinr(network: Network) -> tuple[Floats, Floats]:
    """Powers (N, A) mW that maximise the least SINR, and that SINR (N,).

    Without Pmin: 1 / max_i rho(F + eta e_i^T / Pmax), and the Perron vector of the largest, scaled to p_i = Pmax. The
    i is found by policy iteration: the BS that a Perron vector drives highest above Pmax is the next i, and rho grows.
    Where some power would fall below Pmin: the largest SINR for which `least_powers` exist, by bisection.
    """
    rows, (least, greatest) = np.arange(len(network)), network.power_mw
    top, power = network.present.argmax(axis=1), network.greatest
    for _ in range(network.present.shape[1]):
        matrix = network.coupling.copy()
        matrix[rows, :, top] += np.where(network.present, network.noise, 0.0) / greatest
        values, vectors = np.linalg.eig(matrix)
        vector = np.abs(vectors[rows, :, values.real.argmax(axis=1)])
        power = vector * (greatest / np.maximum(vector[rows, top], 1e-200))[:, None]
        above = power.max(axis=1) > greatest * (1.0 + ROUND_OFF)
        if not above.any():
            break
        top = np.where(above, power.argmax(axis=1), top)
    power = np.where(network.present, np.minimum(power, greatest), 0.0)
    low = (network.present & (power < least)).any(axis=1)
    if low.any():
        power[low] = _largest_target(network.take(low), np.where(network.present[low], 1.0, 0.0), halvings=50)[0]
    return power, np.where(network.present, sinr(network, power), np.inf).min(axis=1)


def _largest_target(network: Network, target: Floats, halvings: int) -> tuple[Floats, Floats]:
    """Powers (N, A) and the largest s (N,) for which s x target is feasible, by bisection in log s."""
    wanted = target > 0
    unit = np.where(wanted, target, 1.0)
    at_least = np.where(wanted, sinr(network, network.least) / unit, np.inf).min(axis=1, initial=1e30)
    alone = np.where(wanted, network.greatest / network.noise / unit, np.inf).min(axis=1, initial=1e30)
    best, one = least_powers(network, target)
    best = np.where(one[:, None], best, network.least)
    low = np.log(np.where(one, np.maximum(at_least, 1.0), at_least))
    high = np.log(alone)
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        power, possible = least_powers(network, target * np.exp(middle)[:, None])
        best[possible] = power[possible]
        low, high = np.where(possible, middle, low), np.where(possible, high, middle)
    return best, np.exp(low)


# ---- The largest sum rate


def wmmse(network: Network, iterations: int = 200) -> Floats:
    """Powers (N, A) mW of a local optimum of the sum rate without QoS: weighted MMSE from full power.

    Shi, Razaviyayn, Luo and He, IEEE Trans. Signal Processing 2011, one antenna; amplitudes clipped to the box.
    """
    low, high = np.sqrt(network.least), np.sqrt(network.greatest)
    back, amplitude = network.coupling.swapaxes(1, 2), high
    for _ in range(iterations):
        power = amplitude**2
        total = power + interference(network, power)
        receiver = amplitude / total
        weight = total / (total - power)  # 1 / MSE
        heard = weight * receiver**2
        price = heard + (back @ heard[..., None])[..., 0]
        amplitude = np.clip(weight * receiver / np.maximum(price, 1e-300), low, high)
    return amplitude**2


def sca(network: Network, starts: int | None = None) -> Floats:
    """Powers (N, A) mW of the largest sum rate found with SINR >= q for all, or for those `admitted` where it must be.

    Successive convex approximation (SCALE, Papandriopoulos and Evans, IEEE Trans. Information Theory 2009): ln(1 +
    SINR) is replaced by its tangent in ln SINR, and the convex problem that leaves is solved by an interior-point
    method in ln p; here the tangent moves with every Newton step. The first start is the middle of the feasible set
    under a strong barrier that fades slowly: that path alone ends, measured on 14 BSs, within 1e-5 of the best of
    hundreds of runs. The others (nearly max-min, full power, WMMSE, then random powers, drawn into the feasible set)
    begin with a weaker one, which helps in small networks: 16 starts up to 6 BSs, else 6, where `starts` is None.
    Rates of those not admitted count nothing.
    """
    power = np.empty(network.present.shape)
    starts = starts or (16 if network.present.shape[1] <= 6 else 6)
    block = max(1, 200_000 // (starts * network.present.shape[1] ** 2))  # ours: stay in cache
    for first in range(0, len(network), block):
        rows = slice(first, first + block)
        power[rows] = _sca(network.take(rows), starts)
    return power


def _sca(network: Network, starts: int) -> Floats:
    target, power, _ = _aim(network, admitted(network))
    middle, edge, roomy = _middle(network, target)
    rows = np.flatnonzero(roomy)
    if not len(rows):
        return power
    network, target, middle, edge = network.take(rows), target[rows], middle[rows], edge[rows]
    low, high = np.log(network.power_mw)
    uniform = np.random.default_rng(0).random((max(0, starts - 4), network.present.shape[1]))
    others = [edge, network.greatest, wmmse(network, 30)]
    others += [np.where(network.present, np.exp(low + (high - low) * u), 0.0) for u in uniform]
    anchor = np.where(network.present, middle, 1.0)
    inner = [_towards(network, target, start, middle) / anchor for start in others[: starts - 1]]
    inside = [middle, *(np.where(network.present, anchor * ratio**0.95, 0.0) for ratio in inner)]
    barriers = np.empty((48, starts, len(network)))
    barriers[:, 0] = np.append(np.ones(3), np.geomspace(1.0, 1e-7, 45))[:, None]
    barriers[:, 1:] = np.append(np.full(6, 0.1), np.geomspace(0.1, 1e-7, 42))[:, None, None]
    many = network.take(np.tile(np.arange(len(network)), starts))
    found, value = _climb(many, np.tile(target, (starts, 1)), np.concatenate(inside), barriers.reshape(48, -1))
    winner = value.reshape(starts, -1).argmax(axis=0)
    power[rows] = found.reshape(starts, len(network), -1)[winner, np.arange(len(network))]
    return power


def _middle(network: Network, target: Floats) -> tuple[Floats, Floats, Bools]:
    """Powers (N, A) well inside the box and the targets, those of nearly the largest common SINR / target, and
    whether there is room between the two, (N,)."""
    edge, ratio = _largest_target(network, target, halvings=16)
    roomy = ratio > 1.0 + 1e-6
    inner, _ = least_powers(network, target * np.sqrt(np.maximum(ratio, 1.0))[:, None])
    # all powers grow together, half way in dB to the box, which raises every SINR
    lift = np.sqrt(network.power_mw[1] / np.maximum(inner.max(axis=1), network.power_mw[0]))[:, None]
    return inner * lift, edge, roomy


def _towards(network: Network, target: Floats, start: Floats, anchor: Floats, halvings: int = 20) -> Floats:
    """The powers nearest to `start` that reach the targets, on the line in ln p to `anchor`, which reaches them."""

    def reaches(power: Floats) -> Bools:
        enough: Bools = sinr(network, power) >= target * (1.0 - ROUND_OFF)
        return np.asarray(enough.all(axis=1))

    step = np.log(np.where(network.present, start, 1.0)) - np.log(np.where(network.present, anchor, 1.0))
    low, high = reaches(start).astype(float), np.ones(len(network))
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        good = reaches(anchor * np.exp(middle[:, None] * step))
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return anchor * np.exp(low[:, None] * step)


class _Barrier:
    """The sum rate in y = ln p with logarithmic barriers at the targets and at both ends of the box."""

    def __init__(self, network: Network, target: Floats):
        self.network, self.wanted = network, target > 0
        self.counts = self.wanted.astype(float)
        self.goal = np.log(np.where(self.wanted, target, 1.0))
        self.floor, self.ceiling = np.log(network.power_mw)

    def at(self, y: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Powers, interference (N, A), slacks (3, N, A) of target, ceiling, floor (1 if none), sum ln(1 + SINR)."""
        present = self.network.present
        power = np.where(present, np.exp(y), 0.0)
        load = interference(self.network, power)
        ln_sinr = y - np.log(load)
        slack = np.stack([ln_sinr - self.goal, self.ceiling - y, y - self.floor])
        slack = np.where(np.stack([self.wanted, present, present]), slack, 1.0)
        return power, load, slack, (self.counts * np.logaddexp(0.0, ln_sinr)).sum(axis=1)

    def newton(self, point: tuple[Floats, ...], dual: Floats, barrier: Floats) -> tuple[Floats, Floats, Floats]:
        """Step of y, gradient of the merit (N, A), and step of the duals (3, N, A)."""
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
        move = _solve(hessian, gradient)
        change = np.stack([move - (shares @ move[..., None])[..., 0], -move, move])
        return move, gradient, pull - dual - stiff * change


def _climb(network: Network, target: Floats, power: Floats, barriers: Floats) -> tuple[Floats, Floats]:
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


def admitted(network: Network, trials: int = 32) -> Bools:
    """Who is to reach q, (N, A): everybody present where that is feasible, otherwise all that greedy removal leaves.

    Ours. While the targets are infeasible the one is dropped whose going leaves the least sum of ln(q / SINR) over
    those that miss q at the clipped fixed point; at most `trials` are tried, the worst off and who disturbs them most.
    At the end each dropped one is taken back if there is room. A dropped BS still transmits at Pmin or more.
    """
    chosen = network.present.copy()
    for row in np.flatnonzero(~feasible(network)):
        chosen[row] = _admit(network.take(slice(row, row + 1)), trials)
    return chosen


def _admit(network: Network, trials: int) -> Bools:
    """`admitted` of one network, (A,)."""
    size = network.present.shape[1]
    target = network.target[0]
    dropped: list[int] = []
    while not least_powers(network, target[None])[1][0]:
        power = clipped_fixed_point(network, target[None])
        reached = sinr(network, power)[0]
        short = np.where(target > 0, np.log(np.maximum(target, 1e-300) / np.maximum(reached, 1e-300)), 0.0).clip(0.0)
        disturbs = (short / interference(network, power)[0]) @ network.coupling[0] * power[0]
        order = np.argsort(-np.where(target > 0, short + disturbs, -1.0), kind="stable")
        tried = order[: min(trials, int((target > 0).sum()))]
        without = np.where(tried[:, None] == np.arange(size), 0.0, target)
        many = network.take(np.zeros(len(tried), dtype=int))
        reached = sinr(many, clipped_fixed_point(many, without, iterations=200))
        with np.errstate(divide="ignore"):
            missed = np.where(without > 0, np.log(without / np.maximum(reached, 1e-300)), 0.0).clip(0.0).sum(axis=1)
        worst = int(tried[missed.argmin()])
        dropped.append(worst)
        target = np.where(np.arange(size) == worst, 0.0, target)
    for ue in dropped[-2::-1]:
        more = np.where(np.arange(size) == ue, network.qos_sinr, target)
        target = more if least_powers(network, more[None])[1][0] else target
    return target > 0


# ---- A finite set of levels


def levels_mw(network: Network, count: int) -> Floats:
    """`count` powers equally spaced in dB over the box, mW."""
    return np.geomspace(*network.power_mw, count)


def penalised_sum(network: Network, power_mw: Floats, weight: float = 1000.0) -> Floats:
    """Sum of log2(1 + SINR) less `weight` x sum of max(0, log2(q / SINR)), (N,)."""
    ratio = sinr(network, power_mw)
    return _penalised(network.present, ratio, network.qos_sinr, weight).sum(axis=-1)


def _penalised(present: Bools, ratio: Floats, qos: float, weight: float) -> Floats:
    missed = np.log(qos / np.minimum(np.maximum(ratio, 1e-300), qos))
    return np.where(present, (np.log1p(ratio) - weight * missed) / LN2, 0.0)


def coordinate_ascent(network: Network, levels: int = 32, restarts: int = 30, seed: int = 0) -> Floats:
    """Powers (N, A) mW on a grid of levels that no single BS can improve: the best of full power and random starts.

    Maximises `penalised_sum`. Every network has the same random starts, so rows do not depend on their batch.
    """
    power, value = full_power(network), np.full(len(network), -np.inf)
    grid = levels_mw(network, levels)
    index = np.random.default_rng(seed).integers(levels, size=(restarts, network.present.shape[1]))
    for start in [np.full(network.present.shape[1], levels - 1), *index]:
        found, reached = _ascend(network, grid, np.where(network.present, grid[start], 0.0))
        better = reached > value
        power[better], value[better] = found[better], reached[better]
    return power


def _ascend(network: Network, grid: Floats, power: Floats, sweeps: int = 50) -> tuple[Floats, Floats]:
    value = penalised_sum(network, power)
    todo = np.arange(len(network))
    for _ in range(sweeps):
        rows, now = network.take(todo), power[todo]
        for bs in np.flatnonzero(rows.present.any(axis=0)):
            others = interference(rows, now) - rows.coupling[:, :, bs] * now[:, [bs]]
            tried = np.repeat(now[:, None, :], len(grid), axis=1)
            tried[:, :, bs] = np.where(rows.present[:, [bs]], grid, 0.0)
            ratio = tried / (others[:, None, :] + rows.coupling[:, None, :, bs] * tried[:, :, [bs]])
            best = _penalised(rows.present[:, None], ratio, network.qos_sinr, 1000.0).sum(axis=2).argmax(axis=1)
            now[:, bs] = tried[np.arange(len(now)), best, bs]
        reached = penalised_sum(rows, now)
        grown = reached > value[todo] + ROUND_OFF
        power[todo], value[todo] = now, reached
        todo = todo[grown]
        if not len(todo):
            break
    return power, value


def brute_force(network: Network, levels: int = 32) -> Floats:
    """Powers (N, A) mW on a grid of levels with the largest `penalised_sum`, of all levels^A; A at most 4."""
    size = network.present.shape[1]
    if size > 4:
        raise ValueError(f"brute_force takes at most 4 base stations, got {size}; use coordinate_ascent.")
    grid = levels_mw(network, levels)
    axes = np.meshgrid(*[grid] * size, indexing="ij", sparse=True)
    power = np.empty(network.present.shape)
    for row, present in enumerate(network.present):
        mine = [axis if here else 0.0 * axis for axis, here in zip(axes, present, strict=True)]
        total: Any = 0.0
        for i in range(size):
            heard: Any = network.noise[row, i]
            for k in range(size):
                heard = heard + network.coupling[row, i, k] * mine[k]
            total = total + _penalised(present[i], mine[i] / heard, network.qos_sinr, 1000.0)
        best = np.unravel_index(np.argmax(total), total.shape)
        power[row] = np.where(present, grid[np.array(best)], 0.0)
    return power


# ---- One large network


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


# ---- Repair of given powers


def repair(network: Network, power_mw: Floats) -> Floats:
    """Powers (N, A) mW near the given ones at which more users reach q: all of them wherever that is feasible.

    Infeasible networks: `repair_local`. Feasible ones: the nearest point on the line in ln p to the least powers for
    q, or for somewhat more than q. The satisfying powers are convex in ln p, so a bisection always ends in them, but
    everybody pays for one; never do it for a set that is infeasible. It starts from the powers as they are and from
    those repaired locally, without loss and at any (better the larger the network); the greatest sum rate stays.
    Powers that satisfy all are returned as they are.
    """
    given = np.clip(power_mw, network.least, network.greatest)
    power = repair_local(network, given)
    target, least, possible = _aim(network, network.present)
    todo = np.flatnonzero(possible & (network.present & ~satisfied(network, given)).any(axis=1))
    rows, target = network.take(todo), target[todo]
    starts = (given[todo], power[todo], repair_local(rows, power[todo], loss=1.0))
    best, greatest = least[todo], capacity_bps_hz(rows, least[todo]).sum(axis=1)
    for margin in MARGINS:
        anchor, possible = least_powers(rows, target * (1.0 + margin))
        anchor = np.where(possible[:, None], anchor, least[todo])
        for start in starts:
            end = _towards(rows, target, start, anchor)
            rate = capacity_bps_hz(rows, end).sum(axis=1)
            better = rate > greatest
            best[better], greatest[better] = end[better], rate[better]
    power[todo] = best
    return power


def _aim(network: Network, chosen: Bools) -> tuple[Floats, Floats, Bools]:
    """Targets (N, A) for the chosen, a little above q where there is room, their least powers, and if they exist."""
    target = np.where(chosen, network.qos_sinr * (1.0 + SLACK), 0.0)
    power, possible = least_powers(network, target)
    if not possible.all():
        bare = np.where(chosen, network.qos_sinr, 0.0)[~possible]
        target[~possible] = bare
        power[~possible], possible[~possible] = least_powers(network.take(~possible), bare)
    return target, power, possible


def repair_local(network: Network, power_mw: Floats, loss: float = 0.0) -> Floats:
    """Powers (N, A) mW at which at least as many users reach q; safe on networks where not all can.

    Ours. One violator at a time, the least short of q first. If it and all who are satisfied now can be satisfied
    together, it and the BSs that disturb it most (none, 2, 4, 8, or everybody) move a part of the way, in ln p, to
    the least powers of that set. The variant with the most satisfied users and, among those, the greatest sum of
    their rates is kept if it satisfies more users than before and costs at most the share `loss` of that sum.
    """
    power = np.clip(power_mw, network.least, network.greatest)
    tried = np.zeros(network.present.shape, dtype=bool)
    while True:
        happy = satisfied(network, power)
        left = network.present & ~happy & ~tried
        todo = np.flatnonzero(left.any(axis=1))
        if not len(todo):
            return power
        rows, now, reached = network.take(todo), power[todo], sinr(network, power)[todo]
        violator = np.where(left[todo], reached, -1.0).argmax(axis=1)
        place = np.arange(len(todo))
        tried[todo, violator] = True
        variants: list[list[Floats]] = [[] for _ in todo]
        for margin in MARGINS:
            aim = rows.qos_sinr * (1.0 + margin)
            goal = np.where(happy[todo], np.minimum(reached * (1.0 - 1e-12), aim), 0.0)
            goal[place, violator] = aim
            anchor, possible = least_powers(rows, goal)
            for k in np.flatnonzero(possible):
                variants[k].append(anchor[k])
        for at, anchors in enumerate(variants):
            if anchors:
                row = todo[at]
                one = network.take(slice(row, row + 1))
                power[row] = _move_some(one, now[at], np.array(anchors), int(violator[at]), loss)


def _move_some(network: Network, power: Floats, anchors: Floats, violator: int, loss: float) -> Floats:
    """The best of several parts of the way to anchors (K, A) by several neighbourhoods of one violator, (A,) mW."""
    size = network.present.shape[1]
    present = network.present[0]
    heard = np.where(np.arange(size) == violator, np.inf, network.coupling[0, violator] * power)
    rank = np.argsort(np.argsort(-heard, kind="stable"), kind="stable")
    steps = np.where(present, np.log(np.where(present, anchors, 1.0) / np.where(present, power, 1.0)), 0.0)
    nearest = [rank <= near for near in (0, 2, 4, 8, size)]
    parts = np.linspace(0.1, 1.0, 10)
    moves = [near * part * step for step in steps for near in nearest for part in parts]
    variants = power * np.exp(np.array([np.zeros(size), *moves]))
    ratio = variants / (variants @ network.coupling[0].T + network.noise[0])
    happy = present & (ratio >= network.qos_sinr * (1.0 - ROUND_OFF))
    count, total = happy.sum(axis=1), (happy * np.log1p(ratio)).sum(axis=1)
    allowed = (count > count[0]) & (total >= (1.0 - loss) * total[0])
    if not allowed.any():
        return power
    return variants[np.lexsort((total, count, allowed))[-1]]
