"""The best local policies of few UEs, exactly: the joint chain of seats and channels, its gradient, mirror descent.

The chain has L^N seats times C^N channels; N = 3 at L = 3 has 531,441 states and takes a second a sweep or less. What
`team_rollouts.py` estimates is computed here: the stationary law mu, the relative value after a slot, and for every UE
u, observation o and action a

    G_u[o, a] = sum over states s with o_u(s) = o of mu(s) E[team reward + value after | u takes a, others by policy],

which is the derivative of the mean team reward by the chance of a at o. Mirror descent adds eta (G / mu(o) - its mean)
to the log chances. It ends in a local optimum; from all starts tried these differ by less than 1e-3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmwave_baselines.cell_selection.joint_value import Seatings
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.team_rollouts import softmax
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.core.types import Float64Array, Int64Array

MOST_STATES = 1_000_000


@dataclass
class Evaluation:
    """Of a policy: mean sum rate a slot, stationary law (seats, C^N) and relative value after a slot, same shape."""

    sum_rate_bps_hz: float
    law: Float64Array
    after: Float64Array


class ExactTeam:
    """The joint chain; policies are chances (N, C, L, M, L), one a UE, or (1, …) for a shared one."""

    def __init__(self, game: Game):
        self.game = game
        self.seatings = Seatings(game.num_ues, game.num_cells)
        self.shape = (len(self.seatings.all), len(game.links) ** game.num_ues)
        if self.shape[0] * self.shape[1] > MOST_STATES:
            raise NotApplicable(f"the joint chain has {self.shape[0] * self.shape[1]} states, use team_rollouts.")
        self._step = game.mix(np.eye(len(game.links)))
        self._rate = game.expected_rate_bps_hz[game.links]
        seats = self.seatings.all
        one_hot = seats[..., None] == np.arange(game.num_cells)
        self._loads: Int64Array = game.index_of_loads(one_hot.sum(axis=1, keepdims=True) - one_hot)

    def evaluate(self, policy: Float64Array, tolerance: float = 1e-9, start: Evaluation | None = None) -> Evaluation:
        """Sum rate, stationary law and values of a policy (N or 1, C, L, M, L), up to `tolerance` times the best rate.

        start: the evaluation of a similar policy, to begin the iteration with.
        """
        scale = max(self.game.rate_bps_hz)
        channels = self._product([self.game.links_law] * self.game.num_ues)
        law = np.tile(channels / self.shape[0], (self.shape[0], 1)) if start is None else start.law
        after = np.zeros(self.shape) if start is None else start.after
        while True:
            new_law, value = self._push(policy, law), self._pull(policy, after)
            new_after = self._mixed(value, self._step)
            new_after -= new_after.flat[0]
            moved = float(np.abs(new_law - law).sum()) + float(np.ptp(new_after - after)) / scale
            law, after = new_law, new_after
            if moved < tolerance:
                break
        reward = self._pull(policy, np.zeros(self.shape))
        return Evaluation(float((law * reward).sum()), law, after)

    def gradient(self, policy: Float64Array, found: Evaluation) -> tuple[Float64Array, Float64Array]:
        """G (N, C, L, M, L) of the module's text, and mu(o) (N, C, L, M)."""
        game, n, c = self.game, self.game.num_ues, len(self.game.links)
        slope = np.zeros((n, c, game.num_cells, len(game.loads), game.num_cells))
        weight = np.zeros(slope.shape[:-1])
        for i, before in enumerate(self.seatings.all):
            law = found.law[i]
            for u in range(n):
                own = np.moveaxis(law.reshape((c,) * n), u, 0).reshape(c, -1).sum(axis=1)
                weight[u, :, before[u], self._loads[i, u]] += own
            chances = self._chances(policy, i)
            for j, seats in enumerate(self.seatings.all):
                worth = (law * (self._reward(i, j) + found.after[j])).reshape((c,) * n)
                for u in range(n):
                    value = worth
                    for v in range(n - 1, -1, -1):  # sum out the other UEs, from the last axis
                        if v != u:
                            value = np.moveaxis(value, v, -1) @ chances[v][:, seats[v]]
                    slope[u, :, before[u], self._loads[i, u], seats[u]] += value
        return slope, weight

    def _chances(self, policy: Float64Array, seating: int) -> list[Float64Array]:
        """What each UE does in a seating, N arrays (C, L)."""
        before = self.seatings.all[seating]
        return [policy[u % len(policy), :, before[u], self._loads[seating, u]] for u in range(self.game.num_ues)]

    def _reward(self, before: int, after: int) -> Float64Array:
        """Expected team reward by channels, (C^N,)."""
        total = np.zeros(1)
        for u, cell in enumerate(self.seatings.all[after]):
            kept = 1.0 - self.game.handover_cost * (cell != self.seatings.all[before, u])
            total = (total[:, None] + kept / self.seatings.users[after, u] * self._rate[:, cell]).ravel()
        return total

    @staticmethod
    def _product(factors: list[Float64Array]) -> Float64Array:
        total = np.ones(1)
        for factor in factors:
            total = (total[:, None] * factor).ravel()
        return total

    def _mixed(self, values: Float64Array, step: Float64Array) -> Float64Array:
        """Every UE's channels moved by `step` (C, C), rows by rows."""
        for _ in range(self.game.num_ues):
            mixed = step @ values.reshape(self.shape[0], len(step), -1)
            values = np.ascontiguousarray(mixed.swapaxes(1, 2)).reshape(self.shape)
        return values

    def _push(self, policy: Float64Array, law: Float64Array) -> Float64Array:
        moved = np.zeros(self.shape)
        for i in range(self.shape[0]):
            chances = self._chances(policy, i)
            for j, seats in enumerate(self.seatings.all):
                moved[j] += law[i] * self._product([q[:, cell] for q, cell in zip(chances, seats, strict=True)])
        return self._mixed(moved, self._step.T)

    def _pull(self, policy: Float64Array, after: Float64Array) -> Float64Array:
        """Expected reward and value after it, by seats and channels."""
        value = np.zeros(self.shape)
        for i in range(self.shape[0]):
            chances = self._chances(policy, i)
            for j, seats in enumerate(self.seatings.all):
                chance = self._product([q[:, cell] for q, cell in zip(chances, seats, strict=True)])
                value[i] += chance * (self._reward(i, j) + after[j])
        return value


