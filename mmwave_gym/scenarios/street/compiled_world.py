"""Drives drawn by compiled code where that pays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.scenario import EpisodeRng, cause_word
from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio.units import NATS_PER_DB
from mmwave_gym.scenarios.street.config import StreetConfig
from mmwave_gym.scenarios.street.world import NOISE_DBM, StreetEpisodes, StreetWorld

KERNEL = f"{__package__}.drive_kernel"
MEASUREMENT = np.uint32(cause_word("measurement"))


class CompiledStreetWorld(StreetWorld):
    """The same drives to the bit: `StreetWorld` says what is drawn, and draws where numba is missing.

    NumPy draws routes and blockages of compiled drives, too.
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
        for i, rng in zip(rows.tolist(), rngs, strict=True):
            self._compiled_drive(rng, episodes, i, level)

    def _compiled_drive(self, rng: EpisodeRng, episodes: StreetEpisodes, i: int, level: Float64Array) -> None:
        c, kernel, stream = self.config, compiled.kernel(KERNEL), compiled.STREAM
        here, way, begin_m, speed_mps = self.route(rng["route"])
        blocked = self._blocked(rng["blockage"], len(level)) if self.blocks else level[:0]
        law_db = np.array((c.link_budget_db, NOISE_DBM, c.blockage_db))
        line = (way.lane, way.point, way.place_m)
        rsrp_dbm = episodes.rsrp_dbm[i]
        kernel.drive(
            here.loss_db, line, begin_m, self.tick_m(speed_mps), law_db, NATS_PER_DB, blocked,
            episodes.place_m[i], rsrp_dbm, level,
        )  # fmt: skip
        np.exp(level, out=level)
        total = level.sum(axis=1) if self.num_cells >= kernel.FEW else level[:0, 0]
        kernel.interfered(level, total, self.interference)
        np.log10(level, out=level)
        error_db = float(c.measurement_error_db)
        chance = (stream.generator, stream.state, rng.words(), MEASUREMENT)
        kernel.stored(
            level, rsrp_dbm, *chance, self._measurement, error_db, episodes.sinr_db[i], episodes.measured_dbm[i]
        )
        episodes.map_seed[i] = here.seed
