"""TorchRL's PPO on the native batch: one vector of environments, stepped as one.

python examples/torchrl_ppo.py --task handover/a3-beta25 --decisions 200000 --save runs/torchrl.pt
mmwave-gym evaluate runs/torchrl.pt --task handover/a3-beta25
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import gymnasium as gym
import torch
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper
from torchrl.modules import ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite


def environment(task: str, num_envs: int = 64) -> GymWrapper:
    of = suite.task(task)
    batch = gym.make_vec(of.env_id, num_envs=num_envs, autoreset_mode="Disabled", normalise=True, **dict(of.kwargs))
    return GymWrapper(batch, categorical_action_encoding=True)


def network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def train(task: str, frames: int, seed: int = 0, num_envs: int = 64, steps: int = 32) -> tuple[nn.Module, list[float]]:
    """The actor, and mean rewards a step, one for each batch of `num_envs * steps` frames."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    env = environment(task, num_envs)
    env.set_seed(seed * 2**20)  # training seeds share no world
    features, actions = env.observation_spec["observation"].shape[-1], env.action_spec.space.n
    logits = TensorDictModule(network(features, actions), in_keys=["observation"], out_keys=["logits"])
    actor = ProbabilisticActor(
        logits, in_keys=["logits"], distribution_class=torch.distributions.Categorical, return_log_prob=True
    )
    critic = ValueOperator(network(features, 1), in_keys=["observation"])
    advantage, loss = GAE(gamma=0.95, lmbda=0.9, value_network=critic), ClipPPOLoss(actor, critic, entropy_coeff=0.01)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    rewards = []
    for data in Collector(env, actor, frames_per_batch=num_envs * steps, total_frames=frames):
        for _ in range(4):
            advantage(data)
            flat = data.reshape(-1)
            for part in flat[torch.randperm(len(flat))].split(512):
                losses = loss(part)
                total = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
                optimizer.zero_grad()
                total.backward()
                nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
                optimizer.step()
        rewards.append(float(data["next", "reward"].mean()))
    return actor, rewards


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="handover/a3-beta25")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decisions", type=int, default=200_000)
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    actor, rewards = train(args.task, args.decisions, args.seed)
    print(f"reward a step: {rewards[0]:.2f} at first, {rewards[-1]:.2f} at last")
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(actor.state_dict(), args.save)
        of = suite.task(args.task)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, activation="tanh", algorithm="PPO", library="TorchRL",
            seed=args.seed, steps=len(rewards) * 64 * 32, command=" ".join(["python", *sys.argv]),
            training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
