"""Power allocation in a dense network: each base station (BS) chooses its power for its user, and disturbs others.

The paper is R. Amiri, H. Mehrpouyan, "Self-organizing mmWave networks: a power allocation scheme based on machine
learning", GSMM 2018 (arXiv 1804.05757), sections II to V. Formulas and numbers that the text at hand has lost are from
the authors' public code, as noted beside each.

A slot:

1. All base stations transmit at the powers that they chose.
2. User equipment (UE) i measures its signal to interference and noise ratio (SINR). Interferers are the other base
   stations of its cluster, or those of the whole network.
3. Its capacity is log2(1 + SINR). It is satisfied where its SINR reaches `qos_sinr` (5c).

The world of an episode does not change, unless base stations come and go.

Differences from the paper, and choices where it is silent:

1. A UE is uniform in a disc of `ue_radius_m` round its base station, at least 1 m away. The authors' code puts it 10 m
   north.
2. Shadowing (8.7 dB) is drawn once for every link of an interferer. The own link has none and follows Friis' law, as
   the text says. The authors' code averages ten draws (2.75 dB are left) and shadows own links too.
3. There is no fading: the authors average a thousand draws.
4. `layout="rows"` is the one on which the authors evaluate: sixteen places in five rows, of which each episode takes
   `num_bs` at random. `layout="poisson"` is the text's: a Poisson process, clustered by FLOC.
5. The required SINR is 2.83 (authors' code), a capacity of 1.94 bit/s/Hz. Their figures draw the line at log2 2.83.
6. Ring k of the state holds those 50 k to 50 (k + 1) m from the cluster's head, the last one all beyond 150 m. In the
   rows the head is the base station in the middle. The authors' code has rings round places where nobody is.
7. Clusters heal at once when base stations come and go: FLOC's own timers, up to 10 s, take no slots.
8. `interference="network"` does without the paper's assumption that clusters do not disturb each other.
9. `authors=True` has their code's faults, for the reproduction: 2, the UE due north, and the interference of UE i
   counted up over UEs 1 to i.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import EpisodeRng, Metric, Outcome, Scenario
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio import interference
from mmwave_gym.radio.units import spectral_efficiency_bps_hz
from mmwave_gym.scenarios.power_allocation.actions import actions_of
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.memory import memory_of
from mmwave_gym.scenarios.power_allocation.observation import MOST_PRESSURE, NEIGHBOURS, RINGS, Observation
from mmwave_gym.scenarios.power_allocation.rewards import Slot, reward_of
from mmwave_gym.scenarios.power_allocation.world import Chance, PowerAllocationEpisodes, World, Worlds

RING_M = 50.0  # authors' code
PRESSURE_GAIN, PRESSURE_MARGIN, MOST_SHORTFALL = 0.3, 0.05, 3.0
"""How what a missed requirement weighs grows from slot to slot; ours, see `PowerAllocation.pressed`."""
MET = 1.0 - 1e-9  # a requirement that is met exactly is met
_PRICE = "missed_bps_hz"
_SLOT = "present", "power_mw", "own_gain", "gain", "interference_mw", "capacity_bps_hz"


@dataclass
class PowerAllocationState:
    slot: NDArray[np.int64]  # (N,)
    phase: NDArray[np.int64]  # (N,)
    present: NDArray[np.bool_]  # (N, A)
    count: NDArray[np.int64]  # (N,): base stations that are there
    head: NDArray[np.int64]  # (N, A)
    ring: NDArray[np.int64]  # (N, A): RINGS for who is not there
    own_gain: FloatArray  # (N, A)
    gain: NDArray[Any]  # (N, A, A) or (N,): those that interfere in this phase
    far_gain: FloatArray  # (N, A)
    neighbour: NDArray[np.int64]  # (N, A, NEIGHBOURS or none): strongest interferers; A where there are fewer
    lasting: NDArray[np.float32]  # (N, A, features): what observations show for a whole phase
    power_mw: FloatArray  # (N, A): 0 for who is not there
    interference_mw: FloatArray  # (N, A): with noise
    sinr: FloatArray  # (N, A)
    capacity_bps_hz: FloatArray  # (N, A)
    pressure: FloatArray  # (N, A)
    healing: NDArray[np.bool_]  # (N, changes, A): whom a change touched that has not been recovered from


class PowerAllocation(Scenario[PowerAllocationEpisodes, PowerAllocationState]):
    """The scenario of the module's text: one agent a base station, one step a slot, all decide at once."""

    name = "power_allocation"
    agent_noun = "bs"
    memory = memory_of
    reward_unit = "1"
    metrics = (
        Metric("qos_rate_bps_hz", "bit/s/Hz", "step", "satisfied rate minus `missed_bps_hz` per unsatisfied UE"),
        Metric("satisfied_rate_bps_hz", "bit/s/Hz", "step", "sum of the capacities of satisfied UEs"),
        Metric("sum_rate_bps_hz", "bit/s/Hz", "step", "sum of all UEs' capacities"),
        Metric("qos_satisfaction", "1", "step", "share of a UE's slots in which it is satisfied"),
        Metric("all_satisfied", "1", "step", "share of slots in which all UEs are satisfied"),
        Metric("jain_index", "1", "step", "fairness of the capacities: 1 if all are equal, 1/n if one has all"),
        Metric("power_w", "W", "step", "what a base station transmits"),
        Metric("recovery_slots", "1", "all", "slots from a change until all UEs that it affected are satisfied"),
    )

    own = (Metric("capacity_bps_hz", "bit/s/Hz", "step", "capacity of the base station's own UE"),)

    def __init__(self, config: PowerAllocationConfig):
        self.config = c = config
        self.horizon = c.horizon
        self.worlds = Worlds(c)
        self.num_agents = self.max_agent_ids = self.worlds.num_agents
        self.power_mw, self.noise_mw = self.worlds.power_mw, self.worlds.noise_mw
        self.required_bps_hz = float(np.log2(1.0 + c.qos_sinr))
        self.missed_bps_hz = c.missed(self.num_agents)
        self.actions, self.reward = actions_of(c), reward_of(c.reward)
        self.action_space, self.action_meaning = self.actions.space, self.actions.meaning
        self.reward_meaning = self.reward.meaning
        self.observation = Observation(c, self.num_agents, self.power_mw[0])
        self.fields = self.observation.fields

    # ------------------------------------------------------------------ the world

    def draw(self, rngs: Sequence[EpisodeRng]) -> PowerAllocationEpisodes:
        worlds = [self.worlds.draw(Chance(rng)) for rng in rngs]
        names = [f.name for f in dataclasses.fields(World) if f.name != "gain"]
        if self.config.is_sparse:
            gain = np.empty(len(worlds), object)
            gain[:] = [w.gain for w in worlds]
        else:
            gain = np.stack([w.gain for w in worlds])
        return PowerAllocationEpisodes(
            row=np.arange(len(rngs)),
            gain=gain,
            first_mw=np.stack([self._first_mw(rng) for rng in rngs]),
            **{name: np.stack([getattr(w, name) for w in worlds]) for name in names},
        )

    def _first_mw(self, rng: EpisodeRng) -> FloatArray:
        """Powers before the first slot."""
        if self.config.start == "max":
            return np.full(self.num_agents, self.power_mw[1])
        return self.actions.random_mw(rng["start"], self.num_agents)

    # ------------------------------------------------------------------ the game

    def start(self, episodes: PowerAllocationEpisodes) -> PowerAllocationState:
        row, n, a = episodes.row, len(episodes.row), self.num_agents
        zeros = np.zeros((n, a))
        state = PowerAllocationState(
            slot=np.zeros(n, np.int64),
            phase=np.zeros(n, np.int64),
            present=np.zeros((n, a), bool),
            count=np.zeros(n, np.int64),
            head=np.full((n, a), -1),
            ring=np.zeros((n, a), np.int64),
            own_gain=episodes.own_gain[row],
            gain=episodes.gain[row],
            far_gain=episodes.far_gain[row],
            neighbour=np.zeros((n, a, NEIGHBOURS if self.config.observation == "local" else 0), np.int64),
            lasting=np.zeros((n, a, self.fields.size), np.float32),
            power_mw=zeros.copy(),
            interference_mw=zeros.copy(),
            sinr=zeros.copy(),
            capacity_bps_hz=zeros.copy(),
            pressure=zeros.copy(),
            healing=np.zeros((n, self.config.changes, a), bool),
        )
        for env in range(n):
            self._enter(episodes, state, env)
        self._measure(state, np.where(state.present, episodes.first_mw[row], 0.0))
        return state

    def _enter(self, episodes: PowerAllocationEpisodes, state: PowerAllocationState, env: int) -> None:
        """Who is there in the phase of environment copy `env`, in which clusters, and who disturbs whom."""
        row, phase = episodes.row[env], state.phase[env]
        there, head = episodes.present[row, phase], episodes.head[row, phase]
        state.present[env], state.head[env], state.count[env] = there, head, there.sum()
        place_m = episodes.place_m[row]
        off_m = np.hypot(*(place_m - place_m[head]).T)
        state.ring[env] = np.where(there, np.minimum(off_m / RING_M, RINGS - 1), RINGS).astype(np.int64)
        gain = episodes.gain[row]
        if self.config.is_network and self.config.interference == "cluster":
            gain = state.gain[env] = interference.within(gain, head)
        members = np.where(there, np.bincount(head[there], minlength=len(head))[head], 0)
        heard = interference.within(gain, there) if self.config.changes else gain
        shown = self.observation.lasting(state.ring[env], members, state.own_gain[env], heard)
        state.lasting[env], state.neighbour[env] = shown

    def _measure(self, state: PowerAllocationState, power_mw: FloatArray) -> None:
        """All transmit: what every UE then gets."""
        state.power_mw = power_mw
        heard_mw = interference.received(state.gain, power_mw)
        if self.config.authors:
            heard_mw = np.cumsum(heard_mw, axis=1)
        if self.config.is_sparse and self.config.interference == "network":
            mean_mw = power_mw.sum(axis=1) / state.count
            heard_mw += state.far_gain * mean_mw[:, None]
        heard_mw += self.noise_mw
        state.interference_mw = heard_mw
        state.sinr = power_mw * state.own_gain / heard_mw
        state.capacity_bps_hz = np.asarray(spectral_efficiency_bps_hz(state.sinr), np.float64)

    def step(self, episodes: PowerAllocationEpisodes, state: PowerAllocationState, action: NDArray[Any]) -> Outcome:
        present, count = state.present, state.count
        self._measure(state, np.where(present, self.actions.power_mw(action, state.power_mw), 0.0))
        if self.config.observation == "local":
            state.pressure = self.pressed(state)
        satisfied = state.sinr >= self.config.qos_sinr * MET
        capacity = state.capacity_bps_hz
        reward = np.where(present, self.reward.of(self._slot(state)), 0.0)
        total = capacity.sum(axis=1)
        satisfied_rate = (capacity * satisfied).sum(axis=1)
        missed = count - satisfied.sum(axis=1)
        metrics = {
            "qos_rate_bps_hz": satisfied_rate - self.missed_bps_hz * missed,
            "satisfied_rate_bps_hz": satisfied_rate,
            "sum_rate_bps_hz": total,
            "qos_satisfaction": satisfied.astype(np.float64),
            "all_satisfied": (missed == 0).astype(np.float64),
            "jain_index": total**2 / (count * np.vecdot(capacity, capacity)),
            "power_w": 1e-3 * state.power_mw,
            "recovery_slots": self._heal(state, satisfied),
        }
        state.slot += 1
        terminated = self._change(episodes, state) if self.config.changes else np.zeros(action.shape, bool)
        return Outcome(
            reward=reward,
            terminated=terminated,
            truncated=state.slot >= self.horizon,
            elapsed_s=np.full(len(action), self.config.slot_s),
            metrics=metrics,
            own={"capacity_bps_hz": np.array(capacity, np.float64)},
        )

    def _slot(self, state: PowerAllocationState) -> Slot:
        return Slot(
            qos_sinr=self.config.qos_sinr,
            required_bps_hz=self.required_bps_hz,
            penalty=self.config.penalty,
            least_mw=self.power_mw[0],
            noise_mw=self.noise_mw,
            **{name: getattr(state, name) for name in _SLOT},
        )

    def pressed(self, state: PowerAllocationState) -> FloatArray:
        """(N, A): multiplier of the SINR constraint, which grows while the SINR is too low (ours)."""
        short = np.log(self.config.qos_sinr * (1.0 + PRESSURE_MARGIN) / np.where(state.present, state.sinr, 1e9))
        np.maximum(short, -MOST_SHORTFALL, out=short)
        np.minimum(short, MOST_SHORTFALL, out=short)
        short *= PRESSURE_GAIN
        short += state.pressure
        np.maximum(short, 0.0, out=short)
        return np.minimum(short, MOST_PRESSURE, out=short)

    def _heal(self, state: PowerAllocationState, satisfied: NDArray[np.bool_]) -> FloatArray:
        """(N,): 1 for every change while who it touched is not satisfied, over the number of changes."""
        if not self.config.changes:
            return np.zeros(len(satisfied))
        hurt = np.logical_or.reduce(state.healing & (state.present & ~satisfied)[:, None], axis=2)
        state.healing &= hurt[..., None]
        return hurt.sum(axis=1) / self.config.changes

    def _change(self, episodes: PowerAllocationEpisodes, state: PowerAllocationState) -> NDArray[np.bool_]:
        """Base stations leave and arrive; who left."""
        terminated = np.zeros(state.present.shape, bool)
        due = (episodes.change_slot[episodes.row] == state.slot[:, None]).any(axis=1)
        for env in np.flatnonzero(due).tolist():
            before, head = state.present[env].copy(), state.head[env].copy()
            state.phase[env] += 1
            self._enter(episodes, state, env)
            there = state.present[env]
            terminated[env] = before & ~there
            arrived = there & ~before
            state.power_mw[env, ~there] = 0.0
            state.power_mw[env, arrived] = episodes.first_mw[episodes.row[env], arrived]
            state.pressure[env, ~there | arrived] = 0.0
            moved = state.head[env] != head
            touched = np.union1d(head[moved], state.head[env, moved])  # clusters that lost or won somebody
            state.healing[env, state.phase[env] - 1] = there & np.isin(state.head[env], touched)
            one = self._only(state, env)
            self._measure(one, one.power_mw)
            for name in ("interference_mw", "sinr", "capacity_bps_hz"):
                getattr(state, name)[env] = getattr(one, name)[0]
        return terminated

    @staticmethod
    def _only(state: PowerAllocationState, env: int) -> PowerAllocationState:
        return dataclasses.replace(
            state, **{f.name: getattr(state, f.name)[env : env + 1] for f in dataclasses.fields(state)}
        )

    # ------------------------------------------------------------------ what agents see

    def observe(self, episodes: PowerAllocationEpisodes, state: PowerAllocationState) -> NDArray[np.float32]:
        if self.config.observation == "ring":
            return state.lasting.copy()
        seen = self.observation.now(state, *self.balance(state))
        if (state.count < self.num_agents).any():
            seen[~state.present] = self.observation.absent
        return seen

    def balance(self, state: PowerAllocationState) -> tuple[FloatArray, FloatArray]:
        """(N, A) each: what an own dB brings, and what a mW costs the others, in the same unit a mW.

        UE i tells all who disturb it what a mW costs it, (SINR_i / (1 + SINR_i) + pressure_i) / interference_i; a
        base station adds what it is asked for, times its gain to each UE. Where what its dB brings is the price times
        its power, the sum rate with QoS is at its optimum (J. Papandriopoulos, J. Evans, "SCALE", IEEE Trans. Inf.
        Theory 55(8), 2009). `balance_db` is the power at which it would be so, over the present one.
        """
        worth = np.where(state.present, state.sinr / (1.0 + state.sinr) + state.pressure, 0.0)
        return worth, interference.charged(state.gain, worth / state.interference_mw)

    def agent_ids(self, episodes: PowerAllocationEpisodes, state: PowerAllocationState) -> NDArray[np.int64]:
        return np.where(state.present, np.arange(self.num_agents), -1)

    def reveal(self, episodes: PowerAllocationEpisodes, state: PowerAllocationState, access: str) -> dict[str, Any]:
        """Arrays by name: `gain` (N, A, A), or (N,) sparse matrices where interference has a range.

        At every level also, (N, A) each: `present`; `head`, agent slots; `own_gain` and `far_gain`, linear; `power_mw`
        and `interference_mw`; `sinr`, linear; and `phase` (N,). From "central": `place_m` and `ue_m` (N, A, 2). A local
        agent uses only the row and the column of its own base station, and what other base stations send it.
        """
        seen = {
            "present": state.present,
            "head": state.head,
            "own_gain": state.own_gain,
            "gain": state.gain,
            "far_gain": state.far_gain,
            "power_mw": state.power_mw,
            "interference_mw": state.interference_mw,
            "sinr": state.sinr,
            "phase": state.phase,
        }
        if access != "local":
            seen |= {"place_m": episodes.place_m[episodes.row], "ue_m": episodes.ue_m[episodes.row]}
        return seen

    def constants(self) -> Mapping[str, Any]:
        """The keywords, powers and noise in mW, levels in mW, the capacity that satisfies, and what missing costs.

        `missed_bps_hz` is there unless it is the default: rows from before it was a keyword are of the same task.
        """
        levels_mw = self.actions.levels_mw
        usual = self.config.missed_bps_hz == type(self.config).missed_bps_hz
        return {
            **{f.name: getattr(self.config, f.name) for f in dataclasses.fields(self.config) if f.name != _PRICE},
            **({} if usual else {_PRICE: self.missed_bps_hz}),
            "power_mw": self.power_mw,
            "noise_mw": self.noise_mw,
            "levels_mw": None if levels_mw is None else tuple(levels_mw.tolist()),
            "required_bps_hz": self.required_bps_hz,
            "is_sparse": self.config.is_sparse,
        }
