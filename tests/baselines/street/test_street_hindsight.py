"""Compiled hindsight of streets: the readable recursions' values and decisions, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmwave_baselines.street.oracle import Way, bound, solve
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

EPISODES = 6
WORLDS: dict[str, dict[str, Any]] = {
    "cars": {},
    "weak": {"link_budget_db": 100.0, "t310_s": 0.2},
    "pedestrians": {"users": "pedestrian", "decision_s": 0.4, "duration_s": 8.0},
    "two cells": {"street": "canyon", "isd_m": 60.0, "link_budget_db": 84.0},
    "many cells": {"isd_m": 12.0, "link_budget_db": 115.0},
    "no refinement, an end within a decision": {"refinement_s": 0.0, "preparation_s": 0.0, "duration_s": 2.06},
    "nothing is heard": {"link_budget_db": 40.0},
    "v1": {"lost_command": "stays", "link_budget_db": 100.0, "t310_s": 0.2},
    "v1, a long preparation": {"lost_command": "stays", "link_budget_db": 100.0, "t310_s": 0.1, "preparation_s": 0.24},
    "conditional": {"handover": "conditional", "link_budget_db": 100.0, "t310_s": 0.2},
    "conditional, two cells": {"handover": "conditional", "street": "canyon", "isd_m": 60.0, "link_budget_db": 84.0},
}


def ways(**keywords: Any) -> tuple[Any, ...]:
    scenario = make_scenario("street", **{"arm_m": 60.0, "isd_m": 50.0, "duration_s": 3.0, **keywords})
    episodes = scenario.draw([EpisodeRng(EpisodeKey(seed)) for seed in range(EPISODES)])
    known = episodes.sinr_db, episodes.rsrp_dbm, scenario.constants()
    if not scenario.conditional:  # type: ignore[attr-defined]
        return known
    return *known, scenario.reveal(episodes, scenario.start(episodes), "hindsight")["prepared_ahead"]()


@pytest.mark.parametrize("world", WORLDS)
def test_compiled_and_readable_hindsight_are_equal(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = ways(**WORLDS[world])
    monkeypatch.setenv("MMWAVE_NUMBA", "0")
    most, best = bound(*known), solve(*known)
    assert Way(*known).kernel is None
    monkeypatch.setenv("MMWAVE_NUMBA", "1")
    assert Way(*known).kernel is not None
    np.testing.assert_array_equal(bound(*known), most)
    for name, ours, readable in zip(best._fields, solve(*known), best, strict=True):
        np.testing.assert_array_equal(ours, readable, err_msg=name)
    assert most.any() == best.value.any() == (world != "nothing is heard")


def test_float64_measurements_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sinr_db, rsrp_dbm, constants = ways(link_budget_db=105.0)
    known = sinr_db.astype(np.float64) + 1e-9, rsrp_dbm.astype(np.float64), constants
    solved = []
    for choice in "01":
        monkeypatch.setenv("MMWAVE_NUMBA", choice)
        solved.append((bound(*known), *solve(*known)))
    for readable, ours in zip(*solved, strict=True):
        np.testing.assert_array_equal(ours, readable)
