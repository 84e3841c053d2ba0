"""The game as all UEs play it, in tables: what local policies earn, by long simulated chains.

A local policy is a table of chances (C, L, M, L): own channels, serving BS and others' loads in the network's names,
then the BS chosen. All UEs share one table, or each has its own. In a slot all decide on the channels and loads of
now; what counts is the rate of the next slot's channels (the paper's eqs. 8-9 say so of one UE), here in its
expectation given the channels of now, which has the same mean and less noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.model import Game
from mmwave_gym.core.types import Float64Array, Int64Array


class Measured(NamedTuple):
    """Means a slot over all UEs, with the standard error of the first over the chains."""

    sum_rate_bps_hz: float
    handovers: float
    error_bps_hz: float


def table_of(game: Game, actions: NDArray[np.int8]) -> Float64Array:
    """Chances (…, L) of a deterministic table of actions (…)."""
    return (actions[..., None] == np.arange(game.num_cells)).astype(float)


class Chains:
    """Many independent chains of the game side by side, started from uniform seats and stationary channels."""

    def __init__(self, game: Game, num_chains: int, rng: np.random.Generator):
        self.game, self.rng = game, rng
        self._after = game.matrix.cumsum(axis=1)[:, :-1]
        shape = (num_chains, game.num_ues, game.num_cells)
        start = game.stationary.cumsum()[:-1]
        self.channel = (rng.random(shape)[..., None] > start).sum(axis=-1)
        self.serving = rng.integers(game.num_cells, size=shape[:2])

    def loads(self, serving: Int64Array) -> Int64Array:
        """Indices (num_chains, N) of the others' loads that each UE sees; serving (num_chains, N): cells."""
        one_hot = serving[..., None] == np.arange(self.game.num_cells)
        return self.game.index_of_loads(one_hot.sum(axis=1, keepdims=True) - one_hot)

    def reward(self, channel: Int64Array, serving: Int64Array, chosen: Int64Array) -> Float64Array:
        """Expected next rate of each UE, (num_chains, N), bit/s/Hz.

        channel (num_chains, N, L): states of links. serving, chosen (num_chains, N): the cell before, and after.
        """
        users = (chosen[..., None] == np.arange(self.game.num_cells)).sum(axis=1)
        alone = self.game.expected_rate_bps_hz[np.take_along_axis(channel, chosen[..., None], axis=-1)[..., 0]]
        kept = 1.0 - self.game.handover_cost * (chosen != serving)
        return kept * alone / np.take_along_axis(users, chosen, axis=1)

    def next_channel(self, channel: Int64Array, uniform: Float64Array) -> Int64Array:
        """Channels one slot later, for uniform numbers and channels of the same shape."""
        after = channel * 0
        for bound in self._after.T:
            after += uniform >= bound[channel]
        return after

    def choose(self, tables: Float64Array, uniform: Float64Array) -> Int64Array:
        """What all UEs choose; tables (1 or N, C, L, M, L), uniform (num_chains, N)."""
        ue = np.arange(self.game.num_ues) % len(tables)
        chance = tables[ue, self.game.index_of_links(self.channel), self.serving, self.loads(self.serving)]
        return (uniform[..., None] >= chance.cumsum(axis=-1)[..., :-1]).sum(axis=-1)

    def move(self, chosen: Int64Array) -> Float64Array:
        """Move all UEs to the cells chosen (num_chains, N), then the channels; the rewards (num_chains, N)."""
        earned = self.reward(self.channel, self.serving, chosen)
        self.serving = chosen
        self.channel = self.next_channel(self.channel, self.rng.random(self.channel.shape))
        return earned


def measure(
    game: Game, tables: Float64Array, slots: int = 400, num_chains: int = 1000, seed: int = 0, warmup: int = 30
) -> Measured:
    """Sum rate and handovers a slot of local policies; tables (C, L, M, L), or (N, C, L, M, L), of chances."""
    tables = tables if tables.ndim == 5 else tables[None]
    chains = Chains(game, num_chains, np.random.default_rng(seed))
    earned, handovers = np.zeros(num_chains), 0.0
    for slot in range(warmup + slots):
        chosen = chains.choose(tables, chains.rng.random((num_chains, game.num_ues)))
        moved = (chosen != chains.serving).sum()
        reward = chains.move(chosen).sum(axis=1)
        if slot >= warmup:
            earned += reward
            handovers += moved
    mean = earned / slots
    return Measured(float(mean.mean()), handovers / (slots * num_chains), float(mean.std() / np.sqrt(num_chains)))
