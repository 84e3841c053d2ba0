"""Handover where many share: cars and pedestrians at a crossing, 28 GHz cells, conditional handover, a live radio map.

UEs in cars and of pedestrians come and go (`traffic`), want data now and then, and share the bandwidth of their cells
equally. The links are those of `MmwaveStreet-v1`: TR 38.901's UMi street canyon on maps that a seed fixes (`world`). A
slot takes 100 ms, and a step is a slot. What a UE does in slot t:

1. **Measurement.** Every fourth slot, each UE in its own, and in slot 0: RSRP of all cells, mean since the last one or
   since it arrived. It reports it with its place, and all reports make the radio map (`radio_map`).
2. **Command.** In the slot of its measurement the network may command it to another cell. Below an SINR of `out_db` the
   command is lost: nothing happens. Else the old cell still serves 60 % of the slot, two slots are silent, and in the
   fourth the UE accesses the new cell.
3. **Conditional handover.** A measurement prepares its two strongest neighbours, if the serving cell can tell the UE
   (SINR of at least `out_db`). In the other slots the UE knows the RSRP of now of its own and the prepared cells, and
   may go to one by itself: no command that could be lost, two silent slots, access in the third. A handover ends what
   was prepared.
4. **Access.** It fails below `in_db` of the new cell. Else that slot is on a wide beam, `refinement_db` less.
5. **T310.** It runs in slots on a cell from below `out_db` until above `in_db`, through lost commands. After `t310_s`
   the link is lost. A lost link, by T310 or by access, takes `reestablishment_s` more; then the strongest cell serves.

With `interference="load"` and `demand="queue"` links and activity depend on what agents do: see `world`, `queues`.

The cells' loads, how many active UEs each serves, are broadcast every `load_period_s`. An agent chooses among the
serving cell and the five strongest others by the newest measurement. A slot's rate is the efficiency of its link,
divided by the active UEs of the cell; a UE counts at the new cell from the command's next slot on, and nowhere while
its link is lost.

The score is the mean over active UE-seconds of ln(mean rate + 0.01 bit/s/Hz), `utility`. A second counts if the UE was
active in half of its slots. The reward of a slot is what it adds to k ln(mean rate of the second so far + 0.01) with k
active slots so far: rewards of a second sum to that of the whole second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import EpisodeRng, Metric, Outcome, Scenario
from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.radio import t310
from mmwave_gym.scenarios.shared_street import grants, queues, radio_map
from mmwave_gym.scenarios.shared_street.config import MEASURED_SLOTS, SLOT_S, SLOTS_A_SECOND, SharedStreetConfig
from mmwave_gym.scenarios.shared_street.memory import memory_of
from mmwave_gym.scenarios.shared_street.now import Now
from mmwave_gym.scenarios.shared_street.observation import Observer
from mmwave_gym.scenarios.shared_street.scores import LEAST_BPS_HZ, MBIT, METRICS, score
from mmwave_gym.scenarios.shared_street.state import CANDIDATES, FREE, LOST, MOVING, SharedStreetState, fresh
from mmwave_gym.scenarios.shared_street.traffic import lives_of, measures, newest
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes, SharedStreetWorld

COMMAND_SLOTS, CONDITIONAL_SLOTS = 4, 3
"""Slots of a handover with its access slot (ours, of 60 + 240 + 100 ms in `MmwaveStreet-v1`)."""
BEFORE_COMMAND = 0.6
"""Share of the first slot that the old cell still serves (TR 36.839: 50 ms until the command)."""
PING_PONG_SLOTS = 10  # 3GPP TR 36.839: minimum time of stay, 1 s


class SharedStreet(Scenario[SharedStreetEpisodes, SharedStreetState]):
    """The scenario of the module's text: one agent a UE, one step a slot, all decide at once."""

    name = "shared_street"
    agent_noun = "ue"
    masked = True
    action_meaning = (
        "0 stays; 1 to 5 hand over to the strongest other cells, by the newest measurement, strongest first"
    )
    reward_unit = "1"
    metrics: tuple[Metric, ...] = METRICS

    def __init__(self, config: SharedStreetConfig):
        self.config = c = config
        self.world = self._world()
        self.num_agents, self.num_cells = c.num_ues, self.world.num_cells
        self.max_agent_ids = c.num_ues * (lives_of(c) + 1)
        self.horizon = c.horizon
        self.action_space = spaces.Discrete(CANDIDATES)
        self.reward_meaning = (
            "what the slot adds to k ln(mean rate of the UE's second so far + 0.01) with k active slots so far"
        )
        if c.reward == "difference":
            self.reward_meaning += ", less what the cell's other active UEs lose by sharing with the UE"
        self._t310, self._back = c.slots("t310_s"), c.slots("reestablishment_s")
        self._period = c.slots("load_period_s")
        self._out_db, self._in_db = (float(np.float32(level_db)) for level_db in (c.out_db, c.in_db))
        self.now, self.ages, self._slot_mbit = Now(c), 0, float(c.bandwidth_hz) * SLOT_S * MBIT
        if self.now.queued:
            self.ages, self.metrics = c.slots("deadline_s"), (*METRICS, *queues.METRICS)
        self.observer = self._observer()
        self.fields = self.observer.fields
        self._ue = np.arange(self.num_agents)
        self.seconds = -(-self.horizon // SLOTS_A_SECOND)
        self.bins = radio_map.bins_of(self.world.crossing.length_m)

    def _world(self) -> SharedStreetWorld:
        return SharedStreetWorld(self.config)

    def _observer(self) -> Observer:
        return Observer(self.config, self.world)

    def draw(self, rngs: Sequence[EpisodeRng]) -> SharedStreetEpisodes:
        episodes = self.world.empty(len(rngs))
        self.draw_into(rngs, episodes, episodes.row)
        return episodes

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: SharedStreetEpisodes, rows: NDArray[np.intp]) -> None:
        self.world.draw_into(rngs, episodes, rows)

    # ------------------------------------------------------------------ the game

    def start(self, episodes: SharedStreetEpisodes) -> SharedStreetState:
        sizes = self.num_agents, self.num_cells, self.world.crossing.lanes, self.bins, self.seconds
        state = fresh(len(episodes.row), *sizes, self.now.by_load, self.ages)
        self.arrive(episodes, state)
        state.load_before[:] = state.load
        return state

    def step(self, episodes: SharedStreetEpisodes, state: SharedStreetState, action: NDArray[Any]) -> Outcome:
        row, there = episodes.row, state.id >= 0
        active = self.now.active(episodes, state) & there
        moves, back = self._go(episodes, state, action)
        sinr_db, share, sharing, joins, refused = self._serve(episodes, state, active)
        rate = share * self.world.efficiency_bps_hz(sinr_db) / sharing
        counts = active
        if self.now.queued:
            counts = episodes.active[row, state.slot] & there
            sent, delays = queues.serve(state.waiting, np.where(active, rate, 0.0) * self._slot_mbit)
            rate, state.delays = sent / self._slot_mbit, state.delays + delays
        reward = self._received(state, active, counts, rate, sharing)
        fails = self._end(state, sinr_db, joins, refused)
        state.slot = state.slot + 1
        terminated = there & ~episodes.present[row, state.slot]
        self.arrive(episodes, state)
        truncated = state.slot >= self.horizon
        return Outcome(
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            elapsed_s=np.full(len(row), SLOT_S),
            metrics={
                **self._score(state, truncated),
                "failures_per_min": fails * np.float64(60.0),
                "handovers_per_s": moves.astype(np.float64),
                "ping_pongs_per_s": back.astype(np.float64),
            },
        )

    def _go(self, episodes: SharedStreetEpisodes, state: SharedStreetState, action: NDArray[Any]) -> Any:
        """(N, A) twice: whose handover starts now, and who returns by it to its previous cell within a second.

        What the mask forbids is to stay, and so is a command that is lost.
        """
        target = np.take_along_axis(state.candidate, action[..., None], axis=2)[..., 0]
        named = np.take_along_axis(self.allowed(state), action[..., None], axis=2)[..., 0] & (action > 0)
        commanded = self.commandable(state)
        links_db = self.now.sinr_db(episodes, state)
        now_db = np.take_along_axis(links_db, state.serving[..., None], axis=2)[..., 0]
        moves = named & (~commanded | (now_db >= self._out_db))
        back = moves & (target == state.previous) & (state.slot[:, None] - state.since <= PING_PONG_SLOTS)
        state.previous = np.where(moves, state.serving, state.previous)
        state.target = np.where(moves, target, state.target)
        state.doing = np.where(moves, MOVING, state.doing)
        state.left = np.where(moves, np.where(commanded, COMMAND_SLOTS, CONDITIONAL_SLOTS), state.left)
        state.out_slots = np.where(moves, 0, state.out_slots)
        state.prepared[moves] = -1
        return moves, back

    def _serve(self, episodes: SharedStreetEpisodes, state: SharedStreetState, active: NDArray[np.bool_]) -> Any:
        """How the slot is used, (N, A) each; active: (N, A).

        SINR in dB of the cell whose bandwidth a UE shares, on a wide beam where it accesses; share of the slot in which
        it is served; active UEs of the cell, one at least; whose access succeeds; whose fails.
        """
        state.cell, load = self._counted(state, active)
        link = np.maximum(state.cell, 0)
        sinr_db = np.take_along_axis(self.now.sinr_db(episodes, state), link[..., None], axis=2)[..., 0]
        moving = state.doing == MOVING
        refused = moving & (state.left == 1) & (sinr_db < self._in_db)
        joins = moving & (state.left == 1) & ~refused
        sinr_db = np.where(joins, sinr_db - np.float32(self.config.refinement_db), sinr_db)
        leaves = moving & (state.left == COMMAND_SLOTS)
        silent = (state.doing == LOST) | (moving & ~leaves & ~joins)
        share = np.where(silent, 0.0, np.where(leaves, BEFORE_COMMAND, 1.0))
        return sinr_db, share, np.maximum(np.take_along_axis(load, link, axis=1), 1.0), joins, refused

    def _end(self, state: SharedStreetState, sinr_db: FloatArray, joins: Any, refused: Any) -> NDArray[np.bool_]:
        """(N, A): whose link is lost at the end of the slot; all arguments as `_serve` returns them."""
        state.serving = np.where(joins, state.target, state.serving)
        state.since = np.where(joins, state.slot[:, None], state.since)
        ran = t310.after_tick(state.out_slots, sinr_db, self._out_db, self._in_db)
        state.out_slots = np.where((state.id >= 0) & (state.doing == FREE), ran, 0)
        fails: NDArray[np.bool_] = refused | (state.out_slots >= self._t310)
        state.doing = np.where(fails, LOST, state.doing)
        state.left = np.where(fails, self._back, np.maximum(state.left - 1, 0))
        state.out_slots[fails] = 0
        return fails

    def commandable(self, state: SharedStreetState) -> NDArray[np.bool_]:
        """(N, A): may the network command the UE now? It has just measured, and commands are there."""
        if self.config.handover == "conditional":
            return np.zeros(state.id.shape, bool)
        return measures(state.slot[:, None], self._ue)

    def allowed(self, state: SharedStreetState) -> NDArray[np.bool_]:
        """(N, A, choice): the mask."""
        candidate = state.candidate
        free = ((state.id >= 0) & (state.doing == FREE))[..., None] & (candidate >= 0)
        ready = (candidate[..., None] == state.prepared[:, :, None, :]).any(axis=3)
        if self.config.handover == "command":
            ready = np.zeros_like(ready)
        may = free & np.where(self.commandable(state)[..., None], True, ready)
        may[..., 0] = True
        return may

    def action_mask(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.bool_]:
        return self.allowed(state)

    def agent_ids(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.int64]:
        return state.id

    def _counted(self, state: SharedStreetState, active: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Float64Array]:
        """(N, A): the cell whose bandwidth a UE shares in this slot, -1 for none; (N, cell): active UEs that share it.

        active: (N, A).
        """
        gone = (state.doing == MOVING) & (state.left < COMMAND_SLOTS)
        cell = np.where(gone, state.target, state.serving)
        cell = np.where((state.id < 0) | (state.doing == LOST), -1, cell)
        n, k = len(cell), self.num_cells
        at = np.where(active & (cell >= 0), cell, k) + np.arange(0, n * (k + 1), k + 1)[:, None]
        load = np.bincount(at.ravel(), minlength=n * (k + 1)).reshape(n, k + 1)[:, :k]
        return cell, load.astype(np.float64)

    def sharing(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> Float64Array:
        """(N, cell): active UEs that share each cell now."""
        return self._counted(state, self.now.active(episodes, state))[1]

    def _received(
        self,
        state: SharedStreetState,
        active: NDArray[np.bool_],
        counts: NDArray[np.bool_],
        rate: Float64Array,
        sharing: Float64Array,
    ) -> Float64Array:
        """(N, A): rewards of rates (N, A) in bit/s/Hz of active UEs, counted in their seconds, which end on time.

        counts: (N, A), whose slot counts; with queues what is sent after the last such slot still does. sharing:
        (N, A), active UEs of the cell.
        """
        state.received = state.received + np.where(active, rate, 0.0)
        state.active_slots = state.active_slots + counts
        k = state.active_slots.astype(np.float64)
        takes = state.active_slots > 0 if self.now.queued else counts
        mean = state.received / np.maximum(k, 1.0)
        value = k * np.log(mean + LEAST_BPS_HZ)
        reward = np.where(takes, value - state.value, 0.0)
        state.value = np.where(takes, value, state.value)
        if self.config.reward == "difference":
            others = np.where(active & (sharing > 1.0), sharing - 1.0, 1.0)
            reward = reward - np.where(active & (sharing > 1.0), others * np.log((others + 1.0) / others), 0.0)
        ends = (state.slot + 1) % SLOTS_A_SECOND == 0
        if ends.any():
            at = np.flatnonzero(ends)
            enough = state.active_slots[at] >= SLOTS_A_SECOND // 2
            state.second_bps_hz[at, state.slot[at] // SLOTS_A_SECOND] = np.where(enough, mean[at], -1.0)
            state.received[at], state.active_slots[at], state.value[at] = 0.0, 0, 0.0
        return reward

    def _score(self, state: SharedStreetState, truncated: NDArray[np.bool_]) -> dict[str, Float64Array]:
        """The scores of whole episodes, (N,) each, told at the end; 0 where no UE-second counts."""
        names = (m.name for m in self.metrics if m.per == "all")
        scores = {name: np.zeros(len(truncated)) for name in names}
        for i in np.flatnonzero(truncated) if truncated.any() else ():
            for name, value in self.scores(state, int(i)).items():
                scores[name][i] = value
        return scores

    def scores(self, state: SharedStreetState, env: int) -> dict[str, float]:
        """The scores of what an environment has played of its episode; none before a UE-second counts."""
        rate = state.second_bps_hz[env].ravel().astype(np.float64)
        found = score(rate[rate >= 0.0], self.config)
        return found | queues.score(state.delays[env]) if self.now.queued and found else found

    # ------------------------------------------------------------------ the next slot

    def arrive(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> None:
        """Begin the slot `state.slot`: who comes and goes, who has a cell again, what is measured and broadcast."""
        comes = self._begin(episodes, state)
        if self.now.queued:
            there = state.id >= 0
            state.waiting[~there] = 0.0
            state.waiting[:, :, 0] = self.config.file_mbit * (episodes.files[episodes.row, state.slot] & there)
        told = state.slot % self._period == 0
        if told.any() or self.now.by_load:
            load = self.sharing(episodes, state)
            state.load_before = np.where(told[:, None], state.load, state.load_before)
            state.load = np.where(told[:, None], load, state.load)
        if self.now.by_load:
            rsrp_dbm = episodes.rsrp_dbm[episodes.row, state.slot]
            state.sinr_db = self.world.links_under(rsrp_dbm, load > 0.0)
        self._measured(episodes, state, comes)

    def _begin(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.bool_]:
        """(N, A): who comes; ends lives, handovers and lost links whose time is over."""
        row, slot = episodes.row, state.slot
        present = episodes.present[row, slot]
        comes = present & (state.id < 0)
        leaves = ~present & (state.id >= 0)
        order = np.cumsum(comes, axis=1)
        state.id = np.where(comes, state.born[:, None] + order - 1, np.where(present, state.id, -1))
        state.born = state.born + order[:, -1]
        back = present & (state.doing == LOST) & (state.left == 0)
        changes = comes | leaves | back
        if changes.any():
            strongest = episodes.rsrp_dbm[row, slot].argmax(axis=2)
            state.serving = np.where(comes | back, strongest, state.serving)
            state.since = np.where(comes | back, slot[:, None], state.since)
            state.previous = np.where(changes, -1, state.previous)
            state.doing = np.where(changes, FREE, state.doing)
            state.left = np.where(changes, 0, state.left)
            state.out_slots = np.where(changes, 0, state.out_slots)
            state.prepared[changes] = -1
            anew = comes | leaves
            state.received = np.where(anew, 0.0, state.received)
            state.active_slots = np.where(anew, 0, state.active_slots)
            state.value = np.where(anew, 0.0, state.value)
            state.first = np.where(comes, newest(slot[:, None], self._ue), state.first)
        state.doing = np.where((state.doing == MOVING) & (state.left == 0), FREE, state.doing)
        return comes

    def _measured(self, episodes: SharedStreetEpisodes, state: SharedStreetState, comes: NDArray[np.bool_]) -> None:
        """What new measurements bring: order of candidates, prepared cells, the radio map and look-ups in it.

        comes: (N, A), who has just arrived.
        """
        row, slot = episodes.row, state.slot
        new = (measures(slot[:, None], self._ue) | comes) & (state.id >= 0)
        env, ue = np.nonzero(new)
        drawn = row[env], newest(slot[env], ue), ue
        level = episodes.measured_dbm[drawn]
        now_db = self.now.sinr_db(episodes, state)[env, ue, state.serving[env, ue]]
        told = (now_db >= self._out_db) & (state.doing[env, ue] == FREE)
        state.order[env, ue] = np.argsort(-level, axis=1, kind="stable")
        state.candidate[...] = self.observer.candidates(state.order, state.serving)
        ready = state.candidate[env, ue, 1:3]
        state.prepared[env[told], ue[told]] = ready[told]
        look_ups = np.repeat(level[:, None], len(radio_map.AHEAD_S), axis=1)
        if self.config.shared_map:
            place, speed = episodes.reported_m[drawn], episodes.speed_mps[drawn]
            lane = episodes.reported_lane[drawn]
            feeds = np.flatnonzero(episodes.reports[row[env], ue] & ~comes[env, ue])
            # A measurement is the mean over four slots: it stands for where the UE was in their middle.
            middle = place[feeds] - speed[feeds] * np.float32(1.5 * SLOT_S)
            radio_map.feed(state.map_dbm, state.map_count, env[feeds], lane[feeds], middle, level[feeds])
            for i, ahead_s in enumerate(radio_map.AHEAD_S):
                there = place + speed * np.float32(ahead_s)
                found, known = radio_map.look_up(state.map_dbm, state.map_count, env, lane, there)
                state.known[env, ue, i] = known
                look_ups[known, i] = found[known]
            changes = look_ups[:, radio_map.CHANGES] - level[:, None]
            state.change_db[env, ue] = changes
        look_ups[:, 0] = level
        state.efficiency_bps_hz[env, ue] = self._estimated(state, env, look_ups)

    def _estimated(self, state: SharedStreetState, env: NDArray[np.intp], level_dbm: FloatArray) -> FloatArray:
        """(n, AHEAD_S, cell): efficiencies in bit/s/Hz of RSRPs of that shape, where the broadcast's cells interfere.

        env: (n,).
        """
        busy = (state.load[env] > 0.0)[:, None] if self.now.by_load else None
        return self.world.estimated_bps_hz(level_dbm, busy)

    # ------------------------------------------------------------------ what agents see

    def observe(self, episodes: SharedStreetEpisodes, state: SharedStreetState) -> NDArray[np.float32]:
        return self.observer.observe(episodes, state)

    def reveal(self, episodes: SharedStreetEpisodes, state: SharedStreetState, access: str) -> dict[str, Any]:
        return {} if access == "local" else grants.revealed(self, episodes, state, access)

    def memory(self) -> Memory:
        return memory_of(self)

    def constants(self) -> Mapping[str, Any]:
        """The keywords, places of sites, and times in slots; of `interference` the share, where that is constant."""
        keywords = self.config.as_constants()
        return {
            "interference": self.world.interference,
            **({"city": self.world.city.fingerprint} if self.world.city else {}),
            **keywords,
            "keywords": tuple(keywords),
            "site_m": tuple(map(tuple, self.world.site_m.tolist())),
            "num_cells": self.num_cells,
            "slot_s": SLOT_S,
            "measured_slots": MEASURED_SLOTS,
        }
