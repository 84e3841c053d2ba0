"""Handover stepped by compiled code where that pays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.scenarios.handover.config import HandoverConfig
from mmwave_gym.scenarios.handover.game import Handover, HandoverState
from mmwave_gym.scenarios.handover.world import HandoverEpisodes

STEP_S, AN_AGENT_S = 5e-6, 50e-9
"""What NumPy loses against compiled code in a step, and for each agent in it."""
KERNEL = f"{__package__}.step_kernel"


class CompiledHandover(Handover):
    """The same steps and observations to the bit: `Handover` says what they are, and plays where numba is missing."""

    def __init__(self, config: HandoverConfig):
        super().__init__(config)
        self._limits = self._ping_pong_slots, self.horizon, self._outage_bps_hz
        costs = self._handover_cost, self._interrupted, config.handover_energy_j, config.step_s
        self._costs = tuple(map(float, costs))
        self._seen = config.num_ues, self.fields.size
        self._compiled = False  # was the last step? An observation is the same either way

    def step(self, episodes: HandoverEpisodes, state: HandoverState, action: NDArray[Any]) -> Outcome:
        self._compiled = compiled.pays(STEP_S + AN_AGENT_S * action.size)
        if not self._compiled:
            return super().step(episodes, state, action)
        shape = n, _ = action.shape
        column, elapsed_s = np.empty((6, *shape)), np.empty(n)
        terminated, truncated = np.empty(shape, bool), np.empty(n, bool)
        arrays = state.slot, state.line, state.departure, state.serving, state.previous, state.handover_slot
        compiled.kernel(KERNEL).step(
            episodes.row, episodes.link, arrays, np.array(action), self._some_leave, self._limits, self._costs,
            column, elapsed_s, terminated, truncated,
        )  # fmt: skip
        reward, rate_bps_hz, handovers, energy_j, back, outage = column
        return Outcome(
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            elapsed_s=elapsed_s,
            metrics={
                "throughput_bps_hz": rate_bps_hz,
                "handovers_per_s": handovers,
                "handover_energy_w": energy_j,
                "ping_pongs_per_s": back,
                "outage_fraction": outage,
            },
        )

    def observe(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.float32]:
        if not self._compiled:
            return super().observe(episodes, state)
        seen = np.empty((len(state.slot), *self._seen), np.float32)
        compiled.kernel(KERNEL).observe(
            episodes.row, episodes.link, state.slot, state.departure, state.serving, self._some_leave, seen
        )
        return seen
