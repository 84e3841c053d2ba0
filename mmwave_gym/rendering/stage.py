"""What a replay shows of an episode: a stage that is told once, and moments on it.

A scene that has both is drawn on a map:

    class RelayScene(RecordedScene[Record]):
        def stage(self) -> Stage: ...
        def moments(self) -> list[Moment]: ...

A scene without them is replayed by its `text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import Float64Array

Points = Float64Array  # (n, 2), metres, x to the east and y to the north; NaN where unknown


@dataclass(frozen=True)
class Stage:
    """What stays the same over an episode. Nodes serve, UEs are served; each kind has its noun.

    node_m: (K, 2) where nodes stand, None where a scenario has no places: links are then shown as a table. outlines_m:
    buildings, (corners, 2) each. value: the number that every UE has, and its unit. level: what a UE hears of every
    node, its unit and its range; "" where nothing is told of it. nodes_vary: what share nodes have of their own, such
    as "power".
    """

    title: str
    num_ues: int
    num_nodes: int
    value: tuple[str, str]
    node_m: Points | None = None
    outlines_m: tuple[Points, ...] = ()
    level: tuple[str, str, float, float] = ("", "", 0.0, 1.0)
    ue_noun: str = "UE"
    node_noun: str = "cell"
    nodes_vary: str = ""
    attribution: str = ""


@dataclass(frozen=True)
class Moment:
    """What holds from `time_s` on, until the next moment. Arrays are by UE (U,) or by node (K,).

    serving: index of the node, -1 for nobody. trouble: True where a UE has no data or not what it needs. level: (W, K),
    W = 1 where one UE is watched, or U. node_share: 0 to 1. events: (UE, what), for instance (0, "ping-pong"); that a
    UE changes its node need not be told.
    """

    time_s: float
    present: NDArray[np.bool_]
    serving: NDArray[np.int64]
    value: Float64Array
    trouble: NDArray[np.bool_]
    place_m: Points | None = None
    level: Float64Array | None = None
    node_share: Float64Array | None = None
    events: tuple[tuple[int, str], ...] = ()


@runtime_checkable
class Replayed(Protocol):
    """A scene that can be drawn on a map. `stage` is asked after an episode began, `moments` after every step too."""

    def stage(self) -> Stage:
        """What stays the same over the running episode."""

    def moments(self) -> list[Moment]:
        """What is new since the last call, in order of time; the present, at least."""
