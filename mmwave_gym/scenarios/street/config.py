"""The keywords of `MmwaveHandover-v0` with a street, what "car" and "sparse" stand for, and what is allowed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Count, Many, Range, Said, Words, check_ranges, pair
from mmwave_gym.radio.street_maps import KINDS, STREET_M, Geometry

USERS: Mapping[str, Mapping[str, Any]] = {
    "car": {"speed_mps": (8.0, 14.0), "lane_m": 3.0, "blocked_s": 0.0, "bodies_per_km": 0.0},
    "pedestrian": {"speed_mps": (0.8, 1.8), "lane_m": 8.0, "blocked_s": 0.28, "bodies_per_km": 50.0},
}
"""What `users` stands for (ours: 29 to 50 km/h, a stroll)."""
CELLS: Mapping[str, Mapping[str, Any]] = {
    "sparse": {"isd_m": 200.0, "arm_m": 300.0},
    "dense": {"isd_m": 50.0, "arm_m": 200.0},
}
"""What `cells` stands for (ours)."""
DURATION_S: Mapping[tuple[str, str], float] = {("car", "sparse"): 40.0, ("car", "dense"): 25.0}
STROLL_S = 60.0
TICK_S = 0.02
"""The period of synchronisation signals: the least time between two looks at a beam (TS 38.213)."""

GEOMETRY = ("parked_share", "vehicles_per_km", "bodies_per_km")
"""Keywords that only `sight="geometry"` reads."""
SINCE_V1 = ("handover", "lost_command", "sight", "channel", *GEOMETRY)
"""Keywords that rows of v0 know nothing of; their defaults are v0."""
OF_THE_STREET = (
    "street", "cells", "maps", "lane_m", "isd_m", "arm_m", "frequency_ghz", "link_budget_db", "sight", *GEOMETRY,
)  # fmt: skip
"""Keywords of the 3GPP street, which mean nothing beside `channel`."""
MAX_CHANNELS = 64
SEEDS = Many(Count(0, 2**63 - 1), 1, 4096)


@dataclass(frozen=True, kw_only=True)
class StreetConfig:
    """Keywords of `MmwaveHandover-v0` with `street=…`. Errors: ValueError names keyword, value and what is allowed.

    Times are counted in ticks of 20 ms.
    """

    street: Annotated[str, Words(*KINDS)] = "crossing"
    """"crossing" (two streets, buildings at the corners) or "canyon" (one)."""
    users: Annotated[str, Words(*USERS)] = "car"
    """"car" or "pedestrian": the defaults of `speed_mps`, `lane_m`, `blocked_s` and `duration_s`."""
    cells: Annotated[str, Words(*CELLS)] = "sparse"
    """"sparse" (every 200 m) or "dense" (every 50 m): the defaults of `isd_m` and `arm_m`."""
    maps: Annotated[int | tuple[int, ...], Said("a seed, or 1 to 4096 of them, from 0 to 2^63 - 1", (1, 7, (3, 4)))] = 1
    """Seed of the map, or seeds of which each episode takes one."""
    speed_mps: Annotated[tuple[float, float] | None, pair(0.0, 100.0, "m/s")] = None
    """Speed, constant in an episode. None: 8 to 14 (car), 0.8 to 1.8 (pedestrian)."""
    lane_m: Annotated[float | None, Range(0.0, STREET_M / 2.0 - 1.0, "m")] = None
    """A lane's distance from the street's axis, whole metres. None: 3 (car), 8 (pedestrian)."""
    isd_m: Annotated[float | None, Range(10.0, 1000.0, "m", "memory and time with its inverse")] = None
    """Distance between cells along a street. None: 200 (sparse), 50 (dense)."""
    arm_m: Annotated[
        float | None, Range(STREET_M, 1000.0, "m", "for the first map memory with its square, time with its cube")
    ] = None
    """Length of a street on each side of the middle, whole metres. None: 300 (sparse), 200 (dense)."""
    duration_s: Annotated[float | None, Range(TICK_S, 3600.0, "s", cost="memory and time in proportion")] = None
    """Length of an episode. None: 40 (cars, sparse), 25 (cars, dense), 60 (pedestrians)."""
    decision_s: Annotated[float, Range(TICK_S, 10.0, "s")] = 0.1
    """Time between decisions. With 0.4, the measurement period, every decision has new measurements of neighbours."""
    frequency_ghz: Annotated[float, Range(0.5, 100.0, "GHz")] = 28.0
    """Carrier."""
    link_budget_db: Annotated[float, Range(-300.0, 300.0, "dB")] = 130.0
    """SNR less path loss (ours): 43 dBm radiated, 9 dBi at the UE, noise figure 10 dB, 400 MHz (TS 38.101-2)."""
    interference_db: Annotated[float | None, Range(-200.0, 0.0, "dB")] = -13.0
    """Share of another cell's power that interferes (ours): half the time, a ninth of directions. None: nothing."""
    most_bps_hz: Annotated[float, Range(0.01, 100.0, "bit/s/Hz")] = 7.4063
    """Rate of the best code (TS 38.214, table 5.1.3.1-2: 256-QAM, 948/1024)."""
    measurement_s: Annotated[float, Range(TICK_S, 60.0, "s")] = 0.4
    """Time between measurements of neighbours, each the mean since the last (TS 38.133, FR2: at least 400 ms)."""
    measurement_error_db: Annotated[float, Range(0.0, 100.0, "dB")] = 1.0
    """Standard deviation of a measurement's error (ours)."""
    handover: Annotated[str, Words("command", "conditional")] = "command"
    """"command" (the network's, which may be lost) or "conditional" (prepared, then the UE's own; TS 38.331, 5.3.5.13).

    In "conditional" the two strongest measured neighbours are prepared, and no other cell can be named.
    """
    lost_command: Annotated[str, Words("fails", "stays")] = "fails"
    """Below `out_db` a command "fails" the link at once (v0), or report and command are lost and the UE "stays" (v1).

    With "stays" T310 runs on through preparation and the lost command, so that a command in outage changes nothing.
    """
    sight: Annotated[str, Words("statistical", "geometry")] = "statistical"
    """"statistical": line of sight by TR 38.901's law. "geometry": by obstacles (its blockage model B, 7.6.4.2).

    In "geometry" a link has the stronger of its direct path, with what obstacles take of it, and its reflected ones,
    which have the loss of NLOS; `blocked_s`, `clear_s` and `blockage_db` mean nothing.
    """
    parked_share: Annotated[float, Range(0.0, 1.0, "1")] = 0.5
    """In "geometry": share of the parking places along both sides of a street that are full (ours)."""
    vehicles_per_km: Annotated[float, Range(0.0, 150.0, "1/km", "memory and time in proportion")] = 20.0
    """In "geometry": moving vehicles on a kilometre of each lane; a fifth of all vehicles are tall (ours)."""
    bodies_per_km: Annotated[float | None, Range(0.0, 500.0, "1/km", "memory and time in proportion")] = None
    """In "geometry": passers-by on a kilometre of each pavement, both ways (ours). None: 0 (car), 50 (pedestrian)."""
    preparation_s: Annotated[float, Range(0.0, 60.0, "s")] = 0.06
    """Time from a handover's decision to its command, served by the old cell (TR 36.839: 50 ms, in whole ticks).

    In "conditional" the time from a measurement until its neighbours are prepared; the handover itself needs none.
    """
    interruption_s: Annotated[float, Range(0.0, 60.0, "s")] = 0.24
    """Time without data after the command: 72 ms and a search of 8 x 20 ms for an unknown target (TS 38.133, 6.1.1).

    Ours is that every target is searched for: one measured lately would be known, and reached in 72 ms.
    """
    refinement_s: Annotated[float, Range(0.0, 60.0, "s")] = 0.1
    """Time on a wide beam after the interruption (ours)."""
    refinement_db: Annotated[float, Range(0.0, 100.0, "dB")] = 6.0
    """Loss of the wide beam (ours)."""
    out_db: Annotated[float, Range(-300.0, 300.0, "dB")] = -8.0
    """Below this SINR commands are lost, nothing is received and T310 starts (Qout, TR 36.839)."""
    in_db: Annotated[float, Range(-300.0, 300.0, "dB")] = -6.0
    """Below this access fails; above it T310 stops (Qin, TR 36.839)."""
    t310_s: Annotated[float, Range(TICK_S, 60.0, "s")] = 1.0
    """The link has failed when it was out for so long (TR 36.839)."""
    reestablishment_s: Annotated[float, Range(0.0, 60.0, "s")] = 0.3
    """Time from a failure until the strongest cell serves (ours; 0.1 to 0.5 is common)."""
    blocked_s: Annotated[float | None, Range(0.0, 1000.0, "s")] = None
    """Mean time that a body blocks a link; 0: never. None: 0 (car), 0.28 (walker; arXiv 1709.05883: 0.26 to 0.3)."""
    clear_s: Annotated[float, Range(0.01, 1000.0, "s", "time with its inverse")] = 2.0
    """Mean time between blockages (ours)."""
    blockage_db: Annotated[float, Range(0.0, 100.0, "dB")] = 14.0
    """Loss of a blocked link (arXiv 1709.05883: 11.5 to 15.8, by beam width, at 73.5 GHz)."""
    handover_energy_j: Annotated[float, Range(0.0, 1000.0, "J")] = 0.3
    """Energy of a handover, as in the paper's world; it is no part of the reward."""
    channel: Annotated[Any, Said("a link matrix, its file or its name, or 1 to 64 of them", ("city:munich",))] = None
    """Link matrices in place of the 3GPP street, of which each episode takes one: "city:munich", "city.npz", a tuple.

    UEs follow the streets of the map. Power, noise and cells are the matrix's; all that says how handovers work stays.
    """

    same_as: ClassVar[Mapping[str, str]] = {"step_s": "decision_s"}

    @staticmethod
    def of_horizon(horizon: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
        """Keywords of episodes of `horizon` decisions at most. ValueError below 1 or beside duration_s."""
        at_least("horizon", horizon, 1, integer=True)
        if keywords.get("duration_s") is not None:
            raise ValueError("horizon and duration_s both say how long an episode is: give one of both.")
        ticks = round(keywords.get("decision_s", StreetConfig.decision_s) / TICK_S)
        return {**keywords, "duration_s": horizon * ticks * TICK_S}

    def __post_init__(self) -> None:
        check_ranges(self)
        SEEDS.check("maps", self.map_seeds)
        self._check_channel()
        between("in_db", self.in_db, self.out_db, 300.0)
        at_least("duration_s", self.resolved("duration_s"), self.decision_s)
        for name in ("lane_m", "arm_m"):
            if self.resolved(name) != round(self.resolved(name)):
                raise ValueError(f"{name} must be whole metres, got {self.resolved(name)}.")
        if self.channel is not None:
            return  # what follows is the street's
        if self.resolved("isd_m") > self.resolved("arm_m"):
            raise ValueError(
                f"isd_m must leave two cells a street of {2 * self.resolved('arm_m'):g} m, got "
                f"{self.resolved('isd_m'):g}."
            )
        way_m = self.resolved("duration_s") * self.resolved("speed_mps")[1]
        if way_m > 2.0 * self.resolved("arm_m") - STREET_M:
            raise ValueError(
                f"duration_s={self.resolved('duration_s'):g} at {self.resolved('speed_mps')[1]:g} m/s is {way_m:g} m, "
                f"more than a street of {2.0 * self.resolved('arm_m'):g} m has: shorten duration_s or lengthen arm_m."
            )

    def _check_channel(self) -> None:
        """ValueError for keywords that mean nothing beside `channel`."""
        if self.channel is None:
            return
        if not 1 <= len(self.channels) <= MAX_CHANNELS:
            raise ValueError(f"channel must be 1 to {MAX_CHANNELS} link matrices, got {len(self.channels)}.")
        default = {field.name: field.default for field in dataclasses.fields(self)}
        for name in OF_THE_STREET:
            if getattr(self, name) != default[name]:
                raise ValueError(
                    f"{name} must be left out with channel=…, which has its own streets and cells; got "
                    f"{getattr(self, name)!r}."
                )

    @property
    def channels(self) -> tuple[Any, ...]:
        """The link matrices, their files or names."""
        return tuple(self.channel) if isinstance(self.channel, tuple | list) else (self.channel,)

    @property
    def map_seeds(self) -> tuple[int, ...]:
        return tuple(self.maps) if isinstance(self.maps, tuple | list) else (self.maps,)

    def resolved(self, name: str) -> Any:
        """A keyword's value with presets filled in."""
        value = getattr(self, name)
        if value is not None:
            return value
        if name == "duration_s":
            return DURATION_S.get((self.users, self.cells), STROLL_S)
        return {**USERS[self.users], **CELLS[self.cells]}[name]

    @property
    def geometry(self) -> Geometry:
        names = ("arm_m", "isd_m", "lane_m")
        parked_share = float(self.parked_share) if self.sight == "geometry" else None
        return Geometry(self.street, **{name: float(self.resolved(name)) for name in names}, parked_share=parked_share)

    def ticks(self, name: str) -> int:
        """A keyword's time in ticks, rounded."""
        return round(self.resolved(name) / TICK_S)

    def as_constants(self) -> dict[str, Any]:
        """All keywords, presets filled in; of those younger than v0 only what differs from it, since rows hold them."""
        return {
            f.name: self.resolved(f.name) if f.name != "interference_db" else self.interference_db
            for f in dataclasses.fields(self)
            if f.name not in (SINCE_V1 if self.channel is None else (*SINCE_V1, *OF_THE_STREET))
            or getattr(self, f.name) != f.default
            or (self.sight == "geometry" and f.name in GEOMETRY)
        }
