"""Where base stations stand: the paper's rows, its Poisson process, and given sites, behind one interface.

A layout knows nothing of clusters, UEs and gains; those are `world`'s.
"""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.scenarios.power_allocation.config import ROWS_M, PowerAllocationConfig

MOST_BS, MOST_LINKS = 2_000_000, 300_000_000
"""Larger networks do not fit most memories."""
MOST_CLUSTERED = 100_000
"""Of a larger network no one cluster is drawn: clustering all of it takes many seconds each time."""


class Layout(Protocol):
    """Draws sites. All coordinates are in metres."""

    most_bs: int
    """The most base stations at the start of an episode in which all of them play."""
    one_cluster: bool
    """Do all base stations form one cluster, without FLOC?"""
    redraws: bool
    """Are the sites of another draw others?"""

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Sites at the start of an episode, (sites, 2), in metres."""
        ...

    def has_room(self, there_m: FloatArray) -> bool:
        """Can one more base station come to those at `there_m`, (bs, 2)?"""
        ...

    def newcomer(self, rng: np.random.Generator, there_m: FloatArray) -> FloatArray:
        """Where it comes to, (2,) in metres, between those that are there (sites, 2)."""
        ...


def open_layout(config: PowerAllocationConfig) -> Layout:
    """The layout that a configuration asks for. Raises ValueError where it fits no memory or its file is bad."""
    if config.layout == "rows":
        return Rows(config)
    return Poisson(config) if config.layout == "poisson" else Sites(config)


class Sites(Layout):
    """Given sites: places in metres, or a file. All of them are base stations at the start."""

    one_cluster = redraws = False

    def __init__(self, config: PowerAllocationConfig):
        self.sites_m = self._sites_m(config)
        self.most_bs = len(self.sites_m)

    def _sites_m(self, config: PowerAllocationConfig) -> FloatArray:
        layout = config.layout
        if not isinstance(layout, tuple):
            from mmwave_gym.sources import open_sites  # readers of files are not needed in the paper's layouts

            notes = Notes(error=CityError)
            place_m = open_sites(layout, notes=notes)[1]
            for line in notes.lines():
                warnings.warn(f"{layout}: {line}", stacklevel=2)
            return place_m
        return np.array(layout, np.float64)

    def draw(self, rng: np.random.Generator) -> FloatArray:
        return self.sites_m

    def has_room(self, there_m: FloatArray) -> bool:
        return len(self._free_m(there_m)) > 0

    def newcomer(self, rng: np.random.Generator, there_m: FloatArray) -> FloatArray:
        return np.asarray(rng.choice(self._free_m(there_m)))

    def _free_m(self, there_m: FloatArray) -> FloatArray:
        """(free, 2): sites without a base station."""
        taken = (self.sites_m[:, None] == there_m[None]).all(axis=2).any(axis=1)
        return np.asarray(self.sites_m[~taken])


class Rows(Sites):
    """The layout on which the authors evaluate: sixteen sites in five rows, of which `num_bs` are taken at random."""

    one_cluster = redraws = True

    def __init__(self, config: PowerAllocationConfig):
        super().__init__(config)
        self.most_bs = config.num_bs

    def _sites_m(self, config: PowerAllocationConfig) -> FloatArray:
        return np.array(ROWS_M)

    def draw(self, rng: np.random.Generator) -> FloatArray:
        return rng.permutation(self.sites_m)[: self.most_bs]


class Poisson(Layout):
    """The paper's text (section V): a Poisson process in a square."""

    one_cluster, redraws = False, True

    def __init__(self, config: PowerAllocationConfig):
        self.config = c = config
        self.mean_bs = c.density_per_km2 * 1e-6 * c.side_m**2
        self.most_bs = int(self.mean_bs + 6.0 * self.mean_bs**0.5) + 1
        self._check_size()

    def _check_size(self) -> None:
        """ValueError for networks that no memory holds."""
        c, most = self.config, self.most_bs + self.config.changes
        allowed = MOST_BS if c.is_network else MOST_CLUSTERED
        if most > allowed:
            raise ValueError(
                f"density_per_km2={c.density_per_km2:g} and side_m={c.side_m:g} make {most:,} base stations, at most "
                f"{allowed:,} are allowed: lower one of them."
            )
        if c.interference_range_m is not None:
            near = c.density_per_km2 * 1e-6 * np.pi * c.interference_range_m**2
            if most * min(most, near) > MOST_LINKS:
                raise ValueError(
                    f"interference_range_m={c.interference_range_m:g}: {most:,} base stations would have more than "
                    f"{MOST_LINKS:,} interferers nearer than that. Lower it, or give fewer base stations."
                )

    def draw(self, rng: np.random.Generator) -> FloatArray:
        c = self.config
        number = rng.poisson(self.mean_bs)
        if c.is_network:
            number = min(number, self.most_bs)
        site_m = in_strips(rng.random((max(int(number), 1), 2)) * c.side_m, c.unit_m)
        return np.roll(site_m, rng.integers(len(site_m)), axis=0)  # so that nobody's number says where it is

    def has_room(self, there_m: FloatArray) -> bool:
        return True

    def newcomer(self, rng: np.random.Generator, there_m: FloatArray) -> FloatArray:
        return rng.random(2) * self.config.side_m


def in_strips(site_m: FloatArray, width_m: float) -> FloatArray:
    """Sites (n, 2) in metres, reordered up and down strips of this width, so that near ones lie near in memory."""
    strip = np.floor(site_m[:, 0] / width_m).astype(np.int64)
    along_m = np.where(strip % 2, -site_m[:, 1], site_m[:, 1])
    return site_m[np.lexsort((along_m, strip))]
