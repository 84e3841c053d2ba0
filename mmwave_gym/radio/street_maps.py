"""A street, or two that cross: lanes, lamp posts with small cells, and what a link is worth at every metre of a lane.

A map is drawn once from its seed and stays: site, line of sight and shadowing belong to places, so that who passes
twice finds the same. Fields are Gaussian with the exact covariance of TR 38.901's exponential correlation over all
metres of all lanes at once, independent between sites (ours: the standard says nothing of sites).

Where sight is geometry's, the map holds two losses of each link: of the direct path, LOS with what corners and parked
vehicles take of it, and of the reflected paths, NLOS. The stronger one counts (ours).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import ndtr

from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio import tr38901_umi as umi
from mmwave_gym.radio.blockage import wavelength_m
from mmwave_gym.radio.obstacles import corners_loss_db, parked, screens_loss_db

MAPS_BYTES = 2**29
"""Bytes of maps that are kept: all 4096 that a keyword may name, of the presets (a map takes a hundred draws' time)."""
KINDS = ("crossing", "canyon")
NOISE_DBM = -78.0  # 400 MHz, noise figure 10 dB: what link budgets of streets hold; RSRP is told above it
STREET_M = 20.0
"""Width; buildings fill what is between the streets (ours; TR 38.901 takes as much for a mean, in RMa)."""
POST_M = 9.0  # a lamp post's distance from the street's axis
SITE_HEIGHT_M, UE_HEIGHT_M = 10.0, 1.5  # TR 38.901, table 7.2-1: UMi
HEIGHTS_M = UE_HEIGHT_M, SITE_HEIGHT_M
GRAZING_DB = 20.0 * np.log10(2.0)  # a line that touches an edge loses half of its field
_EAST, _NORTH = np.array((1.0, 0.0)), np.array((0.0, 1.0))


@dataclass(frozen=True)
class Geometry:
    """What all maps of a kind share. Lanes are straight, a metre between their points, driven on the right."""

    kind: str
    arm_m: float
    isd_m: float
    lane_m: float
    parked_share: float | None = None
    """None: sight follows the statistical law. Else it is geometry's, with so many parking places full."""

    @property
    def axes(self) -> tuple[FloatArray, ...]:
        """Vectors (2,) of length 1, without unit, along the streets."""
        return (_EAST, _NORTH) if self.kind == "crossing" else (_EAST,)

    @property
    def lane_axes(self) -> list[tuple[FloatArray, FloatArray]]:
        """Heading, a unit vector (2,), and middle (2,) in metres of every lane, two a street: there and back."""
        right = [(axis, self.lane_m * np.array((axis[1], -axis[0]))) for axis in self.axes]
        return [way for axis, offset in right for way in ((axis, offset), (-axis, -offset))]

    @property
    def points_a_lane(self) -> int:
        return int(2 * self.arm_m) + 1

    def lanes_m(self) -> FloatArray:
        """(lane, point, 2): points of every lane in the direction of travel, in metres."""
        along = np.arange(self.points_a_lane) - self.arm_m
        return np.stack([middle + along[:, None] * heading for heading, middle in self.lane_axes])

    def sites_m(self) -> FloatArray:
        """(site, 2): sites in metres, every `isd_m` along each street, on alternating sides."""
        sites = []
        for axis in self.axes:
            side = np.array((-axis[1], axis[0]))
            for i, along in enumerate(np.arange(-self.arm_m + self.isd_m / 2.0, self.arm_m, self.isd_m)):
                sites.append(along * axis + (POST_M if i % 2 else -POST_M) * side)
        return np.array(sites)

    def clear(self, from_m: FloatArray, to_m: FloatArray) -> NDArray[np.bool_]:
        """(A, B): True where the straight line from place a to place b misses all buildings.

        from_m: (A, 2), to_m: (B, 2), in metres. Buildings fill the quadrants beside a crossing.
        """
        clear = np.ones((len(from_m), len(to_m)), bool)
        for _, misses in self.corners(from_m, to_m):
            clear &= misses
        return clear

    def corners(self, from_m: FloatArray, to_m: FloatArray) -> Iterator[tuple[FloatArray, NDArray[np.bool_]]]:
        """Of each building at a crossing its corner (2,) in metres, and (A, B): does the line from a to b miss it?

        from_m: (A, 2), to_m: (B, 2), in metres.
        """
        if self.kind == "canyon":
            return
        half = STREET_M / 2.0
        a, b = from_m[:, None, :], to_m[None, :, :]
        for sx in (-1.0, 1.0):
            for sy in (-1.0, 1.0):
                # Inside the quadrant where both signed coordinates exceed half: an interval of the line for each.
                first, last = np.zeros((len(from_m), len(to_m))), np.ones((len(from_m), len(to_m)))
                for axis, sign in ((0, sx), (1, sy)):
                    begin, end = sign * a[..., axis] - half, sign * b[..., axis] - half
                    with np.errstate(divide="ignore", invalid="ignore"):
                        cut = begin / (begin - end)
                    first = np.where((begin <= 0.0) & (end > 0.0), np.maximum(first, cut), first)
                    last = np.where((begin > 0.0) & (end <= 0.0), np.minimum(last, cut), last)
                    last = np.where((begin <= 0.0) & (end <= 0.0), -1.0, last)
                yield half * np.array((sx, sy)), ~(first < last)


@lru_cache(maxsize=16)
def _factor(geometry: Geometry, correlation_m: float) -> FloatArray:
    """Cholesky factor of the correlation between all points of all lanes."""
    point_m = geometry.lanes_m().reshape(-1, 2)
    correlation = np.exp(-cdist(point_m, point_m) / correlation_m)
    correlation[np.diag_indices_from(correlation)] += 1e-9  # lanes cross: two points at one place
    return np.linalg.cholesky(correlation).astype(np.float32)


@dataclass(frozen=True)
class StreetMap:
    """One map: path loss with shadowing, and sight, of every site at every metre of every lane."""

    geometry: Geometry
    seed: int
    site_m: FloatArray  # (site, 2)
    loss_db: NDArray[np.float32]  # (lane, point, site)
    los: NDArray[np.bool_]  # (lane, point, site)
    # Where sight is geometry's, (lane, point, site), else without entries: `loss_db` is the least of both.
    direct_db: NDArray[np.float32]
    reflected_db: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self.loss_db, self.los, self.direct_db, self.reflected_db))


