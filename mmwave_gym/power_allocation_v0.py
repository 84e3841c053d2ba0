"""PettingZoo's names for power allocation: `power_allocation_v0.parallel_env(num_bs=6)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym import multiagent

parallel_env = partial(multiagent.parallel_env, "power_allocation")
raw_env = partial(multiagent.raw_env, "power_allocation")
env = partial(multiagent.env, "power_allocation")
