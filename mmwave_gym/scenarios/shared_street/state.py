"""The state of a shared street between two slots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.scenarios.shared_street.radio_map import AHEAD_S, CHANGES

CANDIDATES = 6
"""Cells among which an agent chooses."""
FREE, MOVING, LOST = range(3)
"""What a UE does: it is on its cell, in a handover, or without a link."""


@dataclass
class SharedStreetState:
    slot: NDArray[np.int64]  # (N,)
    id: NDArray[np.int64]  # (N, A): -1 for an empty agent slot
    born: NDArray[np.int64]  # (N,): UEs that have been there so far; the next one gets this id
    serving: NDArray[np.int64]  # (N, A)
    previous: NDArray[np.int64]  # (N, A): the cell before it, -1 for none
    since: NDArray[np.int64]  # (N, A): the slot in which it took over, or in which the UE came
    target: NDArray[np.int64]  # (N, A): of a handover
    doing: NDArray[np.int64]  # (N, A)
    left: NDArray[np.int64]  # (N, A): slots that it still takes, this one included
    out_slots: NDArray[np.int64]  # (N, A): how long T310 has run
    prepared: NDArray[np.int64]  # (N, A, 2): cells, -1 for none
    order: NDArray[np.int64]  # (N, A, cell): by the newest measurement, strongest first
    candidate: NDArray[np.int64]  # (N, A, choice): cells, the serving one first, -1 for none
    cell: NDArray[np.int64]  # (N, A): whose bandwidth it shared in the slot before, -1 for none
    first: NDArray[np.int64]  # (N, A): number of the UE's first measurement
    load: NDArray[np.float64]  # (N, cell): active UEs, as broadcast last
    load_before: NDArray[np.float64]  # (N, cell): and the time before
    map_dbm: NDArray[np.float32]  # (N, lane, bin, cell)
    map_count: NDArray[np.float32]  # (N, lane, bin)
    efficiency_bps_hz: NDArray[np.float32]  # (N, A, AHEAD_S, cell): by the newest measurement, then by the map
    change_db: NDArray[np.float32]  # (N, A, CHANGES, cell): RSRP by the map less the newest measurement
    known: NDArray[np.bool_]  # (N, A, AHEAD_S): does the map know the place?
    received: NDArray[np.float64]  # (N, A): sum of rates in the running second, bit/s/Hz
    active_slots: NDArray[np.int64]  # (N, A): of that second
    value: NDArray[np.float64]  # (N, A): the sum of its rewards so far
    second_bps_hz: NDArray[np.float32]  # (N, second, A): mean rate, -1 where it does not count
    sinr_db: NDArray[np.float32]  # (N, A, cell): of the slot, where interference follows load; else no A
    waiting: NDArray[np.float64]  # (N, A, age): see `queues`; no A without queues
    delays: NDArray[np.int64]  # (N, 1 + age): files missed, and delivered after so many slots; see `queues.serve`


def fresh(
    n: int, agents: int, cells: int, lanes: int, bins: int, seconds: int, by_load: bool, ages: int
) -> SharedStreetState:
    """The state before slot 0: nobody is there. by_load: interference follows it; ages: of files, in slots."""

    def zeros(*shape: int) -> NDArray[np.int64]:
        return np.zeros((n, *shape), np.int64)

    return SharedStreetState(
        slot=zeros(),
        id=zeros(agents) - 1,
        born=zeros(),
        serving=zeros(agents),
        previous=zeros(agents) - 1,
        since=zeros(agents),
        target=zeros(agents),
        doing=zeros(agents),
        left=zeros(agents),
        out_slots=zeros(agents),
        prepared=zeros(agents, 2) - 1,
        order=zeros(agents, cells) + np.arange(cells),
        candidate=zeros(agents, CANDIDATES) - 1,
        cell=zeros(agents) - 1,
        first=zeros(agents),
        load=np.zeros((n, cells)),
        load_before=np.zeros((n, cells)),
        map_dbm=np.zeros((n, lanes, bins, cells), np.float32),
        map_count=np.zeros((n, lanes, bins), np.float32),
        efficiency_bps_hz=np.zeros((n, agents, len(AHEAD_S), cells), np.float32),
        change_db=np.zeros((n, agents, len(CHANGES), cells), np.float32),
        known=np.zeros((n, agents, len(AHEAD_S)), bool),
        received=np.zeros((n, agents)),
        active_slots=zeros(agents),
        value=np.zeros((n, agents)),
        second_bps_hz=np.full((n, seconds, agents), -1.0, np.float32),
        sinr_db=np.zeros((n, agents if by_load else 0, cells), np.float32),
        waiting=np.zeros((n, agents if ages else 0, ages)),
        delays=zeros(1 + ages),
    )
