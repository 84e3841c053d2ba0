"""MaskablePPO where agents take turns, with per-agent GAE: advantages along each agent's own decisions.

A step of a turn-based world is the decision of one agent. The next step is another agent's, milliseconds later. The
usual rollout buffer takes the next step for the consequence of the last one, but almost none of it is. Here:

1. The next state of a decision is the same agent's next decision, seconds later.
2. Its reward is the credit that the environment reports then: what the network would have lost without the decision,
   all later decisions being the same (a difference reward, Wolpert and Tumer 2002).
3. Discounts are in seconds, exp(-dt / `horizon_s`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.buffers import MaskableRolloutBuffer
from stable_baselines3.common.vec_env import VecEnv

from mmwave_baselines.training.concatenated import ConcatenatedVecEnv
from mmwave_baselines.training.recipes import credit_metric
from mmwave_gym.api.sb3 import ScenarioVecEnv

LARGEST = 5.0
"""Advantages are clipped at so many standard deviations: some decisions earn a hundred times the usual."""


class Turn(NamedTuple):
    """The last step of every environment copy."""

    agent: NDArray[np.int64]  # (num_envs,): whose decision it was
    elapsed_s: NDArray[np.float64]  # (num_envs,): from it to the next decision of anybody


class TurnTakingVecEnv(ConcatenatedVecEnv):
    """Turn-based worlds as one vector environment; each of `venvs` may have other keywords, such as more agents.

    With `credit`, the reward of a step is the credit of the same agent's decision before it; without, it is the
    environment's. Either is multiplied by `scale`. `turn` is the `Turn` of the last step.
    Raises ValueError where spaces or fields differ.
    """

    turn: Turn

    def __init__(self, venvs: Sequence[ScenarioVecEnv], scale: float = 1.0, credit: bool = True):
        super().__init__(venvs)
        self._scale, self._credit = scale, credit_metric(self.scenario) if credit else None

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        agent = np.concatenate([venv.batch.agent_ids()[:, 0] for venv in self.venvs])
        observation, _, done, infos = super().step_wait()
        outcomes = [venv.outcome for venv in self.venvs]
        self.turn = Turn(agent, np.concatenate([o.elapsed_s for o in outcomes]))
        reward = np.concatenate([o.metrics[self._credit] if self._credit else o.reward[:, 0] for o in outcomes])
        return observation, (self._scale * reward).astype(np.float32), done, infos


class PerAgentGaeBuffer(MaskableRolloutBuffer):
    """Advantages and returns along each agent's own decisions, with discount exp(-dt / `horizon_s`).

    Arrays are (steps, num_envs). The reward of step k must be the credit of the same agent's decision before it.

    - An agent's last decision in the buffer, or in its episode, has an unknown outcome. Its advantage is 0, and its
      return is its value.
    - A decision with a single allowed action has advantage 0; the critic learns from it.
    - All other advantages have mean 0, so that standardising them keeps those zeros near 0.
    """

    venv: TurnTakingVecEnv
    """Tells at each step whose decision it was; `PerAgentGaePpo` sets it."""

    def __init__(self, *args: Any, horizon_s: float = 10.0, **kwargs: Any):
        self.horizon_s = horizon_s
        super().__init__(*args, **kwargs)

    def reset(self) -> None:
        super().reset()
        self.agent = np.zeros((self.buffer_size, self.n_envs), np.int64)
        self.elapsed_s = np.zeros((self.buffer_size, self.n_envs))

    def add(self, *args: Any, **kwargs: Any) -> None:
        self.agent[self.pos], self.elapsed_s[self.pos] = self.venv.turn
        super().add(*args, **kwargs)

    def compute_returns_and_advantage(self, last_values: Any, dones: NDArray[np.bool_]) -> None:
        """Fill `returns` and `advantages`, (steps, num_envs) each, by GAE along each agent's own decisions.

        Both have the unit of the credit. last_values (num_envs,) and dones (num_envs,) are not used: the outcome of an
        agent's last decision in the buffer is unknown. Schulman et al. 2016.
        """
        column = np.broadcast_to(np.arange(self.n_envs), self.agent.shape)
        episode = np.cumsum(self.episode_starts, axis=0)
        order = np.lexsort((self.agent.ravel(), episode.ravel(), column.ravel()))  # stable: by time within an agent
        own = np.stack((column.ravel(), episode.ravel(), self.agent.ravel()))[:, order]
        known = np.zeros(len(order), bool)  # the same agent decides once more
        known[:-1] = (own[:, 1:] == own[:, :-1]).all(axis=0)

        time_s = (np.cumsum(self.elapsed_s, axis=0) - self.elapsed_s).ravel()[order]
        value, credit = self.values.ravel()[order].astype(float), self.rewards.ravel()[order].astype(float)
        discount = np.exp(-np.diff(time_s, append=0.0).clip(0.0) / self.horizon_s) * known
        error = np.where(known, np.roll(credit, -1) + discount * np.roll(value, -1) - value, 0.0)
        advantage, later = np.zeros(len(order)), 0.0
        for i, kept in reversed(list(enumerate((self.gae_lambda * discount).tolist()))):
            advantage[i] = later = error[i] + kept * later

        free = (self.action_masks.sum(axis=-1) > 1.0).ravel()[order]
        counted = known & free
        self._put(self.returns, order, advantage + value)
        spread = advantage[counted]
        if len(spread):
            within = LARGEST * spread.std()
            advantage = np.clip(advantage - spread.mean(), -within, within)
            advantage -= advantage[counted].mean()
        self._put(self.advantages, order, advantage * counted)

    @staticmethod
    def _put(into: NDArray[Any], order: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        into.reshape(-1)[order] = values


class PerAgentGaePpo(MaskablePPO):
    """MaskablePPO on a `TurnTakingVecEnv`, with a `PerAgentGaeBuffer`."""

    rollout_buffer: PerAgentGaeBuffer

    def collect_rollouts(self, env: VecEnv, *args: Any, **kwargs: Any) -> bool:
        self.rollout_buffer.venv = env  # type: ignore[assignment]
        return super().collect_rollouts(env, *args, **kwargs)


__all__ = ["PerAgentGaeBuffer", "PerAgentGaePpo", "Turn", "TurnTakingVecEnv"]
