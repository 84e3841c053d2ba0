"""What happens in a shared street whoever is served by whom: places, traffic, links, and what UEs measure and report.

Of UE u, that is a part f beyond point p of its lane in slot t, and cell k, with loss_k the map's path loss in dB:

    RSRP = budget + noise - (1 - f) loss_k(p) - f loss_k(p + 1) - 14 dB while a body blocks the link
    SINR = SNR_k / (1 + w sum of the other cells' SNR),   SNR = 10^((RSRP - noise) / 10)

w is the share of another cell's power that interferes. With `interference="constant"` every cell does, at any load, so
that links do not depend on what agents do. With "load" the sum is over the cells that serve an active UE when the slot
begins; what is drawn then has all cells interfere, and `links_under` tells the SINRs of a slot.

UE u measures in slots t with (t + u) divisible by 4, and in slot 0: the mean RSRP since its last measurement or
arrival, in dB, with an error. It reports its place and speed at the same time, with errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import EpisodeRng, Episodes
from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.radio.street_maps import NOISE_DBM, street_map
from mmwave_gym.radio.units import db_to_linear, linear_to_db, spectral_efficiency_bps_hz
from mmwave_gym.scenarios.shared_street import queues, radio_map, traffic
from mmwave_gym.scenarios.shared_street.city import city_of
from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS, SharedStreetConfig
from mmwave_gym.scenarios.shared_street.traffic import measures, newest

MOVING_MPS = 0.2
"""Slower UEs report their speed without error: they stand."""
MOST_DBM = np.float32(200.0)
"""RSRPs are cut here before efficiencies are estimated: float32 ends at an SNR of 385 dB."""
COMPARED = 3
"""Cells of which a UE knows the RSRP of now: its own and two prepared ones."""


@dataclass
class SharedStreetEpisodes(Episodes):
    """Drawn episodes; axis 0 is storage. Slots 0 to `horizon`; what stands for nobody means nothing."""

    map_seed: NDArray[np.int64]  # (storage,)
    lane: NDArray[np.int16]  # (storage, slot, ue)
    along_m: NDArray[np.float32]  # (storage, slot, ue): on the lane
    present: NDArray[np.bool_]  # (storage, slot, ue)
    active: NDArray[np.bool_]  # (storage, slot, ue): wants data
    files: NDArray[np.bool_]  # (storage, slot, ue): a file comes; no slots without queues
    rsrp_dbm: NDArray[np.float32]  # (storage, slot, ue, cell): blockage in it
    sinr_db: NDArray[np.float32]  # (storage, slot, ue, cell)
    measured_dbm: NDArray[np.float32]  # (storage, measurement, ue, cell): number (t + u % 4) // 4 is the newest
    reported_m: NDArray[np.float32]  # (storage, measurement, ue): place along the lane, with its error
    reported_lane: NDArray[np.int16]  # (storage, measurement, ue): without error
    speed_mps: NDArray[np.float32]  # (storage, measurement, ue): reported
    error_db: NDArray[np.float32]  # (storage, slot, ue, COMPARED): of comparisons of RSRP in one slot
    reports: NDArray[np.bool_]  # (storage, ue): feeds the map


class SharedStreetWorld:
    """Draws episodes."""

    def __init__(self, config: SharedStreetConfig):
        self.config = config
        self.city = city_of(config.city) if config.city else None
        self.crossing: Any = self.city or config.crossing
        self.site_m: FloatArray = self.city.site_m if self.city else config.crossing.sites_m()
        self._heading, self._middle_m = (np.array(part) for part in zip(*self.crossing.lane_axes, strict=True))
        self.num_cells, self.num_ues = len(self.site_m), config.num_ues
        self.slots = config.horizon + 1
        self.measurements = (self.slots + MEASURED_SLOTS - 2) // MEASURED_SLOTS + 1
        self.interference = float(db_to_linear(config.interference_db))
        self._out = np.float32(db_to_linear(config.out_db))
        self._loud = config.link_budget_db + 10.0 * config.measurement_error_db > MOST_DBM

    def empty(self, count: int) -> SharedStreetEpisodes:
        """Episodes to fill."""
        n, t, m, u, k = count, self.slots, self.measurements, self.num_ues, self.num_cells
        return SharedStreetEpisodes(
            row=np.arange(n),
            map_seed=np.empty(n, np.int64),
            lane=np.empty((n, t, u), np.int16),
            along_m=np.empty((n, t, u), np.float32),
            present=np.empty((n, t, u), bool),
            active=np.empty((n, t, u), bool),
            files=np.empty((n, t if self.config.demand == "queue" else 0, u), bool),
            rsrp_dbm=np.empty((n, t, u, k), np.float32),
            sinr_db=np.empty((n, t, u, k), np.float32),
            measured_dbm=np.empty((n, m, u, k), np.float32),
            reported_m=np.empty((n, m, u), np.float32),
            reported_lane=np.empty((n, m, u), np.int16),
            speed_mps=np.empty((n, m, u), np.float32),
            error_db=np.empty((n, t, u, COMPARED), np.float32),
            reports=np.empty((n, u), bool),
        )

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: SharedStreetEpisodes, rows: NDArray[np.intp]) -> None:
        """One episode for each rng, into the storage rows (n,)."""
        for i, rng in zip(rows, rngs, strict=True):
            self._draw(rng, episodes, i)

    def _draw(self, rng: EpisodeRng, episodes: SharedStreetEpisodes, i: int) -> None:
        c, seeds = self.config, self.config.map_seeds
        seed = seeds[int(rng["map"].integers(len(seeds)))]
        along_m, speed_mps, present, lane = self.drive(rng)
        episodes.map_seed[i], episodes.lane[i] = seed, lane
        episodes.along_m[i], episodes.present[i] = along_m, present
        arrives = np.zeros_like(present)
        arrives[1:] = present[1:] & ~present[:-1]
        episodes.active[i] = self._active(rng["activity"], arrives)
        if c.demand == "queue":
            episodes.files[i] = queues.files(c, rng["files"], episodes.active[i], arrives)
        blocked = self._blocked(rng["blockage"])
        self.links(self.loss_db(seed), lane, along_m, blocked, episodes.rsrp_dbm[i], episodes.sinr_db[i])
        for last in (episodes.measured_dbm, episodes.reported_m, episodes.reported_lane, episodes.speed_mps):
            last[i, -1] = 0.0  # some UEs measure so often, others once less
        chance = rng["measurement"]
        noise = chance.standard_normal(episodes.measured_dbm[i].shape, np.float32)
        self.measure(episodes.rsrp_dbm[i], present, noise, episodes.measured_dbm[i])
        episodes.error_db[i] = c.measurement_error_db * chance.standard_normal(episodes.error_db[i].shape, np.float32)
        chance = rng["position"]
        errors = chance.standard_normal((2, *episodes.reported_m[i].shape))
        told = episodes.reported_m[i], episodes.speed_mps[i], episodes.reported_lane[i]
        self.report(along_m, speed_mps, lane, present, errors, *told)
        share = round(c.reporting_share * self.num_ues)
        episodes.reports[i] = rng["reports"].permutation(self.num_ues) < share

    @property
    def bins_a_lane(self) -> NDArray[np.int64]:
        """(lane,): bins of the radio map that lie on each lane; places are reported beyond its end too."""
        if self.city:
            return np.array(
                [radio_map.bins_of(self.city.step_m * (points - 1)) for points in self.city.points.tolist()]
            )
        return np.full(self.crossing.lanes, radio_map.bins_of(self.crossing.length_m))

    def drive(self, rng: EpisodeRng) -> tuple[Any, Any, Any, Any]:
        """Where everyone is, how fast, whether they are there, and on which lane: see `traffic.move`."""
        if self.city:
            return self.city.drive(self.config, rng, self.slots)
        return self.move(traffic.begin(self.config, rng))

    def loss_db(self, seed: int) -> NDArray[np.float32]:
        """(lane, point, cell): path loss in dB of a map; in a city what leaves the traced SNR of the budget."""
        if self.city:
            return np.float32(self.config.link_budget_db) - self.city.snr_db
        return street_map(self.crossing, seed, self.config.frequency_ghz).loss_db

    def move(self, movers: traffic.Movers) -> tuple[Any, Any, Any, Any]:
        """See `traffic.move`."""
        return traffic.move(self.config, movers)

    def _active(self, rng: np.random.Generator, arrives: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(slot, ue): does a UE want data? Geometric times; a new UE, `arrives`, does with the stationary chance."""
        c, u = self.config, rng.random(arrives.shape, np.float32)
        share = np.float32(c.active_s / (c.active_s + c.idle_s))
        return self.change(share, np.float32(c.change("active_s")), np.float32(c.change("idle_s")), u, arrives)

    def _blocked(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """(slot, pedestrian, cell): does a body block the link? Stationary at the start."""
        c = self.config
        u = rng.random((self.slots, c.num_pedestrians, self.num_cells), np.float32)
        share = np.float32(c.blocked_s / (c.blocked_s + c.clear_s))
        never = np.zeros((self.slots, c.num_pedestrians), bool)
        return self.change(share, np.float32(c.change("blocked_s")), np.float32(c.change("clear_s")), u, never)

    def change(
        self, share: Any, ends: Any, begins: Any, u: NDArray[np.float32], anew: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """(slot, ue, …): a state that ends and begins with these chances a slot; u: uniform, of that shape.

        share: its stationary chance, with which it begins in slot 0 and in the slots `anew` (slot, ue).
        """
        state = np.empty(u.shape, bool)
        for slot, chance in enumerate(u):
            first = anew[slot].reshape(anew.shape[1:] + (1,) * (u.ndim - 2)) | (slot == 0)
            state[slot] = np.where(first, chance < share, np.where(state[slot - 1], chance >= ends, chance < begins))
        return state

    def links(
        self,
        loss_db: NDArray[np.float32],
        lane: NDArray[np.int16],
        along_m: Float64Array,
        blocked: NDArray[np.bool_],
        rsrp_dbm: NDArray[np.float32],
        sinr_db: NDArray[np.float32],
    ) -> None:
        """Fill `rsrp_dbm` and `sinr_db`, (slot, ue, cell), by the formulas of the module.

        loss_db: (lane, point, cell); lane, along_m: (slot, ue); blocked: (slot, pedestrian, cell).
        """
        c = self.config
        point, part = self.point_of(along_m)
        rest = (1.0 - part)[..., None]
        here_db, there_db = loss_db[lane, point].astype(np.float64), loss_db[lane, point + 1].astype(np.float64)
        level_db = c.link_budget_db - (rest * here_db + part[..., None] * there_db)
        level_db[:, c.num_cars :] -= c.blockage_db * blocked
        rsrp_dbm[...] = level_db + NOISE_DBM
        snr = db_to_linear(level_db)
        sinr_db[...] = linear_to_db(snr / (1.0 + self.interference * (self.total(snr) - snr)))

    def links_under(self, rsrp_dbm: NDArray[np.float32], busy: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(N, ue, cell): SINRs in dB of RSRPs (N, ue, cell) where the cells `busy` (N, cell) interfere."""
        snr = db_to_linear(rsrp_dbm.astype(np.float64) - NOISE_DBM)
        sent = np.where(busy[:, None, :], snr, 0.0)
        return linear_to_db(snr / (1.0 + self.interference * (self.total(sent) - sent))).astype(np.float32)

    def point_of(self, along_m: Any) -> tuple[NDArray[np.int64], Float64Array]:
        """The last point that is passed, and the part of the way to the next one; in the shape of `along_m`."""
        place = np.minimum(np.asarray(along_m, np.float64) / self.crossing.point_m, self.crossing.points_a_lane - 1.001)
        point = place.astype(np.int64)
        return point, place - point

    @staticmethod
    def total(value: FloatArray) -> FloatArray:
        """(…, 1): the sum of values (…, any) over the last axis, in their unit.

        They are added one after the other, so that compiled code has the same bits.
        """
        total = value[..., 0].copy()
        for k in range(1, value.shape[-1]):
            total += value[..., k]
        return total[..., None]

    def measure(
        self,
        rsrp_dbm: NDArray[np.float32],
        present: NDArray[np.bool_],
        noise: NDArray[np.float32],
        measured_dbm: NDArray[np.float32],
    ) -> None:
        """Fill `measured_dbm`, (measurement, ue, cell), from RSRPs (slot, ue, cell) and normal `noise` of its shape.

        present: (slot, ue).
        """
        sums, count = np.zeros(rsrp_dbm.shape[1:], np.float64), np.zeros(self.num_ues)
        ue = np.arange(self.num_ues)
        for slot in range(self.slots):
            arrives = present[slot] & ~present[slot - 1] if slot else np.ones(self.num_ues, bool)
            sums[arrives], count[arrives] = 0.0, 0.0
            sums += rsrp_dbm[slot]
            count += 1.0
            own = measures(slot, ue)
            at = np.flatnonzero(own | arrives)
            number = newest(slot, at)
            level = sums[at] / count[at, None]
            measured_dbm[number, at] = level + self.config.measurement_error_db * noise[number, at].astype(np.float64)
            sums[own], count[own] = 0.0, 0.0

    def report(
        self,
        along_m: Float64Array,
        speed_mps: Float64Array,
        lane: NDArray[np.int16],
        present: NDArray[np.bool_],
        errors: Float64Array,
        reported_m: NDArray[np.float32],
        told_mps: NDArray[np.float32],
        told_lane: NDArray[np.int16],
    ) -> None:
        """Fill `reported_m`, `told_mps` and `told_lane`, (measurement, ue) each: what UEs report when they measure.

        along_m, speed_mps, lane, present: (slot, ue); errors: (2, measurement, ue), standard normal.
        """
        ue = np.arange(self.num_ues)
        for slot in range(self.slots):
            arrives = present[slot] & ~present[slot - 1] if slot else np.ones(self.num_ues, bool)
            at = np.flatnonzero(measures(slot, ue) | arrives)
            number = newest(slot, at)
            told_lane[number, at] = lane[slot, at]
            reported_m[number, at] = along_m[slot, at] + self.config.position_error_m * errors[0, number, at]
            moves = speed_mps[slot, at] > MOVING_MPS
            told_mps[number, at] = speed_mps[slot, at] + moves * self.config.speed_error_mps * errors[1, number, at]

    def efficiency_bps_hz(self, sinr_db: Any) -> FloatArray:
        """bit/s/Hz, in the shape of the SINRs: Shannon's rate up to that of the best code, 0 below `out_db`."""
        rate = np.minimum(spectral_efficiency_bps_hz(db_to_linear(sinr_db)), self.config.most_bps_hz)
        return np.where(sinr_db >= np.float32(self.config.out_db), rate, 0.0)

    def estimated_bps_hz(
        self, rsrp_dbm: NDArray[np.float32], busy: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """(…, cell): the efficiency that RSRPs (…, cell) of all cells stand for, bit/s/Hz.

        busy: (…, cell), which cells interfere, None for all.
        """
        if self._loud:
            rsrp_dbm = np.minimum(rsrp_dbm, MOST_DBM)
        snr = db_to_linear(rsrp_dbm - np.float32(NOISE_DBM))
        sent = snr if busy is None else np.where(busy, snr, np.float32(0.0))
        sinr = self.total(sent) - sent  # in place from here on: it is what steps cost most
        sinr *= np.float32(self.interference)
        sinr += np.float32(1.0)
        np.divide(snr, sinr, out=sinr)
        rate = spectral_efficiency_bps_hz(sinr)
        np.minimum(rate, np.float32(self.config.most_bps_hz), out=rate)
        rate *= sinr >= self._out
        return rate

    def place_m(self, lane: NDArray[np.integer[Any]], along_m: Any) -> FloatArray:
        """(…, 2): places in metres of UEs on lanes (…), `along_m` (…) from their beginnings."""
        return self._middle_m[lane] + (np.asarray(along_m)[..., None] - self.crossing.arm_m) * self._heading[lane]
