"""What stands in the way where `sight="geometry"`: corners of buildings, vehicles and bodies, as TR 38.901's screens.

Vehicles and bodies have the sizes of TR 38.901, table 7.6.4.2-5; that a fifth of the vehicles are tall is ours, and so
are densities, lanes and speeds. Losses of several screens add in dB. Only what comes near a line is reckoned: a screen
that ends more than `CLEARANCE_M` aside of it or below it takes less than a third of a dB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.radio import blockage

CAR_M = (4.8, 1.4)
"""Length and height of a car (TR 38.901, table 7.6.4.2-5)."""
TALL_M = (8.0, 3.2)
"""Of a van or lorry (ours)."""
TALL_SHARE = 0.2
BODY_M = (0.3, 1.7)
"""Width and height of a body (TR 38.901, table 7.6.4.2-5)."""
OWN_BODY_M = 0.3
"""The UE is held so far before its user's body (ours)."""
PARKED_M, SLOT_M = 6.5, 7.0
"""Parked vehicles: their distance from the street's axis, and the length of a parking place (ours)."""
TRAFFIC_M, PAVEMENT_M = 3.0, 8.0
"""Distances of lanes and of pavements from the axis (ours), as those of `users`."""
TRAFFIC_MPS, WALK_MPS = (8.0, 14.0), (0.8, 1.8)
"""Speeds, one for all vehicles of a lane and for each body, as those of `users`."""
APART_M = {"vehicle": 3.0, "body": 0.5}
"""What is nearer to the UE than this is where the UE is, and does not count (ours)."""
CLEARANCE_M = 2.0


@dataclass(frozen=True)
class Screens:
    """Screens, one entry each: `width_m` and `height_m` (screen,), and `apart_m`, within which they do not count."""

    width_m: FloatArray
    height_m: FloatArray
    apart_m: float

    @property
    def sizes(self) -> tuple[FloatArray, FloatArray]:
        """Widths and heights, (screen,) each, in metres."""
        return self.width_m, self.height_m


def vehicles(rng: np.random.Generator, count: int) -> Screens:
    """So many vehicles."""
    tall = rng.random(count) < TALL_SHARE
    width_m, height_m = (np.where(tall, TALL_M[i], CAR_M[i]) for i in range(2))
    return Screens(width_m, height_m, APART_M["vehicle"])


def bodies(count: int) -> Screens:
    """So many bodies."""
    return Screens(np.full(count, BODY_M[0]), np.full(count, BODY_M[1]), APART_M["body"])


def screens_loss_db(
    ue_m: FloatArray, site_m: FloatArray, at_m: FloatArray, screens: Screens, ends_m: tuple[float, float], wave_m: float
) -> Float64Array:
    """(place, site): what all screens take from each link, in dB.

    ue_m: (place, 2); site_m: (site, 2); at_m: (screen, 2), or (place, screen, 2) of screens that move, in metres;
    ends_m: heights of UE and site; wave_m: wavelength.
    """
    total = np.zeros((len(ue_m), len(site_m)))
    if not at_m.size:
        return total
    off_m = at_m - ue_m[:, None, :]  # (place, screen, 2)
    far_m = np.hypot(off_m[..., 0], off_m[..., 1])
    rise_m = ends_m[1] - ends_m[0]
    share = np.clip((screens.height_m + CLEARANCE_M - ends_m[0]) / rise_m, 0.0, 1.0)  # of the way, where it is too low
    for k, site in enumerate(site_m):
        line_m = site - ue_m
        long_m = np.hypot(line_m[:, 0], line_m[:, 1])
        place, screen = np.nonzero((far_m < long_m[:, None] * share + CLEARANCE_M) & (far_m >= screens.apart_m))
        way = line_m[place] / long_m[place, None]
        off = off_m[place, screen]
        before_m = off[:, 0] * way[:, 0] + off[:, 1] * way[:, 1]
        aside_m = off[:, 0] * way[:, 1] - off[:, 1] * way[:, 0]
        near = (before_m > 0.0) & (before_m < long_m[place])
        near &= np.abs(aside_m) < screens.width_m[screen] / 2.0 + CLEARANCE_M
        place, screen, before_m, aside_m = place[near], screen[near], before_m[near], aside_m[near]
        sizes_m = screens.width_m[screen], screens.height_m[screen]
        taken = blockage.screen_loss_db(before_m, long_m[place] - before_m, aside_m, *sizes_m, ends_m, wave_m)
        total[:, k] = np.bincount(place, taken, len(ue_m))
    return total


