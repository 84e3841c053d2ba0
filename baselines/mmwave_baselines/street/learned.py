"""Agents that were trained here and are shipped, several seeds a street; all but one on the regret in hindsight.

Each sees what a UE hears and begins as an imitation of the tuned A3; see docs/training.md.
"""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped


class Ppo(Shipped):
    """`python -m train.ppo`: the observation holds eight measurements, so nothing is stacked."""

    algorithm, label = "ppo", "PPO"


class PpoRewards(Shipped):
    """`python -m train.ppo --no-regret`: as `Ppo`, but it was trained on what is received alone."""

    algorithm, label = "ppo_rewards", "PPO on rewards"


class RecurrentPpo(Shipped):
    """`python -m train.recurrent_ppo`: an LSTM that sees the newest measurement only and remembers the others."""

    algorithm, label = "recurrent_ppo", "RecurrentPPO"


class A3c(Shipped):
    """`python -m train.a3c`, the handover paper's learner in stable mode: the last measurement, and a memory of 64."""

    algorithm, label = "a3c", "A3C"
