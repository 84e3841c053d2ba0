"""PettingZoo's names for the handover scenario: `handover_v0.parallel_env(num_ues=12)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym import multiagent

parallel_env = partial(multiagent.parallel_env, "handover")
raw_env = partial(multiagent.raw_env, "handover")
env = partial(multiagent.env, "handover")
