"""What association takes in memory, and how large a grid of streets may be before it is laid out."""

from __future__ import annotations

import math
from typing import Any

from mmwave_gym.core.memory import Memory, check_fits
from mmwave_gym.scenarios.association.config import AssociationConfig

MOST_LINKS = 100_000
"""Pairs of a road and a base station in range of it: a grid of more takes many seconds to lay out."""


def memory_of(scenario: Any) -> Memory:
    """Bytes of a scenario of this room: a world of UEs, epochs and candidates."""
    world = scenario.world
    epochs, c, ues, cells = scenario.horizon + 1, scenario.max_candidates, scenario.num_ues, scenario.num_bs + 1
    episode = epochs * (16 + 18 * c) + ues * (8 * world.num_knots + 34) + 16 * world.num_buildings
    state = 48 * cells + 400 * ues + 28 * scenario.fields.size
    c_all = max(world.most_candidates, c)  # all are ranked before the strongest are offered
    drawing = epochs * (180 * c_all + 100) + 40 * ues * world.num_knots + 3000 * world.num_buildings
    return Memory(episode, state, drawing, grid_bytes(scenario.config) if scenario.config.city is None else 0.0)


def grid_bytes(config: AssociationConfig) -> float:
    """Bytes that laying out the streets takes."""
    rows, columns = config.crossings
    nodes, roads = rows * columns, rows * (columns - 1) + (rows - 1) * columns
    return 90.0 * nodes * roads + 10.0 * (2 * roads) ** 2 + 400.0 * _links(config)


def check_grid(config: AssociationConfig) -> None:
    """ValueError where a grid of streets would fit no memory, or have too many links to lay out."""
    check_fits("association", Memory(0.0, 0.0, shared=grid_bytes(config)), 1, config)
    if (links := _links(config)) > MOST_LINKS:
        raise ValueError(
            f"radius_m={config.resolved('radius_m'):g} and crossings={config.crossings} make about {links:,.0f} pairs "
            f"of a road and a base station in range of it, more than {MOST_LINKS:,}: lower one of them."
        )


def _links(config: AssociationConfig) -> float:
    """About how many pairs of a road and a base station in range of it there are, at most."""
    rows, columns = config.crossings
    roads = rows * (columns - 1) + (rows - 1) * columns
    reach = config.resolved("radius_m") / config.road_m
    near = min(math.pi * (reach + 1.0) ** 2, rows * columns, (2.0 * reach + 2.0) * min(rows, columns))
    return roads * near
