"""The keywords of `MmwaveSharedStreet-v0`, and what is allowed."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from typing import Annotated, Any

from mmwave_gym.core.checks import between
from mmwave_gym.core.ranges import Count, Flag, Many, Range, Said, Words, check_ranges, pair
from mmwave_gym.core.worlds import OneWorld, only_in, only_with
from mmwave_gym.scenarios.shared_street.places import LEAST_ARM_M, LEAST_BLOCK_M, Crossing

SLOT_S = 0.1
SLOTS_A_SECOND = 10
MEASURED_SLOTS = 4
"""Slots between a UE's measurements of neighbours (TS 38.133, FR2: at least 400 ms)."""
SPACING_M = 200.0
TRAINING_MAPS = tuple(range(3001, 3049))
"""Where one trains: 48 maps."""
SEEDS = Many(Count(0, 2**63 - 1), 1, 4096)
QUEUES = ("file_mbit", "file_period_s", "deadline_s")
"""Keywords that only `demand="queue"` reads."""
YOUNGER = ("blocks", "turning", "interference", "demand", *QUEUES)
"""Keywords that the first rows know nothing of; their defaults are the world of those rows."""


DRAWN, CITY = "a drawn map", "a city"


@dataclass(frozen=True, kw_only=True)
class SharedStreetConfig(OneWorld):
    """Keywords of `MmwaveSharedStreet-v0`. Errors: ValueError names keyword, value and what is allowed.

    Times are counted in slots of 100 ms.
    """

    num_cars: Annotated[int, Count(0, 200, cost="memory and time in proportion")] = 24
    """UEs in cars, at most; they cross the map and are replaced."""
    num_pedestrians: Annotated[int, Count(0, 200, cost="memory and time in proportion")] = 16
    """UEs of pedestrians, at most."""
    isd_m: Annotated[float | None, Range(40.0, 600.0, "m", "memory and time with its inverse")] = only_in(
        DRAWN, default=None
    )
    """Distance between cells along a street: 200 m are 6 cells, 100 m are 12. None: 200, at most `arm_m`."""
    arm_m: Annotated[
        float, Range(LEAST_ARM_M, 400.0, "m", "for the first map memory with its square, time with its cube")
    ] = only_in(DRAWN, default=300.0)
    """Length of a street on each side of the middle."""
    blocks: Annotated[tuple[int, int], Many(Count(1, 8, cost="as `arm_m`, and more cells"), 2, 2)] = only_in(
        DRAWN, default=(1, 1)
    )
    """Blocks from west to east and from south to north, each with a crossing in its middle; (1, 1) is one crossing.

    Streets stay 2 `arm_m` long: with (3, 3) and `arm_m=150` there is a crossing every 100 m.
    """
    maps: Annotated[
        int | tuple[int, ...] | str | os.PathLike[str] | None,
        Said("a seed, 1 to 4096 of them, from 0 to 2^63 - 1, or a city's name or file", (1, 7, (3, 4), "munich")),
    ] = None
    """Seed of the map, or seeds of which each episode takes one, or a ray-traced city: "munich", "city.npz".

    None: the 48 training maps, 3001 to 3048.
    """
    horizon: Annotated[int, Count(1, 36_000, cost="memory and time in proportion")] = 1200
    """Length of an episode in slots."""
    handover: Annotated[str, Words("both", "command", "conditional")] = "both"
    """"command" (the network's, when a UE has measured), "conditional" (the UE's own, to a prepared one), or "both"."""
    shared_map: Annotated[bool, Flag()] = True
    """Do UEs see the radio map that all feed?"""
    reporting_share: Annotated[float, Range(0.0, 1.0)] = 1.0
    """Share of agent slots whose UEs feed the map."""
    position_error_m: Annotated[float, Range(0.0, 100.0, "m")] = 3.0
    """Standard deviation of a reported place along the lane; the lane is known (ours; satellite positioning)."""
    speed_error_mps: Annotated[float, Range(0.0, 10.0, "m/s")] = 0.3
    """Standard deviation of the reported speed of a UE that moves (ours)."""
    load_period_s: Annotated[float, Range(SLOT_S, 60.0, "s")] = 1.0
    """Time between broadcasts of how many active UEs each cell serves (ours), in whole slots."""
    reward: Annotated[str, Words("own", "difference")] = "own"
    """"own" (what the slot adds to the UE's own second), or "difference" (less what sharing costs others)."""
    car_mps: Annotated[tuple[float, float], pair(1.0, 40.0, "m/s")] = (8.0, 14.0)
    """Speeds that drivers want (ours: 29 to 50 km/h)."""
    walk_mps: Annotated[tuple[float, float], pair(0.1, 5.0, "m/s")] = (0.8, 1.8)
    """Speeds of who walks (ours)."""
    turning: Annotated[float, Range(0.0, 1.0)] = only_in(DRAWN, default=0.0)
    """Chance that a car turns at a crossing, left as often as right (ours); else it drives straight on."""
    lights: Annotated[bool, Flag()] = only_in(DRAWN, default=True)
    """Traffic lights at each crossing, all at once: a cycle of 60 s with 27 s of green for each street (ours)."""
    clustered_share: Annotated[float, Range(0.0, 1.0)] = 2.0 / 3.0
    """Chance that a pedestrian stands in the cluster (2/3, TR 36.872 from memory); the others walk."""
    cluster_m: Annotated[float, Range(0.0, 100.0, "m")] = 10.0
    """Standard deviation of places in the cluster, along one pavement (ours)."""
    active_s: Annotated[float, Range(SLOT_S, 1000.0, "s")] = 10.0
    """Mean time for which a UE wants data (ours)."""
    idle_s: Annotated[float, Range(SLOT_S, 1000.0, "s")] = 5.0
    """Mean time for which it wants none (ours)."""
    demand: Annotated[str, Words("full", "queue")] = "full"
    """"full" (a UE takes what it gets while it is active), or "queue" (files with deadlines, one after the other)."""
    file_mbit: Annotated[float, Range(0.001, 1e6, "Mbit")] = only_with("demand", "queue", default=200.0)
    """Size of a file: 200 Mbit are 25 MB (ours)."""
    file_period_s: Annotated[float, Range(SLOT_S, 600.0, "s")] = only_with("demand", "queue", default=1.0)
    """Time between a UE's files while it is active, the first when it becomes so (ours), in whole slots."""
    deadline_s: Annotated[float, Range(SLOT_S, 10.0, "s", "memory and time in proportion")] = only_with(
        "demand", "queue", default=1.0
    )
    """Time from a file's arrival after which what is left of it is dropped (ours), in whole slots."""
    target_mbps: Annotated[float, Range(0.0, 1e5, "Mbit/s")] = 50.0
    """The rate of which a metric tells how often UEs have it (ours)."""
    bandwidth_hz: Annotated[float, Range(1e6, 1e10, "Hz")] = 400e6
    """Bandwidth of a cell, shared by its active UEs; the widest carrier of FR2 (TS 38.101-2)."""
    frequency_ghz: Annotated[float, Range(0.5, 100.0, "GHz")] = only_in(DRAWN, default=28.0)
    """Carrier."""
    link_budget_db: Annotated[float, Range(-300.0, 300.0, "dB")] = only_in(DRAWN, default=130.0)
    """SNR less path loss, as of `MmwaveStreet-v1` (ours)."""
    interference_db: Annotated[float, Range(-200.0, 0.0, "dB")] = -13.0
    """Share of another cell's power that interferes, as of `MmwaveStreet-v1` (ours)."""
    interference: Annotated[str, Words("constant", "load")] = "constant"
    """"constant" (every other cell interferes, at any load), or "load" (those that serve an active UE in the slot)."""
    most_bps_hz: Annotated[float, Range(0.01, 100.0, "bit/s/Hz")] = 7.4063
    """Rate of the best code (TS 38.214, table 5.1.3.1-2: 256-QAM, 948/1024)."""
    measurement_error_db: Annotated[float, Range(0.0, 100.0, "dB")] = 1.0
    """Standard deviation of a measurement's error, and of an instantaneous comparison's (ours)."""
    refinement_db: Annotated[float, Range(0.0, 100.0, "dB")] = 6.0
    """Loss of the wide beam in the first slot on a new cell (ours)."""
    out_db: Annotated[float, Range(-300.0, 300.0, "dB")] = -8.0
    """Below this SINR commands are lost, nothing is received and T310 starts (Qout, TR 36.839)."""
    in_db: Annotated[float, Range(-300.0, 300.0, "dB")] = -6.0
    """Below this access fails; above it T310 stops (Qin, TR 36.839)."""
    t310_s: Annotated[float, Range(SLOT_S, 60.0, "s")] = 1.0
    """The link has failed when it was out for so long (TR 36.839), in whole slots."""
    reestablishment_s: Annotated[float, Range(SLOT_S, 60.0, "s")] = 0.3
    """Whole slots from a failure until the strongest cell serves (ours; 0.1 to 0.5 is common)."""
    blocked_s: Annotated[float, Range(0.01, 1000.0, "s")] = 0.28
    """Mean time that a body blocks a pedestrian's link (arXiv 1709.05883: 0.26 to 0.3)."""
    clear_s: Annotated[float, Range(0.01, 1000.0, "s")] = 2.0
    """Mean time between blockages (ours)."""
    blockage_db: Annotated[float, Range(0.0, 100.0, "dB")] = 14.0
    """Loss of a blocked link (arXiv 1709.05883: 11.5 to 15.8, by beam width, at 73.5 GHz)."""

    def __post_init__(self) -> None:
        if isinstance(self.maps, os.PathLike):
            object.__setattr__(self, "maps", os.fspath(self.maps))
        if isinstance(self.maps, str) and not self.maps.strip():
            raise ValueError(
                f"maps must be seeds, a city's name or a file of one, got {self.maps!r}: leave it out for the training "
                "maps."
            )
        self.check_world()
        check_ranges(self)
        between("in_db", self.in_db, self.out_db, 300.0)
        if self.num_cars + self.num_pedestrians < 1:
            raise ValueError("num_cars and num_pedestrians must be 1 at least together, got 0 and 0.")
        if self.city:
            return
        try:
            SEEDS.check("maps", self.map_seeds)
        except ValueError as error:
            raise ValueError(f"{error} A city is one text: its name, such as 'munich', or its file.") from None
        if 2.0 * self.arm_m < LEAST_BLOCK_M * max(self.blocks):
            raise ValueError(
                f"blocks must leave {LEAST_BLOCK_M:g} m from street to street on {2 * self.arm_m:g} m, got "
                f"{tuple(self.blocks)}: at most {int(2 * self.arm_m // LEAST_BLOCK_M)} each way."
            )
        if self.isd_m is not None and self.isd_m > self.arm_m:
            raise ValueError(
                f"isd_m must leave two cells a street of {2 * self.arm_m:g} m, got {self.isd_m:g}: at most "
                f"{self.arm_m:g}."
            )

    @property
    def world(self) -> dict[str, str]:
        return {CITY if self.city else DRAWN: "maps"}

    @property
    def city(self) -> str:
        """The name or the file of the city, empty on drawn maps."""
        return self.maps if isinstance(self.maps, str) else ""

    @property
    def map_seeds(self) -> tuple[int, ...]:
        """The seeds of drawn maps; a city is map 0."""
        if self.maps is None:
            return TRAINING_MAPS
        if isinstance(self.maps, str | os.PathLike):
            return (0,)
        return tuple(self.maps) if isinstance(self.maps, tuple | list) else (self.maps,)

    @property
    def num_ues(self) -> int:
        return self.num_cars + self.num_pedestrians

    @property
    def crossing(self) -> Crossing:
        across, along = self.blocks
        return Crossing("crossing", float(self.arm_m), self.spacing_m, 3.0, blocks=(int(across), int(along)))

    @property
    def spacing_m(self) -> float:
        """The distance between cells."""
        return min(SPACING_M, float(self.arm_m)) if self.isd_m is None else float(self.isd_m)

    def slots(self, name: str) -> int:
        """A keyword's time in slots, rounded, one at least."""
        return max(round(getattr(self, name) / SLOT_S), 1)

    def change(self, name: str) -> float:
        """The chance that a state that lasts for this keyword's time on average ends in a slot."""
        return -math.expm1(-SLOT_S / getattr(self, name))

    def as_constants(self) -> dict[str, Any]:
        """All keywords by name; of `YOUNGER` only what differs from the first rows' world, since rows hold them."""
        own = self.own_keywords()
        told = QUEUES if self.demand == "queue" else ()
        if not self.city:
            own |= {"blocks": tuple(self.blocks), "maps": self.map_seeds, "isd_m": self.spacing_m}
        for f in dataclasses.fields(self):
            if f.name in YOUNGER and f.name not in told and own.get(f.name) == f.default:
                own.pop(f.name)
        return own
