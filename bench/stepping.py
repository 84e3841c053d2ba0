"""How fast one environment and a vector environment step: against the peer, against their chance, at the worst."""

from __future__ import annotations

import importlib.metadata
import time
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from bench.chance import keyed_draws, unkeyed_draws
from bench.measure import ENV_ID, NUM_ENVS, Row, alternate, seconds

PEER_ID = "mobile-small-central-v0"


def one_env(env: gym.Env[Any, Any], steps: int) -> Callable[[], float]:
    """Random actions, sampled before the clock starts; resets count."""
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]

    def play() -> None:
        env.reset()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return lambda: seconds(play) / steps


def vector_env(num_envs: int, steps: int) -> Callable[[], float]:
    """Random actions; the first episodes are drawn before the clock starts, all later ones while it runs."""
    env = gym.make_vec(ENV_ID, num_envs=num_envs)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, env.single_action_space.n, (64, num_envs))

    def play(steps: int = steps) -> None:
        for t in range(steps):
            env.step(actions[t % 64])

    play(env.unwrapped.scenario.horizon)  # type: ignore[attr-defined]  # touches all memory once: the next episodes', too
    return lambda: seconds(play) / (steps * num_envs)


def peer() -> tuple[gym.Env[Any, Any] | None, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mobile_env  # noqa: F401

            version = importlib.metadata.version("mobile-env")
            return gym.make(PEER_ID, disable_env_checker=True), f"mobile-env {version}"
    except ImportError as error:
        return None, f"not measured: mobile-env cannot be imported ({error}); pip install --no-deps mobile-env"


def against_peer(quick: bool) -> list[Row]:
    other, name = peer()
    contestants = {"one": one_env(gym.make(ENV_ID), 2_400), "vector": vector_env(NUM_ENVS, 300 if quick else 600)}
    if other is not None:
        contestants["peer"] = one_env(other, 100)
    cost = alternate(contestants, rounds=3 if quick else 6)
    theirs = cost.get("peer")
    setup = f"{name}, {PEER_ID}: {1 / theirs:,.0f} steps/s; ours" if theirs else f"{name}; ours"
    return [
        Row(
            "one env behind gym.make / mobile-env small",
            theirs and theirs / cost["one"],
            ">= 100",
            f"{setup} {1 / cost['one']:,.0f} steps/s ({cost['one'] * 1e6:.1f} us)",
        ),
        Row(
            f"native vector env, {NUM_ENVS} environments / mobile-env small",
            theirs and theirs / cost["vector"],
            ">= 5000",
            f"{setup} {1 / cost['vector']:,.0f} steps/s ({cost['vector'] * 1e9:.0f} ns)",
        ),
    ]


def against_chance(quick: bool) -> list[Row]:
    horizon = gym.make(ENV_ID).unwrapped.scenario.horizon  # type: ignore[attr-defined]
    cost = alternate(
        {
            "vector": vector_env(NUM_ENVS, horizon // 2 if quick else horizon),
            "keyed": keyed_draws(200),
            "unkeyed": unkeyed_draws(200),
        },
        rounds=3 if quick else 5,
    )
    total = cost["vector"] * horizon
    setup = f"{NUM_ENVS} environments, an episode of {horizon} slots: {total * 1e6:.0f} us in all,"
    return [
        Row(
            "vector env / its keyed draws alone",
            total / cost["keyed"],
            "<= 3",
            f"{setup} draws {cost['keyed'] * 1e6:.0f} us",
        ),
        Row(
            "vector env / the same draws from one unkeyed generator",
            total / cost["unkeyed"],
            "<= 5",
            f"{setup} draws {cost['unkeyed'] * 1e6:.0f} us",
        ),
    ]


def worst_step(quick: bool) -> Row:
    """All environments end together, twice. The same steps are played several times; the least time counts."""
    horizon = 300 if quick else 1200
    replays = 3
    env = gym.make_vec(ENV_ID, num_envs=NUM_ENVS, boundary="stay", horizon=horizon)
    actions = np.random.default_rng(0).integers(0, env.single_action_space.n, (64, NUM_ENVS))
    steps = 2 * horizon + 10
    cost = np.full(steps, np.inf)
    for _ in range(replays):
        env.reset(seed=0)
        for t in range(steps):
            start = time.process_time()
            env.step(actions[t % 64])
            cost[t] = min(cost[t], time.process_time() - start)
    cost = cost[1:]  # the first step of a run pays for memory
    median, worst = np.median(cost), cost.max()
    return Row(
        f"worst / median step, {NUM_ENVS} environments that all end together",
        worst / median,
        "<= 3",
        f"horizon {horizon}, two ends; median {median * 1e3:.2f} ms, worst {worst * 1e3:.2f} ms at step "
        f"{cost.argmax() + 2}, least of {replays} replays",
    )


def same_as_single(quick: bool) -> Row:
    """Observations, rewards and ends of some environments against single environments, through autoresets."""
    num_envs, seed, steps = NUM_ENVS, 7, 120
    vector, looked_at = gym.make_vec(ENV_ID, num_envs=num_envs, horizon=50), (0, 1, num_envs // 2, num_envs - 1)
    singles = [gym.make(ENV_ID, horizon=50) for _ in looked_at]
    observation, _ = vector.reset(seed=seed)
    equal = all(
        np.array_equal(env.reset(seed=seed + i)[0], observation[i]) for i, env in zip(looked_at, singles, strict=True)
    )
    actions = np.random.default_rng(0).integers(0, vector.single_action_space.n, (steps, num_envs))
    over = [False] * len(singles)
    for action in actions:
        observation, reward, terminated, truncated, _ = vector.step(action)
        for j, (i, env) in enumerate(zip(looked_at, singles, strict=True)):
            got = (observation[i], reward[i], terminated[i], truncated[i])
            want = (env.reset()[0], 0.0, False, False) if over[j] else env.step(int(action[i]))[:4]
            equal &= all(np.array_equal(g, w) for g, w in zip(got, want, strict=True))
            over[j] = bool(want[2] or want[3])
    return Row(
        "environments of the vector env equal the single env bit for bit",
        bool(equal),
        "yes",
        f"environments {looked_at} of {num_envs}, {steps} steps, episodes of at most 50",
    )
