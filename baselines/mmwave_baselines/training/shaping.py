"""Reward shaping in training: it keeps the order of policies and lowers the variance of learning.

A world that does not react to actions can be solved in hindsight when its episode is drawn, as the ceiling of a task
does. Then the reward of a step becomes minus the regret of its action (potential-based shaping, Ng et al. 1999):

    r'(s, a) = r(s, a) + V(s') - V(s)

V(s) is the best return from state s on, known in hindsight. The sum of r' over an episode is the return minus V of the
first state, which no action changes. The policy observes neither V nor the future. Episode returns in the logs are
those of the environment.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper

from mmwave_baselines.training.recipes import recipe
from mmwave_gym.api.sb3 import ScenarioVecEnv


class Potential(Protocol):
    """V in hindsight of the episodes that the environment copies of a `ScenarioVecEnv` play."""

    def solve(self, begun: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V of all present states, (num_envs, agents), in the unit of a sum of rewards.

        `begun` (num_envs,) marks the environments whose episode has just started; they are solved first.
        """

    def after(self, action: NDArray[np.int64], done: NDArray[np.bool_]) -> NDArray[np.float64]:
        """V (num_envs, agents) after the actions (num_envs, agents); `done` (num_envs,) marks what restarted."""


class TrainingReward(VecEnvWrapper):
    """Multiplies rewards by `scale`; before that shapes them where `regret` and the scenario can be solved.

    usual_per_s: subtracted from rewards for every second of a step. Without it, a discount a step would favour one
    long step over several short ones of the same total length and reward.
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
            # An environment has restarted where the steps of all its agent slots end together.
            over = np.asarray(done.reshape(self._potential.shape).all(axis=1))
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
