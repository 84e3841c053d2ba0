"""Algorithm 1 of arXiv 1507.00387: UEs answer one another in turn, each by value iteration, until nobody changes.

What differs from the text:

1. "mod(N, n) + 1" is read as mod(n, N) + 1: each UE in turn.
2. The text says "until convergence" and proves none. It does not always converge: after each round the joint policy is
   compared with all before, and a repetition is a cycle, reported with its length. Then, and after `max_rounds`, the
   policies of that moment are returned.
3. Initial policies are random (as said) and each UE keeps its own; the fixed point depends on them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.loads import load_law
from mmwave_baselines.cell_selection.model import REWARDS, Game
from mmwave_baselines.cell_selection.value_iteration import value_iteration
from mmwave_gym.core.checks import one_of

MAX_ROUNDS = 12  # ours: what settles does so within 10 to 12 rounds

_EXACT_EPSILON = 1e-8  # so that a tie is a tie and not an unfinished iteration


@dataclass(frozen=True)
class Solution:
    """Policies (N, C, M) in each UE's frame, and how they were reached."""

    policies: NDArray[np.int8]
    updates: int
    converged: bool
    cycle: int  # length of the cycle in rounds, 0 if none was met
    changes: tuple[int, ...]  # entries that each update changed


def best_response(
    game: Game,
    *,
    frame: str = "same",
    reward: str = "prev",
    discount: float = 0.9,
    seed: int = 0,
    simultaneous: bool = False,
    max_rounds: int = MAX_ROUNDS,
) -> Solution:
    """Run Algorithm 1 from random policies drawn with `seed`.

    frame: see `loads.FRAMES`. reward: see `model.REWARDS`. simultaneous: all UEs answer the last round's policies at
    once, which the paper says oscillates. Raises ValueError.

    It has converged when every UE has been asked and has kept its policy.
    """
    one_of("reward", reward, REWARDS)
    shape = (game.num_ues, len(game.links), len(game.loads))
    policies = np.random.default_rng(seed).integers(game.num_cells, size=shape, dtype=np.int8)
    seen = {policies.tobytes(): 0}
    changes: list[int] = []
    quiet = 0
    for round_ in itertools.count(1):
        asked = policies.copy() if simultaneous else policies
        for ue in range(game.num_ues):
            others = [asked[x] for x in range(game.num_ues) if x != ue]
            answer = _answer(game, others, frame, reward, discount)
            changes.append(int((answer != policies[ue]).sum()))
            quiet = 0 if changes[-1] else quiet + 1
            policies[ue] = answer
            if quiet >= game.num_ues and (not simultaneous or ue == game.num_ues - 1):
                return Solution(policies, len(changes), True, 0, tuple(changes))
        before = seen.setdefault(policies.tobytes(), round_)
        if before != round_ or round_ >= max_rounds:
            cycle = round_ - before if any(changes[-game.num_ues :]) else 0
            return Solution(policies, len(changes), False, cycle, tuple(changes))
    raise AssertionError("unreachable")


def _answer(game: Game, others: list[NDArray[np.int8]], frame: str, reward: str, discount: float) -> NDArray[np.int8]:
    law = load_law(game, others, frame)
    worth = game.reward(law if reward == "next" else None)
    return value_iteration(game, law, worth, discount, _EXACT_EPSILON, "span").action


@lru_cache(maxsize=64)
def solved(game: Game, frame: str, reward: str, discount: float, seed: int) -> Solution:
    """`best_response`, remembered: agents of a process share their solutions."""
    return best_response(game, frame=frame, reward=reward, discount=discount, seed=seed)
