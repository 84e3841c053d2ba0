"""The worlds of handover behind one interface: the paper's room, and link matrices that were measured or recorded.

A world draws what happens to the UEs whatever they choose: where they walk, what they hear of each cell, and what
each cell would give them. The game (`game`) is played in either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng, Episodes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.radio import units as radio
from mmwave_gym.radio.fields import exponential_field, field_bytes
from mmwave_gym.scenarios.handover import mobility
from mmwave_gym.scenarios.handover.config import AREAS, HandoverConfig

PATH_LOSS_SLOPE_DB = 36.7  # section V, with the intercept: 36.7 log10(d) + 39.4 dB
PATH_LOSS_INTERCEPT_DB = 39.4
SHADOWING_GRID_M = 1.0  # ours: a sixth of the default correlation distance
LOWEST_RSRQ_DB = -45.0  # ours: the clip of the network input (q + 15) / 10 at -3; a cell below it is nobody's target

MOST_SIGMAS, LEAST_SNR_DB = 8.0, -200.0
"""Shadowing is never further from its mean than so many standard deviations; float32 ends at -380 dB, and fading takes
up to 170 dB."""


@dataclass
class HandoverEpisodes(Episodes):
    """Drawn episodes: axis 0 storage, then slot 0..horizon, UE, and cell or coordinate."""

    position_m: NDArray[np.float32]  # (storage, slot, ue, 2)
    site_m: NDArray[np.float32]  # (storage, cell, 2)
    link: NDArray[np.float32]  # (storage, slot, ue, 2 * cell): RSRQs, then rates, side by side for the cache
    departure: NDArray[np.int64]  # (storage, ue): first slot at which the UE is gone, horizon + 1 for never

    @property
    def rsrq_db(self) -> NDArray[np.float32]:
        """What the UE measures in dB, (storage, slot, ue, cell)."""
        return self.link[..., : self.site_m.shape[1]]

    @property
    def efficiency_bps_hz(self) -> NDArray[np.float32]:
        """What the UE would receive from each cell in bit/s/Hz, (storage, slot, ue, cell)."""
        return self.link[..., self.site_m.shape[1] :]


class World(Protocol):
    """What the game needs of a world."""

    num_cells: int
    ues_leave: bool
    """Can a UE leave before the horizon? `HandoverEpisodes.departure` then says when."""
    hides_cells: bool
    """Can a cell be out of reach (efficiency 0)? Agents then see which are heard, and the others are masked."""
    known: tuple[str, ...]
    """Which of `position_m` and `site_m` this world knows; the others are NaN."""

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: HandoverEpisodes, rows: NDArray[np.intp]) -> None:
        """One episode for each rng, into the storage rows (n,)."""
        ...

    def constants(self) -> Mapping[str, Any]:
        """The keywords of this world, and what else every agent may know of it."""
        ...

    def memory(self) -> Memory:
        """What episodes and states take in bytes."""
        ...


def empty_episodes(config: HandoverConfig, num_episodes: int, num_cells: int) -> HandoverEpisodes:
    """Episodes to fill."""
    slots = (num_episodes, config.horizon + 1, config.num_ues)
    return HandoverEpisodes(
        row=np.arange(num_episodes),
        position_m=np.empty((*slots, 2), np.float32),
        site_m=np.empty((num_episodes, num_cells, 2), np.float32),
        link=np.empty((*slots, 2 * num_cells), np.float32),
        departure=np.empty((num_episodes, config.num_ues), np.int64),
    )


def interfering_share(config: HandoverConfig) -> float:
    """The share of the other cells' power that disturbs, no unit."""
    return 0.0 if config.interference_db is None else 10.0 ** (config.interference_db / 10.0)


def interfered(snr: FloatArray, share: float) -> FloatArray:
    """SINRs of shape (cell, …) from SNRs, both linear: each over the noise and this share of the others' power.

    Reckoned in float64: what others send is a difference, and may be a millionth of the sum.
    """
    total = np.zeros(snr.shape[1:])
    for of_cell in snr:
        total += of_cell
    sinr = np.empty_like(snr)
    for cell, of_cell in enumerate(snr):
        sinr[cell] = of_cell / (1.0 + share * (total - of_cell))
    return sinr


