"""Agents that were trained here and are shipped: PPO, DQN and A2C, several training seeds a task."""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped

Ppo = Shipped(__package__, "ppo", "PPO", "`python -m train.ppo`.")


Dqn = Shipped(__package__, "dqn", "DQN", "`python -m train.dqn`.")


A2c = Shipped(__package__, "a2c", "A2C", "`python -m train.a2c`.")
