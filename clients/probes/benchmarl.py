"""BenchMARL: the task class, as its experiments make environments from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from tensordict import TensorDict
from torchrl.envs.utils import ExplorationType, check_env_specs, set_exploration_type

from clients.probes.torchrl import group
from clients.probing import NUM_ENVS, SEED, Case, Trace
from mmwave_gym.agents.formats.described import describe
from mmwave_gym.benchmarl import MmwaveTask
from mmwave_gym.core.registration import make_registered

ACTS = ("discrete",)


def parallel(case: Case) -> Trace:
    """The first of several environment copies; where agents take turns there is one, of PettingZoo."""
    task = MmwaveTask(case.env_id, normalise=False, **case.all)
    env = task.get_env_fun(NUM_ENVS, task.supports_continuous_actions(), None, "cpu")()
    for spec in (task.observation_spec, task.info_spec, task.state_spec, task.action_spec, task.action_mask_spec):
        spec(env)
    check_env_specs(env)
    alone = case.parallel_env(always_present=True)
    names = alone.possible_agents
    assert task.group_map(env) == {"agents": names}
    copies = NUM_ENVS if task.native else None
    return group(env, env.reset(seed=SEED), "agents", alone.action_space(names[0]), len(names), copies)


def agent(case: Case, folder: Path) -> tuple[Path, Any]:
    """The untrained policy of a MAPPO experiment."""
    config, network = ExperimentConfig.get_from_yaml(), MlpConfig.get_from_yaml()
    config.loggers, config.save_folder, config.render, config.evaluation = [], str(folder), False, False
    made = Experiment(
        task=MmwaveTask(case.env_id, **case.one), algorithm_config=MappoConfig.get_from_yaml(), model_config=network,
        critic_model_config=network, seed=0, config=config,
    )  # fmt: skip
    path, agents = folder / "actor.pt", make_registered(case.env_id, **case.one).num_agents
    torch.save(made.policy.state_dict(), path)
    describe(path, case.env_id, case.one, normalised=True, activation="tanh")  # BenchMARL's default

    def own(observation: Any) -> Any:
        seen = torch.as_tensor(observation).reshape(-1, agents, observation.shape[1])
        given = TensorDict({"agents": TensorDict({"observation": seen}, seen.shape[:2])}, seen.shape[:1])
        with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
            return made.policy(given)["agents", "action"].numpy()

    return path, own
