"""Line of sight by footprint: what a base station sees of the map, and when vehicles are there.

The region that a base station sees is computed once and exactly: the disc of its range, less the shadow of every wall
within it (shapely). A visit is the time that a vehicle is in this region. Buildings that a base station stands in or
on do not block it: it is taken to stand on their edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.tracks import Knots, library

PROBE_S = 0.25
"""Sight is probed this often, 4 m at 15 m/s; what changes twice in between goes unnoticed."""
PRECISION_S = 0.01
SHORTEST_VISIT_S = 0.1
DISC_SIDES = 128  # the polygon's range errs by radius * (1 - cos(pi / 128)), 6 cm in 200 m


def seen_regions(
    bs_m: FloatArray, outlines: list[FloatArray], radius_m: float, on_done: Callable[[], None] = lambda: None
) -> Iterator[Any]:
    """A shapely region in sight of each base station, one after the other.

    bs_m: (S, 2), outlines: (corners, 2) each, in metres. Raises ImportError where shapely is missing.
    """
    shapely = library("shapely")
    shapes = shapely.make_valid(np.array([shapely.Polygon(ring) for ring in outlines], dtype=object))
    tree = shapely.STRtree(shapes)
    for place in bs_m:
        point = shapely.Point(place)
        near = tree.query(point, predicate="dwithin", distance=radius_m) if len(shapes) else []
        blocking = [int(i) for i in near if not shapes[i].buffer(0.01).contains(point)]
        disc = point.buffer(radius_m / np.cos(np.pi / DISC_SIDES) ** 0.5, quad_segs=DISC_SIDES // 4)
        walls = [_shadows(place, outlines[i], radius_m, shapely) for i in blocking]
        region = disc
        if walls:
            dark = shapely.union_all(np.concatenate([*walls, shapes[blocking]]))
            region = disc.difference(dark)
        shapely.prepare(region)
        on_done()
        yield region


def _shadows(place: FloatArray, outline: FloatArray, radius_m: float, shapely: Any) -> NDArray[Any]:
    """What each wall of an outline hides: a quadrilateral from the wall away from `place` and beyond the range."""
    wall = np.stack((outline, np.roll(outline, -1, axis=0)), axis=1) - place  # (wall, 2, 2)
    far = wall / np.maximum(np.hypot(wall[..., 0], wall[..., 1]), 1e-6)[..., None]
    # A wall near by fills up to half of the view: its shadow needs a third far corner to reach beyond the disc.
    middle = far.sum(axis=1)
    middle /= np.maximum(np.hypot(*middle.T), 1e-6)[:, None]
    reach = 3.0 * radius_m + np.hypot(wall[..., 0], wall[..., 1]).max()
    ring = np.stack((wall[:, 0], far[:, 0] * reach, middle * reach, far[:, 1] * reach, wall[:, 1]), axis=1) + place
    turn = wall[:, 0, 0] * wall[:, 1, 1] - wall[:, 0, 1] * wall[:, 1, 0]
    seen = np.abs(turn) > 1e-6 * np.maximum(
        np.hypot(*(wall[:, 1] - wall[:, 0]).T), 1e-6
    )  # not edge-on, not of length 0
    return shapely.polygons(ring[seen])


def visits(
    knots: Knots,
    knot_s: float,
    bs_m: FloatArray,
    outlines: list[FloatArray],
    radius_m: float,
    on_done: Callable[[], None],
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray, float]:
    """Vehicle (V,), base station (V,), and start and end (V, 2) in s of every visit; all links' time in range in s.

    bs_m: (S, 2), outlines: (corners, 2) each, in metres. Borders are right to `PRECISION_S`; visits
    shorter than `SHORTEST_VISIT_S` are left out. Raises ImportError where shapely is missing.
    """
    shapely, scipy_spatial = library("shapely"), library("scipy.spatial")
    vehicle, time_s, place = _probes(knots, knot_s)
    tree = scipy_spatial.cKDTree(place)
    starts_new = np.concatenate(([True], vehicle[1:] != vehicle[:-1]))
    weight = np.where(np.append(starts_new[1:], True), 0.0, np.diff(time_s, append=0.0))
    begin = np.cumsum(knots.num_knots) - knots.num_knots

    def at(of: NDArray[np.intp], when_s: FloatArray) -> FloatArray:
        step = np.clip(when_s / knot_s - knots.first_knot[of], 0.0, knots.num_knots[of] - 1)
        low = np.minimum(step.astype(np.intp), knots.num_knots[of] - 2)
        first = knots.knots_m[begin[of] + low]
        return first + (knots.knots_m[begin[of] + low + 1] - first) * (step - low)[:, None]

    found: list[tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]] = []
    in_range_s = 0.0
    for bs, region in enumerate(seen_regions(bs_m, outlines, radius_m, on_done)):
        close = np.sort(np.array(tree.query_ball_point(bs_m[bs], radius_m), dtype=np.intp))
        if len(close) == 0:
            continue
        in_range_s += float(weight[close].sum())
        seen = np.zeros(len(place), bool)
        seen[close] = shapely.contains_xy(region, place[close, 0], place[close, 1])
        # Where sight begins and ends, between two probes of one vehicle or with its presence.
        before = np.concatenate(([False], seen[:-1])) & ~starts_new
        rises, falls = np.flatnonzero(seen & ~before), np.flatnonzero(before & ~seen)
        ends = np.flatnonzero(seen & np.append(starts_new[1:], True))
        start_s = time_s[rises].copy()
        inner = ~starts_new[rises]
        start_s[inner] = _border(region, at, vehicle[rises[inner]], time_s[rises[inner] - 1], start_s[inner], shapely)
        fall_s = _border(region, at, vehicle[falls], time_s[falls], time_s[falls - 1], shapely)
        stop, end_s = np.concatenate((falls - 1, ends)), np.concatenate((fall_s, time_s[ends]))
        order = np.argsort(stop)
        span_s = np.stack((start_s, end_s[order]), axis=1)
        long = span_s[:, 1] - span_s[:, 0] >= SHORTEST_VISIT_S
        found.append((vehicle[rises][long], np.full(int(long.sum()), bs), span_s[long]))
    if not found:
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, 2)), in_range_s
    who, where, when = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((when[:, 0], where, who))
    return who[order], where[order], when[order], in_range_s


def _probes(knots: Knots, knot_s: float) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
    """Vehicle, time and place of all probes, vehicle by vehicle: presence's begin, every `PROBE_S`, presence's end."""
    count = np.ceil(np.ptp(knots.present_s, axis=1) / PROBE_S - 1e-9).astype(np.intp) + 1
    vehicle = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(vehicle)) - np.repeat(np.cumsum(count) - count, count)
    time_s = np.minimum(knots.present_s[vehicle, 0] + number * PROBE_S, knots.present_s[vehicle, 1])
    step = time_s / knot_s - knots.first_knot[vehicle]
    low = np.clip(step.astype(np.intp), 0, knots.num_knots[vehicle] - 2)
    begin = np.cumsum(knots.num_knots) - knots.num_knots
    first = knots.knots_m[begin[vehicle] + low]
    place = first + (knots.knots_m[begin[vehicle] + low + 1] - first) * (step - low)[:, None]
    return vehicle, time_s, place


def _border(
    region: Any,
    at: Callable[..., FloatArray],
    vehicle: NDArray[np.intp],
    outside_s: FloatArray,
    inside_s: FloatArray,
    shapely: Any,
) -> FloatArray:
    """When vehicles cross the region's border, by bisection; outside_s and inside_s in any order."""
    for _ in range(int(np.ceil(np.log2(PROBE_S / PRECISION_S)))):
        middle_s = 0.5 * (outside_s + inside_s)
        place = at(vehicle, middle_s)
        inside = shapely.contains_xy(region, place[:, 0], place[:, 1])
        inside_s, outside_s = np.where(inside, middle_s, inside_s), np.where(inside, outside_s, middle_s)
    return inside_s
