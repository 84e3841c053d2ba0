"""The worlds of association behind one interface: the paper's grid of streets, and windows of a real city.

A world draws where the UEs drive and when which base station is their candidate; nothing of it depends on what they
choose. The game (`game`) is played in either.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.checks import at_least
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import db_to_linear
from mmwave_gym.scenarios.association.city import TICKS_PER_S, City
from mmwave_gym.scenarios.association.config import AssociationConfig
from mmwave_gym.scenarios.association.memory import check_grid
from mmwave_gym.scenarios.association.routes import FORESIGHT_S, LinkBudget, Routes, Visits
from mmwave_gym.scenarios.association.streets import StreetGrid

LONG_SHARE = 0.5  # ours: of the time that one of the two shares with its best partner


class World(Protocol):
    """What the game needs of a world."""

    num_ues: int
    """The most UEs of an episode."""
    bs_m: FloatArray
    """(base station, 2) in metres."""
    bandwidth_hz: float
    budget: LinkBudget
    knot_s: float
    """Time between two knots of a route."""
    num_knots: int
    num_buildings: int
    """How many rectangles each episode draws."""
    most_epochs: int
    """At least as many epochs as an episode has."""

    @property
    def roads(self) -> NDArray[np.intp]:
        """(road, 2): base stations that share a road."""
        ...

    @property
    def most_candidates(self) -> int:
        """The most base stations that one UE can choose among."""
        ...

    def draw(self, rng: EpisodeRng) -> tuple[Routes, Visits, FloatArray]:
        """One world: routes, visits, and rectangular buildings (building, 4): left, bottom, right, top in metres."""
        ...

    def constants(self) -> Mapping[str, Any]:
        """What every agent may know of this world, beside the keywords."""
        ...


def open_world(config: AssociationConfig) -> World:
    """The world that a configuration asks for. Raises ValueError where keywords and city contradict."""
    if config.city is None:
        return StreetWorld(config)
    from mmwave_gym.scenarios.association.cities import open_city  # readers of files are not needed on the street grid

    return CityWorld(open_city(config.city), config.duration_s, config.num_ues)


class StreetWorld(World):
    """The paper's grid of streets: a base station at every crossing, random buildings, UEs that turn at random."""

    def __init__(self, config: AssociationConfig):
        self.config = config
        check_grid(config)
        rows, columns = config.crossings
        self.grid = StreetGrid(rows, columns, config.road_m, config.resolved("radius_m"))
        self.bs_m, self.num_ues = self.grid.node_m, config.resolved("num_ues")
        self.knot_s = config.road_m / config.speed_mps
        self.bandwidth_hz = config.bandwidth_hz
        self.budget = LinkBudget(float(db_to_linear(config.resolved("snr_1m_db"))), config.path_loss_exponent)
        self.num_buildings = self.grid.num_blocks
        largest = config.resolved("building_sides")[1]
        if self.grid.most_changes == 0 and (self.num_buildings == 0 or largest == 0.0):
            raise ValueError(
                f"radius_m must leave some base station out of range somewhere, got {config.resolved('radius_m'):g}: "
                "nobody would ever have to decide."
            )
        self.until_s = config.duration_s + FORESIGHT_S
        self.num_knots = int(np.ceil(self.until_s / self.knot_s)) + 2
        # Buildings may add changes to a road beyond those of range: a few, and rarely.
        roads = config.duration_s / self.knot_s + 1.0
        self.most_epochs = int(self.num_ues * roads * (self.grid.most_changes + 2))

    @property
    def roads(self) -> NDArray[np.intp]:
        return self.grid.roads

    @property
    def most_candidates(self) -> int:
        return self.grid.most_candidates

    def draw(self, rng: EpisodeRng) -> tuple[Routes, Visits, FloatArray]:
        """One world: routes, visits and buildings, (building, 4) in metres: left, bottom, right, top."""
        buildings = self.grid.buildings(rng["buildings"], *self.config.resolved("building_sides"))
        routes, lanes = self.grid.drive(rng["routes"], self.num_ues, self.config.speed_mps, self.until_s)
        return routes, self.grid.visits(routes, lanes, buildings), buildings

    def constants(self) -> Mapping[str, Any]:
        """The keywords that depend on the geometry."""
        return {name: self.config.resolved(name) for name in ("radius_m", "building_sides", "snr_1m_db")}


