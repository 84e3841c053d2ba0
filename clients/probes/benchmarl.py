"""BenchMARL: the task class, as its experiments make environments from it."""

from __future__ import annotations

from clients.probes.torchrl import group
from clients.probing import SEED, Case, Trace
from mmwave_gym.benchmarl import MmwaveTask


def parallel(case: Case) -> Trace:
    task = MmwaveTask(case.env_id, normalise=False, **case.all)
    env = task.get_env_fun(1, task.supports_continuous_actions(), None, "cpu")()
    for spec in (task.observation_spec, task.info_spec, task.state_spec, task.action_spec, task.action_mask_spec):
        spec(env)
    names = env._env.possible_agents
    assert task.group_map(env) == {"agents": names}
    return group(env, env.reset(seed=SEED), "agents", env._env.action_space(names[0]), len(names))
