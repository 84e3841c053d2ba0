"""RLlib: environments of its registry, single and multi-agent, sampled by its own environment runners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv, PettingZooEnv

from clients.probing import SEED, STEPS, Case, Trace, flat, script
from mmwave_gym.rllib import register


def single(case: Case) -> Trace:
    """`PPO` samples it, and its vector of environments gives the same episodes."""
    _sampled(case.env_id, case.one)
    import gymnasium

    env = gymnasium.make_vec(case.env_id, num_envs=1, vectorization_mode="sync", **case.one)
    trace = [flat(env.reset(seed=SEED)[0])]
    for _, actions in zip(range(STEPS), script(env.single_action_space), strict=False):
        observation, reward, *_ = env.step(env.single_action_space.dtype.type(actions).reshape(env.action_space.shape))
        trace.append(flat(observation, reward))
    return trace


def _sampled(name: str, keywords: dict[str, Any], **multi: Any) -> None:
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner
    from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

    config = PPOConfig().environment(name, env_config=keywords).env_runners(num_envs_per_env_runner=2)
    if multi:
        config = config.multi_agent(**multi).env_runners(num_envs_per_env_runner=1)
    runner = (MultiAgentEnvRunner if multi else SingleAgentEnvRunner)(config=config)
    assert sum(len(episode) for episode in runner.sample(num_timesteps=10)) >= 10
    runner.stop()


def _registered(name: str, made: Any) -> str:
    from ray.tune.registry import register_env

    register_env(name, lambda keywords: made())
    return name


def parallel(case: Case) -> Trace:
    def made() -> Any:
        return ParallelPettingZooEnv(case.parallel_env(always_present=True, mask="info"))

    name = _registered(f"{case.name}, parallel", made)
    _sampled(name, {}, policies={"all"}, policy_mapping_fn=lambda agent, episode, **_: "all")
    env = made()
    names = env.par_env.possible_agents
    observations, _ = env.reset(seed=SEED)
    trace = [flat(*(observations[a] for a in names))]
    for _, actions in zip(range(STEPS), script(env.par_env.action_space(names[0]), len(names)), strict=False):
        observations, rewards, *_ = env.step(dict(zip(names, actions, strict=True)))
        trace.append(flat(*(observations[a] for a in names), [rewards[a] for a in names]))
    return trace


def aec(case: Case) -> Trace:
    env = PettingZooEnv(case.aec_env(mask="info"))
    observations, _ = env.reset(seed=SEED)
    names, owed = case.aec_env().possible_agents, dict.fromkeys(env.env.possible_agents, 0.0)
    trace = []
    for _, (action,) in zip(range(STEPS), script(case.aec_env().action_space(names[0])), strict=False):
        ((agent, own),) = observations.items()
        trace.append(flat(own, owed[agent]))
        observations, rewards, *_ = env.step({agent: action})
        owed.update(rewards)
    return trace


def agent(case: Case, folder: Path) -> tuple[Path, Any]:
    """An untrained PPO, saved by `save_to_path`; its action is the mean or the largest logit, spread as RLlib does."""
    import torch
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.utils.spaces.space_utils import unsquash_action

    config = PPOConfig().environment(register(case.env_id, **case.one)).env_runners(num_env_runners=0)
    algorithm = config.rl_module(model_config={"fcnet_hiddens": [32, 32], "vf_share_layers": False}).build_algo()
    path = folder / "checkpoint"
    algorithm.save_to_path(str(path))
    module: Any = algorithm.get_module()
    space = case.make().action_space

    def own(observation: Any) -> Any:
        with torch.no_grad():
            inputs = module.forward_inference({"obs": torch.as_tensor(observation)})["action_dist_inputs"].numpy()
        if hasattr(space, "n"):
            return inputs.argmax(axis=1)
        return [unsquash_action(row[: len(row) // 2], space) for row in inputs]

    return path, own
