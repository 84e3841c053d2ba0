"""Episodes of UDN handover solved in hindsight, for rewards that are regrets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.handover.oracle import oracle_kernel
from mmwave_gym.api.sb3 import ScenarioVecEnv
from mmwave_gym.core import compiled

NEEDED_CONSTANTS = ("beta", "handover_energy_j", "interruption_s", "step_s")


def hindsight_values(
    efficiency_bps_hz: NDArray[Any], departure: NDArray[np.int64], price: float, kept: float
) -> NDArray[np.float64]:
    """Viterbi's values (episode, slot + 1, ue, cell): the best return from a slot on, by the cell that served before.

    The return is the sum of rewards, each in bit/s/Hz. efficiency_bps_hz (episode, slot, ue, cell): the rate of every
    choice. departure (episode, ue): the first slot without the UE. A handover costs `price` (bit/s/Hz) and leaves the
    share `kept` of its slot for data.
    """
    num_envs, slots, ues, cells = efficiency_bps_hz.shape
    values = np.zeros((num_envs, slots + 1, ues, cells))
    if compiled.wanted(()):
        kept = efficiency_bps_hz.dtype.type(kept)  # NumPy multiplies float32 in its own precision
        oracle_kernel().values(efficiency_bps_hz, departure, price, kept, values)
        return values
    for t in range(slots - 1, -1, -1):
        present = (t < departure)[..., None]
        rate = np.where(present, efficiency_bps_hz[:, t], 0.0)
        change = (values[:, t + 1] + kept * rate - price * present).max(axis=-1, keepdims=True)
        values[:, t] = np.maximum(values[:, t + 1] + rate, change)
    return values


class HandoverPotential:
    """Viterbi's values along the slots of UDN handover."""

    def __init__(self, base: ScenarioVecEnv):
        constants = base.scenario.constants()
        self._base = base
        self._price = constants["beta"] * constants["handover_energy_j"]
        self._kept = 1.0 - constants["interruption_s"] / constants["step_s"]
        num_envs, ues = base.batch.num_envs, base.scenario.num_agents
        cells = int(base.action_space.n)  # type: ignore[attr-defined]
        self._values = np.zeros((num_envs, base.scenario.horizon + 1, ues, cells))
        self._at = (np.arange(num_envs)[:, None], np.arange(ues))
        self._slot = np.zeros((num_envs, 1), np.int64)

    def solve(self, begun: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V of all present states, (num_envs, ues), in the unit of a sum of rewards.

        The environments that `begun` (num_envs,) marks are solved first.
        """
        batch = self._base.batch
        shown = batch.scenario.reveal(batch.episodes.of(np.flatnonzero(begun)), batch.state, "hindsight")
        slots = self._values.shape[1] - 1
        solved = hindsight_values(shown["efficiency_bps_hz"][:, :slots], shown["departure"], self._price, self._kept)
        self._values[begun] = solved
        self._slot[begun] = 0
        cells = solved.shape[-1]
        serving = batch.scenario.fields.split(batch.observe())["serving"].argmax(axis=-1) % cells
        env, ue = self._at
        return self._values[env, self._slot, ue, serving]

    def after(self, action: NDArray[np.int64], done: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V (num_envs, ues) of the states that the actions (num_envs, ues) have led to.

        `done` (num_envs, ues) is not used.
        """
        self._slot += 1
        env, ue = self._at
        return self._values[env, self._slot, ue, action]


def potential(base: ScenarioVecEnv) -> HandoverPotential | None:
    """The values of a scenario whose handovers are priced as this one's, else None."""
    constants = base.scenario.constants()
    return HandoverPotential(base) if all(c in constants for c in NEEDED_CONSTANTS) else None
