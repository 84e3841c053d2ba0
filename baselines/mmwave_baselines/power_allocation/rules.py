"""Powers that need no thought: the greatest, the least, and one at random."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation.acting import actions
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import db_to_linear


class Fixed(Rule):
    """The same share of the range in every slot, in dB: 0 is the least power, 1 the greatest."""

    share: ClassVar[float]

    def act(self, seen: Seen, rng: RowRng) -> NDArray[Any]:
        low_dbm, high_dbm = seen.constants["power_dbm"]
        share = self.shares(len(seen), rng).reshape(-1, seen.view.num_agents)
        return actions(seen.view, db_to_linear(low_dbm + share * (high_dbm - low_dbm)))

    def shares(self, rows: int, rng: RowRng) -> FloatArray:
        """(rows,)"""
        return np.full(rows, self.share)


class FullPower(Fixed):
    """Everybody shouts: in the paper's world within 3 % of the optimum."""

    label = "full power"
    share = 1.0


class MinimumPower(Fixed):
    """Everybody whispers."""

    label = "minimum power"
    share = 0.0


class RandomPower(Fixed):
    """A power at random in every slot, uniform in dBm: the floor."""

    label = "random power"
    kind = "floor"

    def shares(self, rows: int, rng: RowRng) -> FloatArray:
        return rng.random()
