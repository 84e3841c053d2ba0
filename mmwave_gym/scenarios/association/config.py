"""The keywords of `MmwaveAssociation-v0`, their defaults by geometry, and what is allowed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmwave_gym.core.checks import at_least, between, interval, one_of
from mmwave_gym.scenarios.association.city import City

REWARDS = ("network", "marginal")
GEOMETRIES: Mapping[str, Mapping[str, Any]] = {
    "paper": {"radius_m": 150.0, "building_sides": (0.0, 1.0), "snr_1m_db": 42.06},
    "blocked": {"radius_m": 204.0, "building_sides": (0.85, 1.0), "snr_1m_db": 45.50},
}
"""What `geometry` stands for: the paper's streets, and streets with buildings (ours).

The SNR makes the strongest cell earn 800 Mbit/s."""

PAPER_UES = 512
MOST_UES = 1e5
LONGEST_S = 3600.0
"""Bounds of what is observed."""
STREET_KEYWORDS = (
    *("geometry", "crossings", "road_m", "radius_m", "building_sides", "snr_1m_db"),
    *("path_loss_exponent", "bandwidth_hz", "speed_mps"),
)


@dataclass(frozen=True, kw_only=True)
class AssociationConfig:
    """Keywords of `MmwaveAssociation-v0`. Errors: ValueError names the keyword, the value and what is allowed."""

    num_ues: int | None = None
    """UEs, each an agent in PettingZoo (paper: 512 to 2048). None: 512; in a city, all vehicles."""
    geometry: str = "paper"
    """"paper" (range below the length of a road) or "blocked" (above it, with large buildings): the defaults of
    `radius_m`, `building_sides` and `snr_1m_db`."""
    crossings: tuple[int, int] = (8, 8)
    """Rows and columns of street crossings, a base station at each (paper: 64)."""
    road_m: float = 200.0
    """Length of a road from crossing to crossing."""
    radius_m: float | None = None
    """Range of a base station; None: that of the geometry. At least half a road, so that no UE is out of range."""
    building_sides: tuple[float, float] | None = None
    """Least and greatest side of a building, as a share of a road's length; None: those of the geometry."""
    snr_1m_db: float | None = None
    """SNR at a metre; None: that of the geometry."""
    path_loss_exponent: float = 3.0
    """Of the distance."""
    bandwidth_hz: float = 10e6
    """Of each base station (paper)."""
    speed_mps: float = 50.0 / 3.6
    """Of every UE."""
    duration_s: float = 100.0
    """Length of an episode; the last epoch before it is the last step."""
    settle_s: float = 20.0
    """Metrics of UEs (fairness) leave out so much of the beginning."""
    reward: str = "network"
    """"network" (what the network brings until the next epoch) or "marginal" (what the decision adds to the network
    over the UE's coming interval, as far as known now)."""
    max_candidates: int | None = None
    """How many candidates are offered at an epoch; None: as many as there can be."""
    city: str | os.PathLike[str] | City | None = None
    """A city file (docs/city_files.md) or a source such as "gtfs:helsinki", in the place of the street grid, whose
    keywords must then be left out; the radio is the city's."""

    def __post_init__(self) -> None:
        self._check_episode()
        if self.city is None:
            self._check_streets()
            return
        for field in dataclasses.fields(self):
            if field.name in STREET_KEYWORDS and getattr(self, field.name) != field.default:
                raise ValueError(
                    f"{field.name} belongs to the street grid and means nothing with city=…: leave one of them out "
                    f"(got {field.name}={getattr(self, field.name)!r})."
                )

    def _check_episode(self) -> None:
        if self.num_ues is not None:
            at_least("num_ues", self.num_ues, 1, integer=True)
            between("num_ues", self.num_ues, 1, MOST_UES)
        at_least("duration_s", self.duration_s, 0.0, strict=True)
        if self.duration_s > LONGEST_S / 2.0:
            raise ValueError(f"duration_s must be at most {LONGEST_S / 2.0:g}, got {self.duration_s}.")
        at_least("settle_s", self.settle_s, 0.0)
        if self.settle_s >= self.duration_s:
            raise ValueError(f"settle_s must be below duration_s ({self.duration_s}), got {self.settle_s}.")
        one_of("reward", self.reward, REWARDS)
        if self.max_candidates is not None:
            at_least("max_candidates", self.max_candidates, 1, integer=True)

    def _check_streets(self) -> None:
        one_of("geometry", self.geometry, GEOMETRIES)
        if not isinstance(self.crossings, Sequence) or len(self.crossings) != 2:
            raise ValueError(f"crossings must be two numbers, rows and columns, got {self.crossings!r}.")
        for name, count in zip(("crossings[0]", "crossings[1]"), self.crossings, strict=True):
            at_least(name, count, 1, integer=True)
        if self.crossings[0] * self.crossings[1] < 2:
            raise ValueError(f"crossings must make at least one road, got {self.crossings!r}.")
        for name in ("road_m", "path_loss_exponent", "bandwidth_hz", "speed_mps"):
            at_least(name, getattr(self, name), 0.0, strict=True)
        at_least("radius_m", self.resolved("radius_m"), 0.5 * self.road_m)
        interval("building_sides", self.resolved("building_sides"), 0.0)
        if self.resolved("building_sides")[1] > 1.0:
            raise ValueError(f"building_sides must not exceed 1, a whole block, got {self.building_sides!r}.")
        between("snr_1m_db", self.resolved("snr_1m_db"), -100.0, 200.0)
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
