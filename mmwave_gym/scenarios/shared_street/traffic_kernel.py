"""`traffic.move`, compiled: the same numbers to the bit, without a call of NumPy for every sum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mmwave_gym.scenarios.shared_street.places import CAR_LANES
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
    lane: Any, along: Any, desired_mps: Any, phase: int, cars: int, length_m: float, lights: bool,
    along_m: Any, speed_mps: Any, present: Any,
) -> None:  # fmt: skip
    """Fill `along_m` in metres, `speed_mps` and `present`, (slot, ue) each, and change `along` (ue,).

    desired_mps: (ue, life); phase: slots of the lights' cycle that have passed; cars: how many UEs are cars; length_m:
    of a lane.
    """
    slots, ues = along_m.shape
    line_m = length_m / 2.0 - LINE_M
    there, waits = np.ones(ues, np.bool_), np.zeros(ues, np.bool_)
    life = np.zeros(ues, np.int64)
    speed = desired_mps[:, 0].copy()
    moved = np.empty(ues)
    for slot in range(-WARM_SLOTS, slots):
        for ue in range(ues):
            waits[ue] = not there[ue]
            desired = desired_mps[ue, life[ue]]
            if ue < cars:
                room = np.inf
                for other in range(cars):
                    if lane[other] == lane[ue] and there[other] and along[other] > along[ue]:
                        room = min(room, along[other] - along[ue])
                room -= LENGTH_M
                since = (phase + slot - lane[ue] % CAR_LANES // 2 * (CYCLE_SLOTS // 2)) % CYCLE_SLOTS
                brakes_m = speed[ue] * speed[ue] / (2.0 * BRAKE_MPS2) - 1.0
                if lights and since >= GREEN_SLOTS and along[ue] < line_m and line_m - along[ue] > brakes_m:
                    room = min(room, line_m - along[ue])
                speed[ue] = max(min(min(room / HEADWAY_S, desired), speed[ue] + SPEED_UP_MPS), 0.0)
            else:
                speed[ue] = desired
            moves = there[ue] and (ue < cars or slot > 0)
            moved[ue] = along[ue] + speed[ue] * SLOT_S if moves else along[ue]
        for ue in range(ues):
            along[ue] = moved[ue]
            there[ue] = there[ue] and along[ue] < length_m - END_M
        for ue in range(ues):
            if not (waits[ue] or (slot == 0 and ue == 0 and not there[ue])):
                continue
            free = (slot + ue) % MEASURED_SLOTS == 0
            if ue < cars:
                for other in range(cars):
                    if lane[other] == lane[ue] and there[other] and along[other] <= ENTRY_M:
                        free = False
            if free or (slot == 0 and ue == 0):
                life[ue] += 1
                along[ue], speed[ue], there[ue] = BEGIN_M, desired_mps[ue, life[ue]], True
        if slot >= 0:
            for ue in range(ues):
                along_m[slot, ue], speed_mps[slot, ue], present[slot, ue] = along[ue], speed[ue], there[ue]
