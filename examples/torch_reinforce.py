"""Your own algorithm on the native vector environment: REINFORCE in plain torch, and its rank beside A3.

python examples/torch_reinforce.py --updates 300
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
import torch

import mmwave_gym
from mmwave_gym.agents.policy import Normalisation

ENV = "MmwaveHandover-v0"
WORLD = {"mobility": "A1", "beta": 5.0, "boundary": "stay", "horizon": 200}
NUM_ENVS, STEPS, DISCOUNT = 64, 32, 0.9


class TorchAgent:
    """Anything with `predict` is an agent; this one is what the evaluator plays."""

    def __init__(self, network: torch.nn.Module, normalise: Normalisation):
        self.network, self.normalise = network, normalise

    def logits(self, observation: np.ndarray) -> torch.Tensor:
        return self.network(torch.as_tensor(self.normalise(observation)))

    @torch.no_grad()
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.logits(observation).argmax(dim=1).numpy(), state


def train(updates: int, seed: int = 0) -> TorchAgent:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    env = gym.make_vec(ENV, num_envs=NUM_ENVS, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP, **WORLD)
    features, actions = env.single_observation_space.shape[0], env.single_action_space.n
    network = torch.nn.Linear(features, actions)
    agent = TorchAgent(network, Normalisation(env.unwrapped.scenario.fields))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)

    observation, _ = env.reset(seed=seed)
    for _update in range(updates):
        log_probabilities, rewards, ends = [], np.zeros((STEPS, NUM_ENVS)), np.zeros((STEPS, NUM_ENVS), bool)
        for t in range(STEPS):
            choice = torch.distributions.Categorical(logits=agent.logits(observation))
            action = choice.sample()
            log_probabilities.append(choice.log_prob(action))
            observation, rewards[t], terminated, truncated, _ = env.step(action.numpy())
            ends[t] = terminated | truncated
        returns, following = np.zeros_like(rewards), np.zeros(NUM_ENVS)
        for t in reversed(range(STEPS)):
            following = rewards[t] + DISCOUNT * following * ~ends[t]
            returns[t] = following
        advantage = returns - returns.mean(axis=1, keepdims=True)  # environments at the same step have as far to go
        advantage = torch.as_tensor(advantage / (advantage.std() + 1e-8), dtype=torch.float32)
        loss = -(torch.stack(log_probabilities) * advantage).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    env.close()
    return agent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--episodes", type=int, default=64)
    args = parser.parse_args()
    task = mmwave_gym.Task(env_id=ENV, kwargs=WORLD, name="handover/example")
    for name, agent in (("random", "random"), ("REINFORCE", train(args.updates)), ("A3", "a3"), ("oracle", "oracle")):
        rows = mmwave_gym.evaluate(agent, task, episodes=args.episodes)
        print(f"{name:10s} reward {np.mean([row['reward'] for row in rows]):.3f}")


if __name__ == "__main__":
    main()