class CityWorld(World):
    """Draws windows of a city: UEs are the vehicles present in `duration_s`, in the order of the file.

    `num_ues`: None is as many as are ever present within one window. Fewer are chosen at random among those that have
    something to decide. Where a window has fewer, the last UEs are absent: no visits, present from 0 to 0.
    """

    def __init__(self, city: City, duration_s: float, num_ues: int | None = None):
        self.city, self.duration_s, self.until_s = city, duration_s, duration_s + FORESIGHT_S
        self.bs_m, self.knot_s, self.bandwidth_hz = city.bs_m, city.knot_s, city.bandwidth_hz
        self.budget = LinkBudget(float(db_to_linear(city.snr_1m_db)), city.path_loss_exponent, city.height_m)
        self.num_buildings = 0  # no rectangles drawn for each episode: `city.buildings` are always the same
        self.num_knots = int(np.ceil(self.until_s / self.knot_s)) + 2
        at_least("duration_s", duration_s, 0.0, strict=True)
        last = int(np.floor((city.span_s - self.until_s) / self.knot_s + 1e-9))
        if city.span_s <= FORESIGHT_S:
            raise ValueError(
                f"the city tells of {city.span_s:g} s, and an episode needs {FORESIGHT_S:g} s beyond its end: make a "
                "city of a longer time."
            )
        if last < 0:
            raise ValueError(
                f"duration_s must be at most {city.span_s - FORESIGHT_S:g}: the city tells of {city.span_s:g} s, and "
                f"{FORESIGHT_S:g} s beyond an episode must be foreseen; got {duration_s:g}."
            )
        begin_s = np.arange(last + 1) * self.knot_s
        change_s = np.unique(city.distinct_s)
        decided = np.searchsorted(change_s, begin_s + duration_s) - np.searchsorted(change_s, begin_s, "right")
        came, left = np.sort(city.present_s[:, 0]), np.sort(city.present_s[:, 1])
        present = np.searchsorted(came, begin_s + duration_s) - np.searchsorted(left, begin_s, "right")
        self._windows = np.flatnonzero(decided)
        if len(self._windows) == 0:
            raise CityError(f"no window of {duration_s:g} s has an epoch: no vehicle's candidates ever change.")
        self.most_epochs = int(decided.max())
        most = int(present[self._windows].max())
        if num_ues is not None:
            at_least("num_ues", num_ues, 1, integer=True)
            if num_ues > most:
                raise ValueError(f"num_ues must be at most {most}, the most vehicles in one window; got {num_ues}.")
        self.num_ues = most if num_ues is None else num_ues
        self._first = np.cumsum(city.num_knots) - city.num_knots

    @cached_property
    def most_candidates(self) -> int:
        """The most base stations that a vehicle ever has at once."""
        city, s = self.city, self.city.distinct_s
        # On one axis of time, ends before starts of the same instant.
        shift = city.visit_vehicle * (city.span_s + 1e3)
        start, end = np.sort(s[:, 0] + shift), np.sort(s[:, 1] + shift)
        return int((np.arange(1, len(start) + 1) - np.searchsorted(end, start + 0.5 / TICKS_PER_S)).max())

    @cached_property
    def roads(self) -> NDArray[np.intp]:
        """(road, 2) base stations that are candidates together for long, as the two ends of a road are.

        Long is half of the time that one of the two shares with the one it shares most with.
        """
        city, n = self.city, len(self.bs_m)
        order = np.lexsort((city.visit_s[:, 0], city.visit_vehicle))
        vehicle, bs, s = city.visit_vehicle[order], city.visit_bs[order], city.visit_s[order]
        together = np.zeros((n, n))
        for later in range(1, len(order)):
            same = vehicle[later:] == vehicle[:-later]
            if not same.any():
                break
            overlap = np.minimum(s[later:, 1], s[:-later, 1]) - np.maximum(s[later:, 0], s[:-later, 0])
            on = same & (overlap > 0.0)
            np.add.at(together, (bs[:-later][on], bs[later:][on]), overlap[on])
        together += together.T
        np.fill_diagonal(together, 0.0)
        best = together.max(axis=1)
        long = (together > 0.0) & (together >= LONG_SHARE * np.minimum(best[:, None], best))
        return np.argwhere(np.triu(long))

    def draw(self, rng: EpisodeRng) -> tuple[Routes, Visits, FloatArray]:
        """One window: routes, visits and no rectangles, (0, 4), in m."""
        city = self.city
        window = int(self._windows[rng["window"].integers(len(self._windows))])
        begin_s = window * self.knot_s
        present_s = np.clip(city.present_s - begin_s, 0.0, self.until_s)
        vehicles = np.flatnonzero((present_s[:, 1] > 0.0) & (present_s[:, 0] < self.duration_s))
        visit_s = city.distinct_s - begin_s
        if len(vehicles) > self.num_ues:
            inside = ((visit_s > 0.0) & (visit_s < self.duration_s)).any(axis=1)
            idle = ~np.isin(vehicles, city.visit_vehicle[inside])
            shuffled = rng["vehicles"].permutation(len(vehicles))
            vehicles = np.sort(vehicles[shuffled[np.argsort(idle[shuffled], kind="stable")][: self.num_ues]])

        ues = len(vehicles)
        routes = Routes(
            first_s=np.zeros(self.num_ues),
            knot_s=self.knot_s,
            knots_m=np.zeros((self.num_ues, self.num_knots, 2)),
            present_s=(there_s := np.zeros((self.num_ues, 2))),
        )
        knot = window + np.arange(self.num_knots) - city.first_knot[vehicles][:, None]
        knot = np.clip(knot, 0, city.num_knots[vehicles][:, None] - 1)
        routes.knots_m[:ues] = city.knots_m[self._first[vehicles][:, None] + knot]
        there_s[:ues] = present_s[vehicles]

        ue_of = np.full(len(city.first_knot), -1)
        ue_of[vehicles] = np.arange(ues)
        ue = ue_of[city.visit_vehicle]
        on = (ue >= 0) & (visit_s[:, 1] > 0.0) & (visit_s[:, 0] < self.until_s)
        start_s, end_s = np.clip(visit_s[on], 0.0, self.until_s).T
        return routes, Visits(ue[on], city.visit_bs[on], start_s, end_s), np.zeros((0, 4))

    def constants(self) -> Mapping[str, Any]:
        """The city's radio and names."""
        names = ("radius_m", "snr_1m_db", "path_loss_exponent", "bandwidth_hz", "attribution")
        return {name: getattr(self.city, name) for name in names} | {"city": self.city.source}
