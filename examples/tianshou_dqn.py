"""Tianshou's DQN on its vector of single environments.

python examples/tianshou_dqn.py --epochs 10
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import torch
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

import mmwave_gym  # noqa: F401 registers the environments


def environments(count: int) -> DummyVectorEnv:
    return DummyVectorEnv([lambda: gym.make("MmwaveHandover-v0", horizon=200, normalise=True) for _ in range(count)])


def train(epochs: int, steps: int) -> tuple[float, float]:
    """Returns of the untrained and of the trained policy."""
    torch.manual_seed(0)
    single = gym.make("MmwaveHandover-v0", horizon=200, normalise=True)
    net = Net(state_shape=single.observation_space.shape, action_shape=single.action_space.n, hidden_sizes=[64, 64])
    policy = DiscreteQLearningPolicy(
        model=net, action_space=single.action_space, observation_space=single.observation_space, eps_training=0.1
    )
    algorithm = DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), gamma=0.9, target_update_freq=200)
    training = Collector(algorithm, environments(8), VectorReplayBuffer(100_000, 8), exploration_noise=True)
    testing = Collector(algorithm, environments(8))
    testing.reset()
    before = testing.collect(n_episode=8).returns_stat.mean
    result = algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=training,
            test_collector=testing,
            max_epochs=epochs,
            epoch_num_steps=steps,
            collection_step_num_env_steps=64,
            update_step_num_gradient_steps_per_sample=0.1,
            batch_size=128,
            test_step_num_episodes=8,
            verbose=False,
            show_progress=False,
        )
    )
    return before, result.best_reward


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=5000)
    words = parser.parse_args()
    before, best = train(words.epochs, words.steps)
    print(f"return: {before:.1f} untrained, {best:.1f} best")
