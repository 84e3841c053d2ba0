"""Compiled drives are NumPy's, bit for bit, for every keyword."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled_worlds import differing

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
]


@pytest.mark.parametrize("keywords", CASES, ids=str)
def test_compiled_drives_are_numpys(keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing("street", keywords, monkeypatch) == []
