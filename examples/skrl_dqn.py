"""skrl's DQN on the native batch.

python examples/skrl_dqn.py --task handover/a3-beta25 --decisions 102400 --save runs/skrl-dqn.pt
mmwave-gym evaluate runs/skrl-dqn.pt --task handover/a3-beta25
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import gymnasium as gym
import torch
from skrl.agents.torch.dqn import DQN, DQN_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from skrl_ppo import NUM_ENVS, network, reward

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite


class QNetwork(DeterministicMixin, Model):
    def __init__(self, env):
        Model.__init__(self, observation_space=env.observation_space, action_space=env.action_space, device=env.device)
        DeterministicMixin.__init__(self)
        self.net = network(self.num_observations, self.num_actions)

    def compute(self, inputs, role=""):
        return self.net(inputs["observations"]), {}


def explore(timestep: int, timesteps: int) -> float:
    """The share of random actions: from all to a twentieth in the first fifth of the training."""
    return max(1.0 - timestep / (0.2 * timesteps), 0.05)


def train(task: str, timesteps: int, seed: int, folder: str) -> tuple[QNetwork, float, float]:
    """The network, and the reward a step of the untrained and of the trained one."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    of = suite.task(task)
    batch = gym.make_vec(of.env_id, num_envs=NUM_ENVS, normalise=True, **dict(of.kwargs))
    batch.reset(seed=seed * 2**20)  # training seeds share no world
    env = wrap_env(batch, verbose=False)
    models = {"q_network": QNetwork(env), "target_q_network": QNetwork(env)}
    agent = DQN(
        models=models,
        memory=RandomMemory(memory_size=800, num_envs=env.num_envs, device=env.device),
        observation_space=env.observation_space,
        action_space=env.action_space,
        device=env.device,
        cfg=DQN_CFG(
            batch_size=256,
            discount_factor=0.9,
            gradient_steps=2,
            polyak=0.05,
            learning_starts=16,
            target_update_interval=10,
            exploration_scheduler=explore,
            experiment={"directory": folder, "write_interval": 0, "checkpoint_interval": 0},
        ),
    )
    before = reward(env, models["q_network"])
    quiet = {"headless": True, "disable_progressbar": True}  # not headless, it draws every step
    SequentialTrainer(env=env, agents=agent, cfg={"timesteps": timesteps, **quiet}).train()
    return models["q_network"], before, reward(env, models["q_network"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="handover/a3-beta25")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        net, before, after = train(args.task, args.decisions // NUM_ENVS, args.seed, folder)
    print(f"reward a step: {before:.2f} untrained, {after:.2f} trained")
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), args.save)
        of = suite.task(args.task)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, activation="tanh", output="q", algorithm="DQN",
            library="skrl", seed=args.seed, steps=args.decisions // NUM_ENVS * NUM_ENVS,
            command=" ".join(["python", *sys.argv]), training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
