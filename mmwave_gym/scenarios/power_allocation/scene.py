"""Power allocation as a text and as a picture: the map of clusters and powers, and what they brought, slot by slot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio.units import linear_to_db
from mmwave_gym.rendering.recorded import RecordedScene
from mmwave_gym.rendering.stage import Moment, Stage
from mmwave_gym.rendering.text import framed, side_by_side, text_of
from mmwave_gym.scenarios.power_allocation.game import MET, PowerAllocation

BINS = 100  # of slots, in the curves
POWER_BINS = 15  # in the histogram of powers
NEWS_SLOTS = 12  # for so long a change stands out
NEAR_UNITS = 4.2  # clusters whose heads are nearer must not have the same colour
MAP_COLUMNS, MAP_ROWS = 42, 19
TEXT_BAR = 12
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Record:
    """The running episode of environment 0: who is present, in which clusters, with which powers and rewards."""

    def __init__(self, batch: Batch):
        self._batch = batch
        scenario: Any = batch.scenario
        self.world: PowerAllocation = getattr(scenario, "scenario", scenario)
        self.config = self.world.config
        self.episode = 0
        self.restart()

    def restart(self) -> None:
        self.episode += 1
        self.slot = 0
        self.time_s = 0.0
        self.bin_slots = max(1, -(-self.world.horizon // BINS))
        bins = -(-self.world.horizon // self.bin_slots)
        self.counted = np.zeros(bins, np.int64)  # slots in each bin
        self.sum_rate, self.satisfied_rate, self.share = np.zeros((3, bins))  # sums over those slots
        self.rate_now = self.satisfied_rate_now = self.share_now = 0.0
        self.changes: list[int] = []  # slots
        slots = self.world.num_agents
        self.left_slot, self.came_slot, self.moved_slot = np.full((3, slots), -NEWS_SLOTS)
        self.colour = np.zeros(slots, np.int64)  # of the cluster whose head sits in the slot
        self._before = self.present.copy(), self.head.copy()
        self._paint(np.full(slots, -1))

    def add(self, outcome: Outcome) -> None:
        """Note the slot that was just played, and which base stations came, left or got another head in it."""
        there, head = self._before
        metrics, at = outcome.metrics, self.slot // self.bin_slots
        share = metrics["qos_satisfaction"]
        self.share_now = float(share[0].sum() / there.sum() if share.ndim == 2 else share[0])
        self.rate_now = float(metrics["sum_rate_bps_hz"][0])
        self.satisfied_rate_now = float(metrics["satisfied_rate_bps_hz"][0])
        self.counted[at] += 1
        self.sum_rate[at] += self.rate_now
        self.satisfied_rate[at] += self.satisfied_rate_now
        self.share[at] += self.share_now
        self.slot += 1
        self.time_s += float(outcome.elapsed_s[0])
        present, now = self.present, self.head
        if (present != there).any():
            self.changes.append(self.slot)
            self.left_slot[there & ~present] = self.slot
            self.came_slot[present & ~there] = self.slot
            self.moved_slot[present & there & (now != head)] = self.slot
            self._paint(head)
            self._before = present.copy(), now.copy()

    def _paint(self, before: NDArray[np.int64]) -> None:
        """Give new heads a colour; heads in `before` (A,) keep theirs."""
        heads = np.unique(self.head[self.present])
        old = np.isin(heads, before)
        self.colour[heads] = colours(self.place_m[heads], self.config.unit_m, np.where(old, self.colour[heads], -1))

    @property
    def _row(self) -> int:
        return int(self._batch.episodes.row[0])

    @property
    def place_m(self) -> Float64Array:
        """(A, 2): base stations, also those that come later or have left, in metres."""
        return np.asarray(self._batch.episodes.place_m[self._row], np.float64)

    @property
    def ue_m(self) -> Float64Array:
        """(A, 2): the UE of each base station, in metres."""
        return np.asarray(self._batch.episodes.ue_m[self._row], np.float64)

    @property
    def ever(self) -> NDArray[np.bool_]:
        """(A,): True for each agent slot that has a base station at some time of the episode."""
        return np.asarray(self._batch.episodes.present[self._row].any(axis=0))

    @property
    def present(self) -> NDArray[np.bool_]:
        """(A,): True for each agent slot that has a base station now."""
        return np.asarray(self._batch.state.present[0])

    @property
    def head(self) -> NDArray[np.int64]:
        """(A,): agent slot of the head of each base station's cluster, -1 in empty slots."""
        return np.asarray(self._batch.state.head[0])

    @property
    def power_mw(self) -> Float64Array:
        """(A,): transmit powers, 0 in empty agent slots."""
        return np.asarray(self._batch.state.power_mw[0])

    @property
    def power_dbm(self) -> Float64Array:
        """(A,): transmit powers, the least power in empty agent slots."""
        return np.asarray(linear_to_db(np.maximum(self.power_mw, self.world.power_mw[0])))

    @property
    def power_share(self) -> Float64Array:
        """(A,): 0 for the least power, 1 for the greatest, linear in dB."""
        low, high = self.config.power_dbm
        return np.clip((self.power_dbm - low) / (high - low), 0.0, 1.0)

    @property
    def satisfied(self) -> NDArray[np.bool_]:
        """(A,): True for each base station whose UE has the required SINR."""
        return np.asarray(self._batch.state.sinr[0] >= self.config.qos_sinr * MET)

    @property
    def capacity_bps_hz(self) -> Float64Array:
        """(A,): capacity of each base station's UE, 0 in empty agent slots."""
        return np.asarray(self._batch.state.capacity_bps_hz[0], np.float64)

    @property
    def jain_index(self) -> float:
        """Jain's fairness index of the present UEs' capacities, between 0 and 1."""
        capacity = self._batch.state.capacity_bps_hz[0][self.present]
        return float(capacity.sum() ** 2 / max(len(capacity) * float((capacity**2).sum()), 1e-300))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(clusters,): number of base stations in each cluster, ordered by the head's agent slot."""
        return np.unique(self.head[self.present], return_counts=True)[1]

    @property
    def powers(self) -> NDArray[np.int64]:
        """(POWER_BINS,): number of base stations in each bin of `power_share`."""
        return np.histogram(self.power_share[self.present], POWER_BINS, (0.0, 1.0))[0]

    def mean(self, total: Float64Array) -> Float64Array:
        """(bins,): means over the slots of each bin of time, from sums `total` (bins,); 0 where no slot was played."""
        return np.asarray(total / np.maximum(self.counted, 1))

    @property
    def setting(self) -> str:
        """One line about the world."""
        c, count = self.config, int(self.present.sum())
        clusters = len(self.sizes)
        stations = "1 base station" if count == 1 else f"{count:,} base stations"
        groups = "1 cluster" if clusters == 1 else f"{clusters:,} clusters"
        return f"{stations}, {groups}, UEs within {c.ue_radius_m:g} m"


