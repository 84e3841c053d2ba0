"""What has happened to environment 0 of a batch since its episode began: the moments behind pictures and texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.core.types import Float64Array
from mmwave_gym.rendering.scales import Scale
from mmwave_gym.rendering.totals import Totals

SMOOTHING_S = 0.5  # ours: bold curves follow like 3GPP's layer-3 filter, slow enough to hide Rayleigh fading


@dataclass
class Moment:
    """One instant. Arrays are by agent slot (A,) or by cell (K,)."""

    time_s: float
    position_m: Float64Array  # (A, 2): of agents that have gone, where they went
    serving: NDArray[np.int64]  # (A,)
    present: NDArray[np.bool_]  # (A,)
    handover: NDArray[np.bool_]  # (A,): in the step that led here
    ping_pong: NDArray[np.bool_]  # (A,)
    outage: NDArray[np.bool_]  # (A,)
    rate: Float64Array  # (A,): bit/s/Hz in the step that led here
    watched: int  # the first agent present, -1 where none is
    signal_db: Float64Array  # (K,): of the watched agent, NaN where not heard
    mean_db: Float64Array  # (K,): smoothed


class Track:
    """The moments of the running episode, and its totals. `episode` counts the episodes seen."""

    def __init__(self, batch: Batch):
        self.batch = batch
        self.episode = 0
        self.moments: list[Moment] = []
        self.totals = Totals(batch.scenario.metrics, batch.scenario.num_agents)
        field = next(f for f in batch.scenario.fields if f.name == "rsrq_db")
        self.scale = Scale(field.size, field.low, field.high)
        self._mapped = 0  # the episode that the map is of

    @property
    def now(self) -> Moment:
        return self.moments[-1]

    @property
    def watched(self) -> int:
        """The agent whose signals are shown: the first present one, or the one that was seen last."""
        return next((m.watched for m in reversed(self.moments) if m.watched >= 0), 0)

    @property
    def map(self) -> Map:
        """Of the running episode."""
        if self._mapped != self.episode:
            self._map, self._mapped = episode_map(self.batch), self.episode
        return self._map

    def restart(self) -> None:
        """An episode began."""
        self.episode += 1
        self.moments = []
        self.totals = Totals(self.batch.scenario.metrics, self.batch.scenario.num_agents)
        self._note(None, None)

    def add(self, outcome: Outcome) -> None:
        """A step was made."""
        previous = self.now
        self.totals.add(outcome, previous.present)
        self._note(outcome, previous)

    def _note(self, outcome: Outcome | None, previous: Moment | None) -> None:
        batch = self.batch

        def happened(name: str) -> NDArray[np.bool_]:
            return self._last(outcome, name) > 0.0

        present = batch.agent_ids()[0] >= 0
        watched = int(present.argmax()) if present.any() else -1
        signal_db, mean_db = self._signals(watched, previous)
        self.moments.append(
            Moment(
                time_s=self.totals.time_s,
                position_m=self._positions(previous),
                serving=np.array(batch.state.serving[0]),
                present=present,
                handover=happened("handovers_per_s"),
                ping_pong=happened("ping_pongs_per_s"),
                outage=happened("outage_fraction"),
                rate=self._last(outcome, "throughput_bps_hz"),
                watched=watched,
                signal_db=signal_db,
                mean_db=mean_db,
            )
        )

    def strongest(self, moment: Moment) -> int:
        """The cell whose smoothed signal is best, -1 where none is heard."""
        heard = ~np.isnan(moment.mean_db)
        return int(np.nanargmax(moment.mean_db)) if heard.any() else -1

    def shown_cells(self, moment: Moment, most: int) -> list[int]:
        """At most that many cells in order of number: the serving one and the strongest that are heard."""
        level = np.where(np.isnan(moment.mean_db), -np.inf, moment.mean_db)
        order = [int(k) for k in np.argsort(-level, kind="stable") if level[k] > -np.inf or len(level) <= most]
        serving = int(moment.serving[self.watched])
        return sorted([serving, *[k for k in order if k != serving][: most - 1]])

    def _last(self, outcome: Outcome | None, name: str) -> Float64Array:
        if outcome is None or name not in outcome.metrics:
            return np.zeros(self.batch.scenario.num_agents)
        return np.array(outcome.metrics[name][0], np.float64)

    def _positions(self, previous: Moment | None) -> Float64Array:
        batch = self.batch
        path = batch.episodes.position_m[batch.episodes.row[0]]  # (slot, A, 2)
        slot = min(int(np.ravel(batch.state.slot)[0]), len(path) - 1)
        here = np.array(path[slot], np.float64)
        if previous is None:
            return here
        return np.where(previous.present[:, None], here, previous.position_m)

    def _signals(self, watched: int, previous: Moment | None) -> tuple[Float64Array, Float64Array]:
        batch = self.batch
        if watched < 0:
            unheard = np.full(self.scale.size, np.nan)
            return (previous.signal_db, previous.mean_db) if previous else (unheard, unheard)
        fields = batch.scenario.fields.split(batch.observe()[0, watched])
        signal_db = np.array(fields["rsrq_db"], np.float64)
        # A world with cells out of earshot says which are heard; the paper's clips at the bound, which is drawn.
        if "heard" in fields:
            signal_db[np.asarray(fields["heard"]) <= 0.0] = np.nan
        if previous is None or previous.watched != watched:
            return signal_db, signal_db.copy()
        step_s = max(self.totals.time_s - previous.time_s, 1e-9)
        share = 1.0 - np.exp(-step_s / SMOOTHING_S)
        mean_db = previous.mean_db + share * (signal_db - previous.mean_db)
        return signal_db, np.where(np.isnan(mean_db), signal_db, mean_db)


@dataclass
class Map:
    """Which part of the plane is shown, and what stands in it."""

    low_m: Float64Array  # (2,)
    high_m: Float64Array  # (2,)
    area_m: tuple[float, float, float, float] | None  # left, bottom, right, top of the border, where there is one
    site_m: Float64Array  # (K, 2), NaN where unknown


def episode_map(batch: Batch) -> Map:
    """The map of environment 0's episode: the area and its sites, and every place that the agents will come to."""
    row, config = batch.episodes.row[0], getattr(batch.scenario, "config", None)
    path = np.array(batch.episodes.position_m[row], np.float64)
    departure: Any = getattr(batch.episodes, "departure", None)
    if departure is not None:  # paths run on after their UE has gone
        slots = np.arange(len(path))[:, None]
        path[slots > departure[row]] = np.nan
    num_cells = batch.scenario.fields.split(np.zeros(batch.scenario.fields.size))["rsrq_db"].size
    site_m = np.full((num_cells, 2), np.nan)
    known = getattr(batch.episodes, "site_m", None)
    if known is not None:
        site_m = np.array(known[row], np.float64)
    places = np.concatenate([path.reshape(-1, 2), site_m])
    side_m = getattr(config, "area_side_m", None)
    # Sites that are drawn in the area make it real; with a channel from a file the area means nothing.
    area_m = None
    if side_m is not None and getattr(config, "channel", None) is None and np.isfinite(site_m).all():
        area_m = (0.0, 0.0, float(side_m), float(side_m))
        places = np.concatenate([places, [area_m[:2], area_m[2:]]])
    places = places[np.isfinite(places).all(axis=1)]
    if not len(places):
        places = np.zeros((1, 2))
    low_m, high_m = places.min(axis=0), places.max(axis=0)
    # A square, so that a narrow map is not stretched; at least a metre wide, with a margin.
    centre_m, half_m = (low_m + high_m) / 2, 0.53 * max(1.0, float((high_m - low_m).max()))
    return Map(centre_m - half_m, centre_m + half_m, area_m, site_m)
