"""Where time once jumped: large areas, many maps, many copies, resets in the middle of episodes, the first reset."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from bench.compiled import HANDOVER, STREET, numba
from bench.measure import NUM_ENVS, Row, alternate, seconds
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio.fields import exponential_field

MAPS = 600
CELLS = 6
FIRST_RESET = """
import time, gymnasium, mmwave_gym
env = gymnasium.make({env_id!r})
start = time.process_time()
env.reset(seed=0)
env.step(0)
print(time.process_time() - start)
"""


def large_area(quick: bool) -> Row:
    side_m, rounds = 500.0, 3 if quick else 10
    field, rng = exponential_field(side_m, 6.0, 1.0), np.random.default_rng(0)
    cost = min(seconds(lambda: field.draw(rng, CELLS)) for _ in range(rounds))
    return Row(f"ms for {CELLS} maps of shadowing, {side_m:g} m", 1e3 * cost, "<= 200", f"least of {rounds}")


def first_reset(env_id: str, quick: bool) -> Row:
    """Processes whose compiled code is in numba's cache: one that writes it goes before."""

    def process(used: str) -> Callable[[], float]:
        command = [sys.executable, "-c", FIRST_RESET.format(env_id=env_id)]
        environment = {**os.environ, "MMWAVE_NUMBA": used}
        return lambda: float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

    process("1")()
    cost = alternate({used: process(used) for used in ("0", "1")}, rounds=2 if quick else 5)
    setup = f"first reset and step: {cost['1']:.2f} s with numba, {cost['0']:.2f} s without"
    return Row(f"{env_id}, s that numba adds to a process", cost["1"] - cost["0"], "<= 0.5", setup)


def many_maps(quick: bool) -> Row:
    """Every map was drawn once before; those that no store kept are drawn again."""
    keywords: dict[str, Any] = {
        "street": "canyon",
        "users": "pedestrian",
        "isd_m": 50.0,
        "arm_m": 100.0,
        "duration_s": 20.0,
    }
    episodes = 100 if quick else 400

    def draws(maps: tuple[int, ...]) -> Callable[[], float]:
        scenario = make_registered(STREET, maps=maps, **keywords)
        rngs = [EpisodeRng(EpisodeKey(i)) for i in range(episodes)]
        for seed in maps:
            scenario.world.route(maps.index(seed), 0.0, 0.0, 0.0)
        return lambda: seconds(lambda: [scenario.draw([rng]) for rng in rngs]) / episodes

    with numba(True):
        cost = alternate({count: draws(tuple(range(count))) for count in (1, MAPS)}, rounds=3 if quick else 8)
    setup = f"{cost[MAPS] * 1e6:.0f} us an episode with {MAPS} maps, {cost[1] * 1e6:.0f} us with one"
    return Row(
        f"drawing a drive through one of {MAPS} maps / through the same map", cost[MAPS] / cost[1], "<= 2", setup
    )


def many_copies(quick: bool) -> Row:
    many = NUM_ENVS * (2 if quick else 16)

    def reset(num_envs: int) -> Callable[[], float]:
        env = gym.make_vec(HANDOVER, num_envs=num_envs)
        env.reset(seed=0)  # touches all memory once
        return lambda: seconds(lambda: env.reset(seed=1)) / num_envs

    with numba(True):
        cost = alternate({num_envs: reset(num_envs) for num_envs in (NUM_ENVS, many)}, rounds=2 if quick else 4)
    setup = f"{cost[many] * 1e6:.0f} us a copy of {many}, {cost[NUM_ENVS] * 1e6:.0f} us of {NUM_ENVS}"
    return Row(
        f"{HANDOVER}, reset of {many} copies / of {NUM_ENVS}, a copy", cost[many] / cost[NUM_ENVS], "<= 1.2", setup
    )


def cut_episodes(quick: bool) -> Row:
    """How many next episodes are drawn in a step, before and after a reset in the middle of the episodes."""
    env: Any = gym.make_vec(HANDOVER, num_envs=NUM_ENVS)
    batch, drawn = env.batch, [0]
    draw = batch.scenario.draw_into

    def counted(rngs: Any, *where: Any) -> None:
        drawn[0] += len(rngs)
        draw(rngs, *where)

    batch.scenario.draw_into = counted
    steps = 200 if quick else 600
    actions = np.zeros(NUM_ENVS, np.int64)
    rates = []
    env.reset(seed=0)
    for _ in range(2):
        drawn[0] = 0
        for _ in range(steps):
            env.step(actions)
        rates.append(drawn[0] / steps)
        env.reset()
    setup = f"{rates[0]:.2f} episodes a step before it, {rates[1]:.2f} after it"
    return Row(
        f"{HANDOVER}, next episodes drawn a step, after a reset in the middle / before",
        rates[1] / rates[0],
        "<= 1.2",
        setup,
    )


def cliffs(quick: bool) -> list[Row]:
    first = [first_reset(env_id, quick) for env_id in (HANDOVER, STREET)]
    return [large_area(quick), *first, many_maps(quick), many_copies(quick), cut_episodes(quick)]
