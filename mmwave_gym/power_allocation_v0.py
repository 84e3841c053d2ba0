"""PettingZoo's names for power allocation: `power_allocation_v0.parallel_env(num_bs=6)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo

parallel_env = partial(pettingzoo.parallel_env, "power_allocation")
raw_env = partial(pettingzoo.raw_env, "power_allocation")
env = partial(pettingzoo.env, "power_allocation")
