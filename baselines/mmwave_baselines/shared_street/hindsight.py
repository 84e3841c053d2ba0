"""What every decision is worth in hindsight, each UE on its own with the others held, and plans by best responses.

The links of an episode do not depend on what agents do, so with the others' cells fixed a UE's best decisions follow
from a recursion over slots t, serving cells s and whether two cells are prepared, p:

    V_t(s, p) = max( slot on s + V_{t+1}(s, p'),  the best handover from s and what follows it )

with the environment's own times, lost commands, failed accesses and T310. A slot of an active UE is worth

    ln(efficiency / (m + 1) + 0.01) - weight m ln((m + 1) / m)

with m other active UEs on the cell; the second term is what they lose. The score takes logarithms of a second's mean
rate, the recursion of a slot's. So a silent slot costs 1, its second's ln 0.9 ten times, and a command's first slot
costs 0.4. What is left out: T310 counts as if a cell had served since long before, which differs only for who was
re-established below `in_db`. `follow` plays the environment's own procedure.

`regrets` serves learning (full information): Q of every candidate at every decision of a rollout. `plan` lets the UEs
answer each other in turn: the best that is known, no bound, since UEs move one at a time and by this slot value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import compiled
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.shared_street.game import SharedStreet
from mmwave_gym.scenarios.shared_street.world import SharedStreetEpisodes

KERNEL = f"{__package__}.hindsight_kernel"


@dataclass
class Episode:
    """One drawn episode as the kernel takes it; see `hindsight_kernel`."""

    efficiency: NDArray[np.float32]
    wide: NDArray[np.float32]
    sinr_db: NDArray[np.float32]
    measured_dbm: NDArray[np.float32]
    active: NDArray[np.bool_]
    present: NDArray[np.bool_]
    strongest: NDArray[np.int64]
    limits: tuple[Any, ...]
    ways: tuple[bool, bool]

    @classmethod
    def of(cls, scenario: SharedStreet, episodes: SharedStreetEpisodes, env: int, conditional: bool = True) -> Episode:
        """The episode of environment `env`. conditional=False: UEs do not go by themselves, whatever is allowed."""
        row = episodes.row[env]
        return cls.known(
            scenario, episodes.sinr_db[row], episodes.rsrp_dbm[row], episodes.measured_dbm[row], episodes.active[row],
            episodes.present[row], conditional,
        )  # fmt: skip

    @classmethod
    def known(
        cls,
        scenario: SharedStreet,
        sinr_db: NDArray[np.float32],
        rsrp_dbm: NDArray[np.float32],
        measured_dbm: NDArray[np.float32],
        active: NDArray[np.bool_],
        present: NDArray[np.bool_],
        conditional: bool = True,
    ) -> Episode:
        """From what access level "hindsight" grants of one environment.

        sinr_db, rsrp_dbm: (slot, ue, cell); measured_dbm: (measurement, ue, cell); active, present: (slot, ue).
        """
        c, world = scenario.config, scenario.world
        return cls(
            efficiency=np.asarray(world.efficiency_bps_hz(sinr_db), np.float32),
            wide=np.asarray(world.efficiency_bps_hz(sinr_db - np.float32(c.refinement_db)), np.float32),
            sinr_db=sinr_db,
            measured_dbm=measured_dbm,
            active=active & present,
            present=present,
            strongest=rsrp_dbm.argmax(axis=2),
            limits=(np.float32(c.out_db), np.float32(c.in_db), c.slots("t310_s"), c.slots("reestablishment_s")),
            ways=(c.handover != "conditional", conditional and c.handover != "command"),
        )


class Recursion:
    """The recursion of the module's text for the UEs of one episode. weight: of what others lose by sharing."""

    def __init__(self, episode: Episode, weight: float = 1.0):
        self.kernel, self.episode, self.weight = compiled.kernel(KERNEL), episode, float(weight)
        slots, self.ues, cells = episode.sinr_db.shape
        self.slots = slots - 1
        self.values = np.zeros((2, slots, cells))
        self.best, self.stay = np.zeros((2, slots, cells, 2))
        self.access = np.zeros((slots, cells))
        self._fails = np.zeros((self.ues, slots, cells), bool)
        for ue in range(self.ues):
            self.kernel.ran_out(ue, episode.sinr_db, episode.present, episode.limits, self._fails[ue])

    def load(self, cell: NDArray[np.int64]) -> Float64Array:
        """(slot, cell): active UEs on each cell, from the cells (slot, ue) whose bandwidth they share, -1 for none."""
        load = np.zeros(self.values.shape[1:])
        for ue in range(self.ues):
            self.kernel.add_load(ue, cell, self.episode.active, load[: self.slots], 1.0)
        return load

    def solve(self, ue: int, cell: NDArray[np.int64], load: Float64Array) -> None:
        """Fill `values`, `best`, `stay` and `access` for a UE.

        cell: (slot, ue), that all are on; load: (slot, cell), a number, as `load` returns it.
        """
        e, kernel = self.episode, self.kernel
        kernel.slot_values(ue, e.efficiency, e.wide, e.active, cell, load, self.weight, self.values)
        kernel.solve(
            ue, self.values, self._fails[ue], e.sinr_db, e.measured_dbm, e.active, e.present, e.strongest, e.limits,
            e.ways, self.best, self.stay, self.access,
        )  # fmt: skip

    def follow(self, ue: int, cell: NDArray[np.int64], plan: NDArray[np.int64]) -> None:
        """Let the UE decide as `solve` has found: change its columns of `cell` and `plan`, (slot, ue) each."""
        e = self.episode
        self.kernel.follow(
            ue, self.values, e.sinr_db, e.measured_dbm, e.active, e.present, e.strongest, e.limits, e.ways, self.best,
            self.stay, self.access, cell, plan,
        )  # fmt: skip


