"""An agent that Tianshou trained: 5,000 decisions of one base station, while the others send at full power.

On the board every base station is played by it. See docs/clients.md; the commands are in the weights' `.json`.
"""

from __future__ import annotations

from mmwave_baselines.shipped import Shipped

TianshouSac = Shipped(
    __package__, "tianshou_sac", "SAC (Tianshou)", "`python examples/tianshou_sac.py`: Tianshou's SAC, one agent."
)
