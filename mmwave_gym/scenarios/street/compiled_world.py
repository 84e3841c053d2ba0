"""Drives drawn by compiled code where that pays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.scenario import EpisodeRng, cause_word
from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio.street_maps import NOISE_DBM, Route, StreetMap
from mmwave_gym.radio.units import NATS_PER_DB
from mmwave_gym.scenarios.street.config import StreetConfig
from mmwave_gym.scenarios.street.world import StreetEpisodes, StreetWorld

CHANCE, KERNEL = f"{__package__}.chance_kernel", f"{__package__}.drive_kernel"
CAUSES = np.array([cause_word(cause) for cause in ("route", "measurement")], np.uint32)
MOST_AT_ONCE = 4
"""Drives whose chance is drawn in one call: it takes as long as a tenth of a drive."""


class CompiledStreetWorld(StreetWorld):
    """The same drives to the bit: `StreetWorld` says what is drawn, and draws where numba is missing.

    NumPy draws blockages of compiled drives, too.
    """

    def __init__(self, config: StreetConfig, after: int):
        super().__init__(config, after)
        values = (getattr(config, field.name) for field in dataclasses.fields(config))
        # NumPy's own scalars may lower the precision of a sum of constants in the reference.
        self._plain = not any(isinstance(value, np.generic) for value in values)

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: StreetEpisodes, rows: NDArray[np.intp]) -> None:
        if not (self._plain and compiled.wanted(rngs)):
            super().draw_into(rngs, episodes, rows)
            return
        level = np.empty(episodes.sinr_db.shape[1:])
        noise = np.empty((min(MOST_AT_ONCE, len(rngs)), *episodes.measured_dbm.shape[1:]))
        for first in range(0, len(rngs), MOST_AT_ONCE):
            group = rngs[first : first + MOST_AT_ONCE]
            chosen, uniform = np.empty(len(group), np.int64), np.empty((len(group), 3))
            stream, keys = compiled.STREAM, compiled.keys_of(group)
            compiled.kernel(CHANCE).draw_chance(
                stream.generator, stream.state, keys, CAUSES, len(self._map_seeds), chosen, uniform, noise
            )
            routes = zip(chosen.tolist(), uniform.tolist(), strict=True)
            for i, rng, (nth, numbers), its_noise in zip(rows[first:].tolist(), group, routes, noise, strict=False):
                self._compiled_drive(rng, self.route(nth, *numbers), its_noise, episodes, i, level)

    def _compiled_drive(
        self,
        rng: EpisodeRng,
        route: tuple[StreetMap, Route, float, float],
        noise: Float64Array,
        episodes: StreetEpisodes,
        i: int,
        level: Float64Array,
    ) -> None:
        c, kernel = self.config, compiled.kernel(KERNEL)
        here, way, begin_m, speed_mps = route
        taken, unit_db = level[:0], c.blockage_db
        if self.blocks:
            taken = self._blocked(rng["blockage"], len(level))
        elif self.sees:
            at = self.along(way, begin_m, self.tick_m(speed_mps), len(level))
            taken, unit_db = self.obstructed_db(rng, here, way, *at), 1.0
        law_db = np.array((c.link_budget_db, NOISE_DBM, unit_db))
        line = (way.lane, way.point, way.place_m)
        rsrp_dbm = episodes.rsrp_dbm[i]
        kernel.drive(
            here.loss_db, line, begin_m, self.tick_m(speed_mps), law_db, NATS_PER_DB, taken,
            episodes.place_m[i], rsrp_dbm, level,
        )  # fmt: skip
        np.exp(level, out=level)
        total = level.sum(axis=1) if self.num_cells >= kernel.FEW else level[:0, 0]
        kernel.interfered(level, total, self.interference)
        np.log10(level, out=level)
        error_db = float(c.measurement_error_db)
        kernel.stored(
            level, rsrp_dbm, noise, self._measurement, error_db, episodes.sinr_db[i], episodes.measured_dbm[i]
        )
        episodes.map_seed[i] = here.seed
        self._prepare(rng, episodes, i)
