"""Tianshou's DQN on its vector of single environments.

python examples/tianshou_dqn.py --task handover/a3-beta25 --decisions 100000 --save runs/tianshou-dqn.pt
mmwave-gym evaluate runs/tianshou-dqn.pt --task handover/a3-beta25
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import gymnasium as gym
import torch
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite

NUM_ENVS = 32


def train(task: str, decisions: int, seed: int) -> tuple[DiscreteQLearningPolicy, float, float]:
    """The policy, and returns of the untrained and of the trained one."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    of = suite.task(task)

    def environments(count: int, first: int) -> DummyVectorEnv:
        made = DummyVectorEnv([lambda: gym.make(of.env_id, normalise=True, **dict(of.kwargs)) for _ in range(count)])
        made.seed(seed * 2**20 + first)  # training seeds share no world
        return made

    single = gym.make(of.env_id, normalise=True, **dict(of.kwargs))
    net = Net(state_shape=single.observation_space.shape, action_shape=single.action_space.n, hidden_sizes=[64, 64])
    policy = DiscreteQLearningPolicy(
        model=net, action_space=single.action_space, observation_space=single.observation_space, eps_training=0.1
    )
    algorithm = DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), gamma=0.9, target_update_freq=200)
    buffer = VectorReplayBuffer(100_000, NUM_ENVS)
    training = Collector(algorithm, environments(NUM_ENVS, 0), buffer, exploration_noise=True)
    testing = Collector(algorithm, environments(8, NUM_ENVS))
    testing.reset()
    before = testing.collect(n_episode=8).returns_stat.mean
    epochs = max(decisions // 20_000, 1)
    algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=training,
            max_epochs=epochs,
            epoch_num_steps=decisions // epochs,
            collection_step_num_env_steps=64,
            update_step_num_gradient_steps_per_sample=0.05,
            batch_size=256,
            verbose=False,
            show_progress=False,
        )
    )
    return policy, before, testing.collect(n_episode=8).returns_stat.mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="handover/a3-beta25")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    policy, before, after = train(args.task, args.decisions, args.seed)
    print(f"return: {before:.1f} untrained, {after:.1f} trained")
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(policy.state_dict(), args.save)
        of = suite.task(args.task)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, activation="relu", output="q", algorithm="DQN",
            library="Tianshou", seed=args.seed, steps=args.decisions, command=" ".join(["python", *sys.argv]),
            training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
