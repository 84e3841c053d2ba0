"""The tasks of shared streets: what the suite measures, from which floor up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.scenarios.shared_street.config import TRAINING_MAPS

UNSEEN_MAPS = tuple(range(4001, 4257))
"""256 maps that are for testing only, none of `TRAINING_MAPS`: so many that 96 episodes meet more than 64 of them."""
NEXT = "next"
"""The suite of tasks whose rows are still to be played; with rows and ceilings they belong in "v1"."""
_DENSE: Mapping[str, Any] = {"isd_m": 100.0, "num_cars": 56, "num_pedestrians": 24, "horizon": 600}

_GRID: Mapping[str, Any] = {"blocks": (3, 3), "arm_m": 150.0, "isd_m": 150.0, "turning": 1.0 / 3.0}


def _task(
    name: str,
    description: str,
    keywords: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
    maps: tuple[int, ...] = UNSEEN_MAPS,
    suite: str = NEXT,
    **more: Any,
) -> Task:
    """A task on `maps`; `training` says in what else than maps the world differs where one trains."""
    task = Task(
        name=f"shared_street/{name}",
        env_id="MmwaveSharedStreet-v0",
        kwargs={**keywords, "maps": maps},
        training={**(training or {}), "maps": TRAINING_MAPS},
        primary="utility",
        reference="a3",
        ceiling="ascent",
        smallest_difference=0.003,
        episodes=96,
        suite=suite,
        description=description,
        **more,
    )
    chance = (EpisodeRng(key)["map"] for key in task.keys(list(range(task.episodes))))
    groups = tuple(int(rng.integers(len(maps))) for rng in chance)
    return dataclasses.replace(task, groups=groups)


TASKS: tuple[Task, ...] = (
    _task(
        "main",
        "A cell every 200 m, 24 cars and 16 pedestrians, on maps that nobody has trained on.",
        {},
        suite="v1",
        why="load, conditional handover and a radio map that all feed meet here, on maps that nobody has trained on",
    ),
    _task(
        "dense",
        "A cell every 100 m, 56 cars and 24 pedestrians: twice as many of all, for a minute.",
        _DENSE,
        suite="v1",
        why="agents of shared_street/main play it as they are: does what was learned hold where all is denser?",
    ),
    _task(
        "sparse-reports",
        "The main task where 40 % of the UEs feed the radio map, with places that are 6 m wrong.",
        {"reporting_share": 0.4, "position_error_m": 6.0},
        why="says what the radio map is worth where few report, and badly",
    ),
    _task(
        "local",
        "The main task without the radio map: what a UE knows by itself.",
        {"shared_map": False},
        why="the control of shared_street/main: the same world without the map",
    ),
    _task(
        "transfer",
        "Trained with a cell every 200 m, tested with one every 100 m.",
        {"isd_m": 100.0},
        training={"isd_m": 200.0},
        suite="v1",
        why="what was learned at one density of cells is played at another",
    ),
    _task(
        "load",
        "The main task where a cell interferes only while it serves an active UE.",
        {"interference": "load"},
        why="links depend on what agents do: a UE that empties a cell makes the others' links better",
    ),
    _task(
        "grid",
        "A grid of 3 x 3 blocks with a crossing every 100 m, two cells a street, and cars that turn.",
        _GRID,
        why="a UE does not know where it will be: its car turns at every third crossing",
    ),
    _task(
        "seen",
        "The main task on the 48 maps that one trains on, with chance of its own.",
        {},
        maps=TRAINING_MAPS,
        suite="papers",
        why="beside shared_street/main it tells learning maps by heart from learning what holds on all",
    ),
)
