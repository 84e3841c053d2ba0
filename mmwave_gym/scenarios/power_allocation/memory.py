"""What power allocation takes in memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mmwave_gym.core.memory import Memory
from mmwave_gym.radio.interference import SQUARE_M
from mmwave_gym.scenarios.power_allocation.layouts import Poisson, Sites


def memory_of(scenario: Any) -> Memory:
    """Bytes of a scenario of this room: a world of base stations, of its phases, and of who disturbs whom."""
    config, a = scenario.config, scenario.num_agents
    phases = config.changes + 1
    links = 12.0 * _links(scenario) if config.is_sparse else 8.0 * a * a
    episode = 56 * a + links + phases * (9 * a + 8)
    kept = links if config.is_sparse and config.interference == "cluster" else 0.0 if config.is_sparse else links
    priced = {"difference": 4.0}.get(str(config.reward), 0.0) * (0.0 if config.is_sparse else links)
    state = kept + priced + a * (500 + phases) + (a * (16 * scenario.fields.size + 200))
    local = 3.0 * links if config.observation == "local" and not config.is_sparse else 0.0
    layout = scenario.worlds.layout
    sites = 400.0 * max(layout.most_bs, a)
    return Memory(
        episode, state, (4.0 if config.is_sparse else 6.0) * links + local + sites + 17 * phases * a + _far(scenario)
    )


def _far(scenario: Any) -> float:
    """Bytes of the squares on which far base stations are counted."""
    config, layout = scenario.config, scenario.worlds.layout
    if config.interference_range_m is None:
        return 0.0
    extent_m = float(np.ptp(layout.sites_m, axis=0).max()) if isinstance(layout, Sites) else config.side_m
    squares = min((extent_m + 2.0 * config.ue_radius_m) / SQUARE_M, 2048.0) + 1.0
    return 250.0 * squares**2


def _links(scenario: Any) -> float:
    """How many interferers all base stations together have within the range, about."""
    config, a, layout = scenario.config, scenario.num_agents, scenario.worlds.layout
    range_m = config.interference_range_m or 4.0 * config.unit_m + config.ue_radius_m
    if isinstance(layout, Sites):
        tree = cKDTree(layout.sites_m)
        return min(float(tree.count_neighbors(tree, range_m + config.ue_radius_m)) + 2.0 * config.changes * a, a * a)
    assert isinstance(layout, Poisson)
    near = a * min(1.0, math.pi * range_m**2 / config.side_m**2)
    return a * (near + 1.0)
