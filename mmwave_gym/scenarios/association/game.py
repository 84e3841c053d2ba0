"""Association on known trajectories: user equipments (UEs) choose base stations whenever those in reach change.

The paper is W. Ning, Z. Xu, J. Wu, T. Tong, "Sequence Q-Learning Algorithm for Optimal Mobility-Aware User
Association", ICC 2022 (arXiv 2201.05983), sections II and IV. The text at hand has lost its formulas and numbers. The
differences below say what is rebuilt, and why.

1. A base station is a candidate of a UE while it is in range and in line of sight.
2. Whenever the candidates of a UE change there is an epoch. This UE, and no other, chooses among its candidates.
3. A base station shares its bandwidth equally. It brings its bandwidth times the mean spectral efficiency of its UEs,
   and the network brings the sum over base stations (eqs. 1 to 3).

**A step is one epoch.** The action is the rank of a candidate, strongest first. Ranks without a candidate are masked.
If one is chosen all the same, the strongest counts. A UE that has lost its last candidate has one action, 0, and nobody
serves it. A step ends just before the next epoch of any UE, `info["elapsed_s"]` later.

Observations and rewards use each link's mean efficiency from the UE's epoch to its next. The metrics integrate
efficiency exactly, but for ticks of 0.1 s: the network's rate is right to 3e-5 with 150 UEs, to 4e-4 with three.

Differences from the paper, and choices where its text is lost or silent:

1. Rates are the network's sum, in Mbit/s. Table I has 10 Mbit/s as its unit, and only sums fit that.
2. Roads of 200 m and 50 km/h: the paper's time between handovers of SNR-based handover is 14.4 s, a road's length.
3. `geometry="paper"`: the range is 150 m. So the candidates are the two ends of a road, or one of them, and buildings
   cannot matter. The SNR at a metre (42.1 dB) makes SNR-based handover earn the 800 Mbit/s of Table I. The exponent 3
   is ours. Both are far below real links.
4. `geometry="blocked"`: the range is 204 m and buildings fill most of their blocks. Here line of sight matters.
5. Buildings are axis-parallel rectangles, one a block, sides and place uniform. Sight along a street is free.
6. At crossings a UE takes any road but the one it came from, with equal chances. All drive at the same speed.
7. Distances are at least 1 m.
8. UEs begin with their strongest candidate. Fairness counts from `settle_s` on, because nobody decided the first
   association.
9. At most `max_candidates` candidates are offered, the strongest at the epoch.

With `city=…` the world is a window of a real city (docs/city_files.md) instead: trams and buses by their timetable,
base stations in their streets, line of sight by the footprints of the buildings. UEs come and go there. Where no base
station is in sight a UE has no candidate, and nobody serves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.scenario import (
    EpisodeRng,
    Episodes,
    Metric,
    ObservationField,
    ObservationFields,
    Outcome,
    Scenario,
)
from mmwave_gym.core.types import FloatArray
from mmwave_gym.scenarios.association import fairness
from mmwave_gym.scenarios.association.config import LONGEST_S, MOST_UES, AssociationConfig
from mmwave_gym.scenarios.association.memory import memory_of
from mmwave_gym.scenarios.association.rewards import REWARDS, Decision
from mmwave_gym.scenarios.association.routes import Routes, epochs, place_m
from mmwave_gym.scenarios.association.sharing import LOAD, PLANNED, TOTAL, Sharing
from mmwave_gym.scenarios.association.world import open_world

TICK_S = 0.1
"""Metrics take a link's efficiency twice in ticks of about this (1.4 m at 50 km/h), by Gauss's rule."""
GAUSS = 0.5 + np.array((-0.5, 0.5)) / np.sqrt(3.0)
MBIT = 1e-6
FORESEEN = "time_s", "ue", "interval_s", "candidate", "foreseen", "first_s", "knots_m", "buildings_m", "present_s"
"""Arrays of `AssociationEpisodes` that are known at access level "trajectory"."""


@dataclass
class AssociationEpisodes(Episodes):
    """Drawn episodes; axis 0 is storage. Epochs are in order of time, padded after the last: time `duration_s`, UE -1.

    C candidates, strongest first, -1: none.
    """

    time_s: NDArray[np.float64]  # (storage, epoch)
    ue: NDArray[np.int32]  # (storage, epoch)
    interval_s: NDArray[np.float32]  # (storage, epoch): until the same UE's next epoch
    candidate: NDArray[np.int16]  # (storage, epoch, C)
    foreseen: NDArray[np.float32]  # (storage, epoch, C, 4): efficiency now, over the interval, over the stay; stay_s
    first_s: NDArray[np.float64]  # (storage, ue): when the first knot of the route was passed
    knots_m: NDArray[np.float32]  # (storage, ue, knot, 2): places at equal time steps
    first_serving: NDArray[np.int16]  # (storage, ue): at time 0, -1: none
    first_efficiency: NDArray[np.float64]  # (storage, ue): its mean until the UE's first epoch
    buildings_m: NDArray[np.float32]  # (storage, building, 4): left, bottom, right, top; none in a city
    present_s: NDArray[np.float64]  # (storage, ue, 2): from when to when the UE is there


@dataclass
class AssociationState(Sharing):
    """Cell `num_bs` is nobody's: who has no candidate is there."""

    epoch: NDArray[np.int64]  # (N,)
    time_s: NDArray[np.float64]  # (N,) of the epoch
    counted_s: NDArray[np.float64]  # (N,): up to when at least `mbit` is counted
    mbit: NDArray[np.float64]  # (N, ue): received since `settled_s`
    settled_s: NDArray[np.float64]  # (N,): since when `mbit` is counted
    present: NDArray[np.float64]  # (N,): UEs that are there, mean over the episode


