"""skrl's PPO on the native batch.

python examples/skrl_ppo.py --task handover/a3-beta25 --decisions 100000 --save runs/skrl.pt
mmwave-gym evaluate runs/skrl.pt --task handover/a3-beta25
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import gymnasium as gym
import torch
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from torch import nn

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite

NUM_ENVS = 64


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


def train(task: str, timesteps: int, seed: int, folder: str) -> tuple[Actor, float, float]:
    """The actor, and the reward a step of the untrained and of the trained one, NUM_ENVS environments side by side."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    of = suite.task(task)
    batch = gym.make_vec(of.env_id, num_envs=NUM_ENVS, normalise=True, **dict(of.kwargs))
    batch.reset(seed=seed * 2**20)  # training seeds share no world
    env = wrap_env(batch, verbose=False)
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
    return models["policy"], before, reward(env, models["policy"])


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="handover/a3-beta25")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        actor, before, after = train(args.task, args.decisions // NUM_ENVS, args.seed, folder)
    print(f"reward a step: {before:.2f} untrained, {after:.2f} trained")
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(actor.state_dict(), args.save)
        of = suite.task(args.task)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, activation="tanh", algorithm="PPO", library="skrl",
            seed=args.seed, steps=args.decisions // NUM_ENVS * NUM_ENVS, command=" ".join(["python", *sys.argv]),
            training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
