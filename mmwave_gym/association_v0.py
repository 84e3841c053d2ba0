"""PettingZoo's names for association, where UEs take turns: `association_v0.env(num_ues=512)`, `parallel_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo

parallel_env = partial(pettingzoo.parallel_env, "association")
raw_env = partial(pettingzoo.raw_env, "association")
env = partial(pettingzoo.env, "association")