class Association(Scenario[AssociationEpisodes, AssociationState]):
    """The scenario of the module's text: a step is one UE's decision."""

    name = "association"
    agent_noun = "ue"
    turn_based = True
    memory = memory_of
    masked = True
    num_agents = 1
    action_meaning = "rank of the candidate that serves the UE from now on, strongest first"
    reward_unit = "Mbit"
    metrics = (
        Metric("network_rate_mbps", "Mbit/s", "second", "sum rate of the network"),
        Metric("handovers_per_ue_s", "1/s", "second", "changes of base station per UE"),
        *fairness.METRICS,
        Metric("credit_mbit", "Mbit", "step", "data that the UE's previous choice added to the network"),
    )

    def __init__(self, config: AssociationConfig):
        self.config = config
        self.world = open_world(config)
        self.bs_m = self.world.bs_m
        self.num_bs = len(self.bs_m)
        self.num_ues = self.max_agent_ids = self.world.num_ues
        self.budget = self.world.budget
        self.max_candidates = self.world.most_candidates
        if config.max_candidates is not None:
            self.max_candidates = min(config.max_candidates, self.max_candidates)
        self.horizon = self.world.most_epochs
        self.reward = REWARDS[config.reward]
        self.reward_meaning = self.reward.meaning
        self.action_space = spaces.Discrete(self.max_candidates)
        self._cells = self.num_bs + 1
        self._cell_m = np.vstack((self.bs_m, (np.inf, np.inf)))  # nobody's is infinitely far
        best = float(self.budget.efficiency_bps_hz(np.zeros(1))[0])
        each = partial(ObservationField, size=self.max_candidates, low=0.0, per="choice", logarithmic=True)
        rate = partial(each, high=best, unit="bit/s/Hz")
        serves = "1 for the candidate that serves the UE"
        # Bounds do not depend on how many UEs there are or for how long, so that a policy runs at any density.
        self.fields = ObservationFields(
            (
                rate("efficiency", description="of each candidate's link now"),
                rate("mean_efficiency", description="its mean until the next epoch of the UE"),
                rate("stay_efficiency", description="its mean while it stays a candidate"),
                each("stay_s", high=LONGEST_S, unit="s", description="time for which each stays a candidate"),
                each("load", high=MOST_UES, unit="1", description="other UEs that each candidate serves"),
                rate("cell_efficiency", description="mean efficiency of these UEs"),
                each("serving", high=1.0, unit="1", description=serves, logarithmic=False),
                ObservationField("interval_s", 1, 0.0, LONGEST_S, "s", "time until the UE's next epoch", True),
            )
        )

    # ------------------------------------------------------------------ the world

    def draw(self, rngs: Sequence[EpisodeRng]) -> AssociationEpisodes:
        n, h, c, u = len(rngs), self.horizon + 1, self.max_candidates, self.num_ues
        drawn = AssociationEpisodes(
            row=np.arange(n),
            time_s=np.full((n, h), self.config.duration_s),
            ue=np.full((n, h), -1, np.int32),
            interval_s=np.zeros((n, h), np.float32),
            candidate=np.full((n, h, c), -1, np.int16),
            foreseen=np.zeros((n, h, c, 4), np.float32),
            first_s=np.zeros((n, u)),
            knots_m=np.zeros((n, u, self.world.num_knots, 2), np.float32),
            first_serving=np.full((n, u), -1, np.int16),
            first_efficiency=np.zeros((n, u)),
            buildings_m=np.zeros((n, self.world.num_buildings, 4), np.float32),
            present_s=np.tile((0.0, self.config.duration_s), (n, u, 1)),
        )
        for i, rng in enumerate(rngs):
            routes, visits, buildings = self.world.draw(rng)
            found = epochs(routes, visits, self.bs_m, self.budget, self.config.duration_s, c)
            k = min(len(found.time_s), self.horizon)
            drawn.time_s[i, :k], drawn.ue[i, :k] = found.time_s[:k], found.ue[:k]
            drawn.interval_s[i, :k], drawn.candidate[i, :k] = found.interval_s[:k], found.candidate[:k]
            parts = found.efficiency, found.mean_efficiency, found.stay_efficiency, found.stay_s
            for f, part in enumerate(parts):
                drawn.foreseen[i, :k, :, f] = part[:k]
            drawn.first_s[i], drawn.knots_m[i] = routes.first_s, routes.knots_m
            drawn.first_serving[i], drawn.first_efficiency[i] = found.first_serving, found.first_efficiency
            drawn.buildings_m[i] = buildings
            if routes.present_s is not None:
                drawn.present_s[i] = np.minimum(routes.present_s, self.config.duration_s)
        return drawn

    # ------------------------------------------------------------------ the game

    def start(self, episodes: AssociationEpisodes) -> AssociationState:
        row = episodes.row
        serving = episodes.first_serving[row].astype(np.int64)
        serving[serving < 0] = self.num_bs
        time_s = episodes.time_s[row, 0]
        return AssociationState(
            **vars(Sharing.begin(serving, episodes.first_efficiency[row], time_s, self._cells)),
            epoch=np.zeros(len(row), np.int64),
            time_s=time_s,
            counted_s=time_s.copy(),
            mbit=np.zeros(serving.shape),
            settled_s=time_s.copy(),
            present=np.ptp(episodes.present_s[row], axis=2).sum(axis=1) / self.config.duration_s,
        )

    def step(self, episodes: AssociationEpisodes, state: AssociationState, action: NDArray[Any]) -> Outcome:
        n, at, now_s = len(state.epoch), self._at(episodes, state), state.time_s.copy()
        ue, offered = episodes.ue.take(at), at * self.max_candidates
        rank = action[:, 0]
        cell = episodes.candidate.take(offered + rank)
        if (cell < 0).any():
            rank = np.where(cell < 0, 0, rank)
            cell = episodes.candidate.take(offered + rank) % np.int16(self._cells)  # none, -1, is nobody's, the last
        planned = episodes.foreseen.take(4 * (offered + rank) + 1).astype(np.float64)
        move = state.move(ue, cell, planned, now_s)
        mbit_hz = self.world.bandwidth_hz * MBIT
        envs = np.arange(n)
        middle_s = 0.5 * (move.since_s + now_s)
        left = mbit_hz * move.share_s * self._efficiency(episodes, envs, ue, move.before, middle_s)
        state.mbit[envs, ue] += left

        state.epoch += 1
        state.time_s = episodes.time_s.take(at + 1)
        elapsed_s = state.time_s - now_s
        over = (episodes.ue.take(at + 1) < 0) | (state.epoch >= self.horizon)
        decision = Decision(mbit_hz, planned, episodes.interval_s.take(at), elapsed_s, move, sharing=state)
        return Outcome(
            reward=self.reward.mbit(decision)[:, None],
            terminated=np.zeros((n, 1), bool),
            truncated=over,
            elapsed_s=elapsed_s,
            metrics={
                "network_rate_mbps": left + self._count(episodes, state, now_s, over),
                "handovers_per_ue_s": ((move.before != cell) & (np.maximum(move.before, cell) < self.num_bs))
                / state.present,
                **self._fairness(episodes, state, over),
                "credit_mbit": mbit_hz * move.credit,
            },
        )

    def _at(self, episodes: AssociationEpisodes, state: AssociationState) -> NDArray[np.intp]:
        """Where the present epoch of each environment stands in flat arrays of epochs."""
        return episodes.row * (self.horizon + 1) + state.epoch

    def _count(
        self,
        episodes: AssociationEpisodes,
        state: AssociationState,
        now_s: NDArray[np.float64],
        over: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Count what UEs received, up to the next epoch or less than a tick before it: the network's Mbit, (N,)."""
        counted = np.zeros(len(now_s))
        settles = (state.settled_s < self.config.settle_s) & (state.time_s >= self.config.settle_s)
        due = (state.time_s - state.counted_s > TICK_S) | settles | over
        if not due.any():
            return counted
        # Nothing is decided within a long gap: up to its beginning first, then several ticks at once.
        before = np.flatnonzero((state.time_s - now_s > TICK_S) & (state.counted_s < now_s))
        for envs, until_s in ((before, now_s), (np.flatnonzero(due), state.time_s)):
            if len(envs):
                counted[envs] += self._pay(episodes, state, envs, until_s[envs])
        state.mbit[settles] = 0.0
        state.settled_s[settles] = state.time_s[settles]
        return counted

    def _pay(
        self,
        episodes: AssociationEpisodes,
        state: AssociationState,
        envs: NDArray[np.intp],
        until_s: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Count what UEs of the environments `envs` received up to `until_s`: their networks' Mbit.

        What is longer than a tick has no decisions within, so that shares and efficiencies may be averaged apart.
        """
        share_s, since_s = state.pay(envs, until_s)
        ticks = np.maximum(np.ceil((until_s - state.counted_s[envs]) / TICK_S), 1.0)[:, None, None]
        node = np.arange(2 * int(ticks.max()))[:, None]
        at = (node // 2 + GAUSS[node % 2]) / ticks
        link = episodes, envs[:, None, None], np.arange(self.num_ues), state.serving[envs][:, None]
        efficiency = self._efficiency(*link, since_s[:, None] + (until_s[:, None] - since_s)[:, None] * at)
        # One after the other, so that an environment's sum does not depend on the others' ticks.
        mean = (efficiency * ((node < 2 * ticks) / (2 * ticks))).cumsum(axis=1)[:, -1]
        mbit = share_s * mean * (self.world.bandwidth_hz * MBIT)
        state.mbit[envs] += mbit
        state.counted_s[envs] = until_s
        return mbit.sum(axis=1)

    def _efficiency(
        self,
        episodes: AssociationEpisodes,
        envs: NDArray[np.intp],
        ue: NDArray[Any],
        cell: NDArray[np.int64],
        time_s: NDArray[np.float64],
    ) -> FloatArray:
        """Efficiency of the links (ue, cell) at times, all of one shape; 0 for nobody's cell."""
        route = episodes.row[envs] * self.num_ues + ue
        knots_m = episodes.knots_m.reshape(-1, *episodes.knots_m.shape[2:])
        apart = place_m(episodes.first_s.take(route), self.world.knot_s, knots_m, route, time_s)
        apart -= self._cell_m.take(cell, axis=0)
        x, y = apart[..., 0], apart[..., 1]
        return self.budget.efficiency_bps_hz(x * x + y * y)

    def _fairness(
        self, episodes: AssociationEpisodes, state: AssociationState, over: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.float64]]:
        """`fairness.METRICS` by name, (N,), where the episode is over, else 0."""
        found = np.zeros((len(fairness.METRICS), len(over)))
        for i in np.flatnonzero(over) if over.any() else ():
            begin_s, end_s = state.settled_s[i], state.time_s[i]
            there_s = np.ptp(np.clip(episodes.present_s[episodes.row[i]], begin_s, end_s), axis=1)
            found[:, i] = fairness.fairness(state.mbit[i], there_s, end_s - begin_s)
        return {metric.name: values for metric, values in zip(fairness.METRICS, found, strict=True)}

    # ------------------------------------------------------------------ what agents see

    def observe(self, episodes: AssociationEpisodes, state: AssociationState) -> NDArray[np.float32]:
        n, c, at = len(state.epoch), self.max_candidates, self._at(episodes, state)
        candidate = episodes.candidate.reshape(-1, c).take(at, axis=0)
        envs = np.arange(n)
        mine = envs * self.num_ues + episodes.ue.take(at)
        serves = candidate == state.serving.take(mine)[:, None]
        # Where there is no candidate, -1, this reads nobody's cell.
        cells = state.cells.reshape(-1, state.cells.shape[-1])
        shared = cells.take((envs * self._cells)[:, None] + candidate % np.int16(self._cells), axis=0)
        load = np.where(candidate >= 0, shared[..., LOAD], 0.0) - serves
        total = shared[..., TOTAL] - serves * state.ues.reshape(-1, state.ues.shape[-1])[mine, PLANNED][:, None]
        observation = np.empty((n, 1, 7 * c + 1), np.float32)
        by_field = observation[:, 0, : 7 * c].reshape(n, 7, c)
        by_field[:, :4] = episodes.foreseen.reshape(-1, c, 4).take(at, axis=0).transpose(0, 2, 1)
        by_field[:, 4] = load
        # A rest of rounding errors must not look like an efficiency below zero.
        by_field[:, 5] = np.maximum(total, 0.0) / np.maximum(load, 1.0)
        by_field[:, 6] = serves
        observation[:, 0, -1] = episodes.interval_s.take(at)
        return observation

    def action_mask(self, episodes: AssociationEpisodes, state: AssociationState) -> NDArray[np.bool_]:
        allowed = episodes.candidate.reshape(-1, self.max_candidates).take(self._at(episodes, state), axis=0) >= 0
        allowed[:, 0] = True
        return allowed[:, None]

    def agent_ids(self, episodes: AssociationEpisodes, state: AssociationState) -> NDArray[np.int64]:
        return episodes.ue.take(self._at(episodes, state)).astype(np.int64)[:, None]

    def reveal(self, episodes: AssociationEpisodes, state: AssociationState, access: str) -> dict[str, Any]:
        """Arrays by name, with C candidates.

        From "central": `epoch` and `now_s` (N,); `deciding` (N,), the UE that decides, -1 after the last epoch;
        `offered` (N, C), its candidates, -1 for none; `serving` (N, ue); `planned` and `efficiency_now` (N, ue) in
        bit/s/Hz. From "trajectory": the arrays `FORESEEN` of `AssociationEpisodes`, (N, …).
        """
        if access == "local":
            return {}
        row = episodes.row
        at = row, state.epoch
        known: dict[str, Any] = {
            "epoch": state.epoch,
            "now_s": state.time_s,
            "deciding": lambda: episodes.ue[at],
            "offered": lambda: episodes.candidate[at],
            "serving": state.serving,
            "planned": state.planned,
            "efficiency_now": lambda: self.efficiency_now(episodes, state),
        }
        if access in ("trajectory", "hindsight"):
            for name in FORESEEN:
                known[name] = lambda name=name: getattr(episodes, name)[row]
        return known

    def efficiency_now(self, episodes: AssociationEpisodes, state: AssociationState) -> FloatArray:
        """Efficiency of every UE's link to its base station at the epoch, (N, ue)."""
        envs, now_s = np.arange(len(state.epoch))[:, None], state.time_s[:, None]
        return self._efficiency(episodes, envs, np.arange(self.num_ues), state.serving, now_s)

    def positions_m(self, episodes: AssociationEpisodes, state: AssociationState) -> FloatArray:
        """Where all UEs are at the epoch, (N, ue, 2) in metres."""
        ue = np.arange(self.num_ues)
        routes = (Routes(episodes.first_s[row], self.world.knot_s, episodes.knots_m[row]) for row in episodes.row)
        return np.stack([r.at(ue, np.full(len(ue), now)) for r, now in zip(routes, state.time_s, strict=True)])

    def constants(self) -> Mapping[str, Any]:
        """The configuration with presets resolved, and the map: places of base stations and which share a road."""
        return {
            **self.config.own_keywords(),
            **self.world.constants(),
            "num_ues": self.num_ues,
            "height_m": self.budget.height_m,
            "bs_m": tuple(map(tuple, self.bs_m.tolist())),
            "roads": tuple(map(tuple, self.world.roads.tolist())),
            "knot_s": self.world.knot_s,
        }
