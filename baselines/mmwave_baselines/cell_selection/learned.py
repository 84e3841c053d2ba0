"""Agents that were trained here and are shipped: one network for all UEs and all cells, several training seeds each.

Every UE sees its own links and the loads, and was trained on the team's reward; see docs/training.md.
"""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped


class Ppo(Shipped):
    """`python -m train.ppo`: sees the present slot."""

    algorithm, label = "ppo", "PPO"


class PpoMemory(Shipped):
    """`python -m train.ppo --frame-stack 2`: sees the slot before, too."""

    algorithm, label = "ppo_memory", "PPO, one slot of memory"


class Dqn(Shipped):
    """`python -m train.dqn`: sees the present slot."""

    algorithm, label = "dqn", "DQN"
