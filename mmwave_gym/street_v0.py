"""PettingZoo's names for handover in a street: `street_v0.parallel_env(users="pedestrian")`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym import multiagent

parallel_env = partial(multiagent.parallel_env, "street")
raw_env = partial(multiagent.raw_env, "street")
env = partial(multiagent.env, "street")
