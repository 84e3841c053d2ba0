"""PPO in one file, in the style of CleanRL, on the native batch: discrete actions, masks where there are any.

python examples/cleanrl_ppo.py --task handover/a3-beta25 --decisions 500000 --save runs/cleanrl.cleanrl_model
mmwave-gym evaluate runs/cleanrl.cleanrl_model --task handover/a3-beta25

Differences from CleanRL's ppo.py: one `gym.make_vec` instead of a list of environments, SAME_STEP autoreset, and the
value of a truncated episode's last observation is added to its reward (CleanRL takes a truncation for an end).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite


@dataclass
class Args:
    task: str = "handover/a3-beta25"
    seed: int = 1
    decisions: int = 500_000
    save: str = ""
    learning_rate: float = 1e-3
    num_envs: int = 64
    num_steps: int = 32
    gamma: float = 0.95
    gae_lambda: float = 0.9
    num_minibatches: int = 4
    update_epochs: int = 4
    clip_coef: float = 0.2
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5


def layer(inputs: int, outputs: int, gain: float = np.sqrt(2)) -> nn.Linear:
    made = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(made.weight, gain)
    nn.init.zeros_(made.bias)
    return made


class Agent(nn.Module):
    def __init__(self, features: int, actions: int):
        super().__init__()
        self.critic = nn.Sequential(layer(features, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, 1, 1.0))
        self.actor = nn.Sequential(layer(features, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, actions, 0.01))

    def value(self, observation: torch.Tensor) -> torch.Tensor:
        return self.critic(observation).flatten()

    def policy(self, observation: torch.Tensor, mask: torch.Tensor) -> Categorical:
        return Categorical(logits=self.actor(observation).masked_fill(~mask, -1e9))


def train(args: Args) -> tuple[Agent, list[float]]:
    """The agent, and the mean reward a step of each iteration."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    task = suite.task(args.task)
    envs = gym.make_vec(
        task.env_id, num_envs=args.num_envs, autoreset_mode="SameStep", normalise=True, **dict(task.kwargs)
    )
    features, actions = envs.single_observation_space.shape[0], envs.single_action_space.n
    agent = Agent(features, actions)
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)

    steps, num_envs = args.num_steps, args.num_envs
    obs, masks = torch.zeros(steps, num_envs, features), torch.zeros(steps, num_envs, actions, dtype=torch.bool)
    chosen, log_probs, rewards, values = (torch.zeros(steps, num_envs) for _ in range(4))
    ended = torch.zeros(steps, num_envs)
    mean_rewards: list[float] = []

    def allowed(info: dict) -> torch.Tensor:
        return torch.as_tensor(info.get("action_mask", np.ones((num_envs, actions)))).bool()

    observation, info = envs.reset(seed=args.seed * 2**20)  # training seeds share no world
    observation, mask = torch.as_tensor(observation), allowed(info)
    iterations = max(args.decisions // (steps * num_envs), 1)
    for iteration in range(iterations):
        optimizer.param_groups[0]["lr"] = args.learning_rate * (1.0 - iteration / iterations)
        real = 0.0
        for t in range(steps):
            obs[t], masks[t] = observation, mask
            with torch.no_grad():
                policy = agent.policy(observation, mask)
                action = policy.sample()
                values[t], chosen[t], log_probs[t] = agent.value(observation), action, policy.log_prob(action)
            observation, reward, terminated, truncated, info = envs.step(action.numpy())
            real += float(reward.mean()) / steps
            rewards[t], ended[t] = torch.as_tensor(reward), torch.as_tensor(terminated | truncated)
            if truncated.any():
                last = torch.as_tensor(info["final_obs"][truncated])
                with torch.no_grad():
                    rewards[t, torch.as_tensor(truncated)] += args.gamma * agent.value(last)
            observation, mask = torch.as_tensor(observation), allowed(info)
        mean_rewards.append(real)

        with torch.no_grad():
            advantages, last, following = torch.zeros_like(rewards), 0.0, agent.value(observation)
            for t in reversed(range(steps)):
                goes_on = 1.0 - ended[t]
                delta = rewards[t] + args.gamma * following * goes_on - values[t]
                advantages[t] = last = delta + args.gamma * args.gae_lambda * goes_on * last
                following = values[t]
            returns = advantages + values

        flat = [part.flatten(0, 1) for part in (obs, masks, chosen, log_probs, advantages, returns)]
        for _ in range(args.update_epochs):
            for part in torch.randperm(steps * num_envs).chunk(args.num_minibatches):
                b_obs, b_mask, b_action, b_log_prob, b_advantage, b_return = (whole[part] for whole in flat)
                policy = agent.policy(b_obs, b_mask)
                ratio = (policy.log_prob(b_action) - b_log_prob).exp()
                b_advantage = (b_advantage - b_advantage.mean()) / (b_advantage.std() + 1e-8)
                clipped = ratio.clamp(1.0 - args.clip_coef, 1.0 + args.clip_coef)
                policy_loss = torch.max(-b_advantage * ratio, -b_advantage * clipped).mean()
                value_loss = 0.5 * (agent.value(b_obs) - b_return).square().mean()
                loss = policy_loss - args.ent_coef * policy.entropy().mean() + args.vf_coef * value_loss
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), args.max_grad_norm)
                optimizer.step()
    return agent, mean_rewards


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Args):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    args = Args(**vars(parser.parse_args()))
    began = time.time()
    agent, rewards = train(args)
    print(f"reward a step: {rewards[0]:.2f} at first, {rewards[-1]:.2f} at last")
    print(f"{args.decisions / (time.time() - began):.0f} steps a second")
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(agent.state_dict(), args.save)
        task = suite.task(args.task)
        describe(
            args.save, task.env_id, task.kwargs, normalised=True, activation="tanh", algorithm="PPO", library="CleanRL",
            seed=args.seed, steps=len(rewards) * args.num_envs * args.num_steps,
            command=" ".join(["python", *sys.argv]),
            training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
