"""RLlib: `PPOConfig().environment(register("MmwaveHandover-v0"))`; needs `pip install 'ray[rllib]' torch`."""

from mmwave_gym.api.rllib import register

__all__ = ["register"]
