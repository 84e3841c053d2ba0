"""Drives through a street map: what a UE passes, what it would get of every cell, and what it measures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import EpisodeRng, Episodes
from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.radio.blockage import wavelength_m
from mmwave_gym.radio.obstacles import (
    PAVEMENT_M,
    TRAFFIC_M,
    TRAFFIC_MPS,
    WALK_MPS,
    Screens,
    bodies,
    moving,
    own_body,
    screens_loss_db,
    vehicles,
)
from mmwave_gym.radio.street_maps import HEIGHTS_M, MAPS_BYTES, NOISE_DBM, Route, StreetMap, routes, street_map
from mmwave_gym.radio.units import db_to_linear, linear_to_db
from mmwave_gym.scenarios.street.config import TICK_S, StreetConfig

AT_ONCE = 256
"""Ticks in which obstacles are looked for at once: a share of the memory of a whole drive."""


@dataclass
class StreetEpisodes(Episodes):
    """Drawn ways through the map; ticks of 20 ms, from the first to a little after the end."""

    map_seed: NDArray[np.int64]  # (storage,)
    place_m: NDArray[np.float32]  # (storage, tick, 2)
    rsrp_dbm: NDArray[np.float32]  # (storage, tick, cell): blockage in it
    sinr_db: NDArray[np.float32]  # (storage, tick, cell)
    measured_dbm: NDArray[np.float32]  # (storage, measurement, cell): the first at tick 0
    # Where handovers are conditional; without entries on the second axis elsewhere:
    prepared: NDArray[np.int16]  # (storage, measurement, serving cell, 2): the cells a measurement prepares, -1: none
    now_dbm: NDArray[np.float32]  # (storage, decision, cell): what is measured in the decision's tick alone


class StreetWorld:
    """Draws drives; `after` ticks of each come after the end of the episode, for what a last step still takes."""

    def __init__(self, config: StreetConfig, after: int):
        self.config, self.after = config, after
        self.geometry = config.geometry
        self.num_cells = len(self.geometry.sites_m())
        self.ticks, self._measurement = config.ticks("duration_s"), config.ticks("measurement_s")
        self._bounds: FloatArray | None = None
        self._map_seeds = config.map_seeds
        self._speeds_mps = config.resolved("speed_mps")
        self.sees = config.sight == "geometry"
        self.blocks = config.resolved("blocked_s") > 0.0 and not self.sees
        self.conditional = config.handover == "conditional"
        self._preparation, self._decision = config.ticks("preparation_s"), config.ticks("decision_s")

    def constants(self) -> dict[str, Any]:
        """What is fixed by the keywords: places of the sites."""
        return {"site_m": tuple(map(tuple, self.geometry.sites_m().tolist()))}

    def memory(self, state: float) -> Memory:
        """Bytes of drives, with those of a state."""
        ticks, k = self.ticks + self.after, self.num_cells
        geometry = self.geometry
        points = geometry.points_a_lane * len(geometry.lane_axes)
        episode = ticks * (8 + 8 * k) + 4 * k * (ticks // self._measurement + 1) + 8
        if self.conditional:
            episode += 4 * k * (ticks // self._measurement + 1) + 4 * k * (ticks // self._decision + 1)
        blockages = 32.0 * (4.0 + 2.0 * ticks * TICK_S / self.config.clear_s)
        a_point = (13 if self.sees else 5) * k
        maps: float = min(len(self._map_seeds) * points * a_point, MAPS_BYTES) + 25 * points * k
        drawing = ticks * (60 * k + 80) + blockages
        if self.sees:
            densest = max(self.config.vehicles_per_km, self.config.resolved("bodies_per_km"))
            lanes_km = len(geometry.lane_axes) * 2.0 * geometry.arm_m / 1000.0
            screens = 30.0 + 1.5 * densest * lanes_km
            parked = len(geometry.lane_axes) * geometry.arm_m / 3.5
            drawing += ticks * (40 * screens + 60 * k) + 250 * AT_ONCE * screens
            maps += points * (40 * parked + 60 * k)
        return Memory(episode, state, drawing, points * (36 * points + 60 * k) + maps)

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: StreetEpisodes, rows: NDArray[np.intp]) -> None:
        """One drive for each rng, `after` ticks longer than an episode, into the storage rows (n,)."""
        for i, rng in zip(rows, rngs, strict=True):
            self._drive(rng, episodes, i)

    def empty(self, num_episodes: int) -> StreetEpisodes:
        """Drives to fill."""
        n, ticks, k = num_episodes, self.ticks + self.after, self.num_cells
        return StreetEpisodes(
            row=np.arange(n),
            map_seed=np.empty(n, np.int64),
            place_m=np.empty((n, ticks, 2), np.float32),
            rsrp_dbm=np.empty((n, ticks, k), np.float32),
            sinr_db=np.empty((n, ticks, k), np.float32),
            measured_dbm=np.empty((n, ticks // self._measurement + 1, k), np.float32),
            prepared=np.empty((n, self.conditional * (ticks // self._measurement + 1), k, 2), np.int16),
            now_dbm=np.empty((n, self.conditional * (1 + (ticks - 1) // self._decision), k), np.float32),
        )

    def route(self, nth: int, way_u: float, speed_u: float, begin_u: float) -> tuple[StreetMap, Route, float, float]:
        """A map, a way through it, where on it a drive begins, in metres, and its speed in m/s.

        nth: which of the maps; the others: uniform in [0, 1), no unit.
        """
        c = self.config
        here = street_map(self.geometry, self._map_seeds[nth], c.frequency_ghz)
        ways, share = routes(self.geometry)
        if self._bounds is None:
            self._bounds = share.cumsum() / share.cumsum()[-1]
        way = ways[self._bounds.searchsorted(way_u, side="right")]  # as `choice(p=share)`, without its checks
        slowest, fastest = self._speeds_mps
        speed_mps = slowest + (fastest - slowest) * speed_u
        room_m = len(way.lane) - 1 - self.tick_m(speed_mps) * self.ticks
        return here, way, begin_u * room_m, speed_mps

    @staticmethod
    def tick_m(speed_mps: float) -> float:
        """The way of a tick in metres."""
        return speed_mps * TICK_S

    @property
    def interference(self) -> float:
        """Share of another cell's power that interferes, no unit."""
        return 0.0 if self.config.interference_db is None else float(db_to_linear(self.config.interference_db))

    def _drive(self, rng: EpisodeRng, episodes: StreetEpisodes, i: int) -> None:
        c, chance = self.config, rng["route"]
        here, way, begin_m, speed_mps = self.route(int(chance.integers(len(self._map_seeds))), *chance.random(3))
        ticks = len(episodes.place_m[i])
        point, part = self.along(way, begin_m, self.tick_m(speed_mps), ticks)
        loss_db = here.loss_db[way.lane, way.point]
        gain_db = -((1.0 - part) * loss_db[point] + part * loss_db[point + 1])
        if self.sees:
            gain_db -= self.obstructed_db(rng, here, way, point, part)
        else:
            gain_db -= c.blockage_db * self._blocked(rng["blockage"], ticks)
        snr = db_to_linear(c.link_budget_db + gain_db)
        others = snr.sum(axis=1, keepdims=True) - snr
        episodes.map_seed[i] = here.seed
        episodes.place_m[i] = (1.0 - part) * way.place_m[point] + part * way.place_m[point + 1]
        episodes.rsrp_dbm[i] = c.link_budget_db + NOISE_DBM + gain_db
        episodes.sinr_db[i] = linear_to_db(snr / (1.0 + self.interference * others))
        episodes.measured_dbm[i] = self._measured(rng["measurement"], episodes.rsrp_dbm[i])
        self._prepare(rng, episodes, i)

    def _blocked(self, rng: np.random.Generator, ticks: int) -> Any:
        """(tick, cell): 1 while a body blocks the link, sojourns exponential, stationary at the start."""
        blocked_s, clear_s, k = self.config.resolved("blocked_s"), self.config.clear_s, self.num_cells
        if not self.blocks:
            return 0.0
        blocked = np.empty((ticks, k))
        for cell in range(k):  # sojourns until the end is surely passed, in pairs of a clear and a blocked one
            pairs = rng.exponential((clear_s, blocked_s), (int(4 + 2.0 * ticks * TICK_S / clear_s), 2)) / TICK_S
            if rng.random() < blocked_s / (blocked_s + clear_s):
                pairs[0, 0] = 0.0
            change = np.cumsum(pairs)
            blocked[:, cell] = np.searchsorted(change, np.arange(ticks), side="right") % 2
        return blocked

    @staticmethod
    def along(way: Route, begin_m: float, tick_m: float, ticks: int) -> tuple[NDArray[np.int64], Float64Array]:
        """(tick,): the last point of a way that is passed; (tick, 1): the part of a metre beyond it."""
        along = np.minimum(begin_m + tick_m * np.arange(ticks), len(way.lane) - 1.001)
        point = along.astype(np.int64)
        return point, (along - point)[:, None]

    def obstructed_db(
        self, rng: EpisodeRng, here: StreetMap, way: Route, point: NDArray[np.int64], part: Float64Array
    ) -> Float64Array:
        """(tick, cell): what moving vehicles and bodies take of a link, in dB, down to the level of reflected paths.

        point (tick,) and part (tick, 1), in metres: those of `along`.
        """

        def there(table: NDArray[Any]) -> Float64Array:
            return (1.0 - part) * table[point] + part * table[point + 1]

        direct_db, reflected_db = (there(t[way.lane, way.point]) for t in (here.direct_db, here.reflected_db))
        taken_db = np.minimum(direct_db + self._taken_db(rng, there(way.place_m)), reflected_db)
        return taken_db - np.minimum(direct_db, reflected_db)

    def _taken_db(self, rng: EpisodeRng, place_m: FloatArray) -> Float64Array:
        """(tick, cell): what moving vehicles and bodies take of direct paths, in dB; place_m: (tick, 2), in metres."""
        c, ticks, site_m = self.config, len(place_m), self.geometry.sites_m()
        wave_m = wavelength_m(c.frequency_ghz)
        taken = np.zeros((ticks, self.num_cells))
        for cause, aside_m, per_km, speeds_mps in (
            ("traffic", TRAFFIC_M, c.vehicles_per_km, (*TRAFFIC_MPS, True)),
            ("bodies", PAVEMENT_M, c.resolved("bodies_per_km"), (*WALK_MPS, False)),
        ):
            chance = rng[cause]
            streets = self.geometry.axes, self.geometry.arm_m
            at_m = moving(*streets, aside_m, per_km, speeds_mps, TICK_S, ticks, chance)
            screens = vehicles(chance, at_m.shape[1]) if cause == "traffic" else bodies(at_m.shape[1])
            for first in range(0, ticks, AT_ONCE):
                some = slice(first, first + AT_ONCE)
                taken[some] += screens_loss_db(place_m[some], site_m, at_m[some], screens, HEIGHTS_M, wave_m)
        if c.users == "pedestrian":
            own = own_body(place_m)
            taken += screens_loss_db(place_m, site_m, own, Screens(*bodies(1).sizes, 0.0), HEIGHTS_M, wave_m)
        return taken

    def _prepare(self, rng: EpisodeRng, episodes: StreetEpisodes, i: int) -> None:
        """What a conditional handover needs: prepared cells, and what is measured in each decision's tick."""
        if not self.conditional:
            return
        at_decisions = episodes.rsrp_dbm[i, :: self._decision]
        noise = rng["instant"].standard_normal(at_decisions.shape)
        episodes.now_dbm[i] = at_decisions + self.config.measurement_error_db * noise
        episodes.prepared[i] = two_strongest(episodes.measured_dbm[i])
        # A preparation that the serving cell cannot tell the UE leaves what was prepared before it.
        told_at = np.minimum(np.arange(len(episodes.prepared[i])) * self._measurement + self._preparation, self._last)
        told = episodes.sinr_db[i, told_at] >= self.config.out_db
        newest = np.maximum.accumulate(np.where(told, np.arange(len(told))[:, None], 0), axis=0)
        episodes.prepared[i] = episodes.prepared[i][newest, np.arange(self.num_cells)]

    @property
    def _last(self) -> int:
        return self.ticks + self.after - 1

    def newest_prepared(self, tick: NDArray[np.int64]) -> NDArray[np.int64]:
        """The newest measurement whose cells are prepared in a tick, any shape; the first one at the start."""
        return np.maximum(tick - self._preparation, 0) // self._measurement

    def _measured(self, rng: np.random.Generator, rsrp_dbm: FloatArray) -> FloatArray:
        """(measurement, cell): means in dB over the time since the last one, with errors; the first is of one tick."""
        period = self._measurement
        whole = (len(rsrp_dbm) - 1) // period
        mean = rsrp_dbm[1 : whole * period + 1].reshape(whole, period, self.num_cells).mean(axis=1, dtype=np.float64)
        level = np.concatenate((rsrp_dbm[:1], mean))
        if len(level) < len(rsrp_dbm) // period + 1:
            level = np.concatenate((level, level[-1:]))
        return level + self.config.measurement_error_db * rng.standard_normal(level.shape)


def two_strongest(level_dbm: FloatArray) -> NDArray[np.int64]:
    """(measurement, serving cell, 2): the strongest other cells by levels (measurement, cell) in dBm, -1 for none."""
    order = np.argsort(-level_dbm, axis=1, kind="stable")[:, :3]
    if order.shape[1] < 3:
        order = np.concatenate((order, np.full((len(order), 1), -1)), axis=1)
    serving = np.arange(level_dbm.shape[1])
    first = np.where(order[:, :1] == serving, order[:, 1:2], order[:, :1])
    second = np.where((order[:, :2, None] == serving).any(axis=1), order[:, 2:], order[:, 1:2])
    return np.stack((first, second), axis=2)
