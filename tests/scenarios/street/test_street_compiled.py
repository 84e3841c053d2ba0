"""Compiled drives, steps and observations are NumPy's, bit for bit, for every keyword."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled_worlds import differing, stepped_apart

from mmwave_gym.core import compiled
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

pytest.importorskip("numba")

CASES: list[dict[str, Any]] = [
    {},
    {"users": "pedestrian", "duration_s": 10.0},
    {"cells": "dense", "link_budget_db": 120, "measurement_error_db": 0},
    {"maps": (1, 2, 3), "interference_db": None},
    {"street": "canyon", "users": "pedestrian", "cells": "dense", "duration_s": 2.0},
    {"measurement_s": 0.02, "duration_s": 4.0},
    {"measurement_s": 60.0, "duration_s": 4.0},
    {"measurement_s": 0.1, "duration_s": 3.98, "link_budget_db": np.float32(130.1)},
    {"handover": "conditional", "users": "pedestrian", "duration_s": 10.0, "link_budget_db": 105.0},
    {"handover": "conditional", "street": "canyon", "arm_m": 60.0, "isd_m": 60.0, "duration_s": 3.98},
    {"sight": "geometry", "duration_s": 4.0},
    {"sight": "geometry", "handover": "conditional", "users": "pedestrian", "duration_s": 2.0, "parked_share": 1},
    {"sight": "geometry", "vehicles_per_km": 0, "bodies_per_km": 9.0, "street": "canyon", "duration_s": 3.0},
]


@pytest.mark.parametrize("keywords", CASES, ids=str)
def test_compiled_drives_are_numpys(keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing("street", keywords, monkeypatch) == []


STEPS: list[dict[str, Any]] = [
    {},
    {"users": "pedestrian", "duration_s": 10.0},
    {"cells": "dense", "link_budget_db": 105.0},
    {"link_budget_db": 100.0, "t310_s": 0.1, "reestablishment_s": 0.0},
    {"preparation_s": 0.0, "interruption_s": 0.0, "refinement_s": 0.0, "link_budget_db": 110.0},
    {"decision_s": 0.5, "preparation_s": 0.2, "refinement_s": 0.4, "refinement_db": 3, "out_db": -6, "in_db": -5},
    {"decision_s": 0.4, "duration_s": 3.94, "measurement_s": 0.1, "reestablishment_s": 0.05, "link_budget_db": 108},
    {"decision_s": 0.02, "duration_s": 3.0, "most_bps_hz": 4, "handover_energy_j": 1, "maps": (1, 2)},
    {"street": "canyon", "decision_s": 3.0, "refinement_s": 5.0, "duration_s": 20.0},
]
WEAK: dict[str, Any] = {"link_budget_db": 100.0, "t310_s": 0.1}
STEPS += [
    {"lost_command": "stays"},
    {"lost_command": "stays", **WEAK, "reestablishment_s": 0.0},
    {"lost_command": "stays", **WEAK, "preparation_s": 0.0},
    {"lost_command": "stays", **WEAK, "preparation_s": 0.24, "refinement_s": 0.0, "interruption_s": 0.02},
    {"lost_command": "stays", **WEAK, "preparation_s": 0.1, "out_db": -6, "in_db": -5, "decision_s": 0.02},
    {"handover": "conditional"},
    {"handover": "conditional", "users": "pedestrian", "duration_s": 10.0, "measurement_s": 0.1, "preparation_s": 0.5},
    {"handover": "conditional", **WEAK, "street": "canyon", "arm_m": 60.0, "isd_m": 60.0, "duration_s": 3.98},
]


@pytest.mark.parametrize("seldom", [0.03, 0.7])
@pytest.mark.parametrize("keywords", STEPS, ids=str)
def test_compiled_steps_are_numpys(keywords: dict[str, Any], seldom: float, monkeypatch: pytest.MonkeyPatch) -> None:
    keywords = {"duration_s": 8.0, **keywords}
    assert stepped_apart("street", keywords, seldom, monkeypatch) == []


def test_sums_of_rates_are_numpys() -> None:
    from mmwave_gym.scenarios.street.step_kernel import summed

    chance = np.random.default_rng(0)
    for count in (*range(20), 31, 32, 33, 64, 100, compiled.MOST_SUMMED):
        rates = (7.4 * chance.random((50, count))).astype(np.float32)
        assert [summed(rate, 0, count) for rate in rates] == rates.sum(axis=1).tolist(), count


def test_links_are_lost_in_what_is_compared() -> None:
    """What the comparison above would not see if no link were lost in it."""
    batch = Batch(make_scenario("street", duration_s=8.0, **STEPS[3]), 8)
    batch.reset([EpisodeKey(i) for i in range(8)])
    chance = np.random.default_rng(0)
    lost = moves = 0.0
    for _ in range(30):
        outcome = batch.step(chance.integers(batch.scenario.action_space.n, size=(8, 1)))
        lost, moves = lost + outcome.metrics["failures_per_min"].sum(), moves + outcome.metrics["handovers_per_s"].sum()
        if outcome.truncated.any():
            batch.restart(np.flatnonzero(outcome.truncated))
    assert moves > lost / 60.0 > 10.0
