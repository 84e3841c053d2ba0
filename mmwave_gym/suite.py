"""The suite: what is measured, on which episodes, between which floor and ceiling. Versioned, so results compare.

Training and test episodes come from seed streams of their own, which no `reset(seed=…)` can reproduce.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from mmwave_gym.registration import entry, make_scenario
from mmwave_gym.scenario import ACCESS_LEVELS, EpisodeKey, Scenario

SUITE_SEED = 20261122
SPLITS = ("test", "train")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A measurement: an environment with its keywords, episodes, what is scored, and the floor and ceiling.

    Errors: ValueError names the field. `Task(env_id=…, kwargs=…)` is a task of one's own.
    """

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    name: str = "custom/task"
    version: int = 1
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
    ceiling_kind: str = "best known"
    """"hindsight-exact" (holds for every episode), "expectation-exact" (for means), "proven bound", "best known"."""
    bounds: Mapping[str, float] = field(default_factory=dict)
    """Proven: agents of an access level (or below) have no larger mean of `primary`; no row depends on it."""
    reference: str | None = None
    """The heuristic against which differences are paired."""
    expensive: bool = False
    """Played where all is asked for; boards show its committed rows otherwise."""
    needs_data: bool = False
    """Reads measured data from the folder that the environment variable MMWAVE_DATA names."""

    def __post_init__(self) -> None:
        entry(self.env_id)
        for name, low in {"episodes": 1, "warmup_steps": 0, "carry": 1, "scored_steps": 1}.items():
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int | np.integer) or value < low):
                raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}.")
        if unknown := set(self.bounds) - set(ACCESS_LEVELS):
            raise ValueError(f"bounds must be by access level, {', '.join(ACCESS_LEVELS)}; got {sorted(unknown)}.")
        if "/" not in self.name:
            raise ValueError(f"a task's name must be '<scenario>/<name>', got {self.name!r}.")

    @property
    def scenario_name(self) -> str:
        return entry(self.env_id).scenario

    def scenario(self) -> Scenario[Any, Any]:
        """The scenario with this task's keywords. Raises ValueError where steps and horizon do not fit."""
        registered = entry(self.env_id)
        made = make_scenario(registered.scenario, **{**registered.overrides, **self.kwargs})
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
        values["bounds"] = dict(self.bounds)
        return {**values, "hash": self.hash}

    @property
    def missing_data(self) -> str | None:
        """Why this task cannot run here, or None."""
        if not self.needs_data or os.environ.get("MMWAVE_DATA"):
            return None
        folder = "set MMWAVE_DATA to the folder that holds it (docs/channel_files.md, docs/city_files.md)"
        return f"it runs on measured data: {folder}"


_handover = partial(
    Task, env_id="MmwaveHandover-v0", ceiling="oracle", ceiling_kind="hindsight-exact", reference="a3", episodes=200
)
# 119 s of learning as in section V, then a minute that counts: in the paper's two seconds staying put is optimal.
_learn_first = partial(_handover, warmup_steps=2380, scored_steps=1200)

# Bounds in bit/s/Hz, rounded up, from `python -m mmwave_baselines.cell_selection.solve_exact`: "optimum" (3 and 4 UEs),
# "bound" (6) and "local", which leaves the cost out. They hold for long means, whatever an agent remembers.
_cell_selection = partial(
    Task, env_id="MmwaveCellSelection-v0", primary="spectral_efficiency_bps_hz", reference="rate-stay", episodes=128
)

# Twenty seconds of epochs come before the scored ones: free cells and crowded ones settle slowly.
# Bounds in Mbit/s hold on these test episodes, for those who know everything beforehand too. They are from
# `python -m mmwave_baselines.association.bounds --steps 80`, and 0.1 % more for the metric's ticks.
_association = partial(
    Task, env_id="MmwaveAssociation-v0", primary="network_rate_mbps", reference="msr", ceiling="cover", episodes=8
)
_paper_streets = partial(_association, description="Buses in a grid of streets with 64 base stations, as in the paper.")
_blocked_streets = partial(_association, description="The same streets with large buildings: line of sight matters.")

# Streets whose map is fixed, so that a policy may learn its street; and one of maps that nobody has trained on.
_street = partial(
    Task,
    env_id="MmwaveStreet-v0",
    primary="rate_bps_hz",
    reference="a3",
    ceiling="oracle",
    ceiling_kind="hindsight-exact",
    episodes=256,
)