def mirror_descent(
    game: Game,
    *,
    own: bool = False,
    iterations: int = 40,
    rate: float = 4.0,
    seed: int | None = None,
    tolerance: float = 1e-4,
    report: Callable[[int, float], None] | None = None,
) -> tuple[Float64Array, float]:
    """The best local policy found (1 or N, C, L, M, L) and what it earns, bit/s/Hz.

    own: a policy for each UE instead of a shared one. seed: of a random start, uniform chances without. The step
    grows by 15 % and is halved where the reward has fallen; then the better policy is kept.
    """
    team = ExactTeam(game)
    shape = (game.num_ues if own else 1, len(game.links), game.num_cells, len(game.loads), game.num_cells)
    log_chance = np.zeros(shape) if seed is None else np.random.default_rng(seed).normal(size=shape)
    best, best_value = log_chance, -np.inf
    found: Evaluation | None = None
    advantage = np.zeros(shape)
    scale = max(game.rate_bps_hz)
    for iteration in range(iterations):
        policy = _chances(log_chance)
        now = team.evaluate(policy, tolerance, found)
        if report:
            report(iteration, now.sum_rate_bps_hz)
        if now.sum_rate_bps_hz < best_value:
            rate /= 2.0
            log_chance = best + rate * advantage
            continue
        best, best_value, found = log_chance, now.sum_rate_bps_hz, now
        slope, weight = team.gradient(policy, now)
        if not own:
            slope, weight = slope.sum(axis=0, keepdims=True), weight.sum(axis=0, keepdims=True)
        advantage = slope / np.maximum(weight, 1e-300)[..., None] / scale
        advantage -= advantage.mean(axis=-1, keepdims=True)
        log_chance = np.maximum(np.log(_chances(best + rate * advantage)), -12.0)
        rate *= 1.15
    return _chances(best), best_value


def _chances(log_chance: Float64Array) -> Float64Array:
    return softmax(log_chance.reshape(-1, log_chance.shape[-1])).reshape(log_chance.shape)
