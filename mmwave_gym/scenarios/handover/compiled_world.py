"""Which world a configuration asks for, and the paper's world drawn by compiled code where that pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.scenario import EpisodeRng, cause_word
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio import units as radio
from mmwave_gym.radio.fields import DenseField
from mmwave_gym.scenarios.handover.config import HandoverConfig
from mmwave_gym.scenarios.handover.world import (
    LOWEST_RSRQ_DB,
    PATH_LOSS_INTERCEPT_DB,
    PATH_LOSS_SLOPE_DB,
    HandoverEpisodes,
    MeasuredWorld,
    PaperWorld,
    World,
    interfering_share,
)

CAUSES = np.array([cause_word(cause) for cause in ("sites", "shadowing", "mobility", "fading")], np.uint32)
CHANCE, LINKS = f"{__package__}.chance_kernel", f"{__package__}.link_kernel"


MOST_AT_ONCE, MOST_NUMBERS = 4, 2**18
"""Episodes, and numbers of chance, that one pass draws at most: a few fit the processor's cache."""


def open_world(config: HandoverConfig) -> World:
    """The world that a configuration asks for. Raises ValueError where keywords and link matrix contradict."""
    if config.channel is None:
        return CompiledPaperWorld(config)
    from mmwave_gym.sources import open_channel  # readers of files are not needed in the paper's world

    return MeasuredWorld(config, open_channel(config.channel))


