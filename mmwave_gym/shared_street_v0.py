"""PettingZoo's names for shared streets: `shared_street_v0.parallel_env(num_cars=8)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo

parallel_env = partial(pettingzoo.parallel_env, "shared_street")
raw_env = partial(pettingzoo.raw_env, "shared_street")
env = partial(pettingzoo.env, "shared_street")
