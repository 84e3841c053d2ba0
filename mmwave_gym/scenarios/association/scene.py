"""Association as a text and as a picture: the map with everybody's link, the decision at hand, the rate so far."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.core.types import Float64Array
from mmwave_gym.rendering.recorded import RecordedScene
from mmwave_gym.rendering.stage import Moment, Stage
from mmwave_gym.rendering.text import framed, side_by_side, text_of
from mmwave_gym.rendering.totals import Totals
from mmwave_gym.scenarios.association.game import MBIT, Association

MAP_COLUMNS, MAP_ROWS = 40, 16
MOST_CANDIDATES = 6  # shown
BINS = 100  # of time in the curve of the rate


class Record:
    """The running episode of environment 0: where all UEs are, which one decides, and the network's rate so far."""

    def __init__(self, batch: Batch):
        self._batch = batch
        scenario: Any = batch.scenario
        self.world: Association = scenario
        self.config = self.world.config
        self.episode = 0
        self.restart()

    def restart(self) -> None:
        self.episode += 1
        self.totals = Totals(self.world.metrics, 1)
        self.begin_s = self.time_s
        self.mbit = np.zeros(BINS)  # by time
        self.seconds = np.zeros(BINS)

    def add(self, outcome: Outcome) -> None:
        """Note the decision that was just made, and what followed."""
        end_s = self.time_s
        middle_s = end_s - 0.5 * float(outcome.elapsed_s[0])
        bin_ = min(int(BINS * middle_s / self.config.duration_s), BINS - 1)
        self.mbit[bin_] += outcome.metrics["network_rate_mbps"][0]
        self.seconds[bin_] += outcome.elapsed_s[0]
        self.totals.add(outcome, np.ones(1, bool))

    @property
    def time_s(self) -> float:
        return float(self._batch.state.time_s[0])

    @property
    def deciding(self) -> int:
        """The UE whose turn it is, -1 at the end."""
        return int(self._batch.agent_ids()[0, 0])

    @property
    def candidates(self) -> list[int]:
        """Base stations that are candidates of the deciding UE, strongest first."""
        at = self._batch.episodes.row[0], self._batch.state.epoch[0]
        return [int(bs) for bs in self._batch.episodes.candidate[at] if bs >= 0]

    @property
    def serving(self) -> NDArray[np.int64]:
        """(ue,): the base station that serves each UE, `num_bs` for none."""
        return np.array(self._batch.state.serving[0])

    @property
    def load(self) -> NDArray[np.int64]:
        """(bs,): number of UEs that each base station serves."""
        return self._batch.state.load[0, : self.world.num_bs].astype(np.int64)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(ue,): True for each UE that is in the world now."""
        begin_s, end_s = self._batch.episodes.present_s[self._batch.episodes.row[0]].T
        return (begin_s <= self.time_s) & (self.time_s <= end_s) & (begin_s < end_s)

    @property
    def place_m(self) -> Float64Array:
        """(ue, 2): where UEs are, in metres."""
        return self.world.positions_m(self._batch.episodes, self._batch.state)[0]

    @property
    def efficiency_bps_hz(self) -> Float64Array:
        """(ue,): spectral efficiency of each UE's link."""
        return np.asarray(self.world.efficiency_now(self._batch.episodes, self._batch.state)[0], np.float64)

    @property
    def fields(self) -> dict[str, NDArray[Any]]:
        """What the deciding UE observes: fields (size,) by name, in their units."""
        return self.world.fields.split(self._batch.observe()[0, 0])

    @property
    def network_mbps(self) -> float:
        """The network's rate now, reckoned with mean efficiencies."""
        return float(self._batch.state.efficiency[0]) * self.world.world.bandwidth_hz * MBIT

    @property
    def mean_mbps(self) -> float:
        """Since the episode began."""
        return float(self.mbit.sum() / max(self.seconds.sum(), 1e-9))

    @property
    def ue_rate_mbps(self) -> Float64Array:
        """(ue,): mean of each UE since fairness counts, as far as it is counted."""
        state = self._batch.state
        return np.asarray(state.mbit[0] / max(float(state.counted_s[0] - state.settled_s[0]), 1e-9))

    @property
    def buildings_m(self) -> list[Float64Array]:
        """Outlines, (corners, 2) each, in metres."""
        city = getattr(self.world.world, "city", None)
        if city is not None:
            return list(city.buildings)
        boxes = self._batch.episodes.buildings_m[self._batch.episodes.row[0]].astype(np.float64)
        return [box[[[0, 1], [2, 1], [2, 3], [0, 3]]] for box in boxes if (box[2:] > box[:2]).all()]

    @property
    def attribution(self) -> str:
        """What a picture of a real city must say."""
        return str(getattr(getattr(self.world.world, "city", None), "attribution", ""))

    @property
    def setting(self) -> str:
        """One line about the world."""
        ues = "1 UE" if self.world.num_ues == 1 else f"{self.world.num_ues} UEs"
        city = getattr(self.world.world, "city", None)
        where = f"streets: {self.config.geometry}" if city is None else city.source or "a city"
        return f"{ues}, {self.world.num_bs} base stations, {where}"


