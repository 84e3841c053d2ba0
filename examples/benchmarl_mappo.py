"""BenchMARL: MAPPO and IPPO, one policy for all agents.

python examples/benchmarl_mappo.py --task cell_selection/n3-cost10 --decisions 100000 --save runs/mappo.pt
mmwave-gym evaluate runs/mappo.pt --task cell_selection/n3-cost10
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from benchmarl.algorithms import IppoConfig, MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig

from mmwave_gym.agents.formats.described import describe
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmarl import MmwaveTask

ALGORITHMS = {"mappo": MappoConfig, "ippo": IppoConfig}


def experiment(algorithm: str, task: str, decisions: int, frames: int, seed: int, folder: str) -> Experiment:
    """decisions: of all agents together; a frame of BenchMARL is a step of all of them."""
    of = suite.task(task)
    config = ExperimentConfig.get_from_yaml()
    config.loggers, config.save_folder, config.render, config.evaluation = [], folder, False, False
    config.max_n_iters, config.max_n_frames = max(decisions // of.scenario().num_agents // frames, 1), None
    config.on_policy_collected_frames_per_batch, config.on_policy_n_envs_per_worker = frames, 8
    config.on_policy_minibatch_size, config.on_policy_n_minibatch_iters = 256, 4
    config.lr, config.gamma = 1e-3, 0.95
    network = MlpConfig(num_cells=[64, 64], layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh)
    return Experiment(
        task=MmwaveTask(of.env_id, **dict(of.kwargs)),
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
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--save", default="")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        made = experiment(args.algorithm, args.task, args.decisions, args.frames, args.seed, folder)
        made.run()
        print(args.algorithm, made.total_frames, "frames, mean return", made.mean_return)
    if args.save:
        Path(args.save).parent.mkdir(parents=True, exist_ok=True)
        torch.save(made.policy.state_dict(), args.save)
        of = suite.task(args.task)
        describe(
            args.save, of.env_id, of.kwargs, normalised=True, activation="tanh", algorithm=args.algorithm.upper(),
            library="BenchMARL", seed=args.seed, steps=made.total_frames * of.scenario().num_agents,
            command=" ".join(["python", *sys.argv]),
            training={"processor_s": round(time.process_time(), 1), "trained_on": args.task},
        )  # fmt: skip
        print(f"mmwave-gym evaluate {args.save} --task {args.task}")
