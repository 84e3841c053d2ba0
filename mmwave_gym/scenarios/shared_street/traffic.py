"""Who is where: cars that follow each other and stop at red lights, pedestrians who stand in a cluster or walk.

Per slot of 0.1 s, from the places of the slot before:

    room  = distance to the car ahead in the lane - 7 m;  before a red light also the distance to its line
    speed = min(room / 1.5 s, desired speed, speed before + 0.25 m/s), at least 0

The line is 15 m before the middle of a crossing. A car stops at it if 4 m/s^2 are enough for that. At a crossing a car
turns left or right with the chance `turning`, into the lane that crosses its own, at the speed that it has and without
waiting for others; pedestrians walk straight on.

Who reaches the end of a lane leaves; its place is empty for a slot at least. A new UE enters its first lane in a slot
in which it measures, once nobody is within 9 m of the lane's beginning. All numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS, SLOT_S, SharedStreetConfig
from mmwave_gym.scenarios.shared_street.places import LEFT, RIGHT, Ways

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
    turn: Float64Array  # (ue, crossing): uniform, of the first, second, … crossing; from the beginning again at the end


def lives_of(config: SharedStreetConfig) -> int:
    """How many UEs can have a place one after the other at most."""
    shortest_m = (config.crossing.shortest_m if config.turning else 2.0 * config.arm_m) - END_M - BEGIN_M
    fastest_mps = max(config.car_mps[1], config.walk_mps[1])
    return 2 + int((config.horizon + 1 + WARM_SLOTS) * SLOT_S * fastest_mps / shortest_m)


def begin(config: SharedStreetConfig, rng: EpisodeRng) -> Movers:
    """Where all are at first, by the streams "cars", "pedestrians" and "turns"."""
    length_m, cars, walkers, lives = 2.0 * config.arm_m, config.num_cars, config.num_pedestrians, lives_of(config)
    lanes = config.crossing.car_lanes
    chance = rng["cars"]
    phase = int(chance.integers(CYCLE_SLOTS))
    each_m = length_m / max(-(-cars // lanes), 1)
    u = chance.random((cars, 1 + lives))
    number = np.arange(cars)
    car_m = each_m * (number // lanes + 0.6 * u[:, 0])
    slowest, fastest = config.car_mps
    chance = rng["pedestrians"]
    cluster_lane, cluster_u = lanes + int(chance.integers(lanes)), chance.random()
    stands = chance.random(walkers) < config.clustered_share
    lane = np.where(stands, cluster_lane, lanes + chance.integers(lanes, size=walkers))
    middle_m = length_m * (0.1 + 0.8 * cluster_u)
    standing_m = middle_m + config.cluster_m * chance.standard_normal(walkers)
    walking_m = length_m * chance.random(walkers)
    place_m = np.clip(np.where(stands, standing_m, walking_m), BEGIN_M, length_m - END_M - 1.0)
    walk = config.walk_mps[0] + np.ptp(config.walk_mps) * chance.random((walkers, lives))
    return Movers(
        lane=np.concatenate((number % lanes, lane)),
        along_m=np.concatenate((car_m, place_m)),
        desired_mps=np.concatenate((slowest + (fastest - slowest) * u[:, 1:], np.where(stands[:, None], 0.0, walk))),
        phase=phase,
        turn=rng["turns"].random((cars, 2 * lives)) if config.turning else np.ones((cars, 1)),
    )


def move(config: SharedStreetConfig, movers: Movers) -> tuple[Any, Any, Any, Any]:
    """Where everyone is, (slot, ue) in metres along the lane; how fast, in m/s; whether they are there, bool; the lane.

    Pedestrians begin to move with the first slot. The reference of `traffic_kernel.move`, which has the same numbers.
    """
    length_m, cars, ues = 2.0 * config.arm_m, config.num_cars, len(movers.lane)
    ways, streets = config.crossing.ways, config.crossing.street_of_lane
    along, there, lane = movers.along_m.copy(), np.ones(ues, bool), movers.lane.copy()
    speed, life = movers.desired_mps[:, 0].copy(), np.zeros(ues, np.int64)
    passed, turned = np.zeros(ues, np.int64), np.zeros(ues, bool)
    shape = config.horizon + 1, ues
    along_m, speed_mps, present = np.empty(shape), np.empty(shape), np.empty(shape, bool)
    lanes = np.empty(shape, np.int16)
    is_car = np.arange(ues) < cars
    for slot in range(-WARM_SLOTS, shape[0]):
        desired = movers.desired_mps[np.arange(ues), life]
        waits = ~there
        ahead_m = along - along[:, None]
        ahead_m = np.where((lane[:, None] == lane) & (ahead_m > 0.0) & is_car & there, ahead_m, np.inf)
        room_m = ahead_m.min(axis=1) - LENGTH_M
        red = config.lights & ~green(movers.phase + slot, streets[lane])
        lines_m = ways.centre_m[lane] - LINE_M
        to_line_m = np.where(along[:, None] < lines_m, lines_m - along[:, None], np.inf).min(axis=1)
        red &= to_line_m > speed * speed / (2.0 * BRAKE_MPS2) - 1.0
        room_m = np.where(red, np.minimum(room_m, to_line_m), room_m)
        driven = np.minimum(np.minimum(room_m / HEADWAY_S, desired), speed + SPEED_UP_MPS)
        speed = np.where(is_car, np.maximum(driven, 0.0), desired)
        before = along
        along = np.where(there & (is_car | (slot > 0)), along + speed * SLOT_S, along)
        if config.turning:
            for ue in np.flatnonzero(there & is_car).tolist():
                _turn(config.turning, movers.turn[ue], ways, ue, before[ue], lane, along, passed, turned)
        there = there & (along < length_m - END_M)
        for ue in np.flatnonzero(waits | ((slot == 0) & (~there) & (np.arange(ues) == 0))).tolist():
            home = movers.lane[ue]
            if ue or slot:  # agent slot 0 has a UE in slot 0
                taken = is_car[ue] and (along[(lane == home) & is_car & there] <= ENTRY_M).any()
                if taken or not measures(slot, ue):
                    continue
            life[ue] += 1
            along[ue], speed[ue], there[ue] = BEGIN_M, movers.desired_mps[ue, life[ue]], True
            lane[ue], turned[ue] = home, False
        if slot >= 0:
            along_m[slot], speed_mps[slot], present[slot], lanes[slot] = along, speed, there, lane
    return along_m, speed_mps, present, lanes


def _turn(
    turning: float, u: Float64Array, ways: Ways, ue: int, before_m: float, lane: Any, along: Any, passed: Any,
    turned: Any,
) -> None:  # fmt: skip
    """Let a car that has driven on from `before_m` turn, if it is where it wants to: all arrays but u are (ue,).

    turning: the chance; u: (crossing,), uniform; passed: how many crossings it has chosen a way at; turned: has it just
    turned left, and is not past the crossing yet?
    """
    for nth in range(ways.centre_m.shape[1]):
        left_m, right_m = ways.at_m[lane[ue], nth].tolist()
        chance = u[passed[ue] % len(u)]
        if before_m < right_m <= along[ue] and not turned[ue] and 0.5 * turning <= chance < turning:
            side, at_m = RIGHT, right_m
        elif before_m < left_m <= along[ue]:
            if turned[ue] or chance >= 0.5 * turning:
                passed[ue] += not turned[ue]
                turned[ue] = False
                return
            side, at_m, turned[ue] = LEFT, left_m, True
        else:
            continue
        passed[ue] += 1
        along[ue] = ways.to_m[lane[ue], nth, side] + (along[ue] - at_m)
        lane[ue] = ways.lane[lane[ue], nth, side]
        return


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
