"""MaskablePPO where agents take turns: credit along each agent's own decisions, discounts in seconds.

A step of a turn-based world is the decision of one agent, and the next step is somebody else's, milliseconds later.
The usual rollout buffer would chain them all: of what follows a decision hardly anything is due to it. Here the next
state of a decision is the same agent's next decision, seconds later, and its reward is the credit that the environment
tells then: what the network would have lost without the decision, with everybody's true later moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.buffers import MaskableRolloutBuffer
from stable_baselines3.common.vec_env import VecEnv

from mmwave_baselines.training.concatenated import PartsVecEnv
from mmwave_baselines.training.recipes import credit_metric
from mmwave_gym.api.sb3 import ScenarioVecEnv

LARGEST = 5.0
"""Advantages beyond so many standard deviations are cut: a pass close by a base station is worth a hundred others."""


class Turn(NamedTuple):
    """The last step of every copy."""

    agent: NDArray[np.int64]  # (num_envs,): whose decision it was
    elapsed_s: NDArray[np.float64]  # (num_envs,): from it to the next decision of anybody


class TurnVecEnv(PartsVecEnv):
    """Copies of turn-based worlds as one vector environment; each part may have other keywords, such as more agents.

    Where `credit`, the reward of a step is the credit of the same agent's decision before; else it is the
    environment's. Either is multiplied by `scale`. `turn` is the `Turn` of the last step.
    Raises ValueError where the parts' spaces or fields differ.
    """

    turn: Turn

    def __init__(self, parts: Sequence[ScenarioVecEnv], scale: float = 1.0, credit: bool = True):
        super().__init__(parts)
        self._scale, self._credit = scale, credit_metric(self.scenario) if credit else None

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        agent = np.concatenate([part.batch.agent_ids()[:, 0] for part in self.parts])
        observation, _, done, infos = super().step_wait()
        outcomes = [part.outcome for part in self.parts]
        self.turn = Turn(agent, np.concatenate([o.elapsed_s for o in outcomes]))
        reward = np.concatenate([o.metrics[self._credit] if self._credit else o.reward[:, 0] for o in outcomes])
        return observation, (self._scale * reward).astype(np.float32), done, infos


class ChainedRolloutBuffer(MaskableRolloutBuffer):
    """Advantages and returns along each agent's own decisions, with discount exp(-dt / `horizon_s`).

    The reward of step k must be the credit of the same agent's decision before it. An agent's last decision in the
    buffer (or in its episode) has an unknown outcome: advantage 0, and its value is what the critic learns. So has a
    decision without a choice, but the critic learns from it. The others' advantages have mean 0, so that 0 pushes
    nowhere when MaskablePPO standardises them.
    """

    venv: TurnVecEnv
    """Asked at each step whose decision it was; `ChainedPpo` sets it."""

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
        """GAE (Schulman et al. 2016) along each agent's decisions; what follows the last step is not needed."""
        column = np.broadcast_to(np.arange(self.n_envs), self.agent.shape)
        episode = np.cumsum(self.episode_starts, axis=0)
        order = np.lexsort((self.agent.ravel(), episode.ravel(), column.ravel()))  # stable: by time within a chain
        chain = np.stack((column.ravel(), episode.ravel(), self.agent.ravel()))[:, order]
        known = np.zeros(len(order), bool)  # the same agent decides once more
        known[:-1] = (chain[:, 1:] == chain[:, :-1]).all(axis=0)

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


class ChainedPpo(MaskablePPO):
    """MaskablePPO on a `TurnVecEnv`, whose rollout buffer learns whose decision each step was."""

    rollout_buffer: ChainedRolloutBuffer  # type: ignore[assignment]

    def collect_rollouts(self, env: VecEnv, *args: Any, **kwargs: Any) -> bool:
        self.rollout_buffer.venv = env  # type: ignore[assignment]
        return super().collect_rollouts(env, *args, **kwargs)


__all__ = ["ChainedPpo", "ChainedRolloutBuffer", "Turn", "TurnVecEnv"]
