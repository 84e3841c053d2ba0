"""What agents of cell selection take from observations, and which games they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.model import Game
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Int64Array


class Reading(NamedTuple):
    """Parts of observations; all leading axes are rows."""

    channel: Int64Array  # (rows, cells): state of the own link, an index of the transition matrix
    serving: Int64Array  # (rows,)
    others: Int64Array  # (rows, cells): other UEs at each cell


def read(parts: Mapping[str, NDArray[Any]]) -> Reading:
    """What rules read, from the parts (rows, size) of an observation by the names of its fields."""
    states = [part for name, part in parts.items() if name not in ("serving", "others")]
    return Reading(
        np.stack(states, axis=-1).argmax(axis=-1),
        parts["serving"].argmax(axis=-1),
        np.rint(parts["others"]).astype(np.int64),
    )


def game_of_task(task: Any) -> Game | None:
    """The game of a task, None without one."""
    return None if task is None else Game.of_constants(task.scenario().constants())


def needs_present_load(view: View, agent: str) -> None:
    """NotApplicable unless a slot is shared by those who are there: other load rules make another game."""
    load = view.constants.get("load", "present")
    if load != "present":
        raise NotApplicable(f"{agent} is computed for load='present', this task has load={load!r}.")
