"""What base stations see: the ring round their cluster's head alone, as in the paper, or all that is known locally."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import ObservationField, ObservationFields
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio import interference
from mmwave_gym.radio.units import linear_to_db
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig

RINGS = 4  # authors' code
NEIGHBOURS = 4
"""Strongest interferers that a base station sees."""
MOST_PRESSURE = 5.0
NO_GAIN = 1e-20  # stands for none where a logarithm is taken
_RING = np.eye(RINGS + 1, RINGS, dtype=np.float32)  # zeros for who is not there
_IN_DB = "power_dbm", "interference_dbm", "margin_db", "balance_db"
_IN_A_SLOT = (*_IN_DB, "capacity_bps_hz", "pressure")


class Observation:
    """The fields of an observation; what does not change within a phase, and what changes in every slot."""

    def __init__(self, config: PowerAllocationConfig, num_agents: int, least_mw: float):
        self._config, self._least_mw = config, least_mw
        self.fields = fields_of(config, num_agents)
        self.absent = self.fields.absent
        """(features,): what stands for nobody's observation, each field in its unit."""
        self._of: Mapping[str, ObservationField] = {f.name: f for f in self.fields}
        first = np.cumsum([0, *(f.size for f in self.fields)]).tolist()
        self._at = {f.name: slice(begin, begin + f.size) for f, begin in zip(self.fields, first, strict=False)}
        if config.observation == "local":
            low, high = ([getattr(self._of[name], end) for name in _IN_A_SLOT] for end in ("low", "high"))
            self._low, self._high = np.array(low)[:, None, None], np.array(high)[:, None, None]

    def lasting(
        self, ring: NDArray[np.int64], members: NDArray[np.int64], own_gain: FloatArray, gain: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """What the agents see for a whole phase, (A, features), each field in its unit; their strongest interferers.

        Those are (A, NEIGHBOURS), the number A where there are fewer. ring, members, linear own_gain: (A,); gain: that
        of those who interfere, linear, dense or sparse (A, A).
        """
        seen = np.zeros((len(ring), self.fields.size), np.float32)
        seen[:, self._at["ring"]] = _RING.take(ring, axis=0)
        if self._config.observation == "ring":
            return seen, np.zeros((len(ring), 0), np.int64)
        which, how = interference.strongest(gain, NEIGHBOURS)
        for name, value in (
            ("own_gain_db", linear_to_db(np.maximum(own_gain, NO_GAIN))[:, None]),
            ("members", members[:, None]),
            ("neighbour_gain_db", linear_to_db(np.maximum(how, NO_GAIN))),
        ):
            seen[:, self._at[name]] = np.clip(value, self._of[name].low, self._of[name].high)
        return seen, np.where(how > 0.0, which, len(ring))

    def now(self, state: Any, worth: FloatArray, price: FloatArray) -> NDArray[np.float32]:
        """(N, A, features), each field in its unit: `state.lasting` and what the slot has brought.

        worth, price (N, A): what an own dB brings, and what a mW costs the others, see `PowerAllocation.balance`.
        """
        seen: NDArray[np.float32] = state.lasting.copy()
        n, a = state.present.shape
        now = np.empty((len(_IN_A_SLOT), n, a))
        np.maximum(state.power_mw, self._least_mw, out=now[0])
        now[1] = state.interference_mw
        np.divide(np.maximum(state.sinr, NO_GAIN), self._config.qos_sinr, out=now[2])
        np.divide(np.maximum(worth, 1e-12), np.maximum(price * state.power_mw, 1e-12), out=now[3])
        levels = now[: len(_IN_DB)]
        np.log10(levels, out=levels)
        levels *= 10.0
        now[4], now[5] = state.capacity_bps_hz, state.pressure
        np.maximum(now, self._low, out=now)
        np.minimum(now, self._high, out=now)
        for name, value in zip(_IN_A_SLOT, now, strict=True):
            seen[..., self._at[name].start] = value
        # What neighbours have; nobody's is in a column of its own behind those of all agent slots.
        theirs = np.empty((2, n, a + 1), np.float32)
        theirs[0, :, :a], theirs[0, :, a] = now[0], self._config.power_dbm[0]
        theirs[1, :, :a], theirs[1, :, a] = now[4], 0.0
        neighbour = state.neighbour if n == 1 else state.neighbour + (np.arange(n) * (a + 1))[:, None, None]
        for name, value in zip(("neighbour_power_dbm", "neighbour_capacity_bps_hz"), theirs, strict=True):
            seen[..., self._at[name]] = value.take(neighbour)
        return seen


def fields_of(config: PowerAllocationConfig, num_agents: int) -> ObservationFields:
    """The fields that `observation` names."""
    ring = ObservationField("ring", RINGS, 0.0, 1.0, "1", "one-hot: distance from the cluster's head, in steps of 50 m")
    if config.observation == "ring":
        return ObservationFields((ring,))
    low, high = config.power_dbm
    quiet, loud = config.noise_dbm, 60.0
    balance = "power change at which the own marginal rate gain equals the others' marginal loss"
    short = "multiplier of the SINR constraint: grows while the SINR is below the required one"
    gains = "gains from the strongest interferers to the UE, strongest first; the least where there are fewer"
    n, most = NEIGHBOURS, float(num_agents)
    return ObservationFields(
        (
            ObservationField("power_dbm", 1, low, high, "dBm", "power of the last slot"),
            ObservationField("capacity_bps_hz", 1, 0.0, 60.0, "bit/s/Hz", "capacity of the last slot"),
            ObservationField("interference_dbm", 1, quiet, loud, "dBm", "interference and noise at the UE"),
            ObservationField("margin_db", 1, -60.0, 120.0, "dB", "SINR above the required one"),
            ObservationField("balance_db", 1, -90.0, 90.0, "dB", balance),
            ObservationField("pressure", 1, 0.0, MOST_PRESSURE, "1", short, logarithmic=True),
            ObservationField("own_gain_db", 1, -200.0, 0.0, "dB", "gain of the own link"),
            ObservationField("members", 1, 0.0, most, "1", "base stations in the cluster", logarithmic=True),
            ring,
            ObservationField("neighbour_gain_db", n, -200.0, 60.0, "dB", gains),
            ObservationField("neighbour_power_dbm", n, low, high, "dBm", "powers of these, or the least power"),
            ObservationField("neighbour_capacity_bps_hz", n, 0.0, 60.0, "bit/s/Hz", "their UEs' capacities, or 0"),
        )
    )
