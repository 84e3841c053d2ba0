"""What shared streets take in memory."""

from __future__ import annotations

from typing import Any

from mmwave_gym.core.memory import Memory


def memory_of(game: Any) -> Memory:
    """Of a `SharedStreet`, at its peak."""
    world, ages, bins, seconds = game.world, game.ages, game.bins, game.seconds
    a, k, t, m = game.num_agents, game.num_cells, world.slots, world.measurements
    lanes = world.crossing.lanes
    episode = t * a * (8 * k + 20 + (1 if ages else 0)) + m * a * (4 * k + 10) + a
    cells = lanes * bins * (4 * k + 4)
    state = cells + a * (4 * seconds + 16 * k + 24 * k + 200 + 24 * ages + 8 * game.fields.size)
    if game.now.by_load:
        state += 40 * a * k
    drawing = t * a * (60 * k + 80)
    points = lanes * world.crossing.points_a_lane
    maps = min(len(game.config.map_seeds) * points * 5.0 * k, 2.0**29)
    if world.city:
        return Memory(episode, state, drawing, 4.0 * points * k)
    return Memory(episode, state, drawing, points * (36 * points + 60 * k) + maps)
