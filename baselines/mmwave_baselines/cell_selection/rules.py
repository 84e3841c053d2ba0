"""The schemes that arXiv 1507.00387 compares with (section IV): Load, Rate and Channel, and a random cell as the floor.

The text says how Load breaks ties (at random) and leaves it open for the others, where it matters: a Channel that
stays on ties hands over half as often. So each rule comes with each way: "random", "stay" (with the serving cell if it
is among the best, else the lowest index) and "lowest".
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reading import Memory, Reading, read
from mmwave_gym.agents.protocol import RowRng, begun
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import one_of
from mmwave_gym.core.types import Float64Array, Int64Array

TIES = ("random", "stay", "lowest")
_EQUAL = 1e-9


class Rule:
    """The cell with the highest score in every slot."""

    access = "local"
    kind = "rule"
    name: ClassVar[str]
    tie: ClassVar[str] = "random"

    def __init__(self, tie: str | None = None) -> None:
        self.ties = self.tie if tie is None else tie
        one_of("tie", self.ties, TIES)
        self.label = f"{self.name} ({self.ties} ties)"
        self.config: dict[str, Any] = {"tie": self.ties}

    def begin(self, view: View, rng: RowRng) -> Memory:
        return Memory(view, rng, Game.of_constants(view.constants))

    def predict(
        self,
        observation: NDArray[Any],
        state: Memory | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[Int64Array, Memory]:
        memory: Memory = begun(state, self)
        seen = read(memory.view, observation)
        score = self.score(memory.game, seen)
        best = score >= score.max(axis=1, keepdims=True) - _EQUAL
        if self.ties == "random" and memory.rng is not None:
            return memory.rng.choice(best), memory
        cell = best.argmax(axis=1)
        if self.ties == "stay":
            cell = np.where(best[np.arange(len(best)), seen.serving], seen.serving, cell)
        return cell, memory

    def score(self, game: Game, seen: Reading) -> Float64Array:
        """What each row compares its cells by, (rows, cells)."""
        raise NotImplementedError


class RandomCell(Rule):
    """A cell at random in every slot: the floor."""

    kind = "floor"
    name = "random cell"

    def __init__(self) -> None:
        super().__init__()
        self.label, self.config = self.name, {}

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return np.zeros(seen.others.shape)


class Load(Rule):
    """The cell with the fewest UEs, oneself counted in one's own (eq. 4)."""

    name = "Load"

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return -seen.others - (seen.serving[:, None] == np.arange(game.num_cells)).astype(float)


class Rate(Rule):
    """The cell with the best rate of now, shared with the others that are there."""

    name = "Rate"

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return np.array(game.rate_bps_hz)[seen.channel] / (seen.others + 1.0)


class Channel(Rule):
    """The cell with the best channel."""

    name = "Channel"

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return np.array(game.rate_bps_hz)[seen.channel]


class LoadStay(Load):
    """Load, ties stay."""

    tie = "stay"


class RateStay(Rate):
    """Rate, ties stay."""

    tie = "stay"


class ChannelStay(Channel):
    """Channel, ties stay."""

    tie = "stay"


class LoadLowest(Load):
    """Load, ties to the lowest index."""

    tie = "lowest"


class RateLowest(Rate):
    """Rate, ties to the lowest index."""

    tie = "lowest"


class ChannelLowest(Channel):
    """Channel, ties to the lowest index."""

    tie = "lowest"


class NeverMove(Rule):
    """Stays where it is: what the channels give without any handover."""

    name = "stay"
    tie = "stay"

    def __init__(self) -> None:
        super().__init__()
        self.label, self.config = self.name, {}

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return (seen.serving[:, None] == np.arange(game.num_cells)).astype(float)
