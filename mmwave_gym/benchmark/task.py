"""A task: what is measured, on which episodes, from which floor up. Versioned, so results compare.

Training and test episodes come from seed streams of their own, which no `reset(seed=…)` can reproduce.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmwave_gym.core.registration import make_registered, room_of
from mmwave_gym.core.scenario import EpisodeKey, Scenario
from mmwave_gym.core.suites import OWN

SUITE_SEED = 20261122
SPLITS = ("test", "train")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A measurement: an environment with its keywords, episodes, what is scored, and the floor.

    An agent plays every agent slot. With control="all" among the keywords it plays all at once, with others="NAME" the
    first one while that agent plays the rest, as in `gymnasium.make`.
    Errors: ValueError names the field. `Task(env_id=…, kwargs=…)` is a task of one's own.
    """

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    name: str = "custom/task"
    version: int = 1
    suite: str = OWN
    """Which board it is on: "v1" is the default one, "papers" keeps tasks for the record; another package has its own.
    No row depends on it."""
    why: str = ""
    """Why it is in its suite, where that is not what the rows of the board say (`leaderboard.deciding`)."""
    description: str = ""
    episodes: int = 100
    """Test episodes."""
    warmup_steps: int = 0
    """Unscored steps at the start, for agents that learn in the very world in which they are scored."""
    scored_steps: int | None = None
    """Steps after the warm-up that count; None: until the episode ends."""
    carry: int = 1
    """So many consecutive episodes share an agent's memory."""
    primary: str = "reward"
    """The metric that ranks."""
    higher_is_better: bool = True
    floor: str = "random"
    ceiling: str | None = None
    """The agent that stands for the ceiling in training and on hidden episodes, where no ceiling is stored."""
    reference: str | None = None
    """The heuristic against which differences are paired."""
    smallest_difference: float = 0.0
    """Smallest difference of `primary` that matters, in its unit: boards call smaller ones alike, no row depends on it.
    Ours are one to three per cent of what the best rule leaves to the exact or best known ceiling."""
    training: Mapping[str, Any] | None = None
    """Keywords in which the world that one trains in differs, where the task's maps or regions are for testing only.
    None: nothing is said, and one trains on the training split of the task's own world, as with no keywords."""
    groups: tuple[int, ...] = ()
    """Of each test episode a number that those of the same map share; intervals then resample maps. Empty: none do."""
    expensive: bool = False
    """Played where all is asked for; boards show its committed rows otherwise."""
    needs_data: bool = False
    """Reads measured data from the folder that the environment variable MMWAVE_DATA names."""

    def __post_init__(self) -> None:
        room_of(self.env_id)
        for name, low in {"episodes": 1, "warmup_steps": 0, "carry": 1, "scored_steps": 1}.items():
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int | np.integer) or value < low):
                raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}.")
        if not 0.0 <= self.smallest_difference < math.inf:
            raise ValueError(f"smallest_difference must be a number from 0 on, got {self.smallest_difference!r}.")
        if not isinstance(self.kwargs.get("others"), str | None):
            raise ValueError(
                f"others must be a name or a path, so that rows say who it was; got {self.kwargs['others']!r}."
            )
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,39}", str(self.suite)):
            raise ValueError(f"suite must be a name such as 'v1', of a-z, 0-9, '.', '_' and '-', got {self.suite!r}.")
        if "/" not in self.name:
            raise ValueError(f"a task's name must be '<scenario>/<name>', got {self.name!r}.")

    @property
    def scenario_name(self) -> str:
        return room_of(self.env_id).name

    def scenario(self) -> Scenario[Any, Any]:
        """The scenario with this task's keywords. Raises ValueError where steps and horizon do not fit."""
        made = make_registered(self.env_id, **self.kwargs)
        if self.warmup_steps + (self.scored_steps or 1) > made.horizon:
            raise ValueError(
                f"{self.name}: {self.warmup_steps} warm-up and {self.scored_steps} scored steps do not fit into the "
                f"horizon of {made.horizon}."
            )
        return made

    def keys(self, episodes: list[int], split: str = "test") -> list[EpisodeKey]:
        """The keys of this task's episodes; tasks that differ only in the price of things share their worlds."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}.")
        return [EpisodeKey(SUITE_SEED, e, f"{self.env_id} {split}") for e in episodes]

    def for_training(self) -> Task:
        """The task in the world that one trains in: play its split "train", never its test episodes.

        ValueError where the task's own maps or regions are for testing only, and it names no others to train on.
        """
        if self.training is not None:
            return dataclasses.replace(self, kwargs={**self.kwargs, **self.training}, groups=())
        parts = [f"{k}={v!r} is a part" for k, v in self.kwargs.items() if isinstance(v, str) and "#" in v]
        if self.groups or parts:
            which = "its test episodes are grouped by map" if self.groups else parts[0]
            raise ValueError(
                f"{self.name} is for testing only ({which}): its declaration must say where one trains, such as "
                "training={'maps': (1001, 1002)}, or training={} for its own maps."
            )
        return self

    @property
    def hash(self) -> str:
        """Changes whenever something changes that rows depend on."""
        numbers = (self.env_id, self.kwargs, self.version, self.warmup_steps, self.scored_steps, self.carry, SUITE_SEED)
        text = json.dumps([dict(n) if isinstance(n, Mapping) else n for n in numbers], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> dict[str, Any]:
        """This task as JSON values, with its hash: the head of a file of rows."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["kwargs"] = json.loads(json.dumps(dict(self.kwargs), default=str))
        values["groups"] = list(self.groups)
        del values["training"]  # no row depends on it
        return {**values, "hash": self.hash}

    @property
    def grants(self) -> dict[str, str]:
        """What the scenario grants an agent of each access level."""
        return dict(room_of(self.env_id).grants)

    @property
    def missing_data(self) -> str | None:
        """Why this task cannot run here, or None."""
        if not self.needs_data or os.environ.get("MMWAVE_DATA"):
            return None
        folder = "set MMWAVE_DATA to the folder that holds it (docs/channel_files.md, docs/city_files.md)"
        return f"it runs on measured data: {folder}"
