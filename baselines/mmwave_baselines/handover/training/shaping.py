"""Episodes of UDN handover solved in hindsight, for rewards that are regrets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.handover.oracle import oracle_kernel
from mmwave_gym.api.sb3 import ScenarioVecEnv
from mmwave_gym.core import compiled
from mmwave_gym.scenarios.handover.config import interruption

NEEDED_CONSTANTS = ("beta", "handover_energy_j", "interruption_s", "step_s")


def hindsight_values(
    efficiency_bps_hz: NDArray[Any], departure: NDArray[np.int64], price: float, kept: float, wait: int = 1
) -> NDArray[np.float64]:
    """Viterbi's values (episode, slot + 1, ue, cell): the best return from a slot on, by the cell that served before.

    The return is the sum of rewards, each in bit/s/Hz. efficiency_bps_hz (episode, slot, ue, cell): the rate of every
    choice. departure (episode, ue): the first slot without the UE. A handover costs `price` (bit/s/Hz), takes `wait`
    slots and leaves the share `kept` of the last one for data.
    """
    num_envs, slots, ues, cells = efficiency_bps_hz.shape
    values = np.zeros((num_envs, slots + 1, ues, cells))
    if compiled.wanted(()):
        kept = efficiency_bps_hz.dtype.type(kept)  # NumPy multiplies float32 in its own precision
        oracle_kernel().values(efficiency_bps_hz, departure, price, kept, wait, values)
        return values
    present = (np.arange(slots)[:, None] < departure[:, None])[..., None]
    rate = np.where(present, efficiency_bps_hz, 0.0)
    for t in range(slots - 1, -1, -1):
        change = values[:, min(t + wait, slots)] - price * present[:, t]
        if t + wait <= slots:
            change = values[:, t + wait] + kept * rate[:, t + wait - 1] - price * present[:, t]
        values[:, t] = np.maximum(values[:, t + 1] + rate[:, t], change.max(axis=-1, keepdims=True))
    return values


class HandoverPotential:
    """Viterbi's values along the slots of UDN handover; during an interruption, those of what follows it."""

    def __init__(self, base: ScenarioVecEnv):
        constants = base.scenario.constants()
        self._base = base
        self._price = constants["beta"] * constants["handover_energy_j"]
        self._wait, self._kept = interruption(constants)
        num_envs, ues = base.batch.num_envs, base.scenario.num_agents
        cells = int(base.action_space.n)  # type: ignore[attr-defined]
        self._values = np.zeros((num_envs, base.scenario.horizon + 1, ues, cells))
        self._last = np.zeros(self._values.shape if self._wait > 1 else 0, np.float32)
        self._serving = np.zeros((num_envs, ues), np.int64)
        self._ready = np.zeros((num_envs, ues), np.int64)  # the slot of the next decision
        self._at = (np.arange(num_envs)[:, None], np.arange(ues))
        self._slot = np.zeros((num_envs, 1), np.int64)

    def solve(self, begun: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V of all present states, (num_envs, ues), in the unit of a sum of rewards.

        The environments that `begun` (num_envs,) marks are solved first.
        """
        batch = self._base.batch
        shown = batch.scenario.reveal(batch.episodes.of(np.flatnonzero(begun)), batch.state, "hindsight")
        slots = self._values.shape[1] - 1
        rate, departure = shown["efficiency_bps_hz"][:, :slots], shown["departure"]
        solved = hindsight_values(rate, departure, self._price, self._kept, self._wait)
        self._values[begun] = solved
        if self._wait > 1:  # what the slot before a decision brings after an interruption
            present = np.arange(slots)[:, None] < departure[:, None]
            self._last[begun, 1:] = np.float32(self._kept) * np.where(present[..., None], rate, np.float32(0.0))
        self._slot[begun] = 0
        self._ready[begun] = 0
        serving = batch.scenario.fields.split(batch.observe())["serving"].argmax(axis=-1)
        self._serving = np.where(begun[:, None], serving, self._serving)
        return self._now()

    def after(self, action: NDArray[np.int64], done: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V (num_envs, ues) of the states that the actions (num_envs, ues) have led to.

        `done` (num_envs, ues) is not used.
        """
        moves = (action != self._serving) & (self._slot >= self._ready)
        self._ready = np.where(moves, self._slot + self._wait, self._ready)
        self._serving = np.where(moves, action, self._serving)
        self._slot += 1
        return self._now()

    def _now(self) -> NDArray[np.float64]:
        """V (num_envs, ues) at this slot, in the unit of a sum of rewards."""
        env, ue = self._at
        slots = self._values.shape[1] - 1
        at = np.maximum(self._slot, self._ready)
        here = env, np.minimum(at, slots), ue, self._serving
        value: NDArray[np.float64] = self._values[here]
        if self._wait > 1:
            value = value + np.where((self._slot < at) & (at <= slots), self._last[here], 0.0)
        return value


def potential(base: ScenarioVecEnv) -> HandoverPotential | None:
    """The values of a scenario whose handovers are priced as this one's, else None."""
    constants = base.scenario.constants()
    return HandoverPotential(base) if all(c in constants for c in NEEDED_CONSTANTS) else None
