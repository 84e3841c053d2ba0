"""What a UE's agent observes: six candidate cells, each with its measurements, load, and future by the radio map."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import ObservationField, ObservationFields
from mmwave_gym.scenarios.shared_street import queues
from mmwave_gym.scenarios.shared_street.config import SLOT_S, SharedStreetConfig
from mmwave_gym.scenarios.shared_street.now import Now
from mmwave_gym.scenarios.shared_street.radio_map import AHEAD_S, CHANGES
from mmwave_gym.scenarios.shared_street.state import CANDIDATES, FREE, SharedStreetState
from mmwave_gym.scenarios.shared_street.traffic import measures, newest
from mmwave_gym.scenarios.shared_street.world import MOVING_MPS, SharedStreetEpisodes, SharedStreetWorld

PAST_MEASUREMENTS = 4
LEAST_DBM, MOST_DBM = -200.0, 0.0
LEAST_SINR_DB, MOST_SINR_DB = -40.0, 60.0
MOST_SHARING, FARTHEST_M, FASTEST_MPS, LONG_S, CHANGE_DB = 500.0, 1000.0, 60.0, 10.0, 60.0
LATER = tuple(f"{round(1e3 * s)}ms" for s in AHEAD_S[1:])
"""How names of fields tell the times of look-ups."""
CHANGE_NAMES = ("map_change_db", f"map_change_{LATER[CHANGES[1] - 1]}_db")


def fields_of(config: SharedStreetConfig) -> ObservationFields:
    """The fields of an agent's observation."""
    each = partial(ObservationField, size=CANDIDATES, per="choice")
    level = partial(each, low=LEAST_DBM, high=MOST_DBM, unit="dBm")
    rate = partial(each, low=0.0, high=float(config.most_bps_hz), unit="bit/s/Hz")
    flag = partial(each, low=0.0, high=1.0, unit="1")
    count = partial(each, high=MOST_SHARING, unit="1")
    change = partial(each, low=-CHANGE_DB, high=CHANGE_DB, unit="dB")
    one = partial(ObservationField, size=1, low=0.0, unit="1")
    queue = (
        one("queue_mbit", high=most_waiting_mbit(config), unit="Mbit", description="what waits to be sent to the UE"),
        one("deadline_s", high=10.0, unit="s", description="time until the deadline of the oldest file, 0 for none"),
    )
    ago = ("the newest measurement", *(f"the one {i} before" for i in range(1, PAST_MEASUREMENTS)))
    known = ", ".join(f"{s:g} s" for s in AHEAD_S[1:])
    return ObservationFields(
        (
            *(level(f"rsrp_{i}_dbm", description=f"RSRP by {text}") for i, text in enumerate(ago)),
            level(
                "now_dbm", description="RSRP of this slot of serving and prepared cells, else the newest measurement"
            ),
            flag("serving", description="1 for the serving cell, which is candidate 0"),
            flag("prepared", description="1 where a conditional handover is prepared"),
            rate("efficiency_bps_hz", description="efficiency by the newest measurement"),
            count("sharing", low=0.0, description="active UEs of the cell with this UE, by the newest broadcast"),
            count("sharing_change", low=-MOST_SHARING, description="change of active UEs over the broadcast before"),
            each("distance_m", low=0.0, high=FARTHEST_M, unit="m", description="from the reported place to the cell"),
            flag("approach", low=-1.0, description="cosine between heading and way to the cell, 0 for who stands"),
            *(
                rate(f"ahead_{text}_bps_hz", description=f"efficiency by the radio map {text} ahead, else that of now")
                for text in LATER
            ),
            change(CHANGE_NAMES[0], description="RSRP by the radio map at the reported place less that measured"),
            change(CHANGE_NAMES[1], description="the same of the place that much ahead"),
            ObservationField("known", len(LATER), 0.0, 1.0, "1", f"1 where the radio map knows the place in {known}"),
            one("sinr_db", low=LEAST_SINR_DB, high=MOST_SINR_DB, unit="dB", description="SINR of the serving cell now"),
            one("served_s", high=LONG_S, unit="s", description="time since the serving cell took over, up to 10 s"),
            one("t310_s", high=float(config.t310_s), unit="s", description="how long T310 has run"),
            one("active", high=1.0, description="1 for who wants data, with queues for whom data wait"),
            one("car", high=1.0, description="1 for a UE in a car"),
            one("speed_mps", high=FASTEST_MPS, unit="m/s", description="reported speed"),
            one("measures", high=1.0, description="1 in slots of the UE's own measurement, when it can be commanded"),
            one("free", high=1.0, description="1 unless a handover runs or the link is lost"),
            *(queue if config.demand == "queue" else ()),
        )
    )