def disc_share(power_share: Any) -> Any:
    """The radius of a power's disc over that of the greatest, element-wise.

    It is steeper where powers mostly are, near the greatest.
    """
    return 0.3 + 0.7 * power_share**2


def colours(head_m: Float64Array, unit_m: float, before: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """A number for each head at `head_m` (H, 2), small ones first, such that heads of neighbouring clusters differ.

    before (H,): numbers that are kept, -1 where there is none. Where 18 are not enough the rarest one nearby is taken.
    """
    chosen = np.full(len(head_m), -1) if before is None else before.astype(np.int64)
    near = cKDTree(head_m).query_ball_point(head_m, NEAR_UNITS * unit_m) if len(head_m) else []
    for i in np.flatnonzero(chosen < 0):
        used = chosen[near[i]]
        chosen[i] = int(np.argmin(np.bincount(used[used >= 0], minlength=18)[:18]))
    return chosen


class PowerAllocationScene(RecordedScene[Record]):
    """See `mmwave_gym.rendering.renderer.Scene`."""

    centralised = True
    record_type = Record
    picture_type = "picture:PowerAllocationPicture"

    def stage(self) -> Stage:
        """See `mmwave_gym.rendering.stage`. A UE and its base station share a number."""
        record = self._record
        count = record.world.num_agents
        return Stage(
            title="power allocation",
            num_ues=count,
            num_nodes=count,
            value=("capacity", "bit/s/Hz"),
            node_m=np.where(record.ever[:, None], record.place_m, np.nan),
            node_noun="base station",
            nodes_vary="power",
        )

    def moments(self) -> list[Moment]:
        """The present; in trouble is whose SINR is below the required one."""
        record, present = self._record, self._record.present
        return [
            Moment(
                time_s=record.time_s,
                present=present,
                serving=np.where(present, np.arange(len(present)), -1),
                value=record.capacity_bps_hz,
                trouble=present & ~record.satisfied,
                place_m=record.ue_m,
                node_share=np.where(present, record.power_share, 0.0),
            )
        ]

    def text(self) -> str:
        """The map of clusters, rates and powers in ASCII, always the same number of lines of the same width."""
        record = self._record
        lines = [
            f"power allocation  slot {record.slot:5d} of {record.world.horizon}",
            record.setting,
            *side_by_side(framed(self._map_grid(record), MAP_COLUMNS), self._lines_beside(record)),
            "letter: base station of a cluster, capital: its head, !: its UE is not satisfied",
        ]
        return text_of(lines)

    def _map_grid(self, record: Record) -> list[list[str]]:
        place_m, present, satisfied, head = record.place_m, record.present, record.satisfied, record.head
        low_m = place_m[record.ever].min(axis=0)
        span_m = np.maximum(np.ptp(place_m[record.ever], axis=0), 1.0)
        at = (place_m - low_m) / span_m
        column = np.rint(at[:, 0] * (MAP_COLUMNS - 1)).astype(int)
        row = np.rint((1.0 - at[:, 1]) * (MAP_ROWS - 1)).astype(int)
        grid = [[" "] * MAP_COLUMNS for _ in range(MAP_ROWS)]
        # Where several share a cell, who is not satisfied is seen before a head, a head before a member.
        rank = np.where(satisfied, head == np.arange(len(head)), 2)
        for bs in np.flatnonzero(present)[np.argsort(rank[present], kind="stable")].tolist():
            letter = LETTERS[record.colour[head[bs]] % len(LETTERS)]
            sign = "!" if not satisfied[bs] else letter.upper() if head[bs] == bs else letter
            grid[row[bs]][column[bs]] = sign
        return grid

    def _lines_beside(self, record: Record) -> list[str]:
        low, high = record.config.power_dbm
        unhappy = int((record.present & ~record.satisfied).sum())
        sizes = record.sizes
        powers = record.powers
        most = max(int(powers.max()), 1)
        step = (high - low) / POWER_BINS
        bars = [
            f"{low + (i + 0.5) * step:5.1f} {'#' * round(TEXT_BAR * n / most):<{TEXT_BAR}} {n:6d}"
            for i, n in reversed(list(enumerate(powers.tolist())))
        ]
        return [
            f"sum rate {record.rate_now:13.1f} bit/s/Hz",
            f"satisfied {record.share_now:12.1%} {unhappy:4d} not",
            f"Jain index {record.jain_index:11.3f}",
            f"clusters of {sizes.min()} to {sizes.max()}, mean {sizes.mean():.1f}",
            "dBm   base stations",
            *bars,
        ]
