"""JAX: Gymnasium's own wrapper turns observations, rewards and actions of the native batch into JAX arrays.

python examples/jax_wrappers.py
"""

from __future__ import annotations

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.wrappers.vector import ArrayConversion

import mmwave_gym  # noqa: F401 registers the environments


@jax.jit
def strongest(observation: jax.Array) -> jax.Array:
    """The cell with the highest RSRQ for each environment: observations (N, 12) hold six of them first, in dB."""
    return jnp.argmax(observation[:, :6], axis=1)


def play(steps: int = 200, num_envs: int = 64) -> float:
    """Mean reward a step of always taking the strongest cell."""
    env = ArrayConversion(gym.make_vec("MmwaveHandover-v0", num_envs=num_envs), env_xp=np, target_xp=jnp)
    observation, _ = env.reset(seed=0)
    total = 0.0
    for _ in range(steps):
        observation, reward, *_ = env.step(strongest(observation))
        total += float(reward.mean()) / steps
    return total


if __name__ == "__main__":
    print(f"reward a step: {play():.2f}")
