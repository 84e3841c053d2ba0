"""What training adds to rewards: nothing that changes which policy is best, much that quietens its learning.

Worlds that do not react to actions can be solved in hindsight when an episode is drawn, as the ceiling of the task
does. The reward of a step becomes the regret of its action: what the best continuation from here would have brought,
less what this action and the best continuation from there do. It is potential-based shaping (Ng et al. 1999): the
sum over an episode is the return less a number that no action changes. The policy sees none of it, and episodes'
returns in the logs stay those of the environment.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper

from mmwave_baselines.training.recipes import recipe
from mmwave_gym.api.sb3 import ScenarioVecEnv


class Potential(Protocol):
    """Values in hindsight of the episodes that the copies of a `ScenarioVecEnv` play."""

    def solve(self, begun: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Solve the copies whose episode has just begun; values (num_envs, agents) of all states now."""

    def after(self, action: NDArray[np.int64], done: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Values (num_envs, agents) of the states that the actions have led to."""


class TrainingReward(VecEnvWrapper):
    """Scales rewards, and turns them into regrets where `regret` and the scenario can be solved in hindsight.

    usual_per_s: what is taken off rewards for every second of a step. With steps of different lengths and a discount a
    step, a long one otherwise looks better than several short ones in which as much is received.
    """

    def __init__(self, venv: ScenarioVecEnv, scale: float, regret: bool, usual_per_s: float = 0.0):
        super().__init__(venv)
        self._scale, self._usual_per_s, self._base = scale, usual_per_s, venv
        self._source = _potential(venv) if regret else None
        shape = (venv.batch.num_envs, venv.scenario.num_agents)
        self._potential = np.zeros(shape)  # the value of the state in which the next action is taken
        self._action = np.zeros(shape, np.int64)

    def reset(self) -> NDArray[np.float32]:
        observation: Any = self.venv.reset()
        if self._source:
            self._potential = self._source.solve(np.ones(len(self._potential), bool))
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        if self._source:
            self._action = np.asarray(actions).reshape(self._potential.shape)
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        observation, reward, done, infos = self.venv.step_wait()
        if self._source:
            # A copy that begins anew shows it: the ends of all its places come together.
            over = done.reshape(self._potential.shape).all(axis=1)
            following = self._source.after(self._action, over)
            reward = (reward.reshape(following.shape) + following - self._potential).reshape(-1).astype(np.float32)
            self._potential = following
            if over.any():
                self._potential = np.where(over[:, None], self._source.solve(over), following)
        if self._usual_per_s:
            usual = self._usual_per_s * self._base.outcome.elapsed_s
            reward = (reward.reshape(self._potential.shape) - usual[:, None]).reshape(-1).astype(np.float32)
        return observation, reward * np.float32(self._scale), done, infos


def _potential(venv: ScenarioVecEnv) -> Potential | None:
    find = recipe(venv.scenario.name).potential
    return find(venv) if find else None
