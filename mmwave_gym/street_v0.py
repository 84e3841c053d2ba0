"""PettingZoo's names for handover in a street: `street_v0.parallel_env(users="pedestrian")`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo

parallel_env = partial(pettingzoo.parallel_env, "street")
raw_env = partial(pettingzoo.raw_env, "street")
env = partial(pettingzoo.env, "street")
