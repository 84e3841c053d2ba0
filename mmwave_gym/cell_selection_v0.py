"""PettingZoo's names for cell selection: `cell_selection_v0.parallel_env(num_ues=6)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym import multiagent

parallel_env = partial(multiagent.parallel_env, "cell_selection")
raw_env = partial(multiagent.raw_env, "cell_selection")
env = partial(multiagent.env, "cell_selection")
