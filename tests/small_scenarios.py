"""Three small scenarios, so that the contract is tried on forms that the handover scenario does not have.

`SharedCells`: UEs load the cells they choose. `RingRoad`: one UE decides at a time, when its candidates change.
`Crowd`: a thousand UEs of which some leave and others arrive. `register()` adds them as another package would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core import registration
from mmwave_gym.core.checks import at_least, one_of
from mmwave_gym.core.rooms import Entry, Room
from mmwave_gym.core.scenario import (
    EpisodeRng,
    Episodes,
    Metric,
    ObservationField as Field,
    ObservationFields,
    Outcome,
    Scenario,
)


def register() -> None:
    for room in ROOMS:
        registration.add(room)


# --------------------------------------------------------------------------------------------- coupled load


@dataclass(frozen=True, kw_only=True)
class SharedCellsConfig:
    num_ues: int = 4
    num_cells: int = 3
    horizon: int = 20
    power_levels: int = 1
    """Above 1 an action is a pair: cell and power level."""
    action: str = "cell"
    """A "cell" (with a power where there are levels), a number of type "float64", or a "grid" of which one counts."""

    def __post_init__(self) -> None:
        for name, low in {"num_ues": 1, "num_cells": 2, "horizon": 1, "power_levels": 1}.items():
            at_least(name, getattr(self, name), low, integer=True)
        one_of("action", self.action, ("cell", "float64", "grid"))


@dataclass
class SharedCellsEpisodes(Episodes):
    snr: NDArray[np.float32]  # (storage, slot, ue, cell)


@dataclass
class SharedCellsState:
    slot: NDArray[np.int64]
    serving: NDArray[np.int64]  # (N, ue)
    load: NDArray[np.int64]  # (N, cell)


class SharedCells(Scenario[SharedCellsEpisodes, SharedCellsState]):
    """All UEs choose at once; a cell's rate is divided among those who chose it; all see the last loads."""

    name = "shared_cells"
    agent_noun = "ue"
    metrics = (
        Metric("throughput_bps_hz", "bit/s/Hz", "step", "rate of each UE"),
        Metric("busiest_cell", "1", "step", "UEs in the busiest cell"),
    )

    def __init__(self, config: SharedCellsConfig):
        self.config = c = config
        self.num_agents = self.max_agent_ids = c.num_ues
        self.horizon = c.horizon
        self.action_space = spaces.Discrete(c.num_cells)
        if c.power_levels > 1:
            self.action_space = spaces.MultiDiscrete([c.num_cells, c.power_levels])
        if c.action == "float64":
            self.action_space = spaces.Box(0.0, c.num_cells - 1.0, (1,), np.float64)
        elif c.action == "grid":
            self.action_space = spaces.MultiDiscrete(np.array([[c.num_cells, 2], [3, 4]]))
        per = "choice" if isinstance(self.action_space, spaces.Discrete) else ""
        self.fields = ObservationFields(
            (
                Field("snr", c.num_cells, 0.0, 100.0, "1", "linear SNR of each cell", per=per),
                Field("load", c.num_cells, 0.0, 1.0, "1", "share of the UEs that chose the cell last", per=per),
                Field("serving", c.num_cells, 0.0, 1.0, "1", "one-hot", per=per),
            )
        )

    def draw(self, rngs: Sequence[EpisodeRng]) -> SharedCellsEpisodes:
        c = self.config
        snr = np.empty((len(rngs), c.horizon + 1, c.num_ues, c.num_cells), np.float32)
        for i, rng in enumerate(rngs):
            mean = 10.0 * rng["sites"].random((c.num_ues, c.num_cells))
            snr[i] = np.minimum(mean * rng["fading"].standard_exponential(snr.shape[1:]), 100.0)
        return SharedCellsEpisodes(np.arange(len(rngs)), snr)

    def start(self, episodes: SharedCellsEpisodes) -> SharedCellsState:
        serving = episodes.snr[episodes.row, 0].argmax(axis=-1)
        return SharedCellsState(np.zeros(len(serving), np.int64), serving, self._load(serving))

    def _load(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        return (chosen[..., None] == np.arange(self.config.num_cells)).sum(axis=1)

    def step(self, episodes: SharedCellsEpisodes, state: SharedCellsState, action: NDArray[Any]) -> Outcome:
        c = self.config
        chosen, power = action, 1.0
        if c.action != "cell":
            chosen = np.rint(action.reshape(*action.shape[:2], -1)[..., 0]).astype(np.int64)
        if c.power_levels > 1:
            chosen, power = action[..., 0], (1.0 + action[..., 1]) / c.power_levels
        envs = np.arange(len(state.slot))[:, None]
        snr = episodes.snr[episodes.row[:, None], state.slot[:, None], np.arange(c.num_ues), chosen]
        load = self._load(chosen)
        rate = np.log2(1.0 + power * snr.astype(np.float64)) / load[envs, chosen]
        rate *= np.where(chosen == state.serving, 1.0, 0.5)  # a new cell takes half a slot
        state.serving, state.load = chosen.copy(), load
        state.slot += 1
        return Outcome(
            reward=rate,
            terminated=np.zeros(rate.shape, bool),
            truncated=state.slot >= self.horizon,
            elapsed_s=np.full(len(state.slot), 0.1),
            metrics={"throughput_bps_hz": rate.copy(), "busiest_cell": load.max(axis=1).astype(np.float64)},
        )

    def observe(self, episodes: SharedCellsEpisodes, state: SharedCellsState) -> NDArray[np.float32]:
        snr = episodes.snr[episodes.row, state.slot]
        load = np.broadcast_to((state.load / self.num_agents)[:, None], snr.shape)
        serving = state.serving[..., None] == np.arange(self.config.num_cells)
        return np.concatenate((snr, load, serving), axis=-1, dtype=np.float32)

    def reveal(self, episodes: SharedCellsEpisodes, state: SharedCellsState, access: str) -> dict[str, NDArray[Any]]:
        if access == "local":
            return {}
        known: dict[str, NDArray[Any]] = {"serving": state.serving, "load": state.load}
        return {**known, "snr": episodes.snr[episodes.row]} if access == "hindsight" else known

    def constants(self) -> Mapping[str, Any]:
        return asdict(self.config)


# --------------------------------------------------------------------------------------------- event-driven

CELL_SPACING_M = 100.0
RADIUS_M = 120.0  # two or three cells are in reach
SLOWEST_MPS, FASTEST_MPS = 10.0, 20.0
MOST_CANDIDATES = 3


@dataclass(frozen=True, kw_only=True)
class RingRoadConfig:
    num_ues: int = 5
    num_cells: int = 6
    duration_s: float = 12.0

    def __post_init__(self) -> None:
        at_least("num_ues", self.num_ues, 1, integer=True)
        at_least("num_cells", self.num_cells, 4, integer=True)
        at_least("duration_s", self.duration_s, 10.0)  # so that every UE meets an epoch


@dataclass
class RingRoadEpisodes(Episodes):
    """Known routes: the epochs in order, padded after the last one with time `duration_s` and nobody."""

    time_s: NDArray[np.float64]  # (storage, epoch)
    ue: NDArray[np.int64]  # (storage, epoch), -1: none
    candidate: NDArray[np.int64]  # (storage, epoch, rank), nearest first, -1: none
    efficiency: NDArray[np.float32]  # (storage, epoch, rank), bit/s/Hz
    first_serving: NDArray[np.int64]  # (storage, ue)


@dataclass
class RingRoadState:
    epoch: NDArray[np.int64]
    serving: NDArray[np.int64]  # (N, ue)
    efficiency: NDArray[np.float64]  # (N, ue)


class RingRoad(Scenario[RingRoadEpisodes, RingRoadState]):
    """UEs drive round a ring of cells; whenever the cells in reach of one change, it chooses among them.

    A forbidden action stands for the nearest cell. Reward: the network's rate until the next epoch, in bit/Hz.
    """

    name = "ring_road"
    agent_noun = "ue"
    turn_based = True
    masked = True
    num_agents = 1
    metrics = (
        Metric("rate_bps_hz", "bit/s/Hz", "second", "the network's sum rate, integrated over the step"),
        Metric("handovers_per_s", "1/s", "second", "changes of the serving cell"),
    )

    def __init__(self, config: RingRoadConfig):
        self.config = c = config
        self.max_agent_ids = c.num_ues
        self._ring_m = CELL_SPACING_M * c.num_cells
        self._rounds = int(c.duration_s * FASTEST_MPS // self._ring_m) + 1
        self.horizon = c.num_ues * 2 * c.num_cells * self._rounds
        self.action_space = spaces.Discrete(MOST_CANDIDATES)
        k = MOST_CANDIDATES
        self.fields = ObservationFields(
            (
                Field("efficiency", k, 0.0, 20.0, "bit/s/Hz", "of each candidate, nearest first", per="choice"),
                Field("load", k, 0.0, 1.0, "1", "share of the UEs at each candidate", per="choice"),
                Field("serving", k, 0.0, 1.0, "1", "one-hot where the serving cell is still a candidate", per="choice"),
            )
        )

    def draw(self, rngs: Sequence[EpisodeRng]) -> RingRoadEpisodes:
        n, h, k = len(rngs), self.horizon, MOST_CANDIDATES
        episodes = RingRoadEpisodes(
            row=np.arange(n),
            time_s=np.full((n, h + 1), self.config.duration_s),
            ue=np.full((n, h + 1), -1),
            candidate=np.full((n, h + 1, k), -1),
            efficiency=np.zeros((n, h + 1, k), np.float32),
            first_serving=np.empty((n, self.config.num_ues), np.int64),
        )
        for i, rng in enumerate(rngs):
            start_m, speed_mps = self._routes(rng["mobility"])
            time_s, ue = self._epochs(start_m, speed_mps)
            m = len(time_s)
            near, distance_m = self._nearest(start_m[ue] + speed_mps[ue] * (time_s + 1e-6))
            reached = distance_m <= RADIUS_M
            episodes.time_s[i, :m], episodes.ue[i, :m] = time_s, ue
            episodes.candidate[i, :m] = np.where(reached, near, -1)
            episodes.efficiency[i, :m] = np.where(reached, np.log2(1.0 + 1e6 / (100.0 + distance_m**2)), 0.0)
            episodes.first_serving[i] = self._nearest(start_m)[0][:, 0]
        return episodes

    def _routes(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        u = rng.random((3, self.config.num_ues))
        speed_mps = SLOWEST_MPS + (FASTEST_MPS - SLOWEST_MPS) * u[1]
        return u[0] * self._ring_m, np.where(u[2] < 0.5, -speed_mps, speed_mps)

    def _epochs(
        self, start_m: NDArray[np.float64], speed_mps: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Times at which a UE crosses the border of a cell's reach, in order, and which UE."""
        centre_m = CELL_SPACING_M * np.arange(self.config.num_cells)
        border_m = np.concatenate((centre_m - RADIUS_M, centre_m + RADIUS_M))
        ahead_m = (np.sign(speed_mps)[:, None] * (border_m - start_m[:, None])) % self._ring_m
        laps_m = ahead_m[..., None] + self._ring_m * np.arange(self._rounds)
        time_s = (laps_m / np.abs(speed_mps)[:, None, None]).reshape(len(start_m), -1)
        ue = np.broadcast_to(np.arange(len(start_m))[:, None], time_s.shape)
        met = time_s < self.config.duration_s
        order = np.argsort(time_s[met], kind="stable")
        return time_s[met][order], ue[met][order]

    def _nearest(self, place_m: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest cells and their distances round the ring, (…, MOST_CANDIDATES)."""
        apart = np.abs(place_m[:, None] % self._ring_m - CELL_SPACING_M * np.arange(self.config.num_cells))
        distance_m = np.minimum(apart, self._ring_m - apart)
        near = np.argsort(distance_m, axis=1, kind="stable")[:, :MOST_CANDIDATES]
        return near, np.take_along_axis(distance_m, near, axis=1)

    def start(self, episodes: RingRoadEpisodes) -> RingRoadState:
        serving = episodes.first_serving[episodes.row]
        return RingRoadState(np.zeros(len(serving), np.int64), serving, np.full(serving.shape, 5.0))

    def step(self, episodes: RingRoadEpisodes, state: RingRoadState, action: NDArray[Any]) -> Outcome:
        envs, row = np.arange(len(state.epoch)), episodes.row
        now = row, state.epoch
        choice = np.where(self.action_mask(episodes, state)[envs, 0, action[:, 0]], action[:, 0], 0)
        ue, cell = episodes.ue[now], episodes.candidate[*now, choice]
        handover = cell != state.serving[envs, ue]
        state.serving[envs, ue] = cell
        state.efficiency[envs, ue] = episodes.efficiency[*now, choice]
        elapsed_s = episodes.time_s[row, state.epoch + 1] - episodes.time_s[now]
        rate = self._sum_rate(state)
        state.epoch += 1
        return Outcome(
            reward=(rate * elapsed_s)[:, None],
            terminated=np.zeros((len(envs), 1), bool),
            truncated=episodes.ue[row, state.epoch] < 0,
            elapsed_s=elapsed_s,
            metrics={"rate_bps_hz": rate * elapsed_s, "handovers_per_s": handover.astype(np.float64)},
        )

    def _sum_rate(self, state: RingRoadState) -> NDArray[np.float64]:
        """Cells share their time equally: each brings the mean efficiency of its UEs."""
        there = state.serving[..., None] == np.arange(self.config.num_cells)
        total = (there * state.efficiency[..., None]).sum(axis=1)
        return (total / np.maximum(there.sum(axis=1), 1)).sum(axis=1)

    def observe(self, episodes: RingRoadEpisodes, state: RingRoadState) -> NDArray[np.float32]:
        now = episodes.row, state.epoch
        candidate = episodes.candidate[now]
        there = (state.serving[:, None] == candidate[..., None]) & (candidate[..., None] >= 0)
        mine = state.serving[np.arange(len(state.epoch)), episodes.ue[now]]
        serving = (candidate == mine[:, None]) & (candidate >= 0)
        parts = episodes.efficiency[now], there.sum(axis=-1) / self.config.num_ues, serving
        return np.concatenate(parts, axis=-1, dtype=np.float32)[:, None]

    def action_mask(self, episodes: RingRoadEpisodes, state: RingRoadState) -> NDArray[np.bool_]:
        allowed = episodes.candidate[episodes.row, state.epoch] >= 0
        return (allowed | ~allowed.any(axis=1, keepdims=True))[:, None]

    def agent_ids(self, episodes: RingRoadEpisodes, state: RingRoadState) -> NDArray[np.int64]:
        return episodes.ue[episodes.row, state.epoch][:, None]

    def reveal(self, episodes: RingRoadEpisodes, state: RingRoadState, access: str) -> dict[str, NDArray[Any]]:
        known: dict[str, NDArray[Any]] = {} if access == "local" else {"serving": state.serving}
        if access in ("trajectory", "hindsight"):
            known["time_s"] = episodes.time_s[episodes.row]
        return known


# ------------------------------------------------------------------------------------------- comers and goers


@dataclass(frozen=True, kw_only=True)
class CrowdConfig:
    num_places: int = 1000
    horizon: int = 12

    def __post_init__(self) -> None:
        at_least("num_places", self.num_places, 1, integer=True)
        at_least("horizon", self.horizon, 2, integer=True)


@dataclass
class CrowdEpisodes(Episodes):
    """Each agent slot has two tenants, one after the other: present in the slots arrival <= slot < departure."""

    arrival: NDArray[np.int64]  # (storage, tenant, agent slot)
    departure: NDArray[np.int64]  # (storage, tenant, agent slot)
    rsrp_dbm: NDArray[np.float32]  # (storage, tenant, agent slot)


@dataclass
class CrowdState:
    slot: NDArray[np.int64]
    share: NDArray[np.float64]  # (N, agent slot): airtime in the last slot


class Crowd(Scenario[CrowdEpisodes, CrowdState]):
    """UEs ask for airtime of one cell and get what they ask, or proportionally less where it does not suffice."""

    name = "crowd"
    agent_noun = "ue"
    metrics = (
        Metric("airtime", "1", "step", "share of the slot"),
        Metric("present_ues", "1", "step", "UEs in the cell"),
    )

    def __init__(self, config: CrowdConfig):
        self.config = config
        self.num_agents = config.num_places
        self.max_agent_ids = 2 * config.num_places
        self.horizon = config.horizon
        self.action_space = spaces.Box(0.0, 1.0, (1,), np.float32)
        self.fields = ObservationFields(
            (
                Field("rsrp_dbm", 1, -120.0, -40.0, "dBm", "received power"),
                Field("occupancy", 1, 0.0, 1.0, "1", "share of the agent slots that are taken"),
                Field("airtime", 1, 0.0, 1.0, "1", "share of the last slot"),
            )
        )

    def draw(self, rngs: Sequence[EpisodeRng]) -> CrowdEpisodes:
        c, n = self.config, len(rngs)
        stay = np.empty((n, 2, 2, c.num_places), np.int64)  # slots away and slots present, of both tenants
        rsrp_dbm = np.empty((n, 2, c.num_places), np.float32)
        for i, rng in enumerate(rngs):
            stay[i] = rng["schedule"].exponential(c.horizon / 2, (2, 2, c.num_places)).astype(np.int64)
            rsrp_dbm[i] = -40.0 - 80.0 * rng["signal"].random((2, c.num_places))
        stay[:, :, 1] += 1
        stay[:, 1, 0] += 1  # the agent slot stays empty for a step at least
        stay[:, 0, 0] *= stay[:, 0, 0] > c.horizon // 2  # most are there when the episode starts
        stay[:, 0, 0, 0] = 0
        change = stay.reshape(n, 4, -1).cumsum(axis=1)
        return CrowdEpisodes(np.arange(n), change[:, 0::2], change[:, 1::2], rsrp_dbm)

    def start(self, episodes: CrowdEpisodes) -> CrowdState:
        n = len(episodes.row)
        return CrowdState(np.zeros(n, np.int64), np.zeros((n, self.num_agents)))

    def _tenants(self, episodes: CrowdEpisodes, slot: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Who is there, (N, tenant, agent slot)."""
        at = slot[:, None, None]
        return (episodes.arrival[episodes.row] <= at) & (at < episodes.departure[episodes.row])

    def step(self, episodes: CrowdEpisodes, state: CrowdState, action: NDArray[Any]) -> Outcome:
        before = self._tenants(episodes, state.slot)
        after = self._tenants(episodes, state.slot + 1)
        present = before.any(axis=1)
        asked = action[..., 0] * present
        share = asked / np.maximum(asked.sum(axis=1), 1.0)[:, None]
        heard_dbm = (episodes.rsrp_dbm[episodes.row] * before).sum(axis=1)
        state.share = share
        state.slot += 1
        return Outcome(
            reward=share * (120.0 + heard_dbm),
            terminated=(before & ~after).any(axis=1),
            truncated=state.slot >= self.horizon,
            elapsed_s=np.full(len(state.slot), 1.0),
            metrics={"airtime": share.copy(), "present_ues": present.sum(axis=1).astype(np.float64)},
        )

    def observe(self, episodes: CrowdEpisodes, state: CrowdState) -> NDArray[np.float32]:
        tenants = self._tenants(episodes, state.slot)
        present = tenants.any(axis=1)
        observation = np.empty((*present.shape, 3), np.float32)
        observation[..., 0] = (episodes.rsrp_dbm[episodes.row] * tenants).sum(axis=1)
        observation[..., 1] = present.mean(axis=1)[:, None]
        observation[..., 2] = state.share
        observation[~present] = self.fields.absent
        return observation

    def agent_ids(self, episodes: CrowdEpisodes, state: CrowdState) -> NDArray[np.int64]:
        tenants = self._tenants(episodes, state.slot)
        slot = np.arange(self.num_agents)
        return np.where(tenants[:, 0], slot, np.where(tenants[:, 1], self.num_agents + slot, -1))


ROOMS = tuple(
    Room(
        name=scenario.name,
        package=__name__,
        entries=(Entry(id=f"{scenario.__name__}-v0", summary=summary),),
        scenario=f":{scenario.__name__}",
        config=f":{scenario.__name__}Config",
    )
    for scenario, summary in ((SharedCells, "UEs share cells"), (RingRoad, "events"), (Crowd, "come and go"))
)
