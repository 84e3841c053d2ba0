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

With `channel=…` the world is a link matrix (measured, ray-traced, recorded) instead of the paper's, and:

10. RSRP comes from the file as `mmwave_gym.links.matrix` says, with the walks along its places; no fading and no
    shadowing is added. The rate is log2(1 + SNR) with the file's noise.
11. A cell that is not heard at a place has rate 0 (so a UE served by it is in outage), the lowest RSRQ and 0 in the
    field "heard". Actions are masked to the heard cells and the serving one.
12. RSRQ has the noise in its denominator, as 3GPP's has in the RSSI: at -100 dBm a lone cell would otherwise look
    like one at -60 dBm. Differences of RSRQ are still those of RSRP.
13. A UE is first served by the strongest cell that it hears, by the first of the file if it hears none. It never
    leaves.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.checks import at_least, between, interval, one_of, probabilities
from mmwave_gym.core.scenario import (
    EpisodeKey,
    EpisodeRng,
    Episodes,
    Metric,
    ObservationField,
    ObservationFields,
    Outcome,
    Scenario,
)
from mmwave_gym.core.types import FloatArray
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.radio import units as radio
from mmwave_gym.radio.fields import exponential_field
from mmwave_gym.scenarios.handover import mobility

AREAS: dict[str, tuple[float, float, float, float]] = {
    "A1": (0.25, 0.25, 0.25, 0.25),  # probabilities of a step east, south, west, north (section V)
    "A2": (0.25, 0.25, 0.25, 0.25),
    "A3": (0.6, 0.2, 0.1, 0.1),
}
PATH_LOSS_SLOPE_DB = 36.7  # section V, with the intercept: 36.7 log10(d) + 39.4 dB
PATH_LOSS_INTERCEPT_DB = 39.4
SHADOWING_GRID_M = 1.0  # ours: a sixth of the default correlation distance
LOWEST_RSRQ_DB = -45.0  # ours: the clip of the network input (q + 15) / 10 at -3; a cell below it is nobody's target
OUTAGE_SNR_DB = -8.0  # Qout as 3GPP TR 36.839 takes it: below, the link counts as out of synchronisation
PING_PONG_WINDOW_S = 1.0  # 3GPP TR 36.839: a return to the old cell within the minimum time of stay
PAPER_WORLD = (
    *("mobility", "area_side_m", "start", "boundary", "speed_drawn_per", "shadowing", "shadowing_db"),
    *("shadowing_correlation_m", "fading", "tx_power_dbm", "bandwidth_hz", "layout_seed"),
)
"""Keywords that say nothing where a link matrix is the world."""


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
    channel: str | os.PathLike[str] | LinkMatrix | None = None
    """A link matrix as the world: a .npz or .csv file, "mssn:V-R10/2071667", "raytraced:sf_columbus_28ghz"; "#north"
    behind it means that half of its streets."""

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
        if self.channel is not None:
            for field in dataclasses.fields(self):
                if field.name in PAPER_WORLD and getattr(self, field.name) != field.default:
                    raise ValueError(
                        f"{field.name} belongs to the paper's world and means nothing with channel=…: leave one of "
                        f"them out (got {field.name}={getattr(self, field.name)!r})."
                    )

    def on(self, channel: LinkMatrix) -> HandoverConfig:
        """This configuration with the number of cells of a link matrix; ValueError where they contradict."""
        default = {field.name: field.default for field in dataclasses.fields(self)}
        if self.num_cells not in (default["num_cells"], channel.num_cells):
            raise ValueError(
                f"num_cells must be left out with channel=…, which has {channel.num_cells}; got {self.num_cells}."
            )
        if channel.kind == "time" and self.speed_mps != default["speed_mps"]:
            raise ValueError(f"speed_mps means nothing for a channel recorded over time, got {self.speed_mps}.")
        channel.check_episode(self.horizon, self.step_s, self.speed_mps[1])
        return dataclasses.replace(self, num_cells=channel.num_cells)