# Rates of UEs that are not satisfied do not count, and each of them costs more than giving it up can bring the others.
# By satisfied rate alone "sca-selected" would lead, with 89 % of the UEs of hard-14 satisfied.
_power = partial(
    Task,
    env_id="MmwavePowerAllocation-v0",
    primary="qos_rate_bps_hz",
    reference="full-power",
    ceiling="sca",
    episodes=64,
)
# Who has learned elsewhere, or computes, has 20 slots to settle; who learns in the very world has 5,000.
_settle_first = partial(_power, warmup_steps=20, scored_steps=80)
_HARD = {"ue_radius_m": 30.0, "reward": "difference"}
_CONTINUOUS = {"levels": None, "observation": "local"}

SUITE: tuple[Task, ...] = (
    _learn_first(
        name="handover/a1-beta5",
        kwargs={"mobility": "A1", "beta": 5.0, "boundary": "stay", "horizon": 3580},
        description="A UE strolls among six cells in a room; a handover costs 1.5 bit/s/Hz.",
    ),
    _learn_first(
        name="handover/a1-beta25",
        kwargs={"mobility": "A1", "beta": 25.0, "boundary": "stay", "horizon": 3580},
        description="The same stroll; a handover costs 7.5 bit/s/Hz, so few are worth it.",
    ),
    _handover(
        name="handover/a3-beta25",
        kwargs={"mobility": "A3", "beta": 25.0},
        description="A UE crosses the area eastwards and leaves after some nine seconds; each visit begins anew.",
        episodes=400,
    ),
    _handover(
        name="handover/chicago-walk",
        kwargs={"channel": "mssn:V-R10/2071667", "beta": 25.0},
        description="A pedestrian on streets of Chicago with measured 28 GHz signals of 30 cells.",
        needs_data=True,
    ),
    _handover(
        name="handover/chicago-drive",
        kwargs={"channel": "mssn:V-R10/2071667", "beta": 25.0, "speed_mps": (5.0, 15.0)},
        description="A car on the same streets: five times faster, so links come and go within seconds.",
        needs_data=True,
    ),
    _handover(
        name="handover/chicago-walk-regions",
        kwargs={"channel": "mssn:V-R10/2071667#north", "beta": 25.0},
        description="The pedestrian in the north of these streets, for testing only: one learns in the south.",
        needs_data=True,
    ),
    _cell_selection(
        name="cell_selection/n3-cost10",
        kwargs={"num_ues": 3, "handover_cost": 0.1},
        description="Three UEs share three cells; a handover costs a tenth of a slot.",
        ceiling="optimum",
        ceiling_kind="expectation-exact",
        bounds={"local": 9.689, "central": 10.820},
    ),
    _cell_selection(
        name="cell_selection/n3-cost30",
        kwargs={"num_ues": 3, "handover_cost": 0.3},
        description="The same with a handover that costs three tenths of a slot.",
        ceiling="optimum",
        ceiling_kind="expectation-exact",
        bounds={"local": 9.689, "central": 10.146},
    ),
    _cell_selection(
        name="cell_selection/n4-cost10",
        kwargs={"num_ues": 4, "handover_cost": 0.1},
        description="Four UEs share three cells, so two of them must share one; the optimum is still exact.",
        ceiling="optimum",
        ceiling_kind="expectation-exact",
        bounds={"central": 11.897},
    ),
    _cell_selection(
        name="cell_selection/n6-cost10",
        kwargs={"num_ues": 6, "handover_cost": 0.1},
        description="Six UEs share three cells; who moves to an empty cell is not alone in the idea.",
        ceiling="myopic",
        ceiling_kind="best known",
        bounds={"central": 13.248},
    ),
    _cell_selection(
        name="cell_selection/n6-cost30",
        kwargs={"num_ues": 6, "handover_cost": 0.3},
        description="The same with a handover that costs three tenths of a slot.",
        ceiling="myopic",
        ceiling_kind="best known",
        bounds={"central": 13.036},
    ),
    _association(
        name="association/small",
        kwargs={"geometry": "blocked", "num_ues": 8, "crossings": (2, 3), "duration_s": 60.0},
        description="Eight UEs among six base stations and large buildings: few enough for the optimum.",
        ceiling="optimum",
        ceiling_kind="hindsight-exact",
        episodes=64,
    ),
    _paper_streets(
        name="association/paper-512",
        kwargs={"num_ues": 512, "duration_s": 60.0},
        warmup_steps=1423,
        bounds={"hindsight": 1058.8},
    ),
    _paper_streets(
        name="association/paper-2048", kwargs={"num_ues": 2048, "duration_s": 40.0}, warmup_steps=5690, expensive=True
    ),
    _blocked_streets(
        name="association/blocked-512",
        kwargs={"geometry": "blocked", "num_ues": 512, "duration_s": 50.0},
        warmup_steps=3700,
        ceiling="roles",
        bounds={"hindsight": 2302.0},
    ),
    _blocked_streets(
        name="association/blocked-2048",
        kwargs={"geometry": "blocked", "num_ues": 2048, "duration_s": 32.0},
        warmup_steps=14800,
        ceiling="roles",
        episodes=4,
        expensive=True,
    ),
    _association(
        name="association/blocked-256-fair",
        kwargs={"geometry": "blocked", "num_ues": 256, "duration_s": 50.0},
        primary="mean_log_rate",
        ceiling=None,
        description="The blocked streets, scored by proportional fairness: what the weakest get counts.",
    ),
    _association(
        name="association/helsinki",
        kwargs={"city": "gtfs:helsinki"},
        description="A morning's trams and buses in central Helsinki, sight by the footprints of its buildings.",
        ceiling="rollout-long",
        needs_data=True,
        episodes=64,
    ),
    _power(
        name="power_allocation/paper-14",
        kwargs={"horizon": 5100},
        warmup_steps=5000,
        scored_steps=100,
        description="Fourteen base stations as in the paper, 32 levels: full power is nearly optimal, for the record.",
    ),
    _settle_first(
        name="power_allocation/hard-14",
        kwargs={**_HARD, **_CONTINUOUS, "feasible": "only"},
        description="UEs up to 30 m away, any power: full power leaves one UE of fourteen unsatisfied, all could be.",
    ),
    _power(
        name="power_allocation/hard-14-levels",
        kwargs={**_HARD, "observation": "local", "feasible": "only", "horizon": 5100},
        warmup_steps=5000,
        scored_steps=100,
        expensive=True,
        description="The same with 32 levels, and time to learn in the very world.",
    ),
    _settle_first(
        name="power_allocation/overfull-14",
        kwargs={**_HARD, **_CONTINUOUS, "feasible": "not"},
        description="Draws in which not all UEs can be satisfied: somebody has to give way.",
    ),
    _power(
        name="power_allocation/network-1000",
        kwargs={
            **_HARD,
            **_CONTINUOUS,
            "layout": "poisson",
            "scope": "network",
            "interference": "network",
            "side_m": 2887.0,
            "horizon": 50,
        },
        warmup_steps=20,
        scored_steps=30,
        episodes=4,
        expensive=True,
        description="A thousand base stations that all disturb each other.",
    ),
    _power(
        name="power_allocation/changing",
        kwargs={
            **_HARD,
            **_CONTINUOUS,
            "layout": "poisson",
            "scope": "network",
            "interference": "network",
            "changes": 8,
            "horizon": 200,
        },
        warmup_steps=20,
        scored_steps=180,
        episodes=16,
        description="120 base stations of which eight leave or arrive; clusters and powers have to heal.",
    ),
    _settle_first(
        name="power_allocation/melbourne",
        kwargs={**_HARD, **_CONTINUOUS, "layout": "sites:melbourne", "scope": "network", "interference": "network"},
        description="The 125 sites of one operator in Melbourne's centre, some twelve metres from the next.",
        needs_data=True,
        episodes=16,
    ),
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
        description="Eight maps that are for testing only: what is learned must hold in any street.",
    ),
)


def tasks(scenario: str | None = None) -> list[str]:
    """Names of the suite's tasks, of one scenario or of all."""
    return [t.name for t in SUITE if scenario in (None, t.scenario_name)]


def task(name: str | Task) -> Task:
    """The task of a name; ValueError with the known names otherwise."""
    if isinstance(name, Task):
        return name
    for candidate in SUITE:
        if candidate.name == name:
            return candidate
    raise ValueError(f"unknown task {name!r}; known are {', '.join(tasks())}.")
