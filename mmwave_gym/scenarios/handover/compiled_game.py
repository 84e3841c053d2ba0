"""Handover stepped by compiled code where that pays."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass
class SeenState(HandoverState):
    """What compiled code moves on: with what agents see now, made in the step itself, as a call costs 1 us."""

    seen: NDArray[np.float32]  # (N, A, F)


class CompiledHandover(Handover):
    """The same steps and observations to the bit: `Handover` says what they are, and plays where numba is missing."""

    def __init__(self, config: HandoverConfig):
        super().__init__(config)
        self._limits = self._ping_pong_slots, self.horizon, self._outage_bps_hz
        costs = self._handover_cost, self._interrupted, config.handover_energy_j, config.step_s
        self._costs = tuple(map(float, costs))
        self._waits = float(self._interrupted), float(config.step_s)
        self._turns = compiled.Turns()

    def start(self, episodes: HandoverEpisodes) -> SeenState:
        self._turns.again()
        state = super().start(episodes)
        if not self._turns.compiled:
            return SeenState(**vars(state), seen=super().observe(episodes, state))
        seen = np.empty((*state.serving.shape, self.fields.size), np.float32)
        compiled.kernel(KERNEL).observe(
            episodes.row, episodes.link, state.slot, state.departure, state.serving, state.handover_slot,
            self._some_leave, self._waits, seen,
        )  # fmt: skip
        return SeenState(**vars(state), seen=seen)

    def step(self, episodes: HandoverEpisodes, state: SeenState, action: NDArray[Any]) -> Outcome:  # type: ignore[override]
        if not self._turns.pay(STEP_S + AN_AGENT_S * action.size):
            outcome = super().step(episodes, state, action)
            state.seen = super().observe(episodes, state)
            return outcome
        shape = n, _ = action.shape
        column, elapsed_s = np.empty((6, *shape)), np.empty(n)
        terminated, truncated = np.empty(shape, bool), np.empty(n, bool)
        arrays = state.slot, state.line, state.departure, state.serving, state.previous, state.handover_slot
        compiled.kernel(KERNEL).step(
            episodes.row, episodes.link, arrays, np.array(action), self._some_leave, self._limits, self._costs,
            column, elapsed_s, terminated, truncated, state.seen,
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

    def observe(self, episodes: HandoverEpisodes, state: SeenState) -> NDArray[np.float32]:  # type: ignore[override]
        return state.seen.copy()
