"""The trained agent: five training seeds for `relay/slow`, in `weights/`."""

from mmwave_baselines.shipped import Shipped

Ppo = Shipped(__package__, "ppo", "PPO", "`mmwave-gym train ppo`: a small network on the last slot.", scenario="relay")