class Passes:
    """What compiled passes over a group of drawn episodes write, each for the next one."""

    def __init__(self, config: HandoverConfig, points: int, episodes: int):
        c, cells = config, config.num_cells
        ways = (c.num_ues, c.horizon + 1)
        n = ways[0] * ways[1]
        self.group = group = max(1, min(episodes, MOST_AT_ONCE, MOST_NUMBERS // (cells * (n + points) + 2 * n)))
        self.site_m = np.empty((group, cells, 2), np.float32)
        self.white = np.empty((group, cells, points), np.float32)
        self.position_m = np.empty((group, 2, *ways), np.float32)
        self.departure = np.empty((group, c.num_ues), np.int64)
        self.stride_m = np.empty((c.num_ues, 1 if c.speed_drawn_per == "ue" else c.horizon))
        self.fading = np.ones((group, cells, n), np.float32)
        self.level, self.share = np.empty((cells, n), np.float32), np.empty((cells, n), np.float32)
        self.weight = np.empty((4, n), np.float32)


class CompiledPaperWorld(PaperWorld):
    """The paper's world, the same to the bit: `PaperWorld` says what is drawn, and draws where numba is missing.

    Of a compiled episode NumPy draws what is rare: walks between walls, a layout whose maps are not a dense field's,
    and shadowing that is not correlated.
    """

    def __init__(self, config: HandoverConfig):
        super().__init__(config)
        c = config
        numbers = (c.area_side_m, c.tx_power_dbm, c.bandwidth_hz, c.shadowing_db, c.shadowing_correlation_m)
        # NumPy's own scalars are stronger than arrays of float32: with them the reference reckons in float64.
        self._plain = not any(isinstance(number, np.generic) for number in numbers)

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: HandoverEpisodes, rows: NDArray[np.intp]) -> None:
        if not (self._plain and compiled.wanted(rngs)):
            super().draw_into(rngs, episodes, rows)
            return
        episodes.departure[rows] = self.config.horizon + 1
        passes = Passes(self.config, self._field.points**2 if self._dense else 0, len(rngs))
        for first in range(0, len(rngs), passes.group):
            group = rngs[first : first + passes.group]
            self._draw_chance(group, passes)
            maps_db = self._maps_db(passes.white[: len(group)]) if self._dense else None
            for j, (i, rng) in enumerate(zip(rows[first:].tolist(), group, strict=False)):
                layout = (passes.site_m[j], maps_db[j]) if maps_db is not None else None
                site_m, its_db = layout or self._fixed_layout or self._layout(rng)
                stays = self.config.boundary == "stay"
                position_m = self._walks(rng["mobility"]) if stays else passes.position_m[j]
                self._fill_link(rng, (site_m, its_db, position_m), passes, passes.fading[j], episodes.link[i])
                episodes.site_m[i], episodes.position_m[i] = site_m, position_m.T
                if self.ues_leave:
                    episodes.departure[i] = passes.departure[j]

    @cached_property
    def _dense(self) -> bool:
        """Are layouts drawn by the compiled passes?"""
        c = self.config
        return c.shadowing == "correlated" and c.layout_seed is None and isinstance(self._field, DenseField)

    @cached_property
    def _bounds(self) -> FloatArray:
        return self._chances.cumsum()[:3]

    @cached_property
    def _laws(self) -> tuple[FloatArray, FloatArray, float]:
        """The grid of shadowing, the law of the level, and nats a dB: see `link_kernel.shadowed_levels`."""
        field, over_noise_db = self._field, self.config.tx_power_dbm - self._noise_dbm
        grid = np.array((field.side_m, 1.0 / field.spacing_m, *field.lost), np.float32)
        law_db = np.array((over_noise_db, PATH_LOSS_INTERCEPT_DB, 0.5 * PATH_LOSS_SLOPE_DB), np.float32)
        return grid, law_db, radio.NATS_PER_DB

    def _draw_chance(self, rngs: Sequence[EpisodeRng], passes: Passes) -> None:
        c, stream = self.config, compiled.STREAM
        drawn = self._dense, c.boundary != "stay", c.fading != "none"
        layout = float(c.area_side_m), passes.site_m, passes.white
        speed_mps = float(c.speed_mps[0]), float(c.speed_mps[1])
        law = c.start == "uniform", float(c.step_s), speed_mps, self._bounds
        walks = (*law, passes.stride_m, passes.position_m, passes.departure)
        fading = passes.fading.reshape(passes.group, -1)
        keys = compiled.keys_of(rngs)
        compiled.kernel(CHANCE).draw_chance(stream.generator, stream.state, keys, CAUSES, drawn, layout, walks, fading)

    def _maps_db(self, white: FloatArray) -> FloatArray:
        """Shadowing (episode, cell, point) in dB from independent standard normal numbers of that shape."""
        maps_db: FloatArray = self._field.correlated(white)
        maps_db *= self.config.shadowing_db
        return maps_db

    def _fill_link(
        self, rng: EpisodeRng, world: tuple[FloatArray, ...], passes: Passes, fading: FloatArray, link: FloatArray
    ) -> None:
        """Fill `link` (slot, ue, 2 * cell), in dB and bit/s/Hz, from sites, maps, positions and fading."""
        c, kernel, level, share = self.config, compiled.kernel(LINKS), passes.level, passes.share
        site_m, maps_db, position_m = world
        if c.shadowing == "correlated":
            at_m = position_m.reshape(2, -1)
            kernel.squared_distances(at_m, site_m, level)
            np.log10(level, out=level)
            kernel.shadowed_levels(at_m, maps_db, self._field.points, *self._laws, level, passes.weight)
            np.exp(level, out=level)
        else:
            level = self._mean_snr(rng, site_m, maps_db, position_m).reshape(level.shape)
        if c.fading == "past":
            kernel.past_shares(level, fading, c.horizon + 1, share, passes.weight[0])
        else:
            kernel.faded_shares(level, fading, c.fading == "seen", share, passes.weight[0])
        np.log10(share, out=share)
        if disturbing := interfering_share(c):
            kernel.interfered(level, disturbing)
        np.log1p(level, out=level)
        shape = (self.num_cells, *position_m.shape[1:])
        bounds = LOWEST_RSRQ_DB, radio.BITS_PER_NAT, math.inf if c.most_bps_hz is None else float(c.most_bps_hz)
        kernel.store_links(share.reshape(shape), level.reshape(shape), *bounds, link)
