"""The paper's agents (arXiv 1507.00387): UEs with the policies that Algorithm 1 ends with, each its own.

As the paper proposes for UEs that come and go (section V), there are policies for every number of UEs present: each row
uses those of the number that it sees. They are solved when first needed and kept for the process.

`mdp` is the paper's: the load of the slot before stands for the load to come. `mdp-next` expects the load after the
others' moves, which is what a slot really pays. The training seeds are Algorithm 1's random starts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.best_response import Solution, solved
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reading import game_of_task, read
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Int64Array


@lru_cache(maxsize=64)
def network_tables(game: Game, frame: str, reward: str, discount: float, seed: int) -> NDArray[np.int8]:
    """Actions (N, C, L, M) of Algorithm 1's policies: UE, own channels, serving cell, others' loads."""
    found = solved(game, frame, reward, discount, seed)
    return np.stack([game.to_network(policy) for policy in found.policies])


class Mdp(Rule):
    """Algorithm 1 with the paper's reward.

    frame: the others' frame, see `loads.FRAMES`. discount: omega. seed: of the random initial policies.
    """

    kind = "paper"
    training_seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    reward: ClassVar[str] = "prev"
    frame: ClassVar[str] = "same"
    name: ClassVar[str] = "MDP"

    def __init__(self, frame: str | None = None, discount: float = 0.9, seed: int = 0, game: Game | None = None):
        self._frame = self.frame if frame is None else frame
        self._discount, self._seed = discount, seed
        self.label = self.name
        self.config: dict[str, Any] = {
            "reward": self.reward,
            "frame": self._frame,
            "discount": discount,
            "start": seed,
            **({} if game is None else self.report(game)),
        }

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Mdp:
        """The agent of a task, solved; `training_seed` is the random start."""
        return cls(seed=training_seed or 0, game=game_of_task(task))

    def solution(self, game: Game) -> Solution:
        """What Algorithm 1 found for a game."""
        return solved(game, self._frame, self.reward, self._discount, self._seed)

    def report(self, game: Game) -> dict[str, Any]:
        """How Algorithm 1 ended, as JSON values."""
        found = self.solution(game)
        return {"updates": found.updates, "converged": found.converged, "cycle_rounds": found.cycle}

    def remember(self, view: View) -> Game:
        return Game.of_constants(view.constants)

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now, everybody = read(seen.parts), seen.memory
        present = now.others.sum(axis=1) + 1
        links = everybody.index_of_links(now.channel)
        action = np.empty(len(seen), np.int64)
        for count in np.unique(present).tolist():
            rows = np.flatnonzero(present == count)
            game = everybody.with_ues(count)
            table = network_tables(game, self._frame, self.reward, self._discount, self._seed)
            loads = game.index_of_loads(now.others[rows])
            action[rows] = table[seen.slot[rows] % count, links[rows], now.serving[rows], loads]
        return action


class MdpOwnFrame(Mdp):
    """The other reading of eq. 12: every other UE decides in its own frame."""

    frame = "own-mean"
    name = "MDP, others in their own frame"


class MdpNext(Mdp):
    """Algorithm 1 with the expected next load: a repair, not the paper's."""

    reward = "next"
    frame = "own-mean"
    name = "MDP, expected next load"
    kind = "planner"
