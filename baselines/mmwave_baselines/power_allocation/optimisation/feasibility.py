"""Which targets can be reached: the least powers that do, the largest common SINR, and whom to admit."""

from __future__ import annotations

import numpy as np

from mmwave_baselines.power_allocation.optimisation.network import (
    ROUND_OFF,
    SLACK,
    Network,
    full_power,
    interference,
    sinr,
)
from mmwave_gym.core.types import BoolArray, FloatArray


def least_powers(network: Network, target: FloatArray) -> tuple[FloatArray, BoolArray]:
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
        solved = solve(system, np.where(now, goal * noise, network.least[todo]))
        grown = (solved >= power[todo] * (1.0 - ROUND_OFF)) & (solved <= network.greatest[todo] * (1.0 + 1e-12))
        possible = grown.all(axis=1)
        power[todo] = np.where(possible[:, None], np.minimum(solved, network.greatest[todo]), np.nan)
        todo = todo[possible]
    return power, found


def solve(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """x (…, A) with matrix x = vector, for matrix (…, A, A) and vector (…, A), in any unit.

    If one of the matrices is singular, 1e-13 is added to all diagonals, so that its solution is huge and no error stops
    the others.
    """
    try:
        return np.linalg.solve(matrix, vector[..., None])[..., 0]
    except np.linalg.LinAlgError:
        nudged = matrix + 1e-13 * np.eye(matrix.shape[-1])
        return np.linalg.solve(nudged, vector[..., None])[..., 0]


def feasible(network: Network) -> BoolArray:
    """Whether powers in the box give every UE SINR >= q, (N,)."""
    return least_powers(network, network.target)[1]


def clipped_fixed_point(
    network: Network, target: FloatArray, iterations: int = 5000, tolerance: float = 1e-10
) -> FloatArray:
    """Fixed point of p = clip(target (F p + eta), Pmin, Pmax), (N, A) mW; unique, whatever the targets (Yates)."""
    power = full_power(network)
    rows, todo = network, np.arange(len(network))
    for _ in range(iterations):
        new = np.clip(target[todo] * interference(rows, power[todo]), rows.least, rows.greatest)
        moved = (np.abs(new - power[todo]) > tolerance * new).any(axis=1)
        power[todo] = new
        if not moved.all():
            todo = todo[moved]
            rows = network.take(todo)
        if not len(todo):
            break
    return power


def foschini_miljanic(network: Network, margin: float = SLACK) -> FloatArray:
    """Least powers with SINR >= q (1 + margin), clipped to the box where that is impossible, (N, A) mW.

    Foschini and Miljanic, IEEE Trans. Vehicular Technology 1993; solved exactly instead of iterated.
    """
    target = network.target * (1.0 + margin)
    power, possible = least_powers(network, target)
    if not possible.all():
        power[~possible] = clipped_fixed_point(network.take(~possible), target[~possible])
    return power


def max_min_sinr(network: Network) -> tuple[FloatArray, FloatArray]:
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
        power[low] = largest_target(network.take(low), np.where(network.present[low], 1.0, 0.0), halvings=50)[0]
    return power, np.where(network.present, sinr(network, power), np.inf).min(axis=1)


def largest_target(network: Network, target: FloatArray, halvings: int) -> tuple[FloatArray, FloatArray]:
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


def aim(network: Network, chosen: BoolArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Targets (N, A) for the chosen, a little above q where there is room, their least powers, and if they exist."""
    target = np.where(chosen, network.qos_sinr * (1.0 + SLACK), 0.0)
    power, possible = least_powers(network, target)
    if not possible.all():
        bare = np.where(chosen, network.qos_sinr, 0.0)[~possible]
        target[~possible] = bare
        power[~possible], possible[~possible] = least_powers(network.take(~possible), bare)
    return target, power, possible


def towards(
    network: Network, target: FloatArray, start: FloatArray, anchor: FloatArray, halvings: int = 20
) -> FloatArray:
    """Powers (N, A) mW on the line in ln p from `anchor` to `start`, as near to `start` as the targets allow.

    target (N, A): linear SINRs. start, anchor (N, A), mW: powers; those of `anchor` reach the targets.
    """

    def reaches(power: FloatArray) -> BoolArray:
        enough: BoolArray = sinr(network, power) >= target * (1.0 - ROUND_OFF)
        return np.asarray(enough.all(axis=1))

    step = np.log(np.where(network.present, start, 1.0)) - np.log(np.where(network.present, anchor, 1.0))
    low, high = reaches(start).astype(float), np.ones(len(network))
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        good = reaches(anchor * np.exp(middle[:, None] * step))
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return anchor * np.exp(low[:, None] * step)


def admitted(network: Network, trials: int = 32) -> BoolArray:
    """Who is to reach q, (N, A): everybody present where that is feasible, otherwise all that greedy removal leaves.

    Ours. While the targets are infeasible the one is dropped whose going leaves the least sum of ln(q / SINR) over
    those that miss q at the clipped fixed point; at most `trials` are tried, the worst off and who disturbs them most.
    At the end each dropped one is taken back if there is room. A dropped BS still transmits at Pmin or more.
    """
    chosen = network.present.copy()
    for row in np.flatnonzero(~feasible(network)):
        chosen[row] = _admit(network.take(slice(row, row + 1)), trials)
    return chosen


def _admit(network: Network, trials: int) -> BoolArray:
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
