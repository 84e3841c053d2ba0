"""A shared street as a text and as a picture: where all UEs are, who serves them, and how full the cells are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.rendering.recorded import RecordedScene
from mmwave_gym.rendering.text import cell_sign, framed, side_by_side, text_of
from mmwave_gym.rendering.totals import Totals
from mmwave_gym.scenarios.shared_street.config import SLOT_S, SLOTS_A_SECOND
from mmwave_gym.scenarios.shared_street.game import SharedStreet
from mmwave_gym.scenarios.shared_street.scores import MBIT
from mmwave_gym.scenarios.shared_street.state import FREE, LOST

MAP_COLUMNS, MAP_ROWS = 43, 21
TEXT_LINES = 21
BAR = 12
PAST_S = 60
"""Seconds of the curve."""


class Record:
    """The running episode of environment 0. The centralised view has the same."""

    def __init__(self, batch: Batch):
        self.batch = batch
        scenario: Any = batch.scenario
        self.world: SharedStreet = getattr(scenario, "scenario", scenario)
        self.config = self.world.config
        self.site_m = self.world.world.site_m
        city = self.world.world.city
        self.half_m = city.half_m if city else self.config.arm_m
        self.metrics = tuple(metric.name for metric in self.world.metrics)
        self.restart()

    def restart(self) -> None:
        self.totals = Totals(self.world.metrics, self.world.num_agents)
        self._there = self.present
        self.failures = np.zeros(self.world.num_agents, bool)

    def add(self, outcome: Outcome) -> None:
        """Note the slot that was just played."""
        names = (m.name for m in self.world.metrics if outcome.metrics[m.name].ndim == 2)
        per_ue = {name: outcome.metrics[name].reshape(len(outcome.truncated), -1) for name in names}
        self.failures = per_ue["failures_per_min"][0] > 0.0
        if outcome.reward.shape[1] == self.world.num_agents:
            self.totals.add(outcome, self._there)
        self._there = self.present

    @property
    def _row(self) -> int:
        return int(self.batch.episodes.row[0])

    @property
    def slot(self) -> int:
        return int(self.batch.state.slot[0])

    @property
    def present(self) -> NDArray[np.bool_]:
        """(ue,): who is there."""
        there: NDArray[np.bool_] = self.batch.state.id[0] >= 0
        return there

    @property
    def active(self) -> NDArray[np.bool_]:
        """(ue,): who wants data."""
        wants: NDArray[np.bool_] = self.world.now.active(self.batch.episodes, self.batch.state)[0] & self.present
        return wants

    @property
    def serving(self) -> NDArray[np.int64]:
        """(ue,): the cell of each UE, -1 for nobody and for who has lost its link."""
        state = self.batch.state
        return np.where(self.present & (state.doing[0] != LOST), state.serving[0], -1)

    @property
    def moving(self) -> NDArray[np.bool_]:
        """(ue,): who is in a handover."""
        doing = self.batch.state.doing[0]
        return self.present & (doing != FREE) & (doing != LOST)

    @property
    def place_m(self) -> FloatArray:
        """(ue, 2): where all are."""
        episodes = self.batch.episodes
        return self.world.world.place_m(episodes.lane[self._row, self.slot], episodes.along_m[self._row, self.slot])

    @property
    def load(self) -> NDArray[np.int64]:
        """(cell,): active UEs of each cell."""
        at = self.serving[self.active & (self.serving >= 0)]
        return np.bincount(at, minlength=self.world.num_cells)

    @property
    def map_name(self) -> str:
        city = Path(self.config.city).name  # a file's folder leaves no room for the time
        return city or f"map {int(self.batch.episodes.map_seed[self._row])}"

    @property
    def seconds_mbps(self) -> Float64Array:
        """(second, ue): mean rates of the seconds that are over, NaN where one does not count."""
        rate = self.batch.state.second_bps_hz[0, : self.slot // SLOTS_A_SECOND].astype(np.float64)
        return np.where(rate < 0.0, np.nan, rate * self.config.bandwidth_hz * MBIT)

    def scores(self) -> dict[str, float]:
        """The scores of the episode so far."""
        return self.world.scores(self.batch.state, 0)

    def mapped_share(self) -> float:
        """The share of bins of the radio map that have reports."""
        count, bins = self.batch.state.map_count[0], self.world.world.bins_a_lane
        on_lane = np.arange(count.shape[1]) < bins[:, None]
        return float((on_lane & (count > 0.0)).sum() / bins.sum())

    def counted(self, name: str) -> float:
        """How often something has happened, of a metric that counts it."""
        return float(self.totals.sums[name].sum())


class SharedStreetScene(RecordedScene[Record]):
    """See `mmwave_gym.rendering.renderer.Scene`."""

    record_type = Record
    picture_type = "picture:SharedStreetPicture"

    def text(self) -> str:
        """The map with UEs by their cells, loads and scores in ASCII, always the same number of lines."""
        record = self._record
        ues = f"{int(record.present.sum())} of {record.world.num_agents} UEs, {record.map_name}"
        lines = [
            f"shared street  t = {record.slot * SLOT_S:6.1f} of {record.world.horizon * SLOT_S:g} s  {ues}",
            *side_by_side(framed(self._grid(record), MAP_COLUMNS), self._lines(record)),
            "UE: sign of its cell, - idle, ! lost link; * cell",
        ]
        return text_of(lines)

    def _grid(self, record: Record) -> list[list[str]]:
        half_m = record.half_m
        grid = [[" "] * MAP_COLUMNS for _ in range(MAP_ROWS)]

        def put(place_m: Any, sign: str) -> None:
            x, y = np.clip((np.asarray(place_m) / half_m + 1.0) / 2.0, 0.0, 1.0)
            grid[MAP_ROWS - 1 - round(float(y) * (MAP_ROWS - 1))][round(float(x) * (MAP_COLUMNS - 1))] = sign

        for place_m in record.site_m:
            put(place_m, "*")
        place_m, serving, active = record.place_m, record.serving, record.active
        for ue in np.flatnonzero(record.present):
            put(place_m[ue], "!" if serving[ue] < 0 else cell_sign(int(serving[ue])) if active[ue] else "-")
        return grid

    def _lines(self, record: Record) -> list[str]:
        scores, load = record.scores(), record.load
        lines = [
            f"utility {scores.get('utility', 0.0):8.3f}",
            f"5th perc. {scores.get('p5_mbps', 0.0):6.0f} Mbit/s",
            f"mean      {scores.get('mean_mbps', 0.0):6.0f} Mbit/s",
            f"handovers {record.counted('handovers_per_s'):6.0f}",
            f"failures  {record.counted('failures_per_min') / 60.0:6.0f}",
            f"mapped    {record.mapped_share():6.0%}",
        ]
        if "delay_s" in record.metrics:
            lines.append(f"delay {scores.get('delay_s', 0.0):4.2f} s, in time {scores.get('on_time_share', 0.0):4.0%}")
        lines.append("cell active UEs")
        most = max(int(load.max(initial=0)), 1)
        for cell in range(min(record.world.num_cells, TEXT_LINES - len(lines))):
            bar = "#" * round(BAR * load[cell] / most)
            lines.append(f"  {cell_sign(cell)} {load[cell]:4d} {bar}")
        return lines