def most_waiting_mbit(config: SharedStreetConfig) -> float:
    """What can wait for a UE at most."""
    return config.file_mbit * (1 + (config.slots("deadline_s") - 1) // config.slots("file_period_s"))


class Observer:
    """Makes observations."""

    def __init__(self, config: SharedStreetConfig, world: SharedStreetWorld):
        self.config, self.world = config, world
        self.fields, self.now = fields_of(config), Now(config)
        self.most_mbit = most_waiting_mbit(config)
        self._ue = np.arange(config.num_ues)
        self._car = self._ue < config.num_cars
        self._heading = np.array([heading for heading, _ in world.crossing.lane_axes])

    @staticmethod
    def candidates(order: NDArray[np.int64], serving: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N, A, choice): the serving cell, then the others in `order` (N, A, cell); -1 where there are no more."""
        cells = order.shape[2]
        # Where the serving cell stands in the order, those before it move one place on.
        at = (order == serving[..., None]).argmax(axis=2)[..., None]
        places = np.arange(1, min(CANDIDATES, cells))
        found = np.full((*serving.shape, CANDIDATES), -1)
        found[..., 0] = serving
        found[..., 1 : min(CANDIDATES, cells)] = np.take_along_axis(order, places - (places <= at), axis=2)
        return found

    def observe(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.float32]:
        """(N, A, features); see `fields_of`."""
        row, slot, ue = episodes.row[:, None], state.slot[:, None], self._ue
        n, a = state.id.shape
        seen = np.zeros((n, a, self.fields.size), np.float32)
        parts = self.fields.split(seen)
        chosen = np.maximum(state.candidate, 0)
        number = newest(slot, ue)
        measured = episodes.measured_dbm[row, number, ue]

        def of(values: Any) -> Any:
            return np.take_along_axis(values, chosen, axis=2)

        newest_dbm = of(measured)
        for i in range(PAST_MEASUREMENTS):
            past = episodes.measured_dbm[row, np.maximum(number - i, state.first), ue] if i else measured
            parts[f"rsrp_{i}_dbm"][:] = np.clip(of(past), LEAST_DBM, MOST_DBM)
        parts["now_dbm"][:] = np.clip(self._now(episodes, state, newest_dbm), LEAST_DBM, MOST_DBM)
        parts["serving"][..., 0] = 1.0
        parts["prepared"][:] = (state.candidate[..., None] == state.prepared[:, :, None, :]).any(axis=3)
        for i, name in enumerate(("efficiency_bps_hz", *(f"ahead_{text}_bps_hz" for text in LATER))):
            parts[name][:] = of(state.efficiency_bps_hz[:, :, i])
        for i, name in enumerate(CHANGE_NAMES):
            parts[name][:] = np.clip(of(state.change_db[:, :, i]), -CHANGE_DB, CHANGE_DB)
        parts["known"][:] = state.known[:, :, 1:]
        active = self.now.active(episodes, state)
        self._loads(state, parts, chosen, active)
        speed = episodes.speed_mps[row, number, ue]
        place = episodes.reported_lane[row, number, ue], episodes.reported_m[row, number, ue]
        self._place(parts, chosen, place, speed)
        now_db = np.take_along_axis(self.now.sinr_db(episodes, state), state.serving[..., None], axis=2)
        parts["sinr_db"][:] = np.clip(now_db, LEAST_SINR_DB, MOST_SINR_DB)
        parts["served_s"][..., 0] = np.minimum((slot - state.since) * SLOT_S, LONG_S)
        parts["t310_s"][..., 0] = np.minimum(state.out_slots * SLOT_S, self.config.t310_s)
        parts["active"][..., 0] = active
        parts["car"][..., 0] = self._car
        parts["speed_mps"][..., 0] = np.clip(speed, 0.0, FASTEST_MPS)
        parts["measures"][..., 0] = measures(slot, ue)
        parts["free"][..., 0] = state.doing == FREE
        for name in (f.name for f in self.fields if f.per == "choice"):
            parts[name][state.candidate < 0] = 0.0
        self.queue(state, parts)
        seen[state.id < 0] = 0.0
        return seen

    def queue(self, state: SharedStreetState, parts: Any) -> None:
        """Fill the fields of queues, where there are queues."""
        if self.now.queued:
            parts["queue_mbit"][..., 0] = np.minimum(state.waiting.sum(axis=2), self.most_mbit)
            parts["deadline_s"][..., 0] = queues.oldest_s(state.waiting)

    def _now(self, episodes: SharedStreetEpisodes, state: SharedStreetState, newest_dbm: Any) -> Any:
        """(N, A, choice): RSRP in dBm of this slot where it is compared, else that of the newest measurement."""
        row, slot, ue = episodes.row[:, None], state.slot[:, None], self._ue
        rsrp_dbm = np.take_along_axis(episodes.rsrp_dbm[row, slot, ue], np.maximum(state.candidate, 0), axis=2)
        error_db = episodes.error_db[row, slot, ue]
        now = newest_dbm.copy()
        now[..., 0] = rsrp_dbm[..., 0] + error_db[..., 0]
        for j in range(state.prepared.shape[2]):
            its = (state.candidate == state.prepared[..., j : j + 1]) & (state.candidate >= 0)
            now = np.where(its, rsrp_dbm + error_db[..., 1 + j : 2 + j], now)
        return now

    @staticmethod
    def _loads(state: SharedStreetState, parts: Any, chosen: Any, active: NDArray[np.bool_]) -> None:
        load, before = (np.take_along_axis(x[:, None, :], chosen, axis=2) for x in (state.load, state.load_before))
        sharing = load + 1.0
        # Of the serving cell's load an active UE is a part, unless it came after the broadcast.
        sharing[..., 0] = np.where(active, np.maximum(load[..., 0], 1.0), sharing[..., 0])
        parts["sharing"][:] = sharing
        parts["sharing_change"][:] = load - before

    def _place(self, parts: Any, chosen: Any, place: tuple[Any, Any], speed: Any) -> None:
        lane, reported_m = place
        way_m = self.world.site_m[chosen] - self.world.place_m(lane, reported_m)[:, :, None, :]
        far_m = np.sqrt(way_m[..., 0] * way_m[..., 0] + way_m[..., 1] * way_m[..., 1])
        heading = self._heading[lane][:, :, None, :]
        towards = (way_m[..., 0] * heading[..., 0] + way_m[..., 1] * heading[..., 1]) / np.maximum(far_m, 1.0)
        parts["distance_m"][:] = np.minimum(far_m, FARTHEST_M)
        parts["approach"][:] = np.where((speed > MOVING_MPS)[..., None], np.clip(towards, -1.0, 1.0), 0.0)
