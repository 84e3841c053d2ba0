"""UDN handover: UEs walk among small cells, and at every slot each chooses the cell that serves it.

The paper is Z. Wang, L. Li, Y. Xu, H. Tian, S. Cui, "Handover Control in Wireless Systems via Asynchronous
Multi-User Deep Reinforcement Learning", IEEE IoT Journal 5(6), 2018 (arXiv 1801.02077), sections III and V.

A slot: the UE at its place hears every cell (path loss, shadowing, fading) and knows which cell served it; it picks
a cell; it receives that cell's rate, less beta * E if the cell is a new one (eq. 17). There is no interference and
no load, so UEs do not disturb each other and the best sequence of cells is a shortest path.

Differences from the paper, and choices where it is silent:

1. The paper gives no slot length. A slot is 50 ms here, its longest handover interruption (`step_s`).
2. The rate in the reward is in bit/s/Hz: with Mbit/s beta costs nothing, with Gbit/s everything (`beta`).
3. The handover interruption is left out of the rate, as the paper's trade-off in beta needs; `interruption_s`
   puts it back.
4. Shadowing is one map a cell, correlated over 6 m on a 1 m grid; the paper says only "log-normal, 8 dB". With
   `shadowing="independent"` every slot draws anew, which at steps of 10 cm is not physical.
5. Rayleigh fading is drawn anew every slot and the controller sees it, as the reward does. `fading="averaged"`
   shows the controller the mean, `fading="none"` has none.
6. A UE's speed is drawn once, its first place is the centre; it is first served by the strongest cell it hears.
7. The distance is clamped to 1 m. RSRQ is the cell's share of the received power in dB, without 3GPP's constant.
8. A new layout of cells is drawn for every episode; the paper keeps one an area. `layout_seed` fixes it.
9. `boundary="leave"` ends an episode where the UE leaves, as the paper does. With "stay" the walls stop it, with
   "open" it walks on (shadowing then stays as at the wall).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym import mobility, radio
from mmwave_gym.checks import at_least, between, interval, one_of, probabilities
from mmwave_gym.geometry import exponential_field
from mmwave_gym.scenario import (
    EpisodeKey,
    EpisodeRng,
    Episodes,
    Metric,
    ObservationField,
    ObservationFields,
    Outcome,
    Scenario,
)

Array = NDArray[np.float64]

AREAS: dict[str, tuple[float, float, float, float]] = {
    "A1": (0.25, 0.25, 0.25, 0.25),  # probabilities of a step east, south, west, north (section V)
    "A2": (0.25, 0.25, 0.25, 0.25),
    "A3": (0.6, 0.2, 0.1, 0.1),
}
PATH_LOSS_SLOPE_DB = 36.7  # section V, with the intercept: 36.7 log10(d) + 39.4 dB
PATH_LOSS_INTERCEPT_DB = 39.4
SHADOWING_GRID_M = 1.0  # ours: a sixth of the default correlation distance
LOWEST_RSRQ_DB = (
    -45.0
)  # ours: the clip of the network input (q + 15) / 10 at -3; a cell below it is nobody's target
OUTAGE_SNR_DB = -8.0  # Qout as 3GPP TR 36.839 takes it: below, the link counts as out of synchronisation
PING_PONG_WINDOW_S = 1.0  # 3GPP TR 36.839: a return to the old cell within the minimum time of stay


@dataclass(frozen=True, kw_only=True)
class HandoverConfig:
    """Keywords of `MmwaveHandover-v0`. Errors: ValueError names the keyword, the value and what is allowed."""

    mobility: str | tuple[float, float, float, float] = "A1"
    """An area of the paper (A1, A2: symmetric; A3: drifts east) or probabilities of a step E, S, W, N."""
    beta: float = 25.0
    """Price of handover energy in the reward, bit/s/Hz per joule (paper: 5 to 25)."""
    step_s: float = 0.05
    """Slot length in seconds."""
    horizon: int = 1200
    """Slots until truncation; the default is one minute."""
    num_cells: int = 6
    """Small cells, uniform in the area (paper: 6)."""
    num_ues: int = 1
    """UEs, each an agent in PettingZoo; `gym.make` controls the first."""
    area_side_m: float = 16.0
    """Side of the square area in metres (paper: 16)."""
    start: str = "centre"
    """Where UEs begin: "centre" or "uniform"."""
    boundary: str = "leave"
    """What a UE does at the border: "leave" (its episode ends), "stay" (walls), "open" (no border)."""
    speed_mps: tuple[float, float] = (1.0, 3.0)
    """Speed interval in metres a second (paper: 1 to 3)."""
    speed_drawn_per: str = "ue"
    """Whether the speed is drawn once per "ue" or anew per "slot"."""
    shadowing: str = "correlated"
    """"correlated" (a map a cell), "static" (one value a cell), "independent" (anew every slot) or "none"."""
    shadowing_db: float = 8.0
    """Standard deviation of shadowing in dB (paper: 8)."""
    shadowing_correlation_m: float = 6.0
    """Distance in metres over which the correlation falls to 1/e."""
    fading: str = "seen"
    """Rayleigh fading: "seen" by controller and reward, "averaged" for the controller, or "none"."""
    interruption_s: float = 0.0
    """Time without data at a handover, in seconds, at most one slot (paper: up to 0.05)."""
    handover_energy_j: float = 0.3
    """Energy of a handover in joules (paper: 0.3)."""
    tx_power_dbm: float = 30.0
    """Transmit power of a cell in dBm (paper: 30)."""
    bandwidth_hz: float = 10e6
    """Bandwidth in Hz (paper: 10 MHz); it sets the noise."""
    layout_seed: int | None = None
    """Fixes cells and shadowing maps for all episodes; None draws new ones for every episode."""

    def __post_init__(self) -> None:
        if isinstance(self.mobility, str):
            one_of("mobility", self.mobility, AREAS)
        else:
            probabilities("mobility", self.mobility, 4)
        one_of("start", self.start, ("centre", "uniform"))
        one_of("boundary", self.boundary, ("leave", "stay", "open"))
        one_of("speed_drawn_per", self.speed_drawn_per, ("ue", "slot"))
        one_of("shadowing", self.shadowing, ("correlated", "static", "independent", "none"))
        one_of("fading", self.fading, ("seen", "averaged", "none"))
        for name, low in {"horizon": 1, "num_cells": 2, "num_ues": 1}.items():
            at_least(name, getattr(self, name), low, integer=True)
        for name in ("step_s", "area_side_m", "shadowing_correlation_m", "bandwidth_hz"):
            at_least(name, getattr(self, name), 0.0, strict=True)
        for name in ("beta", "shadowing_db", "handover_energy_j"):
            at_least(name, getattr(self, name), 0.0)
        between("tx_power_dbm", self.tx_power_dbm, -50.0, 100.0)
        between("interruption_s", self.interruption_s, 0.0, self.step_s)
        interval("speed_mps", self.speed_mps, 0.0)
        if self.layout_seed is not None:
            at_least("layout_seed", self.layout_seed, 0, integer=True)


@dataclass
class HandoverEpisodes(Episodes):
    """Drawn episodes: axis 0 storage, then slot 0..horizon, UE, and cell or coordinate."""

    position_m: NDArray[np.float32]  # (storage, slot, ue, 2)
    site_m: NDArray[np.float32]  # (storage, cell, 2)
    rsrq_db: NDArray[np.float32]  # (storage, slot, ue, cell): what the UE measures
    efficiency_bps_hz: NDArray[np.float32]  # (storage, slot, ue, cell): what it would receive from each cell
    departure: NDArray[np.int64]  # (storage, ue): first slot at which the UE is gone, horizon + 1 for never


@dataclass
class HandoverState:
    slot: NDArray[np.int64]  # (N,)
    serving: NDArray[np.int64]  # (N, A): the cell of the last slot
    previous: NDArray[np.int64]  # (N, A): the cell before that one, -1 for none
    handover_slot: NDArray[np.int64]  # (N, A): when `serving` took over, long ago at first


class Handover(Scenario[HandoverEpisodes, HandoverState]):
    """The scenario of the module's text: one agent a UE, one step a slot."""

    name = "handover"
    agent_noun = "ue"
    action_meaning = "the cell that serves the coming slot"
    reward_meaning = (
        "spectral efficiency received in the slot (less the share lost to `interruption_s` at a handover), "
        "minus `beta` * `handover_energy_j` if the cell is a new one (eq. 17)"
    )
    reward_unit = "bit/s/Hz"
    metrics = (
        Metric("throughput_bps_hz", "bit/s/Hz", "step", "mean spectral efficiency received"),
        Metric("handovers_per_s", "1/s", "second", "handovers a second"),
        Metric("handover_energy_w", "W", "second", "energy spent on handovers, a second"),
        Metric("ping_pongs_per_s", "1/s", "second", "returns to the previous cell within a second"),
        Metric("outage_fraction", "1", "step", "share of slots with an SNR below -8 dB"),
    )

    def __init__(self, config: HandoverConfig):
        self.config = config
        self.num_agents = self.max_agent_ids = config.num_ues
        self.horizon = config.horizon
        self.action_space = spaces.Discrete(config.num_cells)
        self.fields = ObservationFields(
            (
                ObservationField(
                    "rsrq_db",
                    config.num_cells,
                    LOWEST_RSRQ_DB,
                    0.0,
                    "dB",
                    "share of each cell in the received power",
                ),
                ObservationField(
                    "serving", config.num_cells, 0.0, 1.0, "1", "one-hot: the cell that served the last slot"
                ),
            )
        )
        self._noise_dbm = radio.noise_dbm(config.bandwidth_hz)
        self._ping_pong_slots = round(PING_PONG_WINDOW_S / config.step_s)
        self._outage_bps_hz = float(radio.spectral_efficiency_bps_hz(radio.db_to_linear(OUTAGE_SNR_DB)))
        self._handover_cost = config.beta * config.handover_energy_j
        self._interrupted = config.interruption_s / config.step_s
        self._ue = np.arange(config.num_ues)
        self._cell = np.arange(config.num_cells)

    # ------------------------------------------------------------------ the world

    def draw(self, rngs: Sequence[EpisodeRng]) -> HandoverEpisodes:
        c, n = self.config, len(rngs)
        slots = (n, c.horizon + 1, c.num_ues)
        episodes = HandoverEpisodes(
            row=np.arange(n),
            position_m=np.empty((*slots, 2), np.float32),
            site_m=np.empty((n, c.num_cells, 2), np.float32),
            rsrq_db=np.empty((*slots, c.num_cells), np.float32),
            efficiency_bps_hz=np.empty((*slots, c.num_cells), np.float32),
            departure=np.full((n, c.num_ues), c.horizon + 1),
        )
        for i, rng in enumerate(rngs):
            site_m, maps = self._fixed_layout or self._layout(rng)
            x_m, y_m = self._walks(rng["mobility"])
            snr, mean_snr = self._snr(rng, site_m, maps, x_m, y_m)
            heard = (
                snr if c.fading == "seen" else mean_snr
            )  # noise cancels in the share of the received power
            rsrq_db = np.maximum(radio.linear_to_db(heard / heard.sum(axis=0)), LOWEST_RSRQ_DB)
            episodes.site_m[i] = site_m
            episodes.position_m[i] = np.stack((x_m, y_m)).T
            episodes.rsrq_db[i] = rsrq_db.T
            episodes.efficiency_bps_hz[i] = radio.spectral_efficiency_bps_hz(snr).T
            if c.boundary == "leave":
                episodes.departure[i] = mobility.first_outside(x_m, y_m, c.area_side_m)
        return episodes

    def _layout(self, rng: EpisodeRng) -> tuple[Array, Array | None]:
        """Sites (cell, 2) and, for map-like shadowing, standard normal maps."""
        c = self.config
        site_m = rng["sites"].random((c.num_cells, 2)) * c.area_side_m
        if c.shadowing == "correlated":
            return site_m, self._field.draw(rng["shadowing"], c.num_cells)
        if c.shadowing == "static":
            return site_m, rng["shadowing"].standard_normal(c.num_cells)
        return site_m, None

    @cached_property
    def _fixed_layout(self) -> tuple[Array, Array | None] | None:
        seed = self.config.layout_seed
        return None if seed is None else self._layout(EpisodeRng(EpisodeKey(seed, stream="layout")))

    @cached_property
    def _field(self) -> Any:
        c = self.config
        return exponential_field(c.area_side_m, c.shadowing_correlation_m, SHADOWING_GRID_M)

    def _walks(self, rng: np.random.Generator) -> Array:
        """Coordinates (2, ue, slot) of all UEs."""
        c = self.config
        start_m = np.full((2, c.num_ues), c.area_side_m / 2)
        if c.start == "uniform":
            start_m = rng.random((2, c.num_ues)) * c.area_side_m
        slowest, fastest = c.speed_mps
        speed_mps = slowest + (fastest - slowest) * rng.random(
            (c.num_ues, 1 if c.speed_drawn_per == "ue" else c.horizon)
        )
        chances = AREAS[c.mobility] if isinstance(c.mobility, str) else c.mobility
        # The last boundary is left out: it is 1, or a rounding error below.
        heading = np.searchsorted(np.cumsum(chances)[:3], rng.random((c.num_ues, c.horizon)), side="right")
        displacement_m = mobility.HEADINGS.take(heading, axis=1) * (speed_mps * c.step_s)
        if c.boundary == "stay":
            return mobility.walk_between_walls(start_m, displacement_m, 0.0, c.area_side_m)
        return mobility.walk(start_m, displacement_m)

    def _snr(
        self, rng: EpisodeRng, site_m: Array, maps: Array | None, x_m: Array, y_m: Array
    ) -> tuple[Array, Array]:
        """Linear SNR (cell, ue, slot), with fading and averaged over it."""
        c = self.config
        site_x, site_y = site_m.T[..., None, None]
        snr_db = radio.log_distance_path_loss_db(
            (x_m - site_x) ** 2 + (y_m - site_y) ** 2,
            -PATH_LOSS_SLOPE_DB,
            c.tx_power_dbm - self._noise_dbm - PATH_LOSS_INTERCEPT_DB,
        )
        if c.shadowing == "correlated":
            assert maps is not None
            snr_db += c.shadowing_db * self._field.at(maps, x_m, y_m)
        elif c.shadowing == "static":
            assert maps is not None
            snr_db += c.shadowing_db * maps[:, None, None]
        elif c.shadowing == "independent":
            snr_db += c.shadowing_db * rng["shadowing"].standard_normal(snr_db.shape)
        mean_snr = radio.db_to_linear(snr_db)
        if c.fading == "none":
            return mean_snr, mean_snr
        return mean_snr * rng["fading"].standard_exponential(snr_db.shape), mean_snr

    # ------------------------------------------------------------------ the game

    def start(self, episodes: HandoverEpisodes) -> HandoverState:
        strongest = episodes.rsrq_db[episodes.row, 0].argmax(axis=-1)  # the first cell costs no handover
        return HandoverState(
            slot=np.zeros(len(strongest), np.int64),
            serving=strongest,
            previous=np.full_like(strongest, -1),
            handover_slot=np.full_like(strongest, -(2**31)),
        )

    def step(self, episodes: HandoverEpisodes, state: HandoverState, action: NDArray[Any]) -> Outcome:
        slot = state.slot[:, None]
        departure = episodes.departure[episodes.row]
        present = slot < departure
        handover = (action != state.serving) & present
        efficiency = episodes.efficiency_bps_hz[episodes.row[:, None], slot, self._ue, action] * present
        outage = (efficiency < self._outage_bps_hz) & present
        ping_pong = (
            handover & (action == state.previous) & (slot - state.handover_slot <= self._ping_pong_slots)
        )
        throughput = efficiency * (1.0 - self._interrupted * handover)

        state.previous = np.where(handover, state.serving, state.previous)
        state.handover_slot = np.where(handover, slot, state.handover_slot)
        state.serving = np.where(present, action, state.serving)
        state.slot += 1

        handovers = handover.astype(np.float64)
        return Outcome(
            reward=throughput - self._handover_cost * handovers,
            terminated=present & (state.slot[:, None] >= departure),
            truncated=state.slot >= self.horizon,
            elapsed_s=np.full(len(state.slot), self.config.step_s),
            metrics={
                "throughput_bps_hz": throughput,
                "handovers_per_s": handovers,
                "handover_energy_w": handovers * self.config.handover_energy_j,
                "ping_pongs_per_s": ping_pong.astype(np.float64),
                "outage_fraction": outage.astype(np.float64),
            },
        )

    def observe(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.float32]:
        n, a = state.serving.shape
        k = self.config.num_cells
        observation = np.empty((n, a, 2 * k), np.float32)
        observation[..., :k] = episodes.rsrq_db[episodes.row, state.slot]
        observation[..., k:] = state.serving[..., None] == self._cell
        if self.config.boundary == "leave" and a > 1:
            observation[self.agent_ids(episodes, state) < 0] = 0.0
        return observation

    def agent_ids(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.int64]:
        return np.where(state.slot[:, None] < episodes.departure[episodes.row], self._ue, -1)

    def reveal(
        self, episodes: HandoverEpisodes, state: HandoverState, access: str
    ) -> dict[str, NDArray[Any]]:
        if access not in ("trajectory", "hindsight"):
            return {}
        known = {"position_m": episodes.position_m[episodes.row], "site_m": episodes.site_m[episodes.row]}
        if access == "hindsight":
            known["efficiency_bps_hz"] = episodes.efficiency_bps_hz[episodes.row]
            known["departure"] = episodes.departure[episodes.row]
        return known

    def constants(self) -> Mapping[str, Any]:
        return dataclasses.asdict(self.config)
