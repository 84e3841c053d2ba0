"""PettingZoo's names for association: `association_v0.env(num_ues=512)`, `raw_env()`; one UE decides at a time."""

from functools import partial

from mmwave_gym import multiagent

raw_env = partial(multiagent.raw_env, "association")
env = partial(multiagent.env, "association")