def corners_loss_db(
    from_m: FloatArray, to_m: FloatArray, corners: Iterable[tuple[FloatArray, NDArray[np.bool_]]], wave_m: float
) -> Float64Array:
    """(A, B): what the corners of a crossing take from each link, in dB; from_m: (A, 2), to_m: (B, 2), in metres.

    corners: of each its place (2,) in metres, and (A, B), does the link miss the building?
    """
    total = np.zeros((len(from_m), len(to_m)))
    line_m = to_m[None, :, :] - from_m[:, None, :]
    long_m = np.hypot(line_m[..., 0], line_m[..., 1])
    for corner_m, clear in corners:
        off_m = corner_m - from_m[:, None, :]
        before_m = (off_m * line_m).sum(axis=2) / long_m
        aside_m = (off_m[..., 0] * line_m[..., 1] - off_m[..., 1] * line_m[..., 0]) / long_m
        beside = (before_m > 0.0) & (before_m < long_m)
        within_m = np.clip(before_m, 1e-3, long_m - 1e-3)  # a line through a building passes its corner
        taken = blockage.corner_loss_db(within_m, long_m - within_m, aside_m, ~clear, wave_m)
        total += np.where(beside | ~clear, taken, 0.0)
    return total


def parked(
    axes: Sequence[FloatArray], arm_m: float, share: float, rng: np.random.Generator
) -> tuple[FloatArray, Screens]:
    """Places (screen, 2) in metres of parked vehicles on both sides of each street; `share` of the places is full.

    axes: unit vectors (2,) along the streets, no unit; arm_m: their length on each side of the middle.
    """
    along = np.arange(-arm_m + SLOT_M / 2.0, arm_m, SLOT_M)
    if len(axes) > 1:
        along = along[np.abs(along) > 2.0 * PARKED_M + SLOT_M / 2.0]
    places = [
        along[:, None] * axis + side * PARKED_M * np.array((-axis[1], axis[0])) for axis in axes for side in (-1.0, 1.0)
    ]
    place_m = np.concatenate(places)
    taken = rng.random(len(place_m)) < share
    return place_m[taken], vehicles(rng, int(taken.sum()))


def moving(
    axes: Sequence[FloatArray],
    arm_m: float,
    aside_m: float,
    per_km: float,
    speed_mps: Any,
    tick_s: float,
    ticks: int,
    rng: np.random.Generator,
) -> Float64Array:
    """(tick, screen, 2): what moves along all lanes in `aside_m` of the axes, there and back, in metres.

    axes, arm_m: as of `parked`; per_km: how many a kilometre of a lane; speed_mps: (lowest, highest, whether a lane has
    one speed). Who leaves a street enters it at the other end.
    """
    slowest, fastest, together = speed_mps
    count = int(rng.poisson(per_km * 2.0 * arm_m / 1000.0 * 2 * len(axes)))
    lane = rng.integers(2 * len(axes), size=count)
    begin_m = rng.uniform(0.0, 2.0 * arm_m, count)
    drawn = rng.uniform(slowest, fastest, 2 * len(axes) if together else count)
    speed = drawn[lane] if together else drawn
    along_m = (begin_m + speed * tick_s * np.arange(ticks)[:, None]) % (2.0 * arm_m) - arm_m
    ways = np.array([way for axis in axes for way in (axis, -axis)])
    right = aside_m * np.stack((ways[:, 1], -ways[:, 0]), axis=1)
    return along_m[..., None] * ways[lane] + right[lane]


def own_body(place_m: FloatArray) -> NDArray[np.float64]:
    """(tick, 1, 2): the user's body behind the UE, seen in the direction of travel; place_m: (tick, 2), in metres."""
    way_m = np.gradient(place_m, axis=0)
    long_m = np.hypot(way_m[:, 0], way_m[:, 1])
    still = long_m == 0.0
    heading = way_m / np.where(still, 1.0, long_m)[:, None]
    behind: NDArray[np.float64] = place_m - OWN_BODY_M * heading
    return behind[:, None, :]
