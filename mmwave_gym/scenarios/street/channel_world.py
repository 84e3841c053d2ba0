"""Drives through link matrices (ray-traced, measured, recorded) in place of the 3GPP street.

Over places a UE follows the streets of the map (`links.routes`) at its own constant speed. Over time it plays the
recording back from a random moment. The matrix's power over its own noise is the SNR; RSRP is told above `NOISE_DBM`,
as in the street. A cell that is not heard has `LOWEST_DBM`. Bodies block links as in the street; interference,
measurements and handovers are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.links.routes import Streets
from mmwave_gym.radio.street_maps import NOISE_DBM
from mmwave_gym.radio.units import db_to_linear, linear_to_db
from mmwave_gym.scenarios.street.config import MAX_CHANNELS, TICK_S, StreetConfig
from mmwave_gym.scenarios.street.world import StreetEpisodes, StreetWorld

LOWEST_DBM = -140.0
"""RSRP of a cell that is not heard: 62 dB below the noise, the least that is observed."""


@dataclass(frozen=True)
class ChannelMap:
    """What a picture shows of a link matrix, in metres from `centre_m`."""

    centre_m: Float64Array  # (2,)
    half_m: float
    """Half of the side of the square that holds all places and sites."""
    place_m: Float64Array  # (places, 2), none for a recording without places
    step_m: float
    """Between neighbouring places."""
    site_m: Float64Array  # (cell, 2)


@lru_cache(maxsize=MAX_CHANNELS)
def _map_of(channel: LinkMatrix) -> ChannelMap:
    """The map of a link matrix. A site that nobody knows is shown where its cell is strongest, else in the middle."""
    place_m = np.zeros((0, 2)) if channel.position_m is None else channel.position_m
    site_m = channel.site_m
    if site_m is None and len(place_m):
        level_dbm = channel.rsrp_dbm if channel.percentiles is None else channel.rsrp_dbm.mean(axis=2)
        site_m = place_m[np.where(np.isnan(level_dbm), -np.inf, level_dbm).argmax(axis=0)]
    site_m = np.zeros((channel.num_cells, 2)) if site_m is None else site_m
    shown_m = np.concatenate((place_m, site_m))
    low_m, high_m = shown_m.min(axis=0), shown_m.max(axis=0)
    centre_m, half_m = 0.5 * (low_m + high_m), max(0.5 * float((high_m - low_m).max()), 1.0)
    step_m = 2.0 * half_m
    if channel.edges is not None and len(place_m):
        step_m = float(np.median(np.hypot(*(place_m[channel.edges[:, 0]] - place_m[channel.edges[:, 1]]).T)))
    return ChannelMap(centre_m, half_m, place_m - centre_m, step_m, site_m - centre_m)


class ChannelWorld(StreetWorld):
    """See the module's text. Raises ChannelError for a matrix that cannot be read or played."""

    def __init__(self, config: StreetConfig, after: int):
        super().__init__(config, after)
        from mmwave_gym.sources import open_channel  # readers of files are not needed in the 3GPP street

        self.channels: tuple[LinkMatrix, ...] = tuple(open_channel(channel) for channel in config.channels)
        counts = [channel.num_cells for channel in self.channels]
        if len(set(counts)) > 1:
            raise ValueError(f"all link matrices of channel must have the same number of cells, got {counts}.")
        self.num_cells = counts[0]
        fastest_mps = self._speeds_mps[1]
        for channel in self.channels:
            channel.check_episode(self.ticks + after, TICK_S, fastest_mps)
        self._streets = [
            Streets(channel.position_m, channel.edges)
            if channel.position_m is not None and channel.edges is not None
            else None
            for channel in self.channels
        ]

    def constants(self) -> dict[str, Any]:
        """Which matrices these are, by their fingerprints: the matrices would tell every agent what lies ahead."""
        first = self.channels[0]
        named: dict[str, Any] = {"channel": tuple(channel.fingerprint for channel in self.channels)}
        if len(self.channels) == 1 and first.site_m is not None:
            named["site_m"] = tuple(map(tuple, first.site_m.tolist()))
        return named

    def map_of(self, seed: int) -> ChannelMap:
        """The map that an episode's `map_seed` names."""
        return _map_of(self.channels[seed])

    def memory(self, state: float) -> Memory:
        street = super().memory(state)
        return street._replace(shared=float(sum(channel.rsrp_dbm.nbytes for channel in self.channels)))

    def _drive(self, rng: EpisodeRng, episodes: StreetEpisodes, i: int) -> None:
        c, ticks = self.config, len(episodes.place_m[i])
        nth = int(rng["route"].integers(len(self.channels)))
        place_m, level_dbm = self._route(rng, nth, ticks)
        gain_db = level_dbm - c.blockage_db * self._blocked(rng["blockage"], ticks)
        gain_db = np.maximum(gain_db, LOWEST_DBM)
        snr = db_to_linear(gain_db - NOISE_DBM)
        others = snr.sum(axis=1, keepdims=True) - snr
        episodes.map_seed[i] = nth
        episodes.place_m[i] = place_m
        episodes.rsrp_dbm[i] = gain_db
        episodes.sinr_db[i] = linear_to_db(snr / (1.0 + self.interference * others))
        episodes.measured_dbm[i] = self._measured(rng["measurement"], episodes.rsrp_dbm[i])
        self._prepare(rng, episodes, i)

    def _route(self, rng: EpisodeRng, nth: int, ticks: int) -> tuple[Float64Array, Float64Array]:
        """Places (tick, 2) in metres, NaN where a recording has none, and RSRP (tick, cell) in dBm."""
        channel, streets, chance = self.channels[nth], self._streets[nth], rng["route"]
        if streets is None or channel.kind == "time":
            drawn = channel.draw(rng, horizon=ticks - 1, step_s=TICK_S)
        else:
            slowest, fastest = self._speeds_mps
            walked_m = self.tick_m(slowest + (fastest - slowest) * float(chance.random())) * np.arange(
                ticks, dtype=np.float64
            )
            way = streets.way(chance, walked_m[-1] + 1.0)
            drawn = channel.along(rng, way, walked_m)
        level_dbm = drawn.of_all_cells(self.num_cells)[0] - channel.noise_dbm + NOISE_DBM
        return drawn.position_m[:, 0].T, np.where(np.isnan(level_dbm), LOWEST_DBM, level_dbm)
