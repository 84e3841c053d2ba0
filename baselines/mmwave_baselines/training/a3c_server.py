"""The parameter server of A3C as Wang et al. have it (arXiv 1801.02077): what it holds, and how it learns."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mmwave_baselines.training.lstm import Shape, initial_weights
from mmwave_gym.core.checks import one_of
from mmwave_gym.core.types import Float64Array

BLOCK = 20  # slots of a block, section V-A: "the length of the BPTT block is set as n = 20"
ENTROPY = 0.01  # section V-A, eta
DECAY = 0.99  # section V-A, alpha'


@dataclass(frozen=True, kw_only=True)
class Mode:
    """How the server learns."""

    name: str
    averaged: bool
    """One update a block with the mean of the UEs' gradients, instead of one push a UE."""
    warmup: int = 0
    """Blocks in which only the critic's head learns."""
    offset: float = 0.0
    """Taken off every reward, bit/s/Hz."""
    scale: float = 1.0
    """Multiplies what is left."""
    learning_rate: float = 0.01
    final_rate: float = 1.0
    """The rate falls linearly to this share of it."""
    gamma: float = 0.9
    entropy: float = ENTROPY
    stale: bool = True
    """All UEs fetch when a block begins; otherwise each fetches after the push before its own."""
    regret: bool = False
    """Learn from regrets in hindsight (`training.shaping`) instead of rewards. The policy sees none of it."""
    decay: float = DECAY
    epsilon: float = 1e-8


PAPER = Mode(name="paper", averaged=False)
STABLE = Mode(name="stable", averaged=True, warmup=5, offset=22.0, scale=0.1, learning_rate=1e-3)
MODES = {mode.name: mode for mode in (PAPER, STABLE)}


def mode_of(mode: str | Mode) -> Mode:
    """The mode of a name, "paper" or "stable"."""
    if isinstance(mode, Mode):
        return mode
    one_of("mode", mode, MODES)
    return MODES[mode]


def with_settings(mode: str | Mode, **settings: Any) -> Mode:
    """A mode with some settings changed."""
    return dataclasses.replace(mode_of(mode), **settings)


class Server(NamedTuple):
    """What a parameter server holds: the weights of a cluster, and RMSProp's mean squares, each (size,)."""

    shape: Shape
    weights: Float64Array
    mean_square: Float64Array

    @classmethod
    def fresh(cls, shape: Shape, seed: int) -> Server:
        """Random weights."""
        return cls(shape, initial_weights(shape, np.random.default_rng([seed, 711])), np.zeros(shape.size))

    def copy(self) -> Server:
        return Server(self.shape, self.weights.copy(), self.mean_square.copy())
