"""skrl: `wrap_env` around a single environment, the native vector and the parallel form."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skrl import config
from skrl.envs.wrappers.torch import wrap_env

from clients.probing import NUM_ENVS, SEED, STEPS, Case, Trace, flat, script


def _played(made: Any, space: Any, count: int) -> Trace:
    config.torch._key = SEED
    env = wrap_env(made, verbose=False)
    observation, _ = env.reset()
    trace = [flat(observation.numpy())]
    for _, actions in zip(range(STEPS), script(space, count), strict=False):
        observation, reward, *_ = env.step(torch.as_tensor(np.array(actions)).reshape(count, -1))
        trace.append(flat(observation.numpy(), reward.numpy()))
    return trace


def single(case: Case) -> Trace:
    made = case.make()
    return _played(made, made.action_space, 1)


def batch(case: Case) -> Trace:
    made = case.make_vec()
    return _played(made, made.single_action_space, NUM_ENVS)


def parallel(case: Case) -> Trace:
    config.torch._key = SEED
    made = case.parallel_env(always_present=True, mask="info")
    env = wrap_env(made, wrapper="pettingzoo", verbose=False)
    names = env.possible_agents
    assert set(env.observation_spaces) == set(env.action_spaces) == set(names)
    observations, _ = env.reset()
    env.state()
    trace = [flat(*(observations[a].numpy() for a in names))]
    for _, actions in zip(range(STEPS), script(made.action_space(names[0]), len(names)), strict=False):
        given = {a: torch.as_tensor(np.array(x)).reshape(1, -1) for a, x in zip(names, actions, strict=True)}
        observations, rewards, *_ = env.step(given)
        trace.append(flat(*(observations[a].numpy() for a in names), *(rewards[a].numpy() for a in names)))
    return trace
