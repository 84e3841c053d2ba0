"""Tianshou's SAC, for continuous actions: one agent learns while others play by a rule.

python examples/tianshou_sac.py --task power_allocation/hard-14 --decisions 100000 --save runs/tianshou-sac.pt
mmwave-gym evaluate runs/tianshou-sac.pt --task power_allocation/hard-14
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import gymnasium as gym
import torch
from tianshou.algorithm import SAC
from tianshou.algorithm.modelfree.sac import SACPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite

HIDDEN = [64, 64]


def train(task: str, decisions: int, seed: int) -> tuple[SACPolicy, float, float]:
    """The policy, and returns of the untrained and of the trained one."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    of = suite.task(task)

    def environments(count: int, first: int) -> DummyVectorEnv:
        made = DummyVectorEnv([lambda: gym.make(of.env_id, normalise=True, **dict(of.kwargs)) for _ in range(count)])
        made.seed(seed * 2**20 + first)  # training seeds share no world
        return made

    single = gym.make(of.env_id, normalise=True, **dict(of.kwargs))
    seen, done = single.observation_space.shape, single.action_space.shape
    actor = ContinuousActorProbabilistic(
        preprocess_net=Net(state_shape=seen, hidden_sizes=HIDDEN), action_shape=done, unbounded=True,
        conditioned_sigma=True,
    )  # fmt: skip
    critics = [
        ContinuousCritic(preprocess_net=Net(state_shape=seen, action_shape=done, hidden_sizes=HIDDEN, concat=True))
        for _ in range(2)
    ]
    policy = SACPolicy(actor=actor, action_space=single.action_space, observation_space=single.observation_space)
    algorithm = SAC(
        policy=policy,
        policy_optim=AdamOptimizerFactory(lr=1e-3),
        critic=critics[0],
        critic_optim=AdamOptimizerFactory(lr=1e-3),
        critic2=critics[1],
        critic2_optim=AdamOptimizerFactory(lr=1e-3),
        gamma=0.9,
        alpha=0.05,
    )
    training = Collector(algorithm, environments(8, 0), VectorReplayBuffer(100_000, 8))
    testing = Collector(algorithm, environments(8, 8))
    testing.reset()
    before = testing.collect(n_episode=8).returns_stat.mean
    training.reset()
    training.collect(n_step=1024, random=True)
    epochs = max(decisions // 20_000, 1)
    algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=training,
            test_collector=testing,
            max_epochs=epochs,
            epoch_num_steps=(decisions - 1024) // epochs,
            collection_step_num_env_steps=64,
            update_step_num_gradient_steps_per_sample=0.05,
            batch_size=256,
            test_step_num_episodes=8,
            verbose=False,
            show_progress=False,
        )
    )
    return policy, before, testing.collect(n_episode=8).returns_stat.mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="power_allocation/hard-14")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    policy, before, after = train(args.task, args.decisions, args.seed)
    print(f"return: {before:.1f} untrained, {after:.1f} trained")
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(policy.actor.state_dict(), args.save)
        of = suite.task(args.task)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, activation="relu", output="squashed",
            layers=["preprocess.model.model", "mu.model"], algorithm="SAC", library="Tianshou", seed=args.seed,
            steps=args.decisions, command=" ".join(["python", *sys.argv]),
            training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
