"""PettingZoo's names for version 1 of handover: `handover_v1.parallel_env(num_ues=12)`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo
from mmwave_gym.core.registration import entry

_SET = entry("MmwaveHandover-v1").overrides
parallel_env = partial(pettingzoo.parallel_env, "handover", **_SET)
raw_env = partial(pettingzoo.raw_env, "handover", **_SET)
env = partial(pettingzoo.env, "handover", **_SET)
