"""PettingZoo's names for association: `association_v0.env(num_ues=512)`, `raw_env()`; one UE decides at a time."""

from functools import partial

from mmwave_gym.api import pettingzoo

raw_env = partial(pettingzoo.raw_env, "association")
env = partial(pettingzoo.env, "association")
