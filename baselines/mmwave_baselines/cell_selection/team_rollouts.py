"""The best policy that UEs can share when each sees only its own links, by simulation: for any number of UEs.

Nothing of this is in the paper (arXiv 1507.00387): its bound knows all channels, which no UE does. The team reward is
the sum over UEs. A long chain of the game runs; now and then one UE is picked, and each of its actions is tried for a
few slots with the same channels and the same chance in everybody's later choices (*counterfactual rollouts*). The mean
team reward by observation and action, Q[o, a], is the team's policy gradient of a shared policy up to the weight of
observations, and the policy follows it by mirror descent: log pi += eta (Q - mean over actions).

BSs have the same statistics, so Q is averaged over their permutations. With `memory`, an observation also holds the
UE's own cell and the others' loads of one slot before, from which it learns how the others reacted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmwave_baselines.cell_selection.joint import Chains
from mmwave_baselines.cell_selection.model import Game
from mmwave_gym.core.types import Float64Array, Int64Array

LOG_FLOOR = -12.0  # of a probability: what is given up can come back


@dataclass(frozen=True)
class Observations:
    """The observations of a local policy, numbered: (channels, serving cell, others' loads[, both of before])."""

    game: Game
    memory: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        now = (len(self.game.links), self.game.num_cells, len(self.game.loads))
        return (*now, self.game.num_cells, len(self.game.loads)) if self.memory else now

    @property
    def count(self) -> int:
        return int(np.prod(self.shape))

    def index(
        self,
        links: Int64Array,
        serving: Int64Array,
        loads: Int64Array,
        cell_before: Int64Array,
        loads_before: Int64Array,
    ) -> Int64Array:
        """Numbers of observations (…) from their parts, element-wise: indices of links, serving cells and loads.

        cell_before and loads_before count only with memory.
        """
        _, cells, m = self.shape[:3]
        number = (links * cells + serving) * m + loads
        return (number * cells + cell_before) * m + loads_before if self.memory else number

    @cached_property
    def permuted(self) -> list[tuple[Int64Array, Int64Array]]:
        """For each permutation of the cells: where every observation goes (count,), and every action (L,)."""
        game = self.game
        parts = np.unravel_index(np.arange(self.count), self.shape)
        made = []
        for order in itertools.permutations(range(game.num_cells)):
            new_name = np.argsort(order)  # cell order[j] is called j
            links = game.index_of_links(game.links[:, order])
            loads = game.index_of_loads(game.loads[:, order])
            moved = [links[parts[0]], new_name[parts[1]], loads[parts[2]]]
            moved += [new_name[parts[3]], loads[parts[4]]] if self.memory else []
            made.append((np.ravel_multi_index(moved, self.shape), new_name))
        return made

    def pooled(self, table: Float64Array) -> Float64Array:
        """Sums (count, L) of a table (count, L) over all permutations of the cells, in its unit."""
        return sum(table[where][:, name] for where, name in self.permuted)  # type: ignore[return-value]


class TeamChains(Chains):
    """Chains whose UEs share one policy, given as cumulated chances (count, L - 1), and may remember a slot."""

    def __init__(self, observations: Observations, num_chains: int, rng: np.random.Generator):
        super().__init__(observations.game, num_chains, rng)
        self.observations = observations
        self.cell_before = self.serving.copy()
        self.loads_before = self.loads(self.serving)

    def observe(self) -> Int64Array:
        """Numbers of the UEs' observations, (num_chains, N)."""
        links = self.game.index_of_links(self.channel)
        return self.observations.index(
            links, self.serving, self.loads(self.serving), self.cell_before, self.loads_before
        )

    def play(self, chosen: Int64Array, uniform: Float64Array) -> Float64Array:
        """Move to the cells chosen (num_chains, N), the channels by uniform numbers (num_chains, N, L).

        Returns the team's expected rate (num_chains,) in bit/s/Hz.
        """
        earned = self.reward(self.channel, self.serving, chosen).sum(axis=1)
        if self.observations.memory:
            self.cell_before, self.loads_before = self.serving, self.loads(self.serving)
        self.serving = chosen
        self.channel = self.next_channel(self.channel, uniform)
        return earned

    def repeated(self, times: int) -> TeamChains:
        """These chains repeated `times`, so that actions can be tried without moving the originals."""
        repeated = object.__new__(TeamChains)
        repeated.__dict__.update(self.__dict__)
        for name in ("channel", "serving", "cell_before", "loads_before"):
            value = getattr(self, name)
            setattr(repeated, name, np.broadcast_to(value, (times, *value.shape)).reshape(-1, *value.shape[1:]))
        return repeated


def chosen_by(cumulated: Float64Array, observed: Int64Array, uniform: Float64Array) -> Int64Array:
    """Actions of what was observed (…) for uniform numbers (…); cumulated chances (count, L - 1)."""
    action = np.zeros(observed.shape, np.int64)
    for bound in cumulated.T:
        action += uniform >= bound[observed]
    return action


def cumulated_chances(chances: Float64Array) -> Float64Array:
    """Cumulated chances (count, L - 1) of chances (count, L); a certain action stays certain whatever the rounding."""
    bounds = chances.cumsum(axis=1)[:, :-1]
    return np.where(chances[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:] <= 0.0, 2.0, bounds)


@dataclass
class Estimate:
    """Sums of rollouts: team reward by observation and action (count, L), how often (count,), reward of the chain."""

    reward: Float64Array
    visits: Float64Array
    mean_bps_hz: float


def estimate(
    observations: Observations,
    chances: Float64Array,
    slots: int,
    rng: np.random.Generator,
    *,
    num_chains: int = 4096,
    depth: int = 4,
    every: int = 4,
) -> Estimate:
    """Counterfactual rollouts of a shared policy, chances (count, L), `depth` slots long, one every `every` slots."""
    game = observations.game
    cells = game.num_cells
    chains = TeamChains(observations, num_chains, rng)
    bounds = cumulated_chances(chances)
    reward, visits = np.zeros((observations.count, cells)), np.zeros(observations.count)
    total, row, warmup = 0.0, np.arange(num_chains), 12
    for slot in range(warmup + slots):
        observed = chains.observe()
        chosen = chosen_by(bounds, observed, rng.random(observed.shape))
        if slot >= warmup and slot % every == 0:
            ue = rng.integers(game.num_ues, size=num_chains)
            worth = _tried(chains, bounds, chosen, ue, depth, rng)
            seen = observed[row, ue]
            visits += np.bincount(seen, minlength=len(visits))
            for a in range(cells):
                reward[:, a] += np.bincount(seen, worth[a], minlength=len(visits))
        earned = chains.play(chosen, rng.random(chains.channel.shape))
        total += float(earned.sum()) if slot >= warmup else 0.0
    return Estimate(reward, visits, total / (slots * num_chains))


def _tried(
    chains: TeamChains, bounds: Float64Array, chosen: Int64Array, ue: Int64Array, depth: int, rng: np.random.Generator
) -> Float64Array:
    """Team reward (L, num_chains) over `depth` slots if UE `ue` of each chain now takes each of its actions."""
    cells = chains.game.num_cells
    trial = chains.repeated(cells)
    joint = np.tile(chosen, (cells, 1))
    joint[np.arange(len(joint)), np.tile(ue, cells)] = np.repeat(np.arange(cells), len(chosen))
    worth = np.zeros(len(joint))
    for ahead in range(depth):
        if ahead:
            uniform = np.tile(rng.random(chosen.shape), (cells, 1))  # the same chance under every action
            joint = chosen_by(bounds, trial.observe(), uniform)
        moves = np.tile(rng.random(chains.channel.shape), (cells, 1, 1))
        worth += trial.play(joint, moves)
    return worth.reshape(cells, -1)


def improve(
    observations: Observations,
    *,
    iterations: int = 10,
    slots: int = 1_500_000,
    seed: int = 0,
    start: Float64Array | None = None,
    rate: float = 20.0,
    growth: float = 1.2,
    largest_rate: float = 300.0,
    num_chains: int = 4096,
    depth: int = 4,
    report: Callable[[int, Estimate], None] | None = None,
) -> Float64Array:
    """Mirror descent by rollouts; the shared policy's chances (count, L), from those of `start` (count, L).

    `slots` counts chains times their length.
    """
    rng = np.random.default_rng(seed)
    scale = float(np.max(observations.game.rate_bps_hz))
    log_chance = np.zeros((observations.count, observations.game.num_cells)) if start is None else np.log(start + 1e-6)
    for iteration in range(iterations):
        each = max(1, slots // num_chains)
        found = estimate(observations, softmax(log_chance), each, rng, num_chains=num_chains, depth=depth)
        if report:
            report(iteration, found)
        visits = observations.pooled(np.repeat(found.visits[:, None], observations.game.num_cells, axis=1))
        worth = observations.pooled(found.reward) / np.maximum(visits, 1.0) / scale
        log_chance += rate * (worth - worth.mean(axis=1, keepdims=True))
        log_chance = np.maximum(np.log(softmax(log_chance)), LOG_FLOOR)
        rate = min(rate * growth, largest_rate)
    return softmax(log_chance)


def softmax(log_chance: Float64Array) -> Float64Array:
    """Probabilities (observations, actions) from their logarithms up to a constant, (observations, actions)."""
    weight = np.exp(log_chance - log_chance.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def greedy_chances(chances: Float64Array, tie: float = 1e-3) -> Float64Array:
    """The policy (count, L) that takes the most likely action of `chances` (count, L).

    Actions within `tie` of the best share the chance, as cells in the same state must.
    """
    best = chances >= chances.max(axis=1, keepdims=True) - tie
    return best / best.sum(axis=1, keepdims=True)


def measure_shared(
    observations: Observations, chances: Float64Array, slots: int = 400, num_chains: int = 4096, seed: int = 1
) -> tuple[float, float, float]:
    """Sum rate a slot of a shared policy and its standard error, both in bit/s/Hz, and handovers a slot.

    chances (count, L): the probability of each cell by observation. The error is over `num_chains` chains.
    """
    rng = np.random.default_rng(seed)
    chains = TeamChains(observations, num_chains, rng)
    bounds = cumulated_chances(chances)
    earned, handovers, warmup = np.zeros(num_chains), 0, 30
    for slot in range(warmup + slots):
        observed = chains.observe()
        chosen = chosen_by(bounds, observed, rng.random(observed.shape))
        if slot >= warmup:
            handovers += int((chosen != chains.serving).sum())
        reward = chains.play(chosen, rng.random(chains.channel.shape))
        earned += reward if slot >= warmup else 0.0
    mean = earned / slots
    return float(mean.mean()), float(mean.std() / np.sqrt(num_chains)), handovers / (slots * num_chains)
