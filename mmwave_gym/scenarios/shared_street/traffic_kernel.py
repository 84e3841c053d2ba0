"""`traffic.move`, compiled: the same numbers to the bit, without a call of NumPy for every sum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.shared_street.places import LEFT, RIGHT
from mmwave_gym.scenarios.shared_street.traffic import (
    BEGIN_M,
    BRAKE_MPS2,
    CYCLE_SLOTS,
    END_M,
    ENTRY_M,
    GREEN_SLOTS,
    HEADWAY_S,
    LENGTH_M,
    LINE_M,
    MEASURED_SLOTS,
    SLOT_S,
    SPEED_UP_MPS,
    WARM_SLOTS,
)


@njit(cache=True)
def move(
    home: Any, along: Any, desired_mps: Any, phase: int, turn: Any, cars: int, length_m: float, lights: bool,
    turning: float, ways: Any, street_of_lane: Any, along_m: Any, speed_mps: Any, present: Any, lanes: Any,
) -> None:  # fmt: skip
    """Fill `along_m` in metres, `speed_mps`, `present` and `lanes`, (slot, ue) each, and change `along` (ue,).

    home: (ue,), first lanes; desired_mps: (ue, life); phase: slots of the lights' cycle that have passed; turn: (ue,
    crossing), uniform; cars: how many UEs are cars; length_m: of a lane; turning: a chance; ways: as `places.Ways`;
    street_of_lane: (lane,).
    """
    slots, ues = along_m.shape
    centre_m, at_m, to_lane, to_m = ways
    lane, passed, turned = home.copy(), np.zeros(ues, np.int64), np.zeros(ues, np.bool_)
    there, waits = np.ones(ues, np.bool_), np.zeros(ues, np.bool_)
    life = np.zeros(ues, np.int64)
    speed = desired_mps[:, 0].copy()
    moved, at = np.empty(ues), np.empty(ues)
    for slot in range(-WARM_SLOTS, slots):
        for ue in range(cars):
            at[ue] = along[ue] if there[ue] else -np.inf
        for ue in range(ues):
            waits[ue] = not there[ue]
            desired = desired_mps[ue, life[ue]]
            if ue < cars:
                room, own, here_m = np.inf, lane[ue], along[ue]
                for other in range(cars):
                    if lane[other] == own and at[other] > here_m:
                        room = min(room, at[other] - here_m)
                room -= LENGTH_M
                since = (phase + slot - street_of_lane[own] * (CYCLE_SLOTS // 2)) % CYCLE_SLOTS
                if lights and since >= GREEN_SLOTS:
                    brakes_m = speed[ue] * speed[ue] / (2.0 * BRAKE_MPS2) - 1.0
                    for nth in range(centre_m.shape[1]):
                        to_line_m = centre_m[own, nth] - LINE_M - here_m
                        if here_m < centre_m[own, nth] - LINE_M:
                            if to_line_m > brakes_m:
                                room = min(room, to_line_m)
                            break
                speed[ue] = max(min(min(room / HEADWAY_S, desired), speed[ue] + SPEED_UP_MPS), 0.0)
            else:
                speed[ue] = desired
            moves = there[ue] and (ue < cars or slot > 0)
            moved[ue] = along[ue] + speed[ue] * SLOT_S if moves else along[ue]
        for ue in range(ues):
            before_m, along[ue] = along[ue], moved[ue]
            if turning > 0.0 and ue < cars and there[ue]:
                for nth in range(centre_m.shape[1]):
                    left_m, right_m = at_m[lane[ue], nth, LEFT], at_m[lane[ue], nth, RIGHT]
                    chance, side = turn[ue, passed[ue] % turn.shape[1]], -1
                    if before_m < right_m <= along[ue] and not turned[ue] and 0.5 * turning <= chance < turning:
                        side = RIGHT
                    elif before_m < left_m <= along[ue]:
                        if turned[ue] or chance >= 0.5 * turning:
                            passed[ue] += 0 if turned[ue] else 1
                            turned[ue] = False
                            break
                        side, turned[ue] = LEFT, True
                    if side >= 0:
                        passed[ue] += 1
                        beyond_m = along[ue] - (left_m if side == LEFT else right_m)
                        along[ue] = to_m[lane[ue], nth, side] + beyond_m
                        lane[ue] = to_lane[lane[ue], nth, side]
                        break
            there[ue] = there[ue] and along[ue] < length_m - END_M
        for ue in range(ues):
            if not (waits[ue] or (slot == 0 and ue == 0 and not there[ue])):
                continue
            free = (slot + ue) % MEASURED_SLOTS == 0
            if ue < cars:
                for other in range(cars):
                    if lane[other] == home[ue] and there[other] and along[other] <= ENTRY_M:
                        free = False
            if free or (slot == 0 and ue == 0):
                life[ue] += 1
                along[ue], speed[ue], there[ue] = BEGIN_M, desired_mps[ue, life[ue]], True
                lane[ue], turned[ue] = home[ue], False
        if slot >= 0:
            for ue in range(ues):
                along_m[slot, ue], speed_mps[slot, ue], present[slot, ue] = along[ue], speed[ue], there[ue]
                lanes[slot, ue] = lane[ue]
