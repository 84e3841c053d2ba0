"""What compiled code gains over NumPy's, which stays the reference: the same episodes and steps, in turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

from bench.measure import NUM_ENVS, Row, alternate, seconds
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

HANDOVER, STREET = "MmwaveHandover-v0", "MmwaveStreet-v0"
AT_ONCE = 4
"""Episodes a call."""
RARE = 0.03
"""Chance of a random action in a step of a UE that hands over rarely."""
MICRO = 1e6


@contextmanager
def numba(used: bool) -> Iterator[None]:
    """Compile everything in here, or nothing."""
    before = os.environ.get("MMWAVE_NUMBA")
    os.environ["MMWAVE_NUMBA"] = "1" if used else "0"
    try:
        yield
    finally:
        del os.environ["MMWAVE_NUMBA"]
        if before is not None:
            os.environ["MMWAVE_NUMBA"] = before


def draws(env_id: str, episodes: int) -> Callable[[], float]:
    """CPU seconds of an episode's draw into storage, a few episodes a call."""
    scenario = make_registered(env_id)
    rngs = [[EpisodeRng(EpisodeKey(first + i)) for i in range(AT_ONCE)] for first in range(0, episodes, AT_ONCE)]
    stored = scenario.draw(rngs[0])

    def work() -> None:
        for some in rngs:
            scenario.draw_into(some, stored, stored.row)

    return lambda: seconds(work) / episodes


def single_steps(env_id: str, steps: int) -> Callable[[], float]:
    """CPU seconds of a step of one environment with random actions; resets count."""
    env = gym.make(env_id)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [int(env.action_space.sample()) for _ in range(steps)]

    def work() -> None:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return lambda: seconds(work) / steps


def vector_steps(env_id: str, seldom: float, steps: int) -> Callable[[], float]:
    """CPU seconds of a step of one of many environments, which take a random action with the chance `seldom`."""
    env: Any = gym.make_vec(env_id, num_envs=NUM_ENVS)
    env.reset(seed=0)
    chance = np.random.default_rng(0)
    others = chance.integers(0, env.single_action_space.n, (64, NUM_ENVS))
    moves = chance.random((64, NUM_ENVS)) < seldom

    def work(steps: int = steps) -> None:
        for t in range(steps):
            env.step(np.where(moves[t % 64], others[t % 64], env.batch.state.serving.reshape(NUM_ENVS)))

    with numba(True):
        work(env.scenario.horizon)  # touches all memory once: the next episodes', too
    return lambda: seconds(work) / (steps * NUM_ENVS)


def gain(what: str, goal: str, contestant: Callable[[], float], unit: str, scale: float, rounds: int) -> Row:
    """How much longer the same work takes by NumPy's code: the ratio of the least costs, and of medians beside it."""
    costs: dict[bool, list[float]] = {True: [], False: []}
    for used in (True, False):
        with numba(used):
            contestant()  # loads, compiles, touches memory
    for _ in range(rounds):
        for used, seen in costs.items():
            with numba(used):
                seen.append(contestant())
    least = {used: min(seen) for used, seen in costs.items()}
    usual = median(costs[False]) / median(costs[True])
    setup = (
        f"{least[True] * scale:,.3g} {unit} compiled, {least[False] * scale:,.3g} {unit} by NumPy, least of {rounds}"
    )
    return Row(f"{what}: NumPy's time / compiled", least[False] / least[True], goal, f"{setup}; of medians {usual:.2f}")


def compiled_draws(quick: bool) -> list[Row]:
    episodes, rounds = (32, 5) if quick else (128, 15)
    return [
        gain(f"{env_id}, drawing an episode", "<= 120 us", draws(env_id, episodes), "us", MICRO, rounds)
        for env_id in (HANDOVER, STREET)
    ]


def street_rates(steps: int, rounds: int) -> Row:
    """What NumPy takes of a street's step between two compiled passes: its logarithms are those that bits hang on."""
    scenario = make_registered(STREET)
    sinr_db = np.linspace(-20.0, 20.0, scenario.decision_ticks, dtype=np.float32)

    def rates() -> None:
        for _ in range(steps):
            scenario.rate_bps_hz(sinr_db)

    with numba(True):
        step = single_steps(STREET, steps)
        step()  # loads
        cost = alternate({"step": step, "rates": lambda: seconds(rates) / steps}, rounds)
    setup = f"{cost['rates'] * MICRO:.3g} of {cost['step'] * MICRO:.3g} us, {len(sinr_db)} ticks, least of {rounds}"
    what = f"{STREET}, a step of one environment: share of NumPy's rates, %"
    return Row(what, 100.0 * cost["rates"] / cost["step"], "-", setup)


def compiled_steps(quick: bool) -> list[Row]:
    steps, rounds = (500, 4) if quick else (2400, 8)
    few = 50 if quick else 200
    rows = [
        gain(f"{env_id}, a step of one environment", goal, single_steps(env_id, steps), "us", MICRO, rounds)
        for env_id, goal in ((HANDOVER, "-"), (STREET, "<= 25 us"))
    ]
    for how, seldom in (("rare", RARE), ("random", 1.0)):
        what = f"{STREET}, a step of {NUM_ENVS} environments, {how} handovers"
        rows.append(gain(what, ">= 2.5", vector_steps(STREET, seldom, few), "us", MICRO, rounds))
    return [*rows, street_rates(steps, rounds)]
