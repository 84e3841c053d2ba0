"""Tianshou: its vector of single environments, and its form of AEC environments."""

from __future__ import annotations

import numpy as np
from tianshou.env import DummyVectorEnv, PettingZooEnv

from clients.probing import SEED, STEPS, Case, Trace, flat, script


def single(case: Case) -> Trace:
    env = DummyVectorEnv([case.make])
    observation, _ = env.reset(seed=SEED)
    trace = [flat(observation)]
    for _, actions in zip(range(STEPS), script(env.action_space[0]), strict=False):
        observation, reward, *_ = env.step(np.array(actions))
        trace.append(flat(observation, reward))
    return trace


def aec(case: Case) -> Trace:
    env = DummyVectorEnv([lambda: PettingZooEnv(case.aec_env())])
    (observation,), _ = env.reset(seed=SEED)
    names, owed = case.aec_env().possible_agents, 0.0
    trace = []
    for _, (action,) in zip(range(STEPS), script(case.aec_env().action_space(names[0])), strict=False):
        trace.append(flat(observation["obs"], owed))
        (observation,), *_ = env.step(np.array([action]))
        owed = env.workers[0].env.env.last()[1]
    return trace
