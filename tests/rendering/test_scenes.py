"""The scene of every room: any world renders in every mode, and shows the present of the running episode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from contract import CASES, SMALL_WORLDS

from mmwave_gym.api import pettingzoo
from mmwave_gym.api.contract.cases import Case, Script
from mmwave_gym.api.gymnasium import RENDER_MODES, ScenarioEnv
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.rooms import rooms
from mmwave_gym.rendering.canvas import FRAME_SIZE
from mmwave_gym.rendering.text import WIDTH

pytestmark = pytest.mark.usefixtures("small_scenarios")

HEIGHT_WIDTH_3 = (FRAME_SIZE[1], FRAME_SIZE[0], 3)
MOST_STEPS = 64
HANDOVER, CELLS = ("MmwaveHandover-v0", "handover"), ("MmwaveCellSelection-v0", "cell_selection")
ASSOCIATION, STREET = ("MmwaveAssociation-v0", "association"), ("MmwaveStreet-v0", "street")
POWER = ("MmwavePowerAllocation-v0", "power_allocation")
SHARED = ("MmwaveSharedStreet-v0", "shared_street")
SHORT_STREET = SMALL_WORLDS["street"]
BLOCKS = {"crossings": (3, 3), "duration_s": 40.0, "settle_s": 5.0, "geometry": "blocked"}
NETWORK = {"layout": "poisson", "scope": "network", "horizon": 4}
WORLDS = (
    Case("handover-2-cells", *HANDOVER, {"num_cells": 2}),
    Case("handover-70-cells", *HANDOVER, {"num_cells": 70}),
    Case("handover-one-slot", *HANDOVER, {"horizon": 1}),
    Case("handover-open", *HANDOVER, {"boundary": "open"}),
    Case("association-1-ue", *ASSOCIATION, {**BLOCKS, "num_ues": 1, "crossings": (1, 2), "geometry": "paper"}),
    Case("association-300-ues", *ASSOCIATION, {**BLOCKS, "num_ues": 300, "crossings": (8, 8), "geometry": "paper"}),
    Case("association-400-stations", *ASSOCIATION, {**BLOCKS, "num_ues": 50, "crossings": (20, 20)}),
    Case("cells-alone", *CELLS, {"num_ues": 1, "num_cells": 1, "horizon": 1}),
    Case("cells-15-ues", *CELLS, {"num_ues": 15, "num_cells": 8}),
    Case("cells-70-ues", *CELLS, {"num_ues": 70, "num_cells": 30}),
    Case(
        "cells-slow-links",
        *CELLS,
        {"transition": ((0.82, 0.17, 0.01), (0.04, 0.94, 0.02), (0.01, 0.22, 0.77)), "step_s": 1.0},
    ),
    Case("cells-2-states", *CELLS, {"transition": ((0.9, 0.1), (0.2, 0.8)), "rate_bps_hz": (1.0, 0.0)}),
    Case("cells-no-rate", *CELLS, {"transition": np.full((6, 6), 1 / 6), "rate_bps_hz": (0.0,) * 6}),
    Case("cells-central", *CELLS, {"control": "all"}),
    Case("street-cars", *STREET),
    Case("street-lost-links", *STREET, {**SHORT_STREET, "link_budget_db": 100.0, "t310_s": 0.2}),
    Case("street-pedestrians", *STREET, {"users": "pedestrian", "decision_s": 0.4, "duration_s": 10.0}),
    Case("street-canyon", *STREET, {**SHORT_STREET, "street": "canyon"}),
    Case("street-one-cell", *STREET, {"street": "canyon", "arm_m": 60.0, "isd_m": 60.0, "duration_s": 1.0}),
    Case("street-lanes", *STREET, {**SHORT_STREET, "lane_m": 0.0, "interference_db": None, "maps": (4, 5)}),
    Case("street-instant", *STREET, {**SHORT_STREET, "preparation_s": 0.0, "interruption_s": 0.0, "refinement_s": 0.0}),
    Case("shared-street-full", *SHARED, {**SMALL_WORLDS["shared_street"], "num_cars": 60, "horizon": 30}),
    Case("shared-street-walkers", *SHARED, {**SMALL_WORLDS["shared_street"], "num_cars": 0, "horizon": 1}),
    Case(
        "shared-street-grid",
        *SHARED,
        {"blocks": (3, 2), "arm_m": 70.0, "isd_m": 70.0, "demand": "queue", "horizon": 20},
    ),
    Case("shared-street-city", *SHARED, {"maps": "florence", "num_cars": 12, "num_pedestrians": 4, "horizon": 20}),
    Case("shared-street-central", *SHARED, {**SMALL_WORLDS["shared_street"], "control": "all", "horizon": 12}),
    Case("power-alone", *POWER, {"num_bs": 1, "horizon": 1}),
    Case("power-one-place", *POWER, {"layout": ((3.0, 4.0),), "scope": "network", "horizon": 2}),
    Case("power-changing", *POWER, {**NETWORK, "side_m": 500.0, "changes": 8, "horizon": 30}),
    Case(
        "power-thousand",
        *POWER,
        {**NETWORK, "side_m": 2887.0, "interference": "network", "interference_range_m": 150.0},
    ),
    Case("power-crowd", *POWER, {**NETWORK, "side_m": 6500.0}),
    Case("power-central", *POWER, {"control": "all", "horizon": 8}),
)
"""Unusual worlds beside those of the contract."""
LONG = (
    (Case("handover", *HANDOVER), 250),  # beyond the first page
    (Case("cells", *CELLS), 100),  # so is this
    (Case("association", *ASSOCIATION, {**BLOCKS, "num_ues": 6}), 1000),  # to the end, when nobody decides
    (Case("street", *STREET), 30),
    (Case("power", *POWER, {**NETWORK, "side_m": 500.0, "changes": 8, "horizon": 30}), 25),
    *((case, 25) for case in CASES if case.scenario in ("shared_cells", "ring_road", "crowd")),
)


def make(case: Case, mode: str) -> gym.Env[Any, Any]:
    if "control" in case.keywords:  # one agent chooses for all, so there are no others
        return gym.make(case.env_id, render_mode=mode, **case.keywords)
    return case.make(render_mode=mode)


def played(env: gym.Env[Any, Any], steps: int) -> Iterator[int]:
    """Make steps until the episode is over, the same ones in the same world; after each, its number."""
    script = Script(env.action_space, 0, steps)
    for step in range(steps):
        mask = env.unwrapped.action_masks() if hasattr(env.unwrapped, "action_masks") else None
        _, _, terminated, truncated, _ = env.step(script(3 * (step // 5), mask))  # five times the same
        yield step
        if terminated or truncated:
            return


@pytest.mark.sample(by=lambda case, mode: ((case.scenario, mode),))
@pytest.mark.parametrize("mode", RENDER_MODES)
@pytest.mark.parametrize("case", [*CASES, *WORLDS], ids=str)
def test_any_world_renders(case: Case, mode: str) -> None:
    env = make(case, mode)
    env.reset(seed=5)
    frames = [env.render()]
    for _ in played(env, MOST_STEPS):
        pass
    frames.append(env.render())
    env.close()
    if mode == "human":
        assert frames == [None, None]
    elif mode == "ansi":
        assert all(text.isascii() and {len(line) for line in text.splitlines()} == {WIDTH} for text in frames)
        assert len(frames[0].splitlines()) == len(frames[1].splitlines())
        assert frames[0] != frames[1]
        assert case.scenario not in ("handover", "street") or "@" in frames[1]
    else:
        assert all(f.dtype == np.uint8 and f.shape == HEIGHT_WIDTH_3 and f.flags.writeable for f in frames)
        assert (frames[0] != frames[1]).any()


@pytest.mark.sample
@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
@pytest.mark.parametrize(("case", "steps"), LONG, ids=lambda value: str(value))
def test_the_picture_depends_on_the_present_not_on_when_one_looked(case: Case, steps: int, mode: str) -> None:
    """Layers are drawn step by step: looking at every step must give the same as looking once."""
    often, once = make(case, mode), make(case, mode)
    for env in (often, once):
        env.reset(seed=4)
    made = 0
    for _ in zip(played(often, steps), played(once, steps), strict=True):
        often.render()
        made += 1
    assert made > (20 if case.env_id.startswith("Mmwave") else 1)
    np.testing.assert_array_equal(often.render(), once.render())


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
@pytest.mark.parametrize("case", [case for case, _ in LONG], ids=str)
def test_a_new_episode_begins_empty(case: Case, mode: str) -> None:
    env = make(case, mode)
    env.reset(seed=2)
    first = env.render()
    for _ in played(env, 10):
        env.render()
    env.reset(seed=2)
    np.testing.assert_array_equal(env.render(), first)


@pytest.mark.parametrize("mode", RENDER_MODES)
@pytest.mark.parametrize("case", [case for case, _ in LONG], ids=str)
def test_pettingzoo_renders(case: Case, mode: str) -> None:
    env = pettingzoo.raw_env(case.scenario, **case.keywords, render_mode=mode)
    env.reset(seed=3)
    frames = [env.render()]
    for agent in env.agent_iter(env.num_agents + 1):  # all of them have their turn
        observation, *_, terminated, truncated, _ = env.last()
        mask = observation["action_mask"] if isinstance(observation, dict) else None
        env.step(None if terminated or truncated else env.action_space(agent).sample(mask))
    frames.append(env.render())
    env.close()
    if mode == "human":
        assert frames == [None, None]
    elif mode == "ansi":
        assert len({tuple(map(len, f.splitlines())) for f in frames}) == 1
        assert case.scenario.replace("_", " ") in frames[0]
        assert frames[0] != frames[1]
    else:
        assert all(f.dtype == np.uint8 and f.shape == HEIGHT_WIDTH_3 for f in frames)
        assert (frames[0] != frames[1]).any()


@pytest.mark.parametrize("scenario", [name for name in rooms() if not make_scenario(name).turn_based])
def test_the_centralised_view_renders(scenario: str) -> None:
    for mode in ("ansi", "rgb_array"):
        env = ScenarioEnv(scenario, control="all", render_mode=mode)
        env.reset(seed=0)
        first = env.render()
        env.step(env.action_space.sample())
        assert np.shape(env.render()) == np.shape(first)
        assert not np.array_equal(env.render(), first)
        env.close()
