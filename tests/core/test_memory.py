"""What fits no memory is refused before it is made, with the sum; and the sums are right."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import gymnasium
import numpy as np
import pytest

from mmwave_gym.api import pettingzoo as multiagent
from mmwave_gym.api.contract.cases import Script, joint_action
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.memory import Memory, check_fits, limit_gib
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

FACTOR = 3.0
"""A formula is never more than this above the measured peak, and never more than a third below it."""
NETWORK = {"layout": "poisson", "scope": "network"}
WORLDS: list[tuple[str, dict[str, Any], int]] = [
    ("handover", {}, 64),
    ("handover", {"horizon": 20_000}, 1),
    ("handover", {"num_ues": 50, "horizon": 300, "boundary": "stay"}, 8),
    ("handover", {"num_cells": 200, "horizon": 200}, 8),
    ("handover", {"area_side_m": 300.0, "horizon": 50}, 2),
    ("handover", {"area_side_m": 60.0, "shadowing_correlation_m": 60.0, "horizon": 50}, 2),
    ("handover", {"shadowing": "none", "fading": "none"}, 64),
    ("cell_selection", {"num_ues": 40, "num_cells": 40, "horizon": 300}, 4),
    ("cell_selection", {"horizon": 100_000}, 1),
    ("cell_selection", {"num_ues": 100, "num_cells": 10, "horizon": 10}, 100),
    ("association", {"num_ues": 100, "duration_s": 60.0}, 4),
    ("association", {"num_ues": 400, "geometry": "blocked", "duration_s": 40.0}, 2),
    ("association", {"num_ues": 50, "crossings": (16, 16), "duration_s": 100.0}, 1),
    ("association", {"num_ues": 50, "crossings": (3, 4), "max_candidates": 1, "duration_s": 100.0}, 16),
    ("power_allocation", {"observation": "local", "reward": "difference", "levels": None}, 256),
    ("power_allocation", {**NETWORK, "interference": "network", "reward": "difference", "side_m": 1500.0}, 2),
    ("power_allocation", {**NETWORK, "side_m": 2500.0, "observation": "local", "changes": 5}, 2),
    ("power_allocation", {**NETWORK, "interference": "network", "interference_range_m": 300.0, "side_m": 2500.0}, 2),
    ("power_allocation", {"layout": "poisson", "cluster_bs": (2, 200)}, 8),
    ("shared_street", {"arm_m": 100.0, "isd_m": 100.0, "maps": (1, 2)}, 8),
    ("shared_street", {"arm_m": 100.0, "isd_m": 40.0, "num_cars": 100, "maps": 1, "horizon": 300}, 16),
    ("shared_street", {"arm_m": 60.0, "isd_m": 60.0, "blocks": (2, 1), "maps": 1, "horizon": 300, "turning": 0.5}, 16),
    ("shared_street", {"maps": "munich", "horizon": 200, "demand": "queue", "interference": "load"}, 8),
    ("street", {"cells": "dense", "arm_m": 100.0, "duration_s": 10.0}, 64),
    ("street", {"street": "canyon", "arm_m": 150.0, "isd_m": 20.0, "duration_s": 10.0, "maps": (1, 2, 3)}, 8),
    ("street", {"sight": "geometry", "handover": "conditional", "arm_m": 100.0, "isd_m": 50.0, "duration_s": 10.0}, 16),
    ("street", {"sight": "geometry", "users": "pedestrian", "bodies_per_km": 300.0, "duration_s": 10.0}, 4),
]


def played(scenario: str, keywords: dict[str, Any], num_envs: int) -> Batch:
    batch = Batch(make_scenario(scenario, **keywords), num_envs)
    batch.reset([EpisodeKey(i) for i in range(num_envs)])
    scripts = [Script(batch.scenario.action_space, i, 4) for i in range(num_envs)]
    for t in range(2):
        batch.step(joint_action(batch, scripts, [t] * num_envs))
        batch.observe()
        batch.action_mask()
    batch.restart(np.arange(num_envs))
    return batch


@pytest.mark.parametrize(("scenario", "keywords", "num_envs"), WORLDS, ids=[f"{s}-{k}" for s, k, _ in WORLDS])
def test_sums_are_what_numpy_allocates(
    scenario: str, keywords: dict[str, Any], num_envs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMWAVE_NUMBA", "0")
    if scenario != "street":  # its maps are kept from the first play on, and count
        played(scenario, keywords, 1)  # what is imported is not to be traced
    gc.collect()
    tracemalloc.start()
    try:
        batch = played(scenario, keywords, num_envs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    memory = batch.scenario.memory()
    assert memory is not None
    assert 0.66 * peak < memory.total(num_envs) + 2**20, "a mebibyte is Python's own"
    assert memory.total(num_envs) < FACTOR * peak


HUGE: list[tuple[str, dict[str, Any]]] = [
    ("handover", {"horizon": 1_000_000, "num_ues": 1000}),
    ("handover", {"area_side_m": 2000.0, "shadowing_correlation_m": 1000.0, "num_cells": 1000}),
    ("cell_selection", {"num_ues": 1000, "num_cells": 1000, "horizon": 100_000}),
    ("association", {"num_ues": 100_000, "duration_s": 1800.0}),
    ("association", {"crossings": (64, 64)}),
    ("power_allocation", {**NETWORK, "interference": "network", "side_m": 8500.0}),
    ("power_allocation", {**NETWORK, "side_m": 1e5, "unit_m": 2000.0}),
    ("street", {"duration_s": 2000.0, "speed_mps": (0.0, 0.1), "isd_m": 10.0, "arm_m": 1000.0, "users": "pedestrian"}),
]


@pytest.mark.parametrize(("scenario", "keywords"), HUGE, ids=[f"{s}-{k}" for s, k in HUGE])
def test_a_world_that_fits_no_memory_is_refused_at_once(scenario: str, keywords: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=r"would take [\d,.]+ GiB of memory, more than the limit of 4 GiB: .*Lower"
        ):
            Batch(make_scenario(scenario, **keywords), 2)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_every_door_says_the_sum() -> None:
    message = r"handover with num_envs=(1|100000000) would take [\d,]+\.\d GiB of memory.*MMWAVE_MEMORY_GIB=\d+ in"
    keywords = {"num_ues": 10_000, "horizon": 1_000_000}
    for make in (
        lambda: gymnasium.make("MmwaveHandover-v0", others="a3", **keywords),
        lambda: gymnasium.make_vec("MmwaveHandover-v0", num_envs=10**8),
        lambda: gymnasium.make("MmwaveHandover-v0", control="all", **keywords),
        lambda: multiagent.parallel_env("handover", **keywords),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_the_limit_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(episode=2.0**30, state=2.0**20, working=0.0, shared=2.0**29)
    assert memory.total(4) == 12 * 2**30 + 4 * 2**20 + 2**29
    assert limit_gib() == 4.0
    check_fits("w", memory, 1)
    check_fits("w", None, 10**9)
    with pytest.raises(ValueError, match=r"^w with num_envs=2 would take 6\.5 GiB of memory, more than the limit of 4"):
        check_fits("w", memory, 2)
    monkeypatch.setenv("MMWAVE_MEMORY_GIB", "7")
    check_fits("w", memory, 2)
    monkeypatch.setenv("MMWAVE_MEMORY_GIB", "0.5")
    with pytest.raises(
        ValueError, match=r"limit of 0\.5 GiB: for each environment 3 episodes of 1\.0 GiB .* and 1\.0 M"
    ):
        check_fits("w", memory, 1)
    for wrong in ("much", "0", "nan"):
        monkeypatch.setenv("MMWAVE_MEMORY_GIB", wrong)
        with pytest.raises(ValueError, match=f"MMWAVE_MEMORY_GIB must be a number of GiB above 0, got '{wrong}'"):
            limit_gib()
