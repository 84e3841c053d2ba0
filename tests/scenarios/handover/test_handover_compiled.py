"""Compiled draws of the paper's world are NumPy's, bit for bit, for every keyword."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled_worlds import differing

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
]


@pytest.mark.parametrize("keywords", CASES, ids=str)
def test_compiled_draws_are_numpys(keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing("handover", keywords, monkeypatch) == []