class MapStore:
    """Maps that were used lately, up to so many bytes; several threads may ask."""

    def __init__(self, most_bytes: int):
        self.most_bytes, self.nbytes = most_bytes, 0
        self._maps: OrderedDict[tuple[Geometry, int, float], StreetMap] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._maps)

    def __call__(self, geometry: Geometry, seed: int, frequency_ghz: float) -> StreetMap:
        key = geometry, seed, frequency_ghz
        with self._lock:
            if key in self._maps:
                self._maps.move_to_end(key)
                return self._maps[key]
        new = draw_map(*key)
        with self._lock:
            if key not in self._maps:
                self._maps[key] = new
                self.nbytes += new.nbytes
            while self.nbytes > self.most_bytes and len(self._maps) > 1:
                self.nbytes -= self._maps.popitem(last=False)[1].nbytes
        return new


street_map = MapStore(MAPS_BYTES)
"""The map of a geometry, a seed and a frequency in GHz."""


@dataclass(frozen=True)
class _Laws:
    """What all maps of a geometry share: of every point of every lane (point, site)."""

    los_probability: FloatArray
    clear: NDArray[np.bool_]
    loss_db: dict[str, FloatArray]
    corners_db: FloatArray | None  # (point, site): what buildings take from direct paths, where sight is geometry's


@lru_cache(maxsize=16)
def _laws(geometry: Geometry, frequency_ghz: float) -> _Laws:
    site_m, point_m = geometry.sites_m(), geometry.lanes_m().reshape(-1, 2)
    apart_m = cdist(point_m, site_m)
    at = (apart_m, SITE_HEIGHT_M, UE_HEIGHT_M, frequency_ghz)
    loss_db = {"los": umi.los_path_loss_db(*at), "nlos": umi.nlos_path_loss_db(*at)}
    statistical = geometry.parked_share is None
    corners_db = (
        None
        if statistical
        else corners_loss_db(point_m, site_m, geometry.corners(point_m, site_m), wavelength_m(frequency_ghz))
    )
    return _Laws(umi.los_probability(apart_m), geometry.clear(point_m, site_m), loss_db, corners_db)


