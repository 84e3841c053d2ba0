"""RLlib: `PPOConfig().environment(register("MmwaveHandover-v0"))`; needs `pip install 'mmwave-gym[rllib]'`."""

from mmwave_gym.core.errors import needs

try:
    from mmwave_gym.api.rllib import register
except ImportError as error:
    raise needs(__name__, "rllib", error) from error

__all__ = ["register"]
