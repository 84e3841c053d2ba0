"""Compiled episodes, steps and observations of shared streets are NumPy's, bit for bit, for every keyword."""

from __future__ import annotations

from typing import Any

import pytest
from compiled_worlds import differing, stepped_apart

pytest.importorskip("numba")

SMALL: dict[str, Any] = {
    "arm_m": 60.0,
    "isd_m": 60.0,
    "num_cars": 5,
    "num_pedestrians": 3,
    "maps": (3, 4),
    "horizon": 50,
}
WEAK: dict[str, Any] = {"link_budget_db": 100.0, "t310_s": 0.3}
CASES: list[dict[str, Any]] = [
    {},
    {"num_cars": 0},
    {"num_cars": 30, "num_pedestrians": 0, "car_mps": (20.0, 40.0)},
    {"horizon": 49, "lights": False, "walk_mps": (3.0, 5.0), "measurement_error_db": 0},
    {"demand": "queue", "file_period_s": 0.4},
    {"blocks": (2, 1), "turning": 0.7, "num_cars": 12, "horizon": 150},
    {"turning": 1.0, "num_cars": 12, "horizon": 150, "lights": False, "car_mps": (30.0, 40.0)},
    {"isd_m": 40.0, "blocked_s": 1.0, "clear_s": 0.5, "frequency_ghz": 60, "position_error_m": 20},
]
STEPS: list[dict[str, Any]] = [
    {},
    WEAK,
    {"handover": "command", **WEAK, "isd_m": 40.0},
    {"handover": "conditional", **WEAK, "load_period_s": 0.2},
    {"shared_map": False, "reward": "difference", "num_pedestrians": 0},
    {"num_cars": 30, "car_mps": (20.0, 40.0), "lights": False, "reporting_share": 0.5, "position_error_m": 9.0},
    {"interference": "load", **WEAK, "active_s": 1.0, "idle_s": 2.0},
    {"demand": "queue", "file_mbit": 700.0, "deadline_s": 0.6, "reward": "difference"},
    {"demand": "queue", "interference": "load", "file_period_s": 0.3, "handover": "conditional", **WEAK},
    {"blocks": (1, 2), "turning": 0.6, "lights": False, "car_mps": (20.0, 40.0)},
    {"arm_m": 40.0, "isd_m": 40.0, "num_cars": 0, "reestablishment_s": 0.1, "link_budget_db": 90.0},
]


CITY: dict[str, Any] = {"maps": "munich", "num_cars": 5, "num_pedestrians": 3, "horizon": 50}


def test_compiled_cities_are_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing("shared_street", CITY, monkeypatch) == []
    assert stepped_apart("shared_street", {**CITY, "interference": "load"}, 0.3, monkeypatch) == []


@pytest.mark.parametrize("keywords", CASES, ids=str)
def test_compiled_episodes_are_numpys(keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing("shared_street", {**SMALL, **keywords}, monkeypatch) == []


@pytest.mark.parametrize("seldom", [1.0, 0.1])
@pytest.mark.parametrize("keywords", STEPS, ids=str)
def test_compiled_steps_are_numpys(keywords: dict[str, Any], seldom: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stepped_apart("shared_street", {**SMALL, **keywords}, seldom, monkeypatch) == []
