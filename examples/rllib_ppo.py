"""RLlib's PPO: one agent, all agents with shared weights, and masked actions.

python examples/rllib_ppo.py --iterations 20
"""

from __future__ import annotations

import argparse

from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule

from mmwave_gym.rllib import register


def one_agent() -> PPOConfig:
    return PPOConfig().environment(register("MmwaveHandover-v0", horizon=200))


def all_agents() -> PPOConfig:
    config = PPOConfig().environment(register("MmwaveCellSelection-v0", agents="all", horizon=100))
    return config.multi_agent(policies={"shared"}, policy_mapping_fn=lambda agent, episode, **_: "shared")


def masked() -> PPOConfig:
    config = PPOConfig().environment(register("MmwaveAssociation-v0", num_ues=8))
    return config.rl_module(rl_module_spec=RLModuleSpec(module_class=ActionMaskingTorchRLModule))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--batch", type=int, default=2000)
    words = parser.parse_args()
    for made in (one_agent, all_agents, masked):
        config = made().env_runners(num_env_runners=0).training(train_batch_size_per_learner=words.batch)
        algorithm = config.training(minibatch_size=min(128, words.batch), num_epochs=4).build_algo()
        for _ in range(words.iterations):
            result = algorithm.train()
        print(made.__name__, "return", result["env_runners"].get("episode_return_mean"))
        algorithm.stop()
