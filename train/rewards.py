"""What training adds to rewards: nothing that changes which policy is best, much that quietens its learning.

A world that does not react to actions has good and bad slots, which say nothing about actions. Where hindsight
shows the rate of every choice in every slot, the reward of the best one is taken off: what is left is how much worse
the choice was. The policy sees none of it, and episodes' returns in the logs stay those of the environment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper

from mmwave_gym.sb3 import ScenarioVecEnv

REVEALED = "efficiency_bps_hz"
"""The reward of each choice before costs, by (copy, slot, agent, choice), as a scenario's `reveal` names it."""


class TrainingReward(VecEnvWrapper):
    """Scales rewards, and takes off that of the slot's best choice where `relative` and hindsight knows it."""

    def __init__(self, venv: ScenarioVecEnv, scale: float, relative: bool):
        super().__init__(venv)
        self._base, self._scale = venv, scale
        self._relative = relative
        self._best: NDArray[np.float32] | None = None  # (copy, slot, agent)
        self._copies = np.arange(venv.batch.num_envs)
        self._slot = np.zeros(venv.batch.num_envs, np.int64)

    def reset(self) -> NDArray[np.float32]:
        observation: Any = self.venv.reset()
        self._slot[:] = 0
        self._look()
        return observation

    def step_wait(self) -> Any:
        observation, reward, done, infos = self.venv.step_wait()
        if self._best is not None:
            present = reward.reshape(len(self._copies), -1) != 0.0  # who is absent earns nothing, and loses nothing
            best = self._best[self._copies, self._slot]
            reward = (reward.reshape(best.shape) - best * present).reshape(-1)
            self._slot += 1
            over = done.reshape(best.shape).all(axis=1)
            if over.any():
                self._slot[over] = 0
                self._look()
        return observation, reward * np.float32(self._scale), done, infos

    def _look(self) -> None:
        batch = self._base.batch
        shown = batch.scenario.reveal(batch.episodes, batch.state, "hindsight") if self._relative else {}
        self._best = shown[REVEALED].max(axis=-1) if REVEALED in shown else None
