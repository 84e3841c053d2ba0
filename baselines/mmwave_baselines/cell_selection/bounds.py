"""A proven bound on what any policy can earn in the joint game, for numbers of UEs whose optimum is out of reach.

Nobody's actions move the channels, so under every policy the channels K have their stationary law. Take any function w
of a UE's channels and its cell. In a long run its increments average to zero, so adding
sum_u w(K_u', b_u) - w(K_u, p_u), p the seating before and b after the decision, changes no policy's mean reward:

    J = E[ r(p, K, b) + sum_u ( (P w)(K_u, b_u) - w(K_u, p_u) ) ]
     <= E_K max_b max_p { ... } = E_K max_b sum_u phi(K_u, b_u, n_b),

since given b the best p is found UE by UE. This holds for every w: w = 0 is the optimum without handover cost, which
bounds every cost. A better w is found by subgradient descent, for the bound is convex in it; how it was found does
not matter to the proof. The expectation is a sum over all multisets of UE channels: exact up to rounding (float64).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np

from mmwave_baselines.cell_selection.joint_value import seatings_of
from mmwave_baselines.cell_selection.model import Game
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.core.types import Float64Array, Int64Array

MOST_MULTISETS = 5_000_000
_CHUNK = 20_000


@dataclass(frozen=True)
class Bound:
    """No policy earns more than `sum_rate_bps_hz` a slot; `potential` (C, L) is the w that proves it."""

    sum_rate_bps_hz: float
    potential: Float64Array


def potential_bound(game: Game, potential: Float64Array) -> float:
    """The bound of a potential w (C, L), bit/s/Hz. Raises NotApplicable where the sum is too long."""
    count = comb(len(game.links) + game.num_ues - 1, game.num_ues)
    if count > MOST_MULTISETS:
        raise NotApplicable(
            f"the bound is a sum over {count:.1e} multisets of channels, more than {MOST_MULTISETS:.0e}."
        )
    worth = _worth(game, potential)[0]
    total = 0.0
    for links, weight in _multisets(game):
        total += float(weight @ _seated(game, worth, links).max(axis=1))
    return total


def joint_bound(game: Game, steps: int = 150, samples: int = 600, seed: int = 0) -> Bound:
    """The bound with a potential found in `steps` of subgradient descent on `samples` sampled channels."""
    potential = np.zeros((len(game.links), game.num_cells))
    if game.handover_cost > 0.0:
        potential = _descend(game, steps, samples, np.random.default_rng(seed))
    return Bound(min(potential_bound(game, potential), _free(game)), potential)


@lru_cache(maxsize=32)
def _free(game: Game) -> float:
    return potential_bound(game, np.zeros((len(game.links), game.num_cells)))


def _worth(game: Game, potential: Float64Array) -> tuple[Float64Array, Int64Array]:
    """phi (C, L, N) for channels, cell and number of users - 1, and the p that attains it."""
    rate = game.expected_rate_bps_hz[game.links][:, :, None] / np.arange(1, game.num_ues + 1)
    moved = 1.0 - np.eye(game.num_cells)  # (cell after, cell before)
    before = -game.handover_cost * rate[:, :, :, None] * moved[:, None, :] - potential[:, None, None, :]
    worth = rate + game.mix(potential)[:, :, None] + before.max(axis=-1)
    return worth, before.argmax(axis=-1)


def _seated(game: Game, worth: Float64Array, links: Int64Array) -> Float64Array:
    """Worth (rows, L^N) of all seatings for UEs with channels `links` (rows, N)."""
    seatings = seatings_of(game.num_ues, game.num_cells)
    flat = worth.reshape(len(worth), -1)
    column = seatings.all * game.num_ues + seatings.users - 1
    total = np.zeros((len(links), len(column)))
    for ue in range(game.num_ues):
        total += flat[links[:, ue]][:, column[:, ue]]
    return total


def _multisets(game: Game) -> Iterator[tuple[Int64Array, Float64Array]]:
    """All multisets of N channel vectors with their probabilities, in chunks (rows, N), (rows,)."""
    log_law = np.log(np.maximum(game.links_law, 1e-300))
    factorial = np.cumsum(np.r_[0.0, np.log(np.arange(1, game.num_ues + 1))])
    made = itertools.combinations_with_replacement(range(len(game.links)), game.num_ues)
    while rows := list(itertools.islice(made, _CHUNK)):
        links = np.array(rows)
        run, log_repeats = np.ones(len(links), np.int64), np.zeros(len(links))
        for ue in range(1, game.num_ues):  # every k-th UE of a group divides the number of orders by k
            run = np.where(links[:, ue] == links[:, ue - 1], run + 1, 1)
            log_repeats += np.log(run)
        yield links, np.exp(log_law[links].sum(axis=1) + factorial[-1] - log_repeats)


def _names(game: Game) -> Int64Array:
    """(C, L): one number for channels and cell that differ only in the other cells' names; w is the same for them."""
    keys = [(row[cell], *sorted(np.delete(row, cell).tolist())) for row in game.links for cell in range(game.num_cells)]
    number = {key: i for i, key in enumerate(sorted(set(keys)))}
    return np.array([number[key] for key in keys]).reshape(len(game.links), game.num_cells)


def _descend(game: Game, steps: int, samples: int, rng: np.random.Generator) -> Float64Array:
    names = _names(game)
    seatings = seatings_of(game.num_ues, game.num_cells)
    step = game.mix(np.eye(len(game.links)))
    weights = np.zeros(names.max() + 1)
    mean, square, average = np.zeros_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    scale = 0.02 * float(np.max(game.rate_bps_hz))
    for t in range(1, steps + 1):  # Adam with a falling rate, and the average of the second half
        links = rng.choice(len(game.links), p=game.links_law, size=(samples, game.num_ues))
        worth, before = _worth(game, weights[names])
        best = _seated(game, worth, links).argmax(axis=1)
        cells, users = seatings.all[best], seatings.users[best]
        slope = np.zeros_like(weights)
        for ue in range(game.num_ues):
            held = before[links[:, ue], cells[:, ue], users[:, ue] - 1]
            slope -= np.bincount(names[links[:, ue], held], minlength=len(slope))
            after = np.zeros((game.num_cells, len(game.links)))
            np.add.at(after, cells[:, ue], step[links[:, ue]])
            for cell in range(game.num_cells):
                slope += np.bincount(names[:, cell], after[cell], minlength=len(slope))
        slope /= samples
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        move = mean / (1 - 0.9**t) / (np.sqrt(square / (1 - 0.99**t)) + 1e-9)
        weights = weights - scale * (1.0 - 0.9 * t / steps) * move
        average += weights * (2 * t > steps)
    return (average / (steps - steps // 2))[names]
