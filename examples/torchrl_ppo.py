"""TorchRL's PPO on the native batch: one vector of environments, stepped as one.

python examples/torchrl_ppo.py --frames 200000
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import torch
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper
from torchrl.modules import ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import mmwave_gym  # noqa: F401 registers the environments


def environment(num_envs: int = 64) -> GymWrapper:
    batch = gym.make_vec("MmwaveHandover-v0", num_envs=num_envs, autoreset_mode="Disabled", normalise=True)
    return GymWrapper(batch, categorical_action_encoding=True)


def network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def train(frames: int, num_envs: int = 64, steps: int = 32) -> list[float]:
    """Mean rewards a step, one for each batch of `num_envs * steps` frames."""
    torch.manual_seed(0)
    env = environment(num_envs)
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
    return rewards


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200_000)
    rewards = train(parser.parse_args().frames)
    print(f"reward a step: {rewards[0]:.2f} at first, {rewards[-1]:.2f} at last")
