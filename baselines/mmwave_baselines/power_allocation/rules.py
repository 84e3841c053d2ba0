"""Powers that need no thought: the greatest, the least, and one at random."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation.acting import Memory, actions
from mmwave_gym.agents.protocol import RowRng, begun
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import db_to_linear


class Fixed:
    """The same share of the range in every slot, in dB: 0 is the least power, 1 the greatest."""

    access = "local"
    kind = "rule"
    share: ClassVar[float]
    config: ClassVar[dict[str, Any]] = {}

    def begin(self, view: View, rng: RowRng) -> Memory:
        return Memory(view, rng)

    def predict(
        self,
        observation: NDArray[Any],
        state: Memory | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Memory]:
        memory: Memory = begun(state, self)
        return actions(memory.view, self.power_mw(memory, len(observation))), memory

    def power_mw(self, memory: Memory, rows: int) -> FloatArray:
        low_dbm, high_dbm = memory.view.constants["power_dbm"]
        share = np.asarray(self.shares(memory, rows)).reshape(-1, memory.view.num_agents)
        return db_to_linear(low_dbm + share * (high_dbm - low_dbm))

    def shares(self, memory: Memory, rows: int) -> FloatArray:
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

    def shares(self, memory: Memory, rows: int) -> FloatArray:
        assert memory.rng is not None
        return memory.rng.random()
