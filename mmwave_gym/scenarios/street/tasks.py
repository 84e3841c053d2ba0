"""The tasks of streets: what the suite measures, from which floor up."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.scenario import EpisodeRng

# Streets whose map is fixed, so that a policy may learn its street; and one of maps that nobody has trained on.
_street = partial(
    Task,
    env_id="MmwaveStreet-v0",
    primary="rate_bps_hz",
    reference="a3",
    ceiling="oracle",
    smallest_difference=0.005,
    episodes=256,
    suite="papers",
)

# Which of the eight maps an episode of car-unseen has; a test draws them again.
_UNSEEN = (
    "0152140444360675413747471467053061044305305600566655546766361405"
    "6726302043477340472202461744617770150425176416457126700324211730"
    "1673410431322453506276763313572057272432756023416254100307336022"
    "3535050537067114115021716165261360615365561361656444150677133070"
)

TRAINING_MAPS = tuple(range(1001, 1129))
"""Where one trains for tasks of maps that are for testing only."""

_V0: tuple[Task, ...] = (
    _street(
        name="street/car-sparse",
        kwargs={"users": "car", "cells": "sparse"},
        description="Cars at a crossing of two streets with a 28 GHz cell every 200 m.",
    ),
    _street(
        name="street/car-dense",
        kwargs={"users": "car", "cells": "dense"},
        description="Cars, a cell every 50 m: three handovers in ten seconds if one listens to every measurement.",
    ),
    _street(
        name="street/walk-sparse",
        kwargs={"users": "pedestrian", "cells": "sparse", "decision_s": 0.4},
        episodes=640,
        description="Pedestrians whose links are blocked by bodies, a cell every 200 m.",
    ),
    _street(
        name="street/walk-dense",
        kwargs={"users": "pedestrian", "cells": "dense", "decision_s": 0.4},
        description="Pedestrians, a cell every 50 m.",
    ),
    _street(
        name="street/car-sparse-2",
        kwargs={"users": "car", "cells": "sparse", "maps": 2},
        description="The cars of another town: a second map.",
    ),
    _street(
        name="street/car-canyon",
        kwargs={"users": "car", "cells": "sparse", "street": "canyon"},
        description="Cars in one straight street: no corner hides a cell.",
    ),
    _street(
        name="street/car-sparse-80ms",
        kwargs={"users": "car", "cells": "sparse", "interruption_s": 0.08},
        description="The cars of the first task where a handover interrupts for 80 ms: every target is known.",
    ),
    _street(
        name="street/car-sparse-480ms",
        kwargs={"users": "car", "cells": "sparse", "interruption_s": 0.48},
        description="The same for 480 ms: every target is searched for with three looks at each of eight beams.",
    ),
    _street(
        name="street/car-unseen",
        kwargs={"users": "car", "cells": "sparse", "maps": (101, 102, 103, 104, 105, 106, 107, 108)},
        training={"maps": TRAINING_MAPS},
        description="Eight maps that are for testing only: what is learned must hold in any street.",
        groups=tuple(map(int, _UNSEEN)),
    ),
)

TRAINING_CITIES = ("city:munich", "city:san_francisco", "city:helsinki")
TESTING_CITIES = ("city:etoile", "city:florence", "city:munich_southwest")
"""Splits of `mmwave_gym.sources.cities`."""

UNSEEN_MAPS = tuple(range(2001, 2065))
"""Maps that are for testing only, none of `TRAINING_MAPS`."""


_IN_V1: dict[str, Any] = {
    "env_id": "MmwaveStreet-v1",
    "suite": "v1",
    "why": "streets are measured in v1 from now on; it is judged again when every street has learned agents",
}


def _v1(task: Task) -> Task:
    """The same measurement in `MmwaveStreet-v1`."""
    return dataclasses.replace(task, name=f"{task.name}-v1", groups=(), **_IN_V1)


def _of_unseen_maps(task: Task) -> Task:
    """The task with `UNSEEN_MAPS`, and of each episode which of them it has (a test draws them again)."""
    made = dataclasses.replace(task, kwargs={**task.kwargs, "maps": UNSEEN_MAPS}, training={"maps": TRAINING_MAPS})
    chance = (EpisodeRng(key)["route"] for key in made.keys(list(range(made.episodes))))
    return dataclasses.replace(made, groups=tuple(int(rng.integers(len(UNSEEN_MAPS))) for rng in chance))


_V1 = tuple(_v1(task) for task in _V0 if task.name != "street/car-unseen")
_UNSEEN_V1 = _of_unseen_maps(
    _street(
        name="street/car-unseen-v1",
        **_IN_V1,
        kwargs={"users": "car", "cells": "sparse"},
        description="64 maps that are for testing only: what is learned must hold in any street.",
    )
)


def _conditional(task: Task, description: str) -> Task:
    """The task with conditional handovers, against the rule that carries them out."""
    name = f"{task.name.removesuffix('-v1')}-conditional-v1"
    kwargs = {**task.kwargs, "handover": "conditional"}
    return dataclasses.replace(task, name=name, kwargs=kwargs, description=description, reference="cho-a3")


def _geometry(task: Task, description: str) -> Task:
    """The task where buildings, vehicles and bodies are in the way."""
    name = f"{task.name.removesuffix('-v1')}-geometry-v1"
    return dataclasses.replace(task, name=name, kwargs={**task.kwargs, "sight": "geometry"}, description=description)


def _city(task: Task, name: str, description: str) -> Task:
    """The street's procedure in the three traced cities that are for testing; one trains in the three others."""
    return dataclasses.replace(
        task,
        name=name,
        suite="papers",
        why="in traced cities rules leave a lone UE little: links change gradually, and most places see several sites",
        kwargs={**task.kwargs, "channel": TESTING_CITIES},
        training={"channel": TRAINING_CITIES},
        description=description,
    )


TASKS: tuple[Task, ...] = (
    *_V0,
    *_V1,
    _UNSEEN_V1,
    _conditional(_V1[0], "The same drives with conditional handovers: the UE goes by itself, and no command is lost."),
    _conditional(_UNSEEN_V1, "The 64 maps with conditional handovers."),
    _geometry(_V1[0], "Cars where buildings, parked and moving vehicles hide cells, by TR 38.901's blockage model B."),
    _geometry(_UNSEEN_V1, "The 64 maps where buildings and vehicles hide cells."),
    _city(
        dataclasses.replace(_V1[0], kwargs={"users": "car", "handover": "conditional"}, reference="cho-a3"),
        "street/city-car-v1",
        "Cars in three ray-traced cities, 16 sites each, with conditional handovers; one learns in three others.",
    ),
    _city(
        dataclasses.replace(_V1[0], kwargs={"users": "pedestrian", "decision_s": 0.4}),
        "street/city-walk-v1",
        "Pedestrians in the three ray-traced cities, whose links are blocked by bodies.",
    ),
)
