"""What an action of power allocation says: a level, a power, or a change of power."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import db_to_linear
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig


class Actions(Protocol):
    """How actions become powers."""

    space: spaces.Space[Any]
    meaning: str
    levels_mw: FloatArray | None
    """(levels,): the only powers that there are; None: any."""

    def power_mw(self, action: NDArray[Any], before_mw: FloatArray) -> FloatArray:
        """Powers of the coming slot in mW from actions and the powers before it, all (N, A)."""
        ...

    def random_mw(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Powers at random in mW, (count,)."""
        ...


def actions_of(config: PowerAllocationConfig) -> Actions:
    """The actions that a configuration asks for."""
    if config.levels is not None:
        return Levels(*config.power_dbm, config.levels)
    return Powers(*config.power_dbm) if config.action == "power" else Changes(*config.power_dbm, config.change_db)


class Levels(Actions):
    """One of equally spaced powers in dBm."""

    def __init__(self, low_dbm: float, high_dbm: float, count: int):
        self.space: spaces.Space[Any] = spaces.Discrete(count)
        step_db = (high_dbm - low_dbm) / (count - 1)
        self.meaning = f"the power of the slot: level k is {low_dbm:g} + {step_db:.4g} k dBm"
        self.levels_mw: FloatArray | None = db_to_linear(np.linspace(low_dbm, high_dbm, count))

    def power_mw(self, action: NDArray[Any], before_mw: FloatArray) -> FloatArray:
        assert self.levels_mw is not None
        return np.asarray(self.levels_mw.take(action), np.float64)

    def random_mw(self, rng: np.random.Generator, count: int) -> FloatArray:
        assert self.levels_mw is not None
        return self.levels_mw[rng.integers(0, len(self.levels_mw), count)]


class Powers(Actions):
    """Any power in dBm."""

    levels_mw: FloatArray | None = None

    def __init__(self, low_dbm: float, high_dbm: float):
        self._dbm = (low_dbm, high_dbm)
        self.space: spaces.Space[Any] = spaces.Box(low_dbm, high_dbm, (), np.float32)
        self.meaning = "the power of the slot in dBm"

    def power_mw(self, action: NDArray[Any], before_mw: FloatArray) -> FloatArray:
        return np.asarray(db_to_linear(action), np.float64)

    def random_mw(self, rng: np.random.Generator, count: int) -> FloatArray:
        return db_to_linear(rng.uniform(*self._dbm, count))


class Changes(Powers):
    """A change of the last power in dB."""

    def __init__(self, low_dbm: float, high_dbm: float, most_db: float):
        super().__init__(low_dbm, high_dbm)
        self.space = spaces.Box(-most_db, most_db, (), np.float32)
        self.meaning = "change of the power in dB, from the last slot to this one"

    def power_mw(self, action: NDArray[Any], before_mw: FloatArray) -> FloatArray:
        low, high = (float(db_to_linear(dbm)) for dbm in self._dbm)
        return np.clip(before_mw * db_to_linear(action), low, high)
