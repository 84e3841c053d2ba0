"""PettingZoo's names for the handover scenario: `handover_v0.parallel_env(num_ues=12)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo

parallel_env = partial(pettingzoo.parallel_env, "handover")
raw_env = partial(pettingzoo.raw_env, "handover")
env = partial(pettingzoo.env, "handover")
