"""Handover in a street at 28 GHz: a user equipment (UE) passes cells on lamp posts; a handover takes time and may fail.

The world is 3GPP's:

* Path loss, line of sight (LOS) and shadowing are those of TR 38.901's UMi street canyon (`radio.tr38901_umi`,
  `radio.street_maps`).
* Neighbours are measured at the pace of TS 38.133 for frequency range 2 (FR2).
* A handover has preparation, interruption and beam refinement. Commands get lost, access fails, links fail and are
  re-established, with the thresholds of TR 36.839.

A map is fixed by its seed, so a policy may learn its street. An episode is one way through it. Every `decision_s`
(100 ms) a decision names the cell that is to serve. To name the serving cell is to stay; another starts a handover:

1. `preparation_s` on the old cell, then the command. Below an old SINR of `out_db` the command is lost. In v0 the link
   then fails at once. Since v1 the UE stays on the old cell, also where the report at the decision itself is lost.
2. `interruption_s` without data. Then access fails, and the link is lost, if the new SINR is below `in_db`.
3. `refinement_s` at `refinement_db` less, then the new cell as it is, up to the next decision (400 ms in all).

With `handover="conditional"` the network has prepared the two strongest measured neighbours beforehand. The UE compares
their present RSRP with the serving cell's, and goes when its own condition holds: the agent is the condition. There is
no step 1, and no command to lose. To name a cell that is not prepared is to stay.

The link is also lost while a cell serves with an SINR below `out_db` for `t310_s` without rising above `in_db` (timer
T310). A lost link takes `reestablishment_s` and the time to the next decision without data. Then the strongest cell
serves. All that is one step; the step tells how long it took.

Choices of our own, beside those marked at the keywords:

1. LOS and blockage begin and end abruptly. There is no small-scale fading, which wide channels average.
2. Interference is the mean of what random beams and half-used cells give. Real interference is bursty.
3. T310 restarts from zero after a handover. In v0 it also stops during the preparation. Since v1 it runs on until the
   command arrives, and through a command that is lost.
4. At the start all past measurements are equal to the first one.
5. A cell is prepared `preparation_s` after the measurement, if the serving cell can tell the UE then. Otherwise what
   was prepared before stays. The UE compares RSRP of one tick, with an error of `measurement_error_db`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import EpisodeRng, Metric, ObservationField, ObservationFields, Outcome, Scenario
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio import t310
from mmwave_gym.radio.units import db_to_linear, spectral_efficiency_bps_hz
from mmwave_gym.scenarios.street.channel_world import ChannelWorld
from mmwave_gym.scenarios.street.compiled_world import CompiledStreetWorld
from mmwave_gym.scenarios.street.config import TICK_S, StreetConfig
from mmwave_gym.scenarios.street.world import StreetEpisodes

PAST_MEASUREMENTS = 8
PAST_SINRS = 4
LEAST_DBM, MOST_DBM = -140.0, 0.0
LEAST_SINR_DB, MOST_SINR_DB = -15.0, 60.0
LONG_S = 10.0
"""Times since are told up to this."""
PING_PONG_S = 1.0  # 3GPP TR 36.839: minimum time of stay
WINDOW_TICKS = 50  # a second


@dataclass
class StreetState:
    tick: NDArray[np.int64]  # (N,)
    serving: NDArray[np.int64]  # (N,)
    previous: NDArray[np.int64]  # (N,): the cell before it, -1 for none
    handover_tick: NDArray[np.int64]  # (N,): when `serving` took over, long ago at first
    out_ticks: NDArray[np.int64]  # (N,): how long T310 has run
    past_sinr_db: FloatArray  # (N, PAST_SINRS): at this decision and those before, newest first
    window: FloatArray  # (N, second): what was received in it, bit/s/Hz times ticks


class Street(Scenario[StreetEpisodes, StreetState]):
    """The scenario of the module's text: one UE, one step a decision."""

    name = "street"
    agent_noun = "ue"
    action_meaning = (
        "the cell that is to serve; any other than the serving one starts a handover, in a conditional one if it is "
        "prepared"
    )
    reward_meaning = (
        "mean spectral efficiency of each decision interval, summed over those that the step took; a handover takes "
        "several, a failed one more"
    )
    reward_unit = "bit/s/Hz"
    num_agents = max_agent_ids = 1
    metrics = (
        Metric("rate_bps_hz", "bit/s/Hz", "second", "mean spectral efficiency received"),
        Metric("window_p5_bps_hz", "bit/s/Hz", "all", "5th percentile of the means of whole seconds"),
        Metric("failures_per_min", "1/min", "second", "link failures: failed accesses, T310, and in v0 lost commands"),
        Metric("handovers_per_s", "1/s", "second", "handovers started"),
        Metric("ping_pongs_per_s", "1/s", "second", "returns to the previous cell within a second"),
        Metric("no_data_fraction", "1", "second", "share of time without data"),
        Metric("handover_energy_w", "W", "second", "power spent on handovers"),
    )

    def __init__(self, config: StreetConfig):
        self.config = c = config
        self.geometry = c.geometry
        self.ticks, self.decision_ticks = c.ticks("duration_s"), c.ticks("decision_s")
        self.horizon = -(-self.ticks // self.decision_ticks)
        self.conditional = c.handover == "conditional"
        self._fails = c.lost_command == "fails" and not self.conditional
        self._preparation = 0 if self.conditional else c.ticks("preparation_s")
        self._interruption = c.ticks("interruption_s")
        self._refinement, self._t310 = c.ticks("refinement_s"), c.ticks("t310_s")
        self._reestablishment, self._measurement = c.ticks("reestablishment_s"), c.ticks("measurement_s")
        takes = self._preparation + self._interruption + self._refinement
        self.handover_ticks = -(-max(takes, 1) // self.decision_ticks) * self.decision_ticks
        self.lost_ticks = -(-max(self._preparation, 1) // self.decision_ticks) * self.decision_ticks
        after = self.handover_ticks + self._reestablishment + 2 * self.decision_ticks
        self.world = CompiledStreetWorld(c, after) if c.channel is None else ChannelWorld(c, after)
        self.num_cells = self.world.num_cells
        self.action_space = spaces.Discrete(self.num_cells)
        self._windows = -(-(self.ticks + after) // WINDOW_TICKS)
        self.fields = self._fields()

    def _fields(self) -> ObservationFields:
        k = self.num_cells
        sinr = "SINR of the serving cell at this decision and the three before, newest first"
        measured = ("newest measurement", *(f"{i} before it" for i in range(1, PAST_MEASUREMENTS)))
        now = "RSRP of this tick of the serving and the prepared cells; of the others the newest measurement"
        own = (
            ObservationField("prepared", k, 0.0, 1.0, "1", "1: the cell is prepared and may be named", per="choice"),
            ObservationField("now_dbm", k, LEAST_DBM, MOST_DBM, "dBm", now, per="choice"),
        )
        return ObservationFields(
            (
                *(
                    ObservationField(
                        f"rsrp_{i}_dbm", k, LEAST_DBM, MOST_DBM, "dBm", f"RSRP of each cell, {which}", per="choice"
                    )
                    for i, which in enumerate(measured)
                ),
                ObservationField("serving", k, 0.0, 1.0, "1", "one-hot: the serving cell", per="choice"),
                ObservationField("age_s", 1, 0.0, self.config.measurement_s, "s", "time since the newest measurement"),
                ObservationField("served_s", 1, 0.0, LONG_S, "s", "time since the serving cell took over, up to 10 s"),
                ObservationField("t310_s", 1, 0.0, self.config.t310_s, "s", "how long T310 has run"),
                ObservationField("sinr_db", PAST_SINRS, LEAST_SINR_DB, MOST_SINR_DB, "dB", sinr),
                *(own if self.conditional else ()),
            )
        )

    def draw(self, rngs: Sequence[EpisodeRng]) -> StreetEpisodes:
        episodes = self.world.empty(len(rngs))
        self.draw_into(rngs, episodes, episodes.row)
        return episodes

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: StreetEpisodes, rows: NDArray[np.intp]) -> None:
        self.world.draw_into(rngs, episodes, rows)

    def start(self, episodes: StreetEpisodes) -> StreetState:
        n = len(episodes.row)
        serving = episodes.rsrp_dbm[episodes.row, 0].argmax(axis=1)
        sinr_db = episodes.sinr_db[episodes.row, 0, serving].astype(np.float64)
        return StreetState(
            tick=np.zeros(n, np.int64),
            serving=serving,
            previous=np.full(n, -1),
            handover_tick=np.full(n, -(2**31)),
            out_ticks=np.zeros(n, np.int64),
            past_sinr_db=np.repeat(sinr_db[:, None], PAST_SINRS, axis=1),
            window=np.zeros((n, self._windows)),
        )

    def step(self, episodes: StreetEpisodes, state: StreetState, action: NDArray[Any]) -> Outcome:
        target = action[:, 0]
        n = len(target)
        told = target != state.serving
        moves = self._carried_out(episodes, state, target)
        received, silent = np.zeros(n), np.zeros(n)  # bit/s/Hz times ticks; ticks
        kept_ticks = np.where(told, self.lost_ticks, self.decision_ticks)
        end = state.tick + np.where(moves, self.handover_ticks, kept_ticks)
        failed_at = np.full(n, -1)  # the tick at which the link was lost
        back = moves & (target == state.previous)
        back &= (state.tick - state.handover_tick) * TICK_S <= PING_PONG_S
        for ticks in {self.decision_ticks, self.lost_ticks}:
            stays = np.flatnonzero(~moves & (kept_ticks == ticks))
            self._stay(episodes, state, stays, ticks, received, silent, failed_at)
        self._move(episodes, state, np.flatnonzero(moves), target, received, silent, failed_at)

        lost = (failed_at >= 0) & (failed_at < self.ticks)
        if lost.any():
            at = np.flatnonzero(lost)
            # A command that is lost at once, with no time to re-establish, still takes a decision.
            ready = np.maximum(failed_at[at] + self._reestablishment, state.tick[at] + 1)
            end[at] = -(-ready // self.decision_ticks) * self.decision_ticks
            silent[at] += self._within(failed_at[at], end[at] - failed_at[at])
            state.serving[at] = episodes.rsrp_dbm[episodes.row[at], end[at]].argmax(axis=1)
            state.previous[at], state.handover_tick[at], state.out_ticks[at] = -1, end[at], 0
        state.window[np.arange(n), state.tick // WINDOW_TICKS] += received
        took_s = np.float64(TICK_S) * self._within(state.tick, end - state.tick)
        state.tick = end
        now_db = episodes.sinr_db[episodes.row, end, state.serving]
        state.past_sinr_db = np.concatenate((now_db[:, None], state.past_sinr_db[:, :-1]), axis=1)

        truncated = state.tick >= self.ticks
        handovers = moves.astype(np.float64)
        columns = {
            "rate_bps_hz": received * TICK_S,
            "failures_per_min": 60.0 * lost,
            "handovers_per_s": handovers,
            "ping_pongs_per_s": back.astype(np.float64),
            "no_data_fraction": silent * TICK_S,
            "handover_energy_w": self.config.handover_energy_j * handovers,
        }
        return Outcome(
            reward=received[:, None] / self.decision_ticks,
            terminated=np.zeros((n, 1), bool),
            truncated=truncated,
            elapsed_s=took_s,
            metrics={**columns, "window_p5_bps_hz": self._low_windows(state, truncated)},
        )

    def _carried_out(self, episodes: StreetEpisodes, state: StreetState, target: NDArray[np.int64]) -> Any:
        """(N,): does the UE leave its cell? This is all that versions and kinds of handover differ in.

        target: (N,), the cells that were named. A conditional handover needs a prepared target. In v0 a UE always
        leaves, and `_move` fails its link where the command is lost. Since v1 it stays where the link cannot carry the
        report on which the decision rests or the command, or fails between both.
        """
        told = target != state.serving
        if self.conditional:
            return told & (self.prepared(episodes, state) == target[:, None]).any(axis=1)
        if self._fails:
            return told
        at = np.flatnonzero(told)
        row, begin, old, ran = episodes.row[at], state.tick[at], state.serving[at], state.out_ticks[at]
        arrives = episodes.sinr_db[row, begin, old] >= self.config.out_db
        arrives &= episodes.sinr_db[row, begin + self._preparation, old] >= self.config.out_db
        for tick in range(self._preparation):
            ran = t310.after_tick(ran, episodes.sinr_db[row, begin + tick, old], self.config.out_db, self.config.in_db)
            arrives &= ran < self._t310
        told[at] = arrives
        return told

    def prepared(self, episodes: StreetEpisodes, state: StreetState) -> NDArray[np.int16]:
        """(N, 2): the cells that are prepared, -1 for none, where handovers are conditional."""
        return episodes.prepared[episodes.row, self.world.newest_prepared(state.tick), state.serving]

    def _stay(
        self,
        episodes: StreetEpisodes,
        state: StreetState,
        at: NDArray[np.intp],
        count: int,
        received: FloatArray,
        silent: FloatArray,
        failed_at: NDArray[np.int64],
    ) -> None:
        """So many ticks on the serving cell, T310 watched tick by tick."""
        if not len(at):
            return
        ticks = state.tick[at, None] + np.arange(count)
        sinr_db = episodes.sinr_db[episodes.row[at, None], ticks, state.serving[at, None]]
        rate = self.rate_bps_hz(sinr_db) * (ticks < self.ticks)
        out, alive = state.out_ticks[at], np.ones(len(at), bool)
        for i in range(count):
            out = t310.after_tick(out, sinr_db[:, i], self.config.out_db, self.config.in_db)
            received[at] += np.where(alive, rate[:, i], 0.0)
            silent[at] += alive & (rate[:, i] == 0.0) & (ticks[:, i] < self.ticks)
            fails = alive & (out >= self._t310)
            failed_at[at] = np.where(fails, ticks[:, i] + 1, failed_at[at])
            alive &= ~fails
        state.out_ticks[at] = out

    def _move(
        self,
        episodes: StreetEpisodes,
        state: StreetState,
        at: NDArray[np.intp],
        target: NDArray[np.int64],
        received: FloatArray,
        silent: FloatArray,
        failed_at: NDArray[np.int64],
    ) -> None:
        """A handover: preparation, command, interruption, access, refinement."""
        if not len(at):
            return
        row, begin, old, new = episodes.row[at], state.tick[at], state.serving[at], target[at]
        commanded = begin + self._preparation
        accessed = commanded + self._interruption

        def over(first: NDArray[np.int64], count: int, cell: NDArray[np.int64], less_db: float) -> FloatArray:
            ticks = first[:, None] + np.arange(count)
            rate = self.rate_bps_hz(episodes.sinr_db[row[:, None], ticks, cell[:, None]] - less_db)
            return np.where(ticks < self.ticks, rate, -1.0)  # what comes after the end is told apart from nothing

        before = over(begin, self._preparation, old, 0.0)
        wide = over(accessed, self._refinement, new, self.config.refinement_db)
        rest = self.handover_ticks - self._preparation - self._interruption - self._refinement
        fine = over(accessed + self._refinement, rest, new, 0.0)
        command_lost = self._fails & (episodes.sinr_db[row, commanded, old] < self.config.out_db)
        access_fails = ~command_lost & (episodes.sinr_db[row, accessed, new] < self.config.in_db)
        good = ~command_lost & ~access_fails
        after = np.concatenate((wide, fine), axis=1)
        received[at] = np.maximum(before, 0.0).sum(axis=1) + np.where(good, np.maximum(after, 0.0).sum(axis=1), 0.0)
        interrupted = self._within(commanded, np.full(len(at), self._interruption))
        silent[at] = (before == 0.0).sum(axis=1) + np.where(command_lost, 0, interrupted)
        silent[at] += np.where(good, (after == 0.0).sum(axis=1), 0)
        failed_at[at] = np.where(command_lost, commanded, np.where(access_fails, accessed, -1))
        state.out_ticks[at] = 0
        state.previous[at] = old
        state.serving[at] = new
        state.handover_tick[at] = accessed

    def _within(self, first: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of so many ticks come before the end of the episode."""
        return np.minimum(first + count, self.ticks) - np.minimum(first, self.ticks)

    def rate_bps_hz(self, sinr_db: FloatArray) -> FloatArray:
        """bit/s/Hz, in the shape of the SINRs (...): Shannon's rate up to that of the best code, 0 below `out_db`."""
        rate = np.minimum(spectral_efficiency_bps_hz(db_to_linear(sinr_db)), self.config.most_bps_hz)
        return np.where(sinr_db >= self.config.out_db, rate, 0.0)

    def _low_windows(self, state: StreetState, truncated: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(N,): 5th percentile of whole seconds, told at the end; what a step received counts where it began."""
        low: NDArray[np.float64] = np.zeros(len(truncated))
        if truncated.any():
            whole = max(self.ticks // WINDOW_TICKS, 1)
            low[truncated] = np.percentile(state.window[truncated, :whole] / WINDOW_TICKS, 5.0, axis=1)
        return low

    # ------------------------------------------------------------------ what agents see

    def observe(self, episodes: StreetEpisodes, state: StreetState) -> NDArray[np.float32]:
        n = len(state.tick)
        seen = np.zeros((n, 1, self.fields.size), np.float32)
        parts = self.fields.split(seen[:, 0])
        newest = state.tick // self._measurement
        for i in range(PAST_MEASUREMENTS):
            level_dbm = episodes.measured_dbm[episodes.row, np.maximum(newest - i, 0)]
            parts[f"rsrp_{i}_dbm"][:] = np.clip(level_dbm, LEAST_DBM, MOST_DBM)
        parts["serving"][np.arange(n), state.serving] = 1.0
        parts["age_s"][:, 0] = (state.tick - newest * self._measurement) * TICK_S
        parts["served_s"][:, 0] = np.minimum((state.tick - state.handover_tick) * TICK_S, LONG_S)
        # Where a decision reaches beyond the end of the episode, a link that is lost there still counts on.
        parts["t310_s"][:, 0] = np.minimum(state.out_ticks * TICK_S, self.config.t310_s)
        parts["sinr_db"][:] = np.clip(state.past_sinr_db, LEAST_SINR_DB, MOST_SINR_DB)
        if self.conditional:
            ready = self.prepared(episodes, state)
            parts["prepared"][:] = (ready[:, :, None] == np.arange(self.num_cells)).any(axis=1)
            compared = (parts["prepared"] > 0.0) | (parts["serving"] > 0.0)
            now_dbm = np.clip(episodes.now_dbm[episodes.row, state.tick // self.decision_ticks], LEAST_DBM, MOST_DBM)
            parts["now_dbm"][:] = np.where(compared, now_dbm, parts["rsrp_0_dbm"])
        return seen

    def reveal(self, episodes: StreetEpisodes, state: StreetState, access: str) -> dict[str, Any]:
        """Arrays by name.

        From "central": `tick` (N,), `rsrp_dbm` and `sinr_db` (N, cell) now. From "trajectory": `place_m` (N, tick, 2)
        and `map_seed` (N,). "hindsight" adds `rsrp_ahead_dbm` and `sinr_ahead_db` (N, tick, cell), and
        where handovers are conditional `prepared_ahead` (N, decision, serving cell, 2), see `prepared`. Arrays with a
        tick or decision axis hold the whole drive.
        """
        if access == "local":
            return {}
        known: dict[str, Any] = {
            "tick": state.tick,
            "rsrp_dbm": lambda: episodes.rsrp_dbm[episodes.row, state.tick],
            "sinr_db": lambda: episodes.sinr_db[episodes.row, state.tick],
        }
        if access != "central":
            known |= {"place_m": lambda: episodes.place_m[episodes.row], "map_seed": episodes.map_seed[episodes.row]}
        if access == "hindsight":
            known["sinr_ahead_db"] = lambda: episodes.sinr_db[episodes.row]
            known["rsrp_ahead_dbm"] = lambda: episodes.rsrp_dbm[episodes.row]
            if self.conditional:
                at = self.world.newest_prepared(np.arange(0, self.ticks, self.decision_ticks))
                known["prepared_ahead"] = lambda: episodes.prepared[episodes.row[:, None], at]
        return known

    def memory(self) -> Memory:
        steps = self.handover_ticks + self.decision_ticks
        return self.world.memory(8 * self._windows + 12 * self.fields.size + 40 * steps + 400)

    def constants(self) -> Mapping[str, Any]:
        """The keywords with presets filled in, places of sites, and times in ticks."""
        return {
            **self.config.as_constants(),
            **self.world.constants(),
            "num_cells": self.num_cells,
            "tick_s": TICK_S,
            "decision_ticks": self.decision_ticks,
            "handover_ticks": self.handover_ticks,
            "preparation_ticks": self._preparation,
            "interruption_ticks": self._interruption,
            "refinement_ticks": self._refinement,
            "reestablishment_ticks": self._reestablishment,
            "t310_ticks": self._t310,
            "measurement_ticks": self._measurement,
            "ticks": self.ticks,
        }
