"""The keywords of `MmwaveAssociation-v0`, their defaults by geometry, and what is allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Count, Many, Range, Said, Words, check_ranges, pair
from mmwave_gym.core.worlds import OneWorld, only_in
from mmwave_gym.scenarios.association.city import City
from mmwave_gym.scenarios.association.rewards import REWARDS

GEOMETRIES: Mapping[str, Mapping[str, Any]] = {
    "paper": {"radius_m": 150.0, "building_sides": (0.0, 1.0), "snr_1m_db": 42.06},
    "blocked": {"radius_m": 204.0, "building_sides": (0.85, 1.0), "snr_1m_db": 45.50},
}
"""What `geometry` stands for (differences 3, 4 in `game`); the SNR (ours) lets the strongest cell earn 800 Mbit/s."""

PAPER_UES = 512
MOST_UES = 1e5
LONGEST_S = 3600.0
"""Bounds of what is observed."""
STREET_GRID, CITY = "the street grid", "a city"


@dataclass(frozen=True, kw_only=True)
class AssociationConfig(OneWorld):
    """Keywords of `MmwaveAssociation-v0`. Errors: ValueError names the keyword, the value and what is allowed."""

    num_ues: Annotated[int | None, Count(1, 100_000, cost="memory and time in proportion")] = None
    """UEs, each an agent in PettingZoo (paper: 512 to 2048). None: 512; in a city, all vehicles."""
    geometry: Annotated[str, Words(*GEOMETRIES)] = only_in(STREET_GRID, default="paper")
    """"paper" (range below the length of a road) or "blocked" (above it, with large buildings): the defaults of
    `radius_m`, `building_sides` and `snr_1m_db`."""
    crossings: Annotated[
        tuple[int, int], Many(Count(1, 64, cost="memory and time with the square of their number"), 2, 2)
    ] = only_in(STREET_GRID, default=(8, 8))
    """Rows and columns of street crossings, a base station at each (paper: 64)."""
    road_m: Annotated[float, Range(10.0, 10_000.0, "m")] = only_in(STREET_GRID, default=200.0)
    """Length of a road from crossing to crossing."""
    radius_m: Annotated[float | None, Range(5.0, 20_000.0, "m", "memory and time with its square in roads")] = only_in(
        STREET_GRID, default=None
    )
    """Range of a base station; None: that of the geometry. At least half a road, so that no UE is out of range."""
    building_sides: Annotated[tuple[float, float] | None, pair(0.0, 1.0)] = only_in(STREET_GRID, default=None)
    """Least and greatest side of a building, as a share of a road's length; None: those of the geometry."""
    snr_1m_db: Annotated[float | None, Range(-50.0, 150.0, "dB")] = only_in(STREET_GRID, default=None)
    """SNR at a metre; None: that of the geometry."""
    path_loss_exponent: Annotated[float, Range(1.0, 8.0)] = only_in(STREET_GRID, default=3.0)
    """Path loss exponent of the distance."""
    bandwidth_hz: Annotated[float, Range(1e3, 1e12, "Hz")] = only_in(STREET_GRID, default=10e6)
    """Bandwidth of each base station (paper)."""
    speed_mps: Annotated[float, Range(0.1, 100.0, "m/s", "memory and time in proportion")] = only_in(
        STREET_GRID, default=50.0 / 3.6
    )
    """Speed of every UE."""
    duration_s: Annotated[float, Range(0.1, LONGEST_S / 2.0, "s", cost="memory and time in proportion")] = 100.0
    """Length of an episode; the last epoch before it is the last step."""
    settle_s: Annotated[float, Range(0.0, LONGEST_S / 2.0, "s")] = 20.0
    """Fairness metrics leave out this first part of an episode."""
    reward: Annotated[str, Words(*REWARDS)] = "network"
    """"network" (data that the network delivers until the next epoch) or "marginal" (data that the choice adds over the
    UE's coming interval if nobody else moves)."""
    max_candidates: Annotated[int | None, Count(1, 10_000, cost="memory and time in proportion")] = None
    """How many candidates are offered at an epoch; None: as many as there can be."""
    city: Annotated[str | os.PathLike[str] | City | None, Said("a city, its file or its name")] = None
    """A city file (docs/city_files.md) or a source such as "gtfs:helsinki", in the place of the street grid, whose
    keywords must then be left out; the radio is the city's."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.settle_s >= self.duration_s:
            raise ValueError(f"settle_s must be below duration_s ({self.duration_s}), got {self.settle_s}.")
        if self.city is None:
            self._check_streets()
        self.check_world()

    @property
    def world(self) -> Mapping[str, str]:
        return {STREET_GRID if self.city is None else CITY: "city"}

    def _check_streets(self) -> None:
        if self.crossings[0] * self.crossings[1] < 2:
            raise ValueError(f"crossings must make at least one road, got {self.crossings!r}.")
        at_least("radius_m", self.resolved("radius_m"), 0.5 * self.road_m)
        if self.duration_s < (shortest := 2.0 * self.road_m / self.speed_mps):
            raise ValueError(
                f"duration_s must be at least {shortest:.3g}, two roads at {self.speed_mps:.3g} m/s, so that every UE "
                f"decides; got {self.duration_s}."
            )

    def resolved(self, name: str) -> Any:
        """A keyword's value, or where it is None that of the geometry (512 for num_ues)."""
        value = getattr(self, name)
        if name == "num_ues":
            return PAPER_UES if value is None else value
        return GEOMETRIES[self.geometry][name] if value is None else value
