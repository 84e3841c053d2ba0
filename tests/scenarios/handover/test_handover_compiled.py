"""Compiled draws, steps and observations are NumPy's, bit for bit, for every keyword."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled_worlds import differing, stepped_apart
from link_worlds import line

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

pytest.importorskip("numba")

CASES: list[dict[str, Any]] = [
    {},
    {"mobility": "A3", "step_s": 1.0},
    {"mobility": (0.1, 0.2, 0.3, 0.4), "num_ues": 3, "start": "uniform"},
    {"speed_drawn_per": "slot", "num_ues": 2},
    {"boundary": "stay"},
    {"boundary": "open", "step_s": 1.0},
    {"shadowing": "static"},
    {"shadowing": "independent"},
    {"shadowing": "none"},
    {"fading": "none"},
    {"fading": "averaged"},
    {"layout_seed": 4},
    {"num_cells": 2, "horizon": 1},
    {"num_cells": 9, "horizon": 300, "area_side_m": 60.0},
    {"area_side_m": 20, "shadowing_correlation_m": 2, "tx_power_dbm": 10, "bandwidth_hz": 1e8, "shadowing_db": 3},
    {"area_side_m": np.float64(16.0)},
    {"num_ues": 3, "boundary": "stay", "start": "uniform", "speed_drawn_per": "slot", "fading": "averaged"},
    {"receiver": "real"},
    {"receiver": "real", "num_ues": 3, "boundary": "stay", "shadowing": "none", "num_cells": 9, "horizon": 300},
    {"receiver": "real", "fading": "none", "interference_db": -3, "most_bps_hz": 5},
    {"receiver": "real", "tx_power_dbm": -20.0, "interference_db": np.float64(0.0), "most_bps_hz": None},
    {"fading": "past", "horizon": 1, "num_ues": 2},
]


@pytest.mark.parametrize("keywords", CASES, ids=str)
def test_compiled_draws_are_numpys(keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing("handover", keywords, monkeypatch) == []


STEPS: list[dict[str, Any]] = [
    {},
    {"mobility": "A3", "step_s": 1.0, "speed_mps": (1.0, 2.0)},
    {"num_ues": 3, "start": "uniform", "step_s": 1.0, "speed_mps": (1.0, 2.0), "num_cells": 9},
    {"num_ues": 2, "boundary": "stay", "interruption_s": 0.02, "beta": 10, "handover_energy_j": 1},
    {"tx_power_dbm": -10.0, "fading": "averaged", "step_s": 0.3},
    {"receiver": "real"},
    {"receiver": "real", "interruption_s": 0.12, "num_ues": 2, "step_s": 0.05, "mobility": "A3", "area_side_m": 2.0},
]


@pytest.mark.parametrize("seldom", [0.2, 1.0])
@pytest.mark.parametrize("keywords", STEPS, ids=str)
def test_compiled_steps_are_numpys(keywords: dict[str, Any], seldom: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stepped_apart("handover", {"horizon": 60, **keywords}, seldom, monkeypatch) == []


@pytest.mark.parametrize("num_ues", [1, 2])
@pytest.mark.parametrize("more", [{}, {"receiver": "real", "interruption_s": 0.25}], ids=str)
def test_compiled_steps_through_a_link_matrix_are_numpys(
    num_ues: int, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keywords = {"channel": line(), "horizon": 60, "num_ues": num_ues, **more}
    assert stepped_apart("handover", keywords, 0.5, monkeypatch) == []


def test_what_is_compared_has_ends_and_returns() -> None:
    """What the comparison above would not see if no UE left, came back or were out of reach in it."""
    ends, seen = [], {}
    for keywords in (STEPS[1], STEPS[4]):
        batch = Batch(make_scenario("handover", horizon=60, **keywords), 8)
        batch.reset([EpisodeKey(i) for i in range(8)])
        chance = np.random.default_rng(0)
        for _ in range(60):
            outcome = batch.step(chance.integers(6, size=(8, 1)))
            ends.append(outcome.terminated.sum())
            for name, value in outcome.metrics.items():
                seen[name] = seen.get(name, 0.0) + value.sum()
    assert sum(ends) > 0
    assert min(seen.values()) > 0.0
