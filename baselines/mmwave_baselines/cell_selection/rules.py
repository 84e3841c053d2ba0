"""The schemes that arXiv 1507.00387 compares with (section IV): Load, Rate and Channel, and a random cell as the floor.

The text says how Load breaks ties (at random) and leaves it open for the others, where it matters: a Channel that
stays on ties hands over half as often. So each rule comes with each way: "random", "stay" (with the serving cell if it
is among the best, else the lowest index) and "lowest".
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reading import Reading, read
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import one_of
from mmwave_gym.core.types import Float64Array, Int64Array

TIES = ("random", "stay", "lowest")
_EQUAL = 1e-9


class ByScore(Rule):
    """The cell with the highest score in every slot."""

    name: ClassVar[str]
    tie: ClassVar[str] = "random"

    def __init__(self, tie: str | None = None) -> None:
        self.ties = self.tie if tie is None else tie
        one_of("tie", self.ties, TIES)
        self.label = f"{self.name} ({self.ties} ties)"
        self.config: dict[str, Any] = {"tie": self.ties}

    def remember(self, view: View) -> Game:
        return Game.of_constants(view.constants)

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now = read(seen.parts)
        best = seen.best(self.score(seen.memory, now), _EQUAL)
        if self.ties == "random":
            return rng.choice(best)
        cell = best.argmax(axis=1)
        if self.ties == "stay":
            cell = np.where(best[np.arange(len(best)), now.serving], now.serving, cell)
        return cell

    def score(self, game: Game, seen: Reading) -> Float64Array:
        """Scores by which each row compares its cells, (rows, cells)."""
        raise NotImplementedError


class RandomCell(ByScore):
    """A cell at random in every slot: the floor."""

    kind = "floor"
    name = "random cell"

    def __init__(self) -> None:
        super().__init__()
        self.label, self.config = self.name, {}

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return np.zeros(seen.others.shape)


class Load(ByScore):
    """The cell with the fewest UEs, oneself counted in one's own (eq. 4)."""

    name = "Load"

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return -seen.others - (seen.serving[:, None] == np.arange(game.num_cells)).astype(float)


class Rate(ByScore):
    """The cell with the best rate of now, shared with the others that are there."""

    name = "Rate"

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return np.array(game.rate_bps_hz)[seen.channel] / (seen.others + 1.0)


class Channel(ByScore):
    """The cell with the best channel."""

    name = "Channel"

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return np.array(game.rate_bps_hz)[seen.channel]


class RateStay(Rate):
    """Rate, ties stay."""

    tie = "stay"


class ChannelStay(Channel):
    """Channel, ties stay."""

    tie = "stay"


class RateLowest(Rate):
    """Rate, ties to the lowest index."""

    tie = "lowest"


class ChannelLowest(Channel):
    """Channel, ties to the lowest index."""

    tie = "lowest"


class NeverMove(ByScore):
    """Stays where it is: what the channels give without any handover."""

    name = "stay"
    tie = "stay"

    def __init__(self) -> None:
        super().__init__()
        self.label, self.config = self.name, {}

    def score(self, game: Game, seen: Reading) -> Float64Array:
        return (seen.serving[:, None] == np.arange(game.num_cells)).astype(float)
