"""BenchMARL: MAPPO and IPPO, one policy for all agents, on the native batch.

python examples/benchmarl_mappo.py --task cell_selection/n3-cost10 --train-set reward=team --save runs/mappo.pt
mmwave-gym evaluate runs/mappo.pt --task cell_selection/n3-cost10
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from benchmarl.algorithms import IppoConfig, MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig

from mmwave_gym.agents.formats.described import describe, trained_on
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.task import Task
from mmwave_gym.benchmarl import MmwaveTask
from mmwave_gym.core.keywords import keywords

NUM_ENVS = 64
ALGORITHMS = {"mappo": MappoConfig, "ippo": IppoConfig}


def experiment(
    algorithm: str, of: Task, more: dict[str, Any], decisions: int, frames: int, gamma: float, seed: int, folder: str
) -> Experiment:
    """decisions: of all agents together; a frame of BenchMARL is a step of all of them. more: keywords of training."""
    config = ExperimentConfig.get_from_yaml()
    config.loggers, config.save_folder, config.render, config.evaluation = [], folder, False, False
    config.max_n_iters, config.max_n_frames = max(decisions // of.scenario().num_agents // frames, 1), None
    config.on_policy_collected_frames_per_batch, config.on_policy_n_envs_per_worker = frames, NUM_ENVS
    config.on_policy_minibatch_size, config.on_policy_n_minibatch_iters = 256, 4
    config.lr, config.gamma = 1e-3, gamma
    network = MlpConfig(num_cells=[64, 64], layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh)
    return Experiment(
        task=MmwaveTask(of.env_id, **{**of.kwargs, **more}),
        algorithm_config=ALGORITHMS[algorithm].get_from_yaml(),
        model_config=network,
        critic_model_config=network,
        seed=seed * 2**20,  # training seeds share no world
        config=config,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="cell_selection/n3-cost10")
    parser.add_argument("--algorithm", choices=tuple(ALGORITHMS), default="mappo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=1024, help=f"of all {NUM_ENVS} environments")
    parser.add_argument("--gamma", type=float, default=0.95)
    parser.add_argument("--train-set", action="append", metavar="KEY=VALUE", help="a keyword that only training has")
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    torch.set_num_threads(1)
    of, more = suite.task(args.task), keywords(args.train_set or (), "--train-set")
    with tempfile.TemporaryDirectory() as folder:
        made = experiment(args.algorithm, of, more, args.decisions, args.frames, args.gamma, args.seed, folder)
        made.run()
        print(args.algorithm, made.total_frames, "frames, mean return", made.mean_return)
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(made.policy.state_dict(), args.save)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, activation="tanh", algorithm=args.algorithm.upper(),
            library="BenchMARL", seed=args.seed, steps=made.total_frames * of.scenario().num_agents,
            command=" ".join(["python", *sys.argv]), training_kwargs={**of.kwargs, **more},
            training=trained_on(args.task),
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
