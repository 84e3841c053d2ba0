"""Algorithm 2 of arXiv 1507.00387: value iteration for one UE, with the kernel kept factored.

A sweep costs L products of (C, M) with (M, M), and holds the values (C, M), the action values (L, C, M) and T (M, M):
at L = 5, N = 15 that is 6, 30 and 75 MB, where the |S| x |S| kernel would be 4.4 TB an action.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.model import Game
from mmwave_gym.core.checks import between, one_of
from mmwave_gym.core.types import Float64Array

STOPS = ("norm", "span")


@dataclass(frozen=True)
class Values:
    """What value iteration found: `value` (C, M), the policy `action` (C, M) in the UE's frame, sweeps done."""

    value: Float64Array
    action: NDArray[np.int8]
    sweeps: int


def value_iteration(
    game: Game,
    law: Float64Array,
    reward: Float64Array,
    discount: float = 0.9,
    epsilon: float = 1e-6,
    stop: str = "norm",
    start: Float64Array | None = None,
) -> Values:
    """Solve the MDP of one UE; law: T (M, M), reward: (L, C, M) of `Game.reward`.

    discount: omega, not printed; results hardly depend on it (ours). epsilon: not printed (ours).
    stop: "norm" as in the paper, max |v' - v| < epsilon (1 - omega) / (2 omega); or "span", which stops when
    max(v' - v) - min(v' - v) < epsilon (1 - omega) / omega: the policy is epsilon-optimal as well (Puterman 1994,
    theorem 6.6.6) after far fewer sweeps. start (C, M), bit/s/Hz: values to begin with, else 0. Ties within 1e-9 of the
    best rate: stay, then the lowest number (ours).
    """
    between("discount", discount, 1e-6, 1.0 - 1e-6)
    one_of("stop", stop, STOPS)
    value = np.zeros(reward.shape[1:]) if start is None else start
    transposed = np.ascontiguousarray(law.T)
    limit = epsilon * (1.0 - discount) / discount
    sweeps = 0
    while True:
        worth = action_values(game, transposed, reward, discount, value)
        new = worth.max(axis=0)
        change = new - value
        value = new
        sweeps += 1
        distance = 2.0 * float(np.abs(change).max()) if stop == "norm" else float(np.ptp(change))
        if distance < limit:
            break
    tie = 1e-9 * max(1.0, float(np.max(game.rate_bps_hz)))
    worth = action_values(game, transposed, reward, discount, value)
    return Values(value, greedy(worth, tie), sweeps)


def action_values(
    game: Game, transposed_law: Float64Array, reward: Float64Array, discount: float, value: Float64Array
) -> Float64Array:
    """r(s, a) + omega E[v | s, a], reward (L, C, M) and value (C, M) in bit/s/Hz; transposed_law (M, M)."""
    mixed = game.mix(value)  # channels move alike under every name, so they are averaged once
    worth = np.empty_like(reward)
    for a in range(game.num_cells):
        renamed = mixed[game.swapped_links[a][:, None], game.swapped_loads[a]]
        np.matmul(renamed, transposed_law, out=worth[a])
    worth *= discount
    worth += reward
    return worth


def greedy(worth: Float64Array, tie: float) -> NDArray[np.int8]:
    """The best action (C, M) by action values `worth` (L, C, M), bit/s/Hz.

    Values within `tie` of the best are ties and go to the lowest number; 0 is to stay.
    """
    return (worth >= worth.max(axis=0) - tie).argmax(axis=0).astype(np.int8)


def policy_law(
    game: Game, law: Float64Array, action: NDArray[np.int8], sweeps: int = 10_000, tolerance: float = 1e-13
) -> Float64Array:
    """Steady-state distribution (C, M) of what the UE sees under a policy, the "related steady-state distribution".

    law (M, M): that of the loads. action (C, M): the policy.
    Raises ArithmeticError where it does not settle: the chain is periodic or has several ends.
    """
    weight = np.outer(game.links_law, np.full(len(game.loads), 1.0 / len(game.loads)))
    for _ in range(sweeps):
        new = _push(game, law, action, weight)
        if float(np.abs(new - weight).sum()) < tolerance:
            return new
        weight = new
    raise ArithmeticError(f"the state's distribution has not settled after {sweeps} slots.")


def _push(game: Game, law: Float64Array, action: NDArray[np.int8], weight: Float64Array) -> Float64Array:
    new = np.zeros_like(weight)
    for a in range(game.num_cells):
        moved = np.where(action == a, weight, 0.0) @ law
        new[game.swapped_links[a][:, None], game.swapped_loads[a]] += game.mix(moved, game.matrix.T)
    return new
