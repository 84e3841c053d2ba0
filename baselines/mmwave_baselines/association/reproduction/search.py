"""The search for a world that yields all five columns of Table I of arXiv 2201.05983: which worlds, at which SNR.

The paper's road length, coverage radius, powers and exponent are lost. Each world of the search has the SNR at which
SNR-based handover earns what the paper prints for it, so that only the other four rates are left to meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.optimize import brentq

from mmwave_baselines.association.world import known_worlds
from mmwave_gym.benchmark.task import SUITE_SEED
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.radio.units import db_to_linear
from mmwave_gym.scenarios.association.routes import LinkBudget

NUM_UES = 512
SETTLE_S, SCORED_S, DURATION_S = 20.0, 20.0, 50.0
"""Scored up to 10 s before the end: LBH with a dear handover would put the last ones off beyond it."""
_ROAD_M = 200.0


@dataclass(frozen=True)
class World:
    """A world of the search. Lengths are shares of a road's length."""

    radius: float
    sides: tuple[float, float] = (0.0, 1.0)
    exponent: float = 3.0
    sbh_rate: float = 77.6
    """What SNR-based handover shall earn, in 10 Mbit/s of the network."""

    @property
    def name(self) -> str:
        """For names of tasks."""
        return f"r{self.radius:g}-b{self.sides[0]:g}-{self.sides[1]:g}-e{self.exponent:g}-s{self.sbh_rate:g}"

    def keywords(self) -> Mapping[str, Any]:
        """Of the environment."""
        return {**self._geometry(), "snr_1m_db": calibrated(self)[0], "settle_s": SETTLE_S}

    def _geometry(self) -> dict[str, Any]:
        return {
            "num_ues": NUM_UES,
            "duration_s": DURATION_S,
            "road_m": _ROAD_M,
            "radius_m": self.radius * _ROAD_M,
            "building_sides": self.sides,
            "path_loss_exponent": self.exponent,
        }


@lru_cache
def calibrated(world: World) -> tuple[float, int, int]:
    """SNR at a metre in dB at which SNR-based handover earns `sbh_rate`, to 0.01 dB, and how many epochs come in
    the 20 s before those that are scored, and in these.

    Who is strongest depends on no SNR, so one drawn world tells; with equal loads the network's rate is the mean
    efficiency of all links times the base stations' bandwidth.
    """
    scenario = make_scenario("association", **world._geometry())
    batch = Batch(scenario, 1, draws_ahead=False)
    batch.reset([EpisodeKey(SUITE_SEED, 0, "association calibration")])
    view = View(batch, "hindsight")
    known = known_worlds(view)[0]
    epoch_s, num_ues = known.time_s[:-1], len(known.serving)
    first_s = np.full(num_ues, DURATION_S)
    np.minimum.at(first_s, known.ue, epoch_s)
    ends_s = np.minimum(epoch_s + view.look("interval_s")["interval_s"][0, : len(epoch_s)], DURATION_S)
    ue = np.concatenate((np.arange(num_ues), known.ue))
    bs = np.concatenate((known.serving, known.candidate[:, 0]))
    links = ue, bs, np.concatenate((np.zeros(num_ues), epoch_s)), np.concatenate((first_s, ends_s))

    def excess(snr_1m_db: float) -> float:
        budget = LinkBudget(float(db_to_linear(snr_1m_db)), world.exponent)
        bits = replace(known, budget=budget).bits_per_hz(*links)
        return len(known.bs_m) * float(bits.sum()) / (num_ues * DURATION_S) - world.sbh_rate

    snr_1m_db = brentq(excess, -20.0, 160.0, xtol=1e-3)
    before, scored = np.searchsorted(epoch_s, (SETTLE_S, SETTLE_S + SCORED_S))
    return round(float(snr_1m_db), 2), int(before), int(scored - before)


_LARGE = (0.85, 1.0)
BELOW = [World(radius) for radius in (0.55, 0.75, 0.9)]  # range below a road: buildings cannot matter
ABOVE = [World(1.0, _LARGE), World(1.02), World(1.02, _LARGE), World(1.1, _LARGE)]
LAW = [World(1.02, _LARGE, exponent=2.0)]
LEVEL = [World(1.02, _LARGE, sbh_rate=512.0)]
"""SNR-based handover earns 8 bit/s/Hz a cell: the reading of Table I by which its rates are those of a base station."""
WORLDS = [*BELOW, *ABOVE, *LAW, *LEVEL]
WITH_SQA = [World(0.75), World(0.9), World(1.0, _LARGE), World(1.02, _LARGE), World(1.1, _LARGE)]
"""SQA costs as much as all else together, so it plays where the other columns leave it a chance."""
QUICK_WORLDS = [World(0.75), World(1.02, _LARGE)]
