"""PettingZoo's names for version 1 of streets: `street_v1.parallel_env(users="pedestrian")`, `env()`, `raw_env()`."""

from functools import partial

from mmwave_gym.api import pettingzoo
from mmwave_gym.core.registration import entry

_SET = entry("MmwaveStreet-v1").overrides
parallel_env = partial(pettingzoo.parallel_env, "street", **_SET)
raw_env = partial(pettingzoo.raw_env, "street", **_SET)
env = partial(pettingzoo.env, "street", **_SET)
