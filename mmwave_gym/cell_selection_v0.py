"""PettingZoo's names for cell selection: `cell_selection_v0.parallel_env(num_ues=6)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo

parallel_env = partial(pettingzoo.parallel_env, "cell_selection")
raw_env = partial(pettingzoo.raw_env, "cell_selection")
env = partial(pettingzoo.env, "cell_selection")
