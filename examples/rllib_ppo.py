"""RLlib's PPO: one agent, all agents with shared weights, and masked actions.

python examples/rllib_ppo.py --task handover/a3-beta25 --decisions 100000 --save runs/rllib
mmwave-gym evaluate runs/rllib --task handover/a3-beta25

With --agents all every agent slot learns. A checkpoint says itself what was observed, so it needs no description; the
one that is written here tells a leaderboard its seed and command.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite
from mmwave_gym.rllib import register


def config_of(task: str, agents: str) -> PPOConfig:
    """PPO in a task's environment; actions that are not allowed are masked where there are any."""
    of = suite.task(task)
    config = PPOConfig().environment(register(of.env_id, agents=agents, **dict(of.kwargs)))
    if agents == "all":
        return config.multi_agent(policies={"shared"}, policy_mapping_fn=lambda agent, episode, **_: "shared")
    if of.scenario().masked:
        return config.rl_module(rl_module_spec=RLModuleSpec(module_class=ActionMaskingTorchRLModule))
    return config


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="handover/a3-beta25")
    parser.add_argument("--agents", choices=("one", "all"), default="one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    config = (
        config_of(args.task, args.agents)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=64 if args.agents == "one" else 1)
        .training(train_batch_size_per_learner=args.batch, minibatch_size=min(512, args.batch), num_epochs=4)
        .training(lr=1e-3, gamma=0.95, lambda_=0.9, entropy_coeff=0.01, vf_clip_param=1e6, grad_clip=0.5)
        .rl_module(model_config={"fcnet_hiddens": [64, 64], "vf_share_layers": False})
        .debugging(seed=args.seed * 2**20)  # training seeds share no world
    )
    algorithm = config.build_algo()
    iterations = max(args.decisions // args.batch, 1)
    for _ in range(iterations):
        result = algorithm.train()
    print("return", result["env_runners"].get("episode_return_mean"))
    if args.save:
        algorithm.save_to_path(str(Path(args.save).absolute()))
        of = suite.task(args.task)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, algorithm="PPO", library="RLlib", seed=args.seed,
            steps=iterations * args.batch, command=" ".join(["python", *sys.argv]),
            training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
    algorithm.stop()
