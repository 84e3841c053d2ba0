"""Offline learning by Tianshou: behaviour cloning and discrete CQL from a Minari data set, without a single decision.

mmwave-gym export random --task handover/a3-beta25 --episodes 64 --minari mmwave/random-v0
python examples/tianshou_offline.py --dataset mmwave/random-v0 --algorithm cql --save runs/cql.pt
mmwave-gym evaluate runs/cql.pt --task handover/a3-beta25
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import minari
import numpy as np
import torch
from tianshou.algorithm import DiscreteCQL
from tianshou.algorithm.imitation.imitation_base import ImitationPolicy, OfflineImitationLearning
from tianshou.algorithm.modelfree.qrdqn import QRDQNPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from tianshou.trainer import OfflineTrainerParams
from tianshou.utils.net.common import Net

from mmwave_gym.agents.formats.described import describe
from mmwave_gym.agents.policy import Normalisation
from mmwave_gym.benchmark.task import Task
from mmwave_gym.datasets import task_of, told_of

HIDDEN, QUANTILES = [64, 64], 16


class QuantileNet(Net):
    """Quantiles of each action's value, (rows, actions, QUANTILES)."""

    def __init__(self, features: int, actions: int):
        super().__init__(state_shape=(features,), action_shape=actions * QUANTILES, hidden_sizes=HIDDEN)
        self.actions = actions

    def forward(self, obs, state=None, info=None):
        values, state = super().forward(obs, state, info)
        return values.view(-1, self.actions, QUANTILES), state


def buffer_of(data: minari.MinariDataset, task: Task, scale: float) -> ReplayBuffer:
    """All transitions, observations normalised. A cut episode goes on: only a termination ends the return."""
    normalise = Normalisation(task.scenario().fields)
    buffer = ReplayBuffer(data.total_steps)
    for episode in data.iterate_episodes():
        seen = normalise(episode.observations)
        for t in range(len(episode.rewards)):
            buffer.add(
                Batch(
                    obs=seen[t], act=episode.actions[t], rew=episode.rewards[t] * scale, obs_next=seen[t + 1],
                    terminated=bool(episode.terminations[t]), truncated=bool(episode.truncations[t]), info={},
                )
            )  # fmt: skip
    return buffer


def train(data: minari.MinariDataset, task: Task, algorithm: str, updates: int, seed: int) -> dict[str, torch.Tensor]:
    """The weights of the network that acts, which gives one number an action."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (Tianshou's buffers draw from it)
    torch.set_num_threads(1)
    features, actions = task.scenario().fields.size, int(task.scenario().action_space.n)
    rewards = np.concatenate([episode.rewards for episode in data.iterate_episodes()])
    buffer = buffer_of(data, task, 1.0 / max(float(rewards.std()), 1e-6))
    spaces = {"action_space": data.action_space, "observation_space": data.observation_space}
    optim = AdamOptimizerFactory(lr=1e-3)
    if algorithm == "bc":
        net = Net(state_shape=(features,), action_shape=actions, hidden_sizes=HIDDEN)
        learner = OfflineImitationLearning(policy=ImitationPolicy(actor=net, **spaces), optim=optim)
    else:
        net = QuantileNet(features, actions)
        learner = DiscreteCQL(
            policy=QRDQNPolicy(model=net, **spaces), optim=optim, gamma=0.9, num_quantiles=QUANTILES,
            target_update_freq=200, min_q_weight=0.5,
        )  # fmt: skip
    learner.run_training(
        OfflineTrainerParams(
            buffer=buffer, max_epochs=1, epoch_num_steps=updates, batch_size=256, test_collector=None,
            test_step_num_episodes=0, verbose=False, show_progress=False,
        )
    )  # fmt: skip
    weights = dict(net.state_dict())
    if algorithm == "cql":  # it acts by the mean of the quantiles, which is linear too
        *_, last = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
        for part in ("weight", "bias"):
            whole = weights[f"{last}.{part}"]
            weights[f"{last}.{part}"] = whole.view(actions, QUANTILES, *whole.shape[1:]).mean(1)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--algorithm", choices=("bc", "cql"), default="bc")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--updates", type=int, default=4000)
    parser.add_argument("--save", required=True)
    args = parser.parse_args()
    began = time.process_time()
    data = minari.load_dataset(args.dataset)
    task, told = task_of(data), told_of(data)
    weights = train(data, task, args.algorithm, args.updates, args.seed)
    Path(args.save).parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights, args.save)
    describe(
        args.save, task.env_id, task.kwargs, normalised=True, activation="relu", library="Tianshou", seed=args.seed,
        output="logits" if args.algorithm == "bc" else "q", algorithm=f"{args.algorithm.upper()} offline",
        steps=0, command=" ".join(["python", *sys.argv]),
        training={
            "processor_s": round(time.process_time() - began, 1),
            "teacher": told["agent"] if args.algorithm == "bc" else "",
            "trained_on": f"{task.name}, {data.total_steps} steps of {told['agent']}",
        },
    )  # fmt: skip
    print(f"mmwave-gym evaluate {args.save} --task {task.name}")


if __name__ == "__main__":
    main()
