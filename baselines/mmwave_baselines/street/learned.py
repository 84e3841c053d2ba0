"""Agents that were trained here and are shipped, several training seeds a street; all but one learned from regrets.

Each sees what a UE hears and begins as an imitation of the tuned A3; see docs/training.md.
"""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped

Ppo = Shipped(
    __package__, "ppo", "PPO", "`python -m train.ppo`: the observation holds eight measurements, so nothing is stacked."
)


PpoRewards = Shipped(
    __package__,
    "ppo_rewards",
    "PPO on rewards",
    "`python -m train.ppo --no-regret`: as `Ppo`, but it was trained on what is received alone.",
)


RecurrentPpo = Shipped(
    __package__,
    "recurrent_ppo",
    "RecurrentPPO",
    "`python -m train.recurrent_ppo`: an LSTM that sees the newest measurement only and remembers the others.",
)


A3c = Shipped(
    __package__,
    "a3c",
    "A3C",
    "`python -m train.a3c`, the handover paper's learner in stable mode: the last measurement, and a memory of 64.",
)
