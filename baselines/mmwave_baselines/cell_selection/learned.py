"""Agents that were trained here and are shipped: one network for all UEs and all cells, several training seeds each.

Every UE sees its own links and the loads, and was trained on the team's reward; see docs/training.md.
"""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped

Ppo = Shipped(__package__, "ppo", "PPO", "`python -m train.ppo`: sees the present slot.")


PpoMemory = Shipped(
    __package__,
    "ppo_memory",
    "PPO, one slot of memory",
    "`python -m train.ppo --frame-stack 2`: sees the slot before, too.",
)


Dqn = Shipped(__package__, "dqn", "DQN", "`python -m train.dqn`: sees the present slot.")
