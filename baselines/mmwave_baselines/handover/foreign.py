"""Agents that other people's libraries trained, 102,400 decisions each, five training seeds; see docs/clients.md.

The commands are in the weights' `.json`. The weights are `.npz`: to play them again needs no other library.
"""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped

CleanrlPpo = Shipped(
    __package__, "cleanrl_ppo", "PPO (CleanRL)", "`python examples/cleanrl_ppo.py`: one file, on the native batch."
)

TorchrlPpo = Shipped(
    __package__, "torchrl_ppo", "PPO (TorchRL)", "`python examples/torchrl_ppo.py`: TorchRL's PPO, on the native batch."
)
