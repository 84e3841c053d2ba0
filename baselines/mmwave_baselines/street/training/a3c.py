"""A3C of the handover paper in a street (`training.a3c_side_by_side`).

The network sees what is new: the last measurement, who serves, ages, and the SINR of the serving link. The seven
measurements before, which PPO is shown, it has to remember. A decision takes 100 ms, a handover several of them, a lost
link more.
"""

from __future__ import annotations

from typing import ClassVar

from mmwave_baselines.training.a3c_side_by_side import SideBySide


class Street(SideBySide):
    """A task in a street as the network sees it."""

    seen: ClassVar = {
        "rsrp_0_dbm": (-85.0, 15.0),
        "serving": (0.0, 1.0),
        "age_s": (0.2, 0.2),
        "served_s": (5.0, 5.0),
        "t310_s": (0.0, 0.5),
        "sinr_db": (15.0, 15.0),
    }
    only_first = ("sinr_db",)
    step = "decision_s"
