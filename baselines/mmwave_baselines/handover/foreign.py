"""Agents that other people's libraries trained, five training seeds each; see docs/clients.md and docs/datasets.md.

`cleanrl-ppo`, `torchrl-ppo`, `rllib-ppo` and `skrl-dqn` had 102,400 decisions each.
The offline ones had none: they learned from 64 training episodes, behaviour cloning from A3's, CQL from random play's
(`mmwave-gym export a3 --episodes 64 --minari NAME`).
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

RllibPpo = Shipped(
    __package__, "rllib_ppo", "PPO (RLlib)", "`python examples/rllib_ppo.py`: RLlib's PPO, on single environments."
)

SkrlDqn = Shipped(
    __package__, "skrl_dqn", "DQN (skrl)", "`python examples/skrl_dqn.py`: skrl's DQN, on the native batch."
)

BcOffline = Shipped(
    __package__,
    "bc_offline",
    "BC, offline (Tianshou)",
    "`python examples/tianshou_offline.py`: behaviour cloning of recorded A3.",
)

CqlOffline = Shipped(
    __package__,
    "cql_offline",
    "CQL, offline (Tianshou)",
    "`python examples/tianshou_offline.py --algorithm cql`: from recorded random play.",
)