class AssociationScene(RecordedScene[Record]):
    """See `mmwave_gym.rendering.renderer.Scene`."""

    record_type = Record
    picture_type = "picture:AssociationPicture"

    def stage(self) -> Stage:
        """See `mmwave_gym.rendering.stage`."""
        record = self._record
        return Stage(
            title="association",
            num_ues=record.world.num_ues,
            num_nodes=record.world.num_bs,
            value=("rate", "Mbit/s"),
            node_m=np.asarray(record.world.bs_m, np.float64),
            outlines_m=tuple(record.buildings_m),
            node_noun="base station",
            attribution=record.attribution,
        )

    def moments(self) -> list[Moment]:
        """The present; a UE's rate is its share of its base station's time, by the mean efficiency of its link."""
        record, num_bs = self._record, self._record.world.num_bs
        present, serving, served = record.present, record.serving, record.serving < record.world.num_bs
        load = np.append(record.load, 1)[np.minimum(serving, num_bs)]
        rate_mbps = record.efficiency_bps_hz * record.world.world.bandwidth_hz * MBIT / np.maximum(load, 1)
        return [
            Moment(
                time_s=record.time_s,
                present=present,
                serving=np.where(served, serving, -1),
                value=np.where(served, rate_mbps, 0.0),
                trouble=~served | (rate_mbps <= 0.0),
                place_m=record.place_m,
            )
        ]

    def text(self) -> str:
        """The map with loads, the decision and totals in ASCII, always the same number of lines of the same width."""
        record = self._record
        lines = [
            f"association  t = {record.time_s:7.2f} of {record.config.duration_s:g} s  epoch {record.totals.num_steps}",
            record.setting,
            *side_by_side(framed(self._map_grid(record), MAP_COLUMNS), self._decision_lines(record)),
            "numbers: UEs of a base station, . UE, @ the UE that decides",
        ]
        return text_of(lines)

    def _map_grid(self, record: Record) -> list[list[str]]:
        bs_m, place_m = record.world.bs_m, record.place_m
        low_m, span_m = bs_m.min(axis=0), np.maximum(np.ptp(bs_m, axis=0), 1.0)
        grid = [[" "] * MAP_COLUMNS for _ in range(MAP_ROWS)]

        def cell(at_m: Float64Array, width: int) -> tuple[int, int]:
            share = np.clip((at_m - low_m) / span_m, 0.0, 1.0)
            return MAP_ROWS - 1 - round(float(share[1]) * (MAP_ROWS - 1)), round(
                float(share[0]) * (MAP_COLUMNS - width)
            )

        for at_m in place_m[record.present]:
            row, column = cell(at_m, 1)
            grid[row][column] = "."
        for at_m, load in zip(bs_m, record.load.tolist(), strict=True):
            row, column = cell(at_m, len(str(load)))
            grid[row][column : column + len(str(load))] = str(load)
        if record.deciding >= 0:
            row, column = cell(place_m[record.deciding], 1)
            grid[row][column] = "@"
        return grid

    def _decision_lines(self, record: Record) -> list[str]:
        load, fields = record.load, record.fields
        totals = record.totals
        handovers = totals.condensed(next(m for m in totals.metrics if m.name == "handovers_per_ue_s"))
        lines = [
            f"network {record.network_mbps:9.1f} Mbit/s now",
            f"        {record.mean_mbps:9.1f} Mbit/s mean",
            f"handovers {60.0 * handovers:7.2f} a UE and minute",
            f"free base stations {int((load == 0).sum()):4d}",
            "",
            f"UE {record.deciding} decides" if record.deciding >= 0 else "the episode is over",
            "rank  bs load  bit/s/Hz  stays",
        ]
        for rank, bs in enumerate(record.candidates[:MOST_CANDIDATES]):
            mark = "*" if fields["serving"][rank] > 0 else " "
            lines.append(
                f"{rank:3d}{mark} {bs:4d} {load[bs]:4d} {fields['mean_efficiency'][rank]:9.2f}"
                f" {fields['stay_s'][rank]:5.1f} s"
            )
        return lines
