"""BenchMARL: MAPPO and IPPO on cell selection.

python examples/benchmarl_mappo.py --iterations 20
"""

from __future__ import annotations

import argparse
import tempfile

from benchmarl.algorithms import IppoConfig, MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig

from mmwave_gym.benchmarl import MmwaveTask


def experiment(algorithm: type, iterations: int, frames: int, folder: str) -> Experiment:
    config = ExperimentConfig.get_from_yaml()
    config.loggers, config.save_folder, config.render, config.evaluation = [], folder, False, False
    config.max_n_iters, config.max_n_frames = iterations, None
    config.on_policy_collected_frames_per_batch, config.on_policy_n_envs_per_worker = frames, 4
    config.on_policy_minibatch_size, config.on_policy_n_minibatch_iters = 200, 4
    return Experiment(
        task=MmwaveTask("MmwaveCellSelection-v0", num_ues=3, horizon=100),
        algorithm_config=algorithm.get_from_yaml(),
        model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(),
        seed=0,
        config=config,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--frames", type=int, default=4000)
    words = parser.parse_args()
    for algorithm in (MappoConfig, IppoConfig):
        with tempfile.TemporaryDirectory() as folder:
            made = experiment(algorithm, words.iterations, words.frames, folder)
            made.run()
            print(algorithm.__name__, made.total_frames, "frames, mean return", made.mean_return)
