"""AgileRL: its vectors of single environments, and of PettingZoo's parallel ones, each in a process of its own."""

from __future__ import annotations

import numpy as np
from agilerl.utils.utils import make_multi_agent_vect_envs, make_vect_envs

from clients.probing import SEED, STEPS, Case, Trace, flat, script


def single(case: Case) -> Trace:
    env = make_vect_envs(case.env_id, num_envs=1, should_async_vector=False, **case.one)
    trace = [flat(env.reset(seed=SEED)[0])]
    for _, actions in zip(range(STEPS), script(env.single_action_space), strict=False):
        observation, reward, *_ = env.step(np.array(actions))
        trace.append(flat(observation, reward))
    env.close()
    return trace


def parallel(case: Case) -> Trace:
    env = make_multi_agent_vect_envs(case.parallel_env, num_envs=1, always_present=True, mask="info")
    names = env.possible_agents
    observations, _ = env.reset(seed=SEED)
    trace = [flat(*(observations[a] for a in names))]
    for _, actions in zip(range(STEPS), script(env.single_action_space(names[0]), len(names)), strict=False):
        observations, rewards, *_ = env.step({a: np.array([x]) for a, x in zip(names, actions, strict=True)})
        trace.append(flat(*(observations[a] for a in names), [rewards[a][0] for a in names]))
    env.close()
    return trace
