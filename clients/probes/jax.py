"""JAX: `ArrayConversion` of Gymnasium around single environments and the native vector."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.wrappers import ArrayConversion
from gymnasium.wrappers.vector import ArrayConversion as VectorArrayConversion

from clients.probing import NUM_ENVS, SEED, STEPS, Case, Trace, flat, script


def single(case: Case) -> Trace:
    env = ArrayConversion(case.make(), env_xp=np, target_xp=jnp)
    trace = [flat(env.reset(seed=SEED)[0])]
    for _, (action,) in zip(range(STEPS), script(env.action_space), strict=False):
        observation, reward, *_ = env.step(jnp.asarray(action))
        assert isinstance(observation, jax.Array)
        trace.append(flat(observation, reward))
    return trace


def batch(case: Case) -> Trace:
    env = VectorArrayConversion(case.make_vec(), env_xp=np, target_xp=jnp)
    trace = [flat(env.reset(seed=SEED)[0])]
    for _, actions in zip(range(STEPS), script(env.single_action_space, NUM_ENVS), strict=False):
        observation, reward, *_ = env.step(jnp.asarray(np.array(actions)))
        assert isinstance(observation, jax.Array)
        trace.append(flat(observation, reward))
    return trace
