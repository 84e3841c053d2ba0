"""Agents that other people's libraries trained, five training seeds each; see docs/clients.md and docs/datasets.md.

`benchmarl-mappo` and `benchmarl-ippo` had as many decisions as the shipped `dqn`, all agents together, and the team's
rewards as that one. They differ in the critic alone: MAPPO's observes all UEs, IPPO's one.

The offline ones made no decision of their own: they learned from 8 training episodes, behaviour cloning from those of
`rate-stay`, CQL from those of random play (`mmwave-gym export rate-stay --episodes 8 --minari NAME`).
The commands are in the weights' `.json`. The weights are `.npz`: to play them again needs no other library.
"""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped

BenchmarlMappo = Shipped(
    __package__,
    "benchmarl_mappo",
    "MAPPO (BenchMARL)",
    "`python examples/benchmarl_mappo.py`: BenchMARL's MAPPO, on team rewards.",
)

BenchmarlIppo = Shipped(
    __package__,
    "benchmarl_ippo",
    "IPPO (BenchMARL)",
    "`python examples/benchmarl_mappo.py --algorithm ippo`: BenchMARL's IPPO, on team rewards.",
)

BcOffline = Shipped(
    __package__,
    "bc_offline",
    "BC, offline (Tianshou)",
    "`python examples/tianshou_offline.py`: behaviour cloning of recorded `rate-stay`.",
)

CqlOffline = Shipped(
    __package__,
    "cql_offline",
    "CQL, offline (Tianshou)",
    "`python examples/tianshou_offline.py --algorithm cql`: from recorded random play.",
)