@dataclass
class HandoverEpisodes(Episodes):
    """Drawn episodes: axis 0 storage, then slot 0..horizon, UE, and cell or coordinate."""

    position_m: NDArray[np.float32]  # (storage, slot, ue, 2)
    site_m: NDArray[np.float32]  # (storage, cell, 2)
    link: NDArray[np.float32]  # (storage, slot, ue, 2 * cell): RSRQs, then rates, side by side for the cache
    departure: NDArray[np.int64]  # (storage, ue): first slot at which the UE is gone, horizon + 1 for never

    @property
    def rsrq_db(self) -> NDArray[np.float32]:
        """What the UE measures, (storage, slot, ue, cell)."""
        return self.link[..., : self.site_m.shape[1]]

    @property
    def efficiency_bps_hz(self) -> NDArray[np.float32]:
        """What the UE would receive from each cell, (storage, slot, ue, cell)."""
        return self.link[..., self.site_m.shape[1] :]


@dataclass
class HandoverState:
    slot: NDArray[np.int64]  # (N,)
    line: NDArray[np.int64]  # (N, A): where `HandoverEpisodes.link` has this slot, its first three axes made one
    departure: NDArray[np.int64]  # (N, A): that of the running episode
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
        self.channel = None
        if config.channel is not None:
            from mmwave_gym.sources import open_channel  # readers of files are not needed in the paper's world

            self.channel = open_channel(config.channel)
            config = config.on(self.channel)
        self.masked = self.channel is not None
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
                    per="choice",
                ),
                ObservationField(
                    "serving",
                    config.num_cells,
                    0.0,
                    1.0,
                    "1",
                    "one-hot: the cell that served the last slot",
                    per="choice",
                ),
                *self._heard_field(config.num_cells),
            )
        )
        self._noise_dbm = radio.noise_dbm(config.bandwidth_hz)
        self._ping_pong_slots = round(PING_PONG_WINDOW_S / config.step_s)
        self._outage_bps_hz = float(radio.spectral_efficiency_bps_hz(radio.db_to_linear(OUTAGE_SNR_DB)))
        self._handover_cost = config.beta * config.handover_energy_j
        self._interrupted = config.interruption_s / config.step_s
        chances = AREAS[config.mobility] if isinstance(config.mobility, str) else config.mobility
        self._chances = np.array(chances)
        self._some_leave = config.boundary == "leave" and config.num_ues > 1  # while the others go on
        self._ue = np.arange(config.num_ues)
        self._step_s = np.full(1, config.step_s)
        self._one_hot = np.eye(config.num_cells, dtype=np.float32)

    def _heard_field(self, num_cells: int) -> tuple[ObservationField, ...]:
        if self.channel is None:
            return ()
        return (
            ObservationField("heard", num_cells, 0.0, 1.0, "1", "1 for each cell that is heard here", per="choice"),
        )

    # ------------------------------------------------------------------ the world

    def draw(self, rngs: Sequence[EpisodeRng]) -> HandoverEpisodes:
        c, n = self.config, len(rngs)
        slots = (n, c.horizon + 1, c.num_ues)
        episodes = HandoverEpisodes(
            row=np.arange(n),
            position_m=np.empty((*slots, 2), np.float32),
            site_m=np.empty((n, c.num_cells, 2), np.float32),
            link=np.empty((*slots, 2 * c.num_cells), np.float32),
            departure=np.full((n, c.num_ues), c.horizon + 1),
        )
        if self.channel is not None:
            self._play(self.channel, rngs, episodes)
            return episodes
        for i, rng in enumerate(rngs):
            site_m, maps_db = self._fixed_layout or self._layout(rng)
            position_m = self._walks(rng["mobility"])
            snr, mean_snr = self._snr(rng, site_m, maps_db, position_m)
            heard = snr if c.fading == "seen" else mean_snr
            share = heard / heard.sum(axis=0)  # of the received power: the noise cancels
            episodes.site_m[i] = site_m
            episodes.position_m[i] = position_m.T
            episodes.rsrq_db[i] = np.maximum(radio.linear_to_db(share), LOWEST_RSRQ_DB).T
            episodes.efficiency_bps_hz[i] = radio.spectral_efficiency_bps_hz(snr).T
            if c.boundary == "leave":
                episodes.departure[i] = mobility.first_outside(position_m, c.area_side_m)
        return episodes

    def _play(self, channel: LinkMatrix, rngs: Sequence[EpisodeRng], episodes: HandoverEpisodes) -> None:
        """Fill `episodes` from a link matrix."""
        c = self.config
        episodes.site_m[:] = np.nan if channel.site_m is None else channel.site_m
        episodes.rsrq_db[:] = LOWEST_RSRQ_DB
        episodes.efficiency_bps_hz[:] = 0.0
        for i, rng in enumerate(rngs):
            position_m, cell, rsrp_dbm = channel.draw(
                rng, horizon=c.horizon, step_s=c.step_s, num_ues=c.num_ues, speed_mps=c.speed_mps
            )
            snr = radio.db_to_linear(rsrp_dbm - channel.noise_dbm)
            snr[np.isnan(snr)] = 0.0  # not heard
            share = snr / (1.0 + snr.sum(axis=-1, keepdims=True))
            rsrq_db = radio.linear_to_db(np.maximum(share, radio.db_to_linear(LOWEST_RSRQ_DB)))
            episodes.position_m[i] = position_m.T
            episodes.rsrq_db[i][..., cell] = rsrq_db.swapaxes(0, 1)
            episodes.efficiency_bps_hz[i][..., cell] = radio.spectral_efficiency_bps_hz(snr).swapaxes(0, 1)

    def _layout(self, rng: EpisodeRng) -> tuple[FloatArray, FloatArray]:
        """Sites (cell, 2) and the shadowing in dB that belongs to places (maps) or cells; 0 where neither does."""
        c = self.config
        site_m = c.area_side_m * rng["sites"].random((c.num_cells, 2)).astype(np.float32)
        if c.shadowing == "correlated":
            return site_m, c.shadowing_db * self._field.draw(rng["shadowing"], c.num_cells)
        if c.shadowing == "static":
            return site_m, c.shadowing_db * rng["shadowing"].standard_normal((c.num_cells, 1, 1))
        return site_m, np.zeros((1, 1, 1))

    @cached_property
    def _fixed_layout(self) -> tuple[FloatArray, FloatArray] | None:
        seed = self.config.layout_seed
        return None if seed is None else self._layout(EpisodeRng(EpisodeKey(seed, stream="layout")))

    @cached_property
    def _field(self) -> Any:
        c = self.config
        return exponential_field(c.area_side_m, c.shadowing_correlation_m, SHADOWING_GRID_M)

    def _walks(self, rng: np.random.Generator) -> FloatArray:
        """Positions (2, ue, slot) of all UEs."""
        c = self.config
        start_m = np.full((2, c.num_ues), c.area_side_m / 2)
        if c.start == "uniform":
            start_m = rng.random((2, c.num_ues)) * c.area_side_m
        slowest, fastest = c.speed_mps
        times = 1 if c.speed_drawn_per == "ue" else c.horizon
        stride_m = c.step_s * (slowest + (fastest - slowest) * rng.random((c.num_ues, times)))
        displacement_m = stride_m * mobility.headings(self._chances, rng.random((c.num_ues, c.horizon)))
        if c.boundary == "stay":
            path_m = mobility.walk_between_walls(start_m, displacement_m, 0.0, c.area_side_m)
        else:
            path_m = mobility.walk(start_m, displacement_m)
        return path_m.astype(np.float32)

    def _snr(
        self, rng: EpisodeRng, site_m: FloatArray, maps_db: FloatArray, position_m: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Linear SNR (cell, ue, slot), with fading and averaged over it.

        float32 as the result is stored: it takes half the time and is off by less than 1e-4 dB.
        """
        c = self.config
        x_m, y_m = position_m
        site_x_m, site_y_m = site_m.T[..., None, None]
        path_loss_db = radio.log_distance_path_loss_db(
            (x_m - site_x_m) ** 2 + (y_m - site_y_m) ** 2, PATH_LOSS_SLOPE_DB, PATH_LOSS_INTERCEPT_DB
        )
        snr_db = (c.tx_power_dbm - self._noise_dbm) - path_loss_db
        snr_db += self._field.at(maps_db, position_m) if c.shadowing == "correlated" else maps_db
        if c.shadowing == "independent":
            snr_db += c.shadowing_db * rng["shadowing"].standard_normal(snr_db.shape)
        mean_snr = radio.db_to_linear(snr_db)
        if c.fading == "none":
            return mean_snr, mean_snr
        # Drawn in float64: a float32 exponential can be exactly 0, which is -inf dB.
        return mean_snr * rng["fading"].standard_exponential(snr_db.shape).astype(np.float32), mean_snr

    # ------------------------------------------------------------------ the game

    def start(self, episodes: HandoverEpisodes) -> HandoverState:
        strongest = episodes.rsrq_db[episodes.row, 0].argmax(axis=-1)  # the first cell costs no handover
        return HandoverState(
            slot=np.zeros(len(strongest), np.int64),
            line=(episodes.row * (self.horizon + 1))[:, None] * self.num_agents + self._ue,
            departure=episodes.departure[episodes.row],
            serving=strongest,
            previous=np.full_like(strongest, -1),
            handover_slot=np.full_like(strongest, -(2**31)),
        )

    def step(self, episodes: HandoverEpisodes, state: HandoverState, action: NDArray[Any]) -> Outcome:
        slot = state.slot[:, None]
        handover = action != state.serving
        # A flat index is thrice as fast as four.
        k = self.config.num_cells
        efficiency = episodes.link.take(2 * k * state.line + k + action).astype(np.float64)
        outage = efficiency < self._outage_bps_hz
        if self._some_leave:
            present = slot < state.departure
            handover, efficiency, outage = handover & present, efficiency * present, outage & present
        handovers = handover.astype(np.float64)
        back = (action == state.previous) & (slot <= state.handover_slot + self._ping_pong_slots)
        throughput = efficiency * (1.0 - self._interrupted * handovers) if self._interrupted else efficiency

        np.putmask(state.previous, handover, state.serving)  # takes half the time of copyto, does not broadcast
        np.copyto(state.handover_slot, slot, where=handover)
        np.putmask(state.serving, handover, action)
        state.slot = state.slot + 1  # in place would be slower, and `slot` is a view of it
        state.line = state.line + self.num_agents

        return Outcome(
            reward=throughput - self._handover_cost * handovers,
            terminated=state.slot[:, None] == state.departure,
            truncated=state.slot >= self.horizon,
            elapsed_s=self._step_s.repeat(len(slot)),
            metrics={
                "throughput_bps_hz": throughput,
                "handovers_per_s": handovers,
                "handover_energy_w": self.config.handover_energy_j * handovers,
                "ping_pongs_per_s": handovers * back,
                "outage_fraction": outage.astype(np.float64),
            },
        )

    def observe(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.float32]:
        k = self.config.num_cells
        observation = episodes.link.reshape(-1, 2 * k).take(state.line, axis=0)
        if self.masked:
            heard = (observation[..., k:] > 0.0).astype(np.float32)
            observation = np.concatenate((observation, heard), axis=-1)
        observation[..., k : 2 * k] = self._one_hot.take(state.serving, axis=0)  # the rates are for `step` only
        if self._some_leave:
            observation[self.agent_ids(episodes, state) < 0] = 0.0
        return observation

    def action_mask(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.bool_] | None:
        if not self.masked:
            return None
        # Whatever is heard has a rate: LinkMatrix bounds RSRP and noise, so that log1p stays above 0 in float32.
        heard = episodes.efficiency_bps_hz[episodes.row, state.slot] > 0.0
        return heard | (self._one_hot.take(state.serving, axis=0) > 0.0)

    def agent_ids(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.int64]:
        return np.where(state.slot[:, None] < state.departure, self._ue, -1)

    def reveal(self, episodes: HandoverEpisodes, state: HandoverState, access: str) -> dict[str, NDArray[Any]]:
        if access not in ("trajectory", "hindsight"):
            return {}
        known: dict[str, NDArray[Any]] = {
            "position_m": episodes.position_m[episodes.row],
            "site_m": episodes.site_m[episodes.row],
        }
        if self.channel is not None:  # a file may know neither
            known = {name: value for name, value in known.items() if getattr(self.channel, name) is not None}
        if access == "hindsight":
            known["efficiency_bps_hz"] = episodes.efficiency_bps_hz[episodes.row]
            known["departure"] = episodes.departure[episodes.row]
        return known

    def constants(self) -> Mapping[str, Any]:
        values = {field.name: getattr(self.config, field.name) for field in dataclasses.fields(self.config)}
        if self.channel is None:
            return values
        # The matrix itself would tell every agent what lies ahead; its fingerprint only says which it is.
        here = {"channel": self.channel.fingerprint, "cells": self.channel.cells, "noise_dbm": self.channel.noise_dbm}
        return {name: value for name, value in values.items() if name not in PAPER_WORLD} | here