def draw_map(geometry: Geometry, seed: int, frequency_ghz: float) -> StreetMap:
    """The map of a seed, drawn anew."""
    laws = _laws(geometry, frequency_ghz)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0x57,))))
    site_m = geometry.sites_m()
    lane_m = geometry.lanes_m()
    point_m = lane_m.reshape(-1, 2)

    def field(correlation_m: float) -> FloatArray:
        return _factor(geometry, correlation_m) @ rng.standard_normal((len(point_m), len(site_m)), np.float32)

    seen = ndtr(field(umi.LOS_CORRELATION_M)) < laws.los_probability
    # P(LOS) is an average over streets and corners alike; both must agree (ours, conservative).
    los = seen & laws.clear
    shadowed = {
        state: loss_db + umi.SHADOWING_DB[state] * field(umi.SHADOWING_CORRELATION_M[state])
        for state, loss_db in laws.loss_db.items()
    }
    shape = (*lane_m.shape[:2], len(site_m))
    if laws.corners_db is None:
        loss_db = np.where(los, shadowed["los"], shadowed["nlos"]).astype(np.float32)
        nothing = np.empty((0, 0, 0), np.float32)
        return StreetMap(geometry, seed, site_m, loss_db.reshape(shape), los.reshape(shape), nothing, nothing)
    taken_db = laws.corners_db + _parked_db(geometry, seed, point_m, site_m, frequency_ghz)
    direct_db = (shadowed["los"] + taken_db).astype(np.float32).reshape(shape)
    reflected_db = shadowed["nlos"].astype(np.float32).reshape(shape)
    loss_db, los = np.minimum(direct_db, reflected_db), taken_db.reshape(shape) < GRAZING_DB
    return StreetMap(geometry, seed, site_m, loss_db, los, direct_db, reflected_db)


def _parked_db(
    geometry: Geometry, seed: int, point_m: FloatArray, site_m: FloatArray, frequency_ghz: float
) -> FloatArray:
    """(point, site): what the parked vehicles of a map take from direct paths, in dB.

    point_m: (point, 2), site_m: (site, 2), in metres.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0x57, 1))))
    at_m, screens = parked(geometry.axes, geometry.arm_m, geometry.parked_share or 0.0, rng)
    wave_m = wavelength_m(frequency_ghz)
    return np.concatenate(
        [screens_loss_db(part, site_m, at_m, screens, HEIGHTS_M, wave_m) for part in np.array_split(point_m, 8)]
    )


@dataclass(frozen=True)
class Route:
    """A way through the map: points (lane, metre) a metre apart, and their places."""

    lane: NDArray[np.int64]
    point: NDArray[np.int64]
    place_m: FloatArray  # (points, 2)


@lru_cache(maxsize=16)
def routes(geometry: Geometry) -> tuple[tuple[Route, ...], FloatArray]:
    """All routes, and their probabilities (routes,): straight on as often as both turns together (ours)."""
    lane_m = geometry.lanes_m()
    lanes, points = lane_m.shape[:2]
    ways: list[Route] = []
    share: list[float] = []
    for a in range(lanes):
        ways.append(Route(np.full(points, a), np.arange(points), lane_m[a]))
        share.append(1.0)
        for b in range(lanes):
            heading_a, heading_b = geometry.lane_axes[a][0], geometry.lane_axes[b][0]
            if abs(float(heading_a @ heading_b)) > 0.5:
                continue
            # Lanes are parallel to the axes: they meet where one's points have the other's coordinate.
            i = int(np.abs((lane_m[a] - lane_m[b][0]) @ heading_a).argmin())
            j = int(np.abs((lane_m[b] - lane_m[a][0]) @ heading_b).argmin())
            lane = np.concatenate((np.full(i + 1, a), np.full(points - j - 1, b)))
            point = np.concatenate((np.arange(i + 1), np.arange(j + 1, points)))
            ways.append(Route(lane, point, lane_m[lane, point]))
            share.append(0.5)
    weight = np.array(share)
    return tuple(ways), weight / weight.sum()
