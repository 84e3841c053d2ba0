"""What is known of a world from hindsight: its epochs, and the exact integral of any link's efficiency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmwave_gym.core.batch import View
from mmwave_gym.core.types import FloatArray, IntArray
from mmwave_gym.radio.units import db_to_linear
from mmwave_gym.scenarios.association.routes import LinkBudget, Routes, link_integral


@dataclass(frozen=True)
class KnownWorld:
    """One world from now on: K epochs in order of time, at most C candidates each.

    Between two of its own epochs nothing moves a UE, so a plan is one candidate an epoch.
    """

    time_s: FloatArray  # (K + 1,): of the epochs, and the end of the episode
    ue: IntArray  # (K,)
    candidate: IntArray  # (K, C), -1: none
    serving: IntArray  # (ue,): before the first of these epochs; `len(bs_m)`: nobody
    routes: Routes
    bs_m: FloatArray  # (bs, 2)
    budget: LinkBudget

    def bits_per_hz(self, ue: IntArray, bs: IntArray, begin_s: FloatArray, end_s: FloatArray) -> FloatArray:
        """Integrals of the efficiency of links `ue`, `bs` from `begin_s` to `end_s`, all (links,); 0 for nobody's."""
        bits = np.zeros(len(ue))
        link = np.flatnonzero((bs >= 0) & (bs < len(self.bs_m)) & (end_s > begin_s))
        pick = ue[link], bs[link], begin_s[link], end_s[link]
        bits[link] = link_integral(self.routes, self.bs_m, self.budget, *pick)
        return bits


def known_worlds(view: View, envs: Iterable[int] | None = None) -> list[KnownWorld]:
    """Worlds of a view of access "trajectory" or "hindsight", each from its present epoch on; None: of all."""
    known = view.look("time_s", "ue", "candidate", "first_s", "knots_m", "serving", "epoch")
    constants = view.constants
    snr_1m = float(db_to_linear(constants["snr_1m_db"]))
    budget = LinkBudget(snr_1m, constants["path_loss_exponent"], constants["height_m"])
    bs_m = np.array(constants["bs_m"])
    worlds = []
    for i in range(view.num_envs) if envs is None else envs:
        there = slice(int(known["epoch"][i]), int((known["ue"][i] >= 0).sum()))
        worlds.append(
            KnownWorld(
                time_s=np.append(known["time_s"][i, there], constants["duration_s"]),
                ue=known["ue"][i, there],
                candidate=known["candidate"][i, there].astype(np.intp),
                serving=known["serving"][i],
                routes=Routes(known["first_s"][i], constants["knot_s"], known["knots_m"][i].astype(np.float64)),
                bs_m=bs_m,
                budget=budget,
            )
        )
    return worlds