def efficiency_bps_hz(config: HandoverConfig, snr: FloatArray) -> FloatArray:
    """What a UE would receive in bit/s/Hz from each cell, (cell, …), from linear SNRs of that shape."""
    share = interfering_share(config)
    rate: FloatArray = radio.spectral_efficiency_bps_hz(interfered(snr, share) if share else snr)
    return rate if config.most_bps_hz is None else np.minimum(rate, rate.dtype.type(config.most_bps_hz))


def _memory(config: HandoverConfig, num_cells: int, shared: float = 0.0, drawing: float = 0.0) -> Memory:
    """Of any world, with what is there once and what drawing takes beside the links."""
    ways = (config.horizon + 1) * config.num_ues
    episode = ways * (8 + 8 * num_cells) + 8 * (num_cells + config.num_ues)
    return Memory(episode, config.num_ues * (24 * num_cells + 250), ways * (24 * num_cells + 100) + drawing, shared)


class PaperWorld(World):
    """The paper's square room: random cells, correlated shadowing, Rayleigh fading, random walks (section V)."""

    hides_cells = False
    known = ("position_m", "site_m")

    def __init__(self, config: HandoverConfig):
        self.config = config
        self.num_cells = config.num_cells
        self.ues_leave = config.boundary == "leave"
        self._noise_dbm = radio.noise_dbm(config.bandwidth_hz)
        self._check_range()
        self._chances = np.array(AREAS[config.mobility] if isinstance(config.mobility, str) else config.mobility)

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: HandoverEpisodes, rows: NDArray[np.intp]) -> None:
        c = self.config
        episodes.departure[rows] = c.horizon + 1
        for i, rng in zip(rows, rngs, strict=True):
            site_m, maps_db = self._fixed_layout or self._layout(rng)
            position_m = self._walks(rng["mobility"])
            snr, mean_snr = self._snr(rng, site_m, maps_db, position_m)
            heard = snr if c.fading == "seen" else mean_snr
            if c.fading == "past":  # before the first slot nothing was measured but the mean
                heard = np.concatenate((mean_snr[..., :1], snr[..., :-1]), axis=-1)
            share = heard / heard.sum(axis=0)  # of the received power: the noise cancels
            episodes.site_m[i] = site_m
            episodes.position_m[i] = position_m.T
            episodes.rsrq_db[i] = np.maximum(radio.linear_to_db(share), LOWEST_RSRQ_DB).T
            episodes.efficiency_bps_hz[i] = efficiency_bps_hz(c, snr).T
            if self.ues_leave:
                episodes.departure[i] = mobility.first_outside(position_m, c.area_side_m)

    def constants(self) -> Mapping[str, Any]:
        return self.config.as_constants()

    def memory(self) -> Memory:
        c = self.config
        if c.shadowing != "correlated":
            return _memory(c, c.num_cells)
        size = field_bytes(c.area_side_m, c.shadowing_correlation_m, SHADOWING_GRID_M, c.num_cells)
        making, kept, drawing = size
        return _memory(c, c.num_cells, kept, max(making, 2 * drawing))

    def mean_snr_at(self, rng: EpisodeRng, place_m: FloatArray) -> FloatArray:
        """Linear SNR averaged over fading, (cell, *shape), at places (2, *shape) in metres of an episode's maps."""
        site_m, maps_db = self._fixed_layout or self._layout(rng)
        return self._mean_snr(rng, site_m, maps_db, place_m)

    def _check_range(self) -> None:
        """ValueError where float32 could not tell a signal from nothing, for instance a thousand kilometres away."""
        c = self.config
        way_m = c.speed_mps[1] * c.step_s * c.horizon if c.boundary != "stay" else 0.0
        farthest_m = 1.5 * c.area_side_m + way_m
        path_loss_db = PATH_LOSS_INTERCEPT_DB + PATH_LOSS_SLOPE_DB * math.log10(max(farthest_m, 1.0))
        least_db = c.tx_power_dbm - self._noise_dbm - path_loss_db - MOST_SIGMAS * c.shadowing_db
        if least_db < LEAST_SNR_DB:
            raise ValueError(
                f"tx_power_dbm={c.tx_power_dbm:g} leaves an SNR of {least_db:.0f} dB at {farthest_m:.3g} m in the "
                f"deepest shadow, and at least {LEAST_SNR_DB:g} dB is needed to reckon with it: raise tx_power_dbm, or "
                "lower bandwidth_hz, shadowing_db, area_side_m, horizon, step_s or speed_mps."
            )

    def _layout(self, rng: EpisodeRng) -> tuple[FloatArray, FloatArray]:
        """Sites (cell, 2) in metres and shadowing in dB.

        Shadowing is a map a cell where it is correlated, (cell, 1, 1) where it is static, else 0.
        """
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
        """Positions (2, ue, slot) of all UEs in metres."""
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
        """Linear SNR (cell, ue, slot), with fading and averaged over it."""
        mean_snr = self._mean_snr(rng, site_m, maps_db, position_m)
        if self.config.fading == "none":
            return mean_snr, mean_snr
        # Drawn in float64: a float32 exponential can be exactly 0, which is -inf dB.
        return mean_snr * rng["fading"].standard_exponential(mean_snr.shape).astype(np.float32), mean_snr

    def _mean_snr(self, rng: EpisodeRng, site_m: FloatArray, maps_db: FloatArray, position_m: FloatArray) -> FloatArray:
        """Linear SNR averaged over fading, (cell, ue, slot).

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
        return radio.db_to_linear(snr_db)


class MeasuredWorld(World):
    """A link matrix: walks along its places, or a recording over time. Its RSRP, its noise, its cells."""

    ues_leave = False
    hides_cells = True

    def __init__(self, config: HandoverConfig, channel: LinkMatrix):
        if "num_cells" in config.given and config.num_cells != channel.num_cells:
            raise ValueError(
                f"num_cells must be left out with channel=…, which has {channel.num_cells}; got {config.num_cells}."
            )
        if "speed_mps" in config.given and channel.kind == "time":
            raise ValueError(
                f"speed_mps means nothing with a channel=… recorded over time: leave it out, got {config.speed_mps}."
            )
        channel.check_episode(config.horizon, config.step_s, config.speed_mps[1])
        self.config, self.channel = config, channel
        self.num_cells = channel.num_cells
        self.known = tuple(name for name in ("position_m", "site_m") if getattr(channel, name) is not None)

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: HandoverEpisodes, rows: NDArray[np.intp]) -> None:
        c, channel = self.config, self.channel
        episodes.site_m[rows] = np.nan if channel.site_m is None else channel.site_m
        episodes.departure[rows] = c.horizon + 1
        for i, rng in zip(rows, rngs, strict=True):
            episodes.rsrq_db[i] = LOWEST_RSRQ_DB
            episodes.efficiency_bps_hz[i] = 0.0
            position_m, cell, rsrp_dbm = channel.draw(
                rng, horizon=c.horizon, step_s=c.step_s, num_ues=c.num_ues, speed_mps=c.speed_mps
            )
            snr = radio.db_to_linear(rsrp_dbm - channel.noise_dbm)
            snr[np.isnan(snr)] = 0.0  # not heard
            share = snr / (1.0 + snr.sum(axis=-1, keepdims=True))
            rsrq_db = radio.linear_to_db(np.maximum(share, radio.db_to_linear(LOWEST_RSRQ_DB)))
            episodes.position_m[i] = position_m.T
            episodes.rsrq_db[i][..., cell] = rsrq_db.swapaxes(0, 1)
            rate_bps_hz = efficiency_bps_hz(c, np.moveaxis(snr, -1, 0))
            episodes.efficiency_bps_hz[i][..., cell] = np.moveaxis(rate_bps_hz, 0, -1).swapaxes(0, 1)

    def memory(self) -> Memory:
        return _memory(self.config, self.num_cells)

    def constants(self) -> Mapping[str, Any]:
        # The matrix itself would tell every agent what lies ahead; its fingerprint only says which it is.
        named = {"channel": self.channel.fingerprint, "cells": self.channel.cells, "noise_dbm": self.channel.noise_dbm}
        return {**self.config.as_constants(), "num_cells": self.num_cells, **named}
