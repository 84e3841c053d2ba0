"""skrl's PPO on the native batch.

python examples/skrl_ppo.py --timesteps 2000
"""

from __future__ import annotations

import argparse
import tempfile

import gymnasium as gym
import torch
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from torch import nn

import mmwave_gym  # noqa: F401 registers the environments


class Actor(CategoricalMixin, Model):
    def __init__(self, env):
        Model.__init__(self, observation_space=env.observation_space, action_space=env.action_space, device=env.device)
        CategoricalMixin.__init__(self)
        self.net = network(self.num_observations, self.num_actions)

    def compute(self, inputs, role=""):
        return self.net(inputs["observations"]), {}


class Critic(DeterministicMixin, Model):
    def __init__(self, env):
        Model.__init__(self, observation_space=env.observation_space, action_space=env.action_space, device=env.device)
        DeterministicMixin.__init__(self)
        self.net = network(self.num_observations, 1)

    def compute(self, inputs, role=""):
        return self.net(inputs["observations"]), {}


def network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def train(timesteps: int, folder: str) -> tuple[float, float]:
    """Reward a step of the untrained and of the trained policy, 64 environments side by side."""
    torch.manual_seed(0)
    env = wrap_env(gym.make_vec("MmwaveHandover-v0", num_envs=64, normalise=True), verbose=False)
    models = {"policy": Actor(env), "value": Critic(env)}
    agent = PPO(
        models=models,
        memory=RandomMemory(memory_size=32, num_envs=env.num_envs, device=env.device),
        observation_space=env.observation_space,
        action_space=env.action_space,
        device=env.device,
        cfg=PPO_CFG(
            rollouts=32,
            mini_batches=4,
            discount_factor=0.95,
            experiment={"directory": folder, "write_interval": 0, "checkpoint_interval": 0},
        ),
    )
    before = reward(env, models["policy"])
    quiet = {"headless": True, "disable_progressbar": True}  # not headless, it draws every step
    SequentialTrainer(env=env, agents=agent, cfg={"timesteps": timesteps, **quiet}).train()
    return before, reward(env, models["policy"])


@torch.no_grad()
def reward(env, policy: Actor, steps: int = 200) -> float:
    observation, _ = env.reset()
    total = 0.0
    for _ in range(steps):
        action = policy.net(observation).argmax(dim=1, keepdim=True)
        observation, rewards, *_ = env.step(action)
        total += float(rewards.mean()) / steps
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timesteps", type=int, default=2000)
    with tempfile.TemporaryDirectory() as folder:
        before, after = train(parser.parse_args().timesteps, folder)
    print(f"reward a step: {before:.2f} untrained, {after:.2f} trained")
