"""Agents that were trained here and are shipped: PPO, DQN and A2C, several training seeds a task."""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped


class Ppo(Shipped):
    """`python -m train.ppo`."""

    algorithm, label = "ppo", "PPO"


class Dqn(Shipped):
    """`python -m train.dqn`."""

    algorithm, label = "dqn", "DQN"


class A2c(Shipped):
    """`python -m train.a2c`."""

    algorithm, label = "a2c", "A2C"