def regrets(
    episode: Episode,
    cell: NDArray[np.int64],
    candidate: NDArray[np.int64],
    prepared: NDArray[np.bool_],
    weight: float = 1.0,
) -> tuple[Float64Array, Float64Array]:
    """Q (slot, ue, choice) of every candidate, -inf for none, and V (slot, ue), the best decision's, of a rollout.

    cell: (slot, ue), whose bandwidth a UE shared in a slot, -1 for none (`SharedStreet.counted_at` after the step's
    decisions). candidate: (slot, ue, choice), cells, the serving one first, -1 throughout where there was no decision.
    prepared: (slot, ue), were two cells prepared? Slots 0 to horizon - 1. Q is in the unit of ten rewards of `utility`:
    a slot's logarithm. Q less V is at most 0 for decisions that the recursion allows.
    """
    recursion = Recursion(episode, weight)
    load = recursion.load(cell)
    q, v = np.full(candidate.shape, -np.inf), np.zeros(candidate.shape[:2])
    e = episode
    for ue in range(recursion.ues):
        recursion.solve(ue, cell, load)
        recursion.kernel.worth(
            ue, recursion.values, e.sinr_db, e.active, e.limits, e.ways, recursion.best, recursion.stay,
            recursion.access, candidate, prepared, q, v,
        )  # fmt: skip
    return q, v


def plan(episode: Episode, sweeps: int = 3, weight: float = 1.0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Best responses in turn: plan and cells, (slot, ue) each; of the plan -1 is to stay, else the cell to go to.

    In the first sweep each UE knows those before it. The order of UEs differs from sweep to sweep.
    """
    recursion = Recursion(episode, weight)
    cell = np.full((recursion.slots, recursion.ues), -1)
    found = np.full_like(cell, -1)
    load = recursion.load(cell)
    kernel, active = recursion.kernel, episode.active
    for sweep in range(sweeps):
        for ue in np.random.default_rng(sweep).permutation(recursion.ues).tolist():
            recursion.solve(ue, cell, load)
            kernel.add_load(ue, cell, active, load[: recursion.slots], -1.0)
            recursion.follow(ue, cell, found)
            kernel.add_load(ue, cell, active, load[: recursion.slots], 1.0)
    return found, cell
