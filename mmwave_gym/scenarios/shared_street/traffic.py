"""Who is where: cars that follow each other and stop at red lights, pedestrians who stand in a cluster or walk.

Per slot of 0.1 s, from the places of the slot before:

    room  = distance to the car ahead in the lane - 7 m;  before a red light also the distance to its line
    speed = min(room / 1.5 s, desired speed, speed before + 0.25 m/s), at least 0

The line is 15 m before the middle. A car stops at it if 4 m/s^2 are enough for that. Who reaches the end of a lane
leaves; its place is empty for a slot at least. A new UE enters there in a slot in which it measures, once nobody is
within 9 m of the lane's beginning. All numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS, SLOT_S, SharedStreetConfig
from mmwave_gym.scenarios.shared_street.places import CAR_LANES

WARM_SLOTS = 400
"""Slots that cars drive before the episode begins, so that queues are there."""
CYCLE_SLOTS, GREEN_SLOTS = 600, 270
"""The lights: streets have green one after the other, with 3 s of red for both between."""
LINE_M = 15.0
LENGTH_M, HEADWAY_S, SPEED_UP_MPS = 7.0, 1.5, 0.25
BRAKE_MPS2 = 4.0
ENTRY_M = 9.0
END_M, BEGIN_M = 2.0, 1.0
"""A UE leaves so far before the end of its lane, and enters so far behind the beginning."""


@dataclass
class Movers:
    """UEs when the first slot of the warm-up begins; cars first."""

    lane: NDArray[np.int64]  # (ue,)
    along_m: Float64Array  # (ue,)
    desired_mps: Float64Array  # (ue, life): of who has the place first, second, …
    phase: int  # slots of the lights' cycle that have passed


def lives_of(config: SharedStreetConfig) -> int:
    """How many UEs can have a place one after the other at most."""
    shortest_m = 2.0 * config.arm_m - END_M - BEGIN_M
    fastest_mps = max(config.car_mps[1], config.walk_mps[1])
    return 2 + int((config.horizon + 1 + WARM_SLOTS) * SLOT_S * fastest_mps / shortest_m)


def begin(config: SharedStreetConfig, rng: EpisodeRng) -> Movers:
    """Where all are at first, by the streams "cars" and "pedestrians"."""
    length_m, cars, walkers, lives = 2.0 * config.arm_m, config.num_cars, config.num_pedestrians, lives_of(config)
    chance = rng["cars"]
    phase = int(chance.integers(CYCLE_SLOTS))
    each_m = length_m / max(-(-cars // CAR_LANES), 1)
    u = chance.random((cars, 1 + lives))
    number = np.arange(cars)
    car_m = each_m * (number // CAR_LANES + 0.6 * u[:, 0])
    slowest, fastest = config.car_mps
    chance = rng["pedestrians"]
    cluster_lane, cluster_u = CAR_LANES + int(chance.integers(CAR_LANES)), chance.random()
    stands = chance.random(walkers) < config.clustered_share
    lane = np.where(stands, cluster_lane, CAR_LANES + chance.integers(CAR_LANES, size=walkers))
    middle_m = length_m * (0.1 + 0.8 * cluster_u)
    standing_m = middle_m + config.cluster_m * chance.standard_normal(walkers)
    walking_m = length_m * chance.random(walkers)
    place_m = np.clip(np.where(stands, standing_m, walking_m), BEGIN_M, length_m - END_M - 1.0)
    walk = config.walk_mps[0] + np.ptp(config.walk_mps) * chance.random((walkers, lives))
    return Movers(
        lane=np.concatenate((number % CAR_LANES, lane)),
        along_m=np.concatenate((car_m, place_m)),
        desired_mps=np.concatenate((slowest + (fastest - slowest) * u[:, 1:], np.where(stands[:, None], 0.0, walk))),
        phase=phase,
    )


def move(config: SharedStreetConfig, movers: Movers) -> tuple[Any, Any, Any]:
    """Where everyone is, (slot, ue) in metres along the lane; how fast, in m/s; and whether they are there, bool.

    Pedestrians begin to move with the first slot. The reference of `traffic_kernel.move`, which has the same numbers.
    """
    length_m, cars, ues = 2.0 * config.arm_m, config.num_cars, len(movers.lane)
    along, there = movers.along_m.copy(), np.ones(ues, bool)
    speed, life = movers.desired_mps[:, 0].copy(), np.zeros(ues, np.int64)
    shape = config.horizon + 1, ues
    along_m, speed_mps, present = np.empty(shape), np.empty(shape), np.empty(shape, bool)
    same_lane = movers.lane[:, None] == movers.lane
    is_car = np.arange(ues) < cars
    street = movers.lane % CAR_LANES // 2
    line_m = length_m / 2.0 - LINE_M
    for slot in range(-WARM_SLOTS, shape[0]):
        desired = movers.desired_mps[np.arange(ues), life]
        waits = ~there
        ahead_m = along - along[:, None]
        ahead_m = np.where(same_lane & (ahead_m > 0.0) & is_car & there, ahead_m, np.inf)
        room_m = ahead_m.min(axis=1) - LENGTH_M
        red = config.lights & ~green(movers.phase + slot, street)
        red &= (along < line_m) & (line_m - along > speed * speed / (2.0 * BRAKE_MPS2) - 1.0)
        room_m = np.where(red, np.minimum(room_m, line_m - along), room_m)
        driven = np.minimum(np.minimum(room_m / HEADWAY_S, desired), speed + SPEED_UP_MPS)
        speed = np.where(is_car, np.maximum(driven, 0.0), desired)
        along = np.where(there & (is_car | (slot > 0)), along + speed * SLOT_S, along)
        there = there & (along < length_m - END_M)
        for ue in np.flatnonzero(waits | ((slot == 0) & (~there) & (np.arange(ues) == 0))):
            if ue or slot:  # agent slot 0 has a UE in slot 0
                taken = is_car[ue] and (along[same_lane[ue] & is_car & there] <= ENTRY_M).any()
                if taken or not measures(slot, ue):
                    continue
            life[ue] += 1
            along[ue], speed[ue], there[ue] = BEGIN_M, movers.desired_mps[ue, life[ue]], True
        if slot >= 0:
            along_m[slot], speed_mps[slot], present[slot] = along, speed, there
    return along_m, speed_mps, present


def green(slot: int, street: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(ue,): have streets (ue,), 0 from west to east and 1 from south to north, green in a slot of the lights?"""
    since = (slot - street * (CYCLE_SLOTS // 2)) % CYCLE_SLOTS
    return since < GREEN_SLOTS


def measures(slot: Any, ue: Any) -> Any:
    """Does a UE measure in a slot? Every fourth, by its number; element-wise."""
    return (slot + ue) % MEASURED_SLOTS == 0


def newest(slot: Any, ue: Any) -> Any:
    """The number of a UE's newest measurement in a slot, element-wise."""
    return (slot + ue % MEASURED_SLOTS) // MEASURED_SLOTS
