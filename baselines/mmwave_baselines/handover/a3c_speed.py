"""Learning speed against the number of UEs that share a server, beside the bound of Wang et al. (section V-C).

"The upper bound of the delay factor is roughly proportional to the number of UEs", and learning is accelerated as long
as there are at most O(sqrt(t)) of them, t the updates of the server (their reference [32]: Lian et al. 2015,
arXiv 1506.08272, whose linear speed-up needs at most the square root of the iterations as workers).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmwave_baselines.handover.a3c import A3_PAIRS, LEARNING_BLOCKS, act, follow, imitate, learn
from mmwave_baselines.handover.traces import World
from mmwave_baselines.training.a3c_server import BLOCK, Mode, Server, with_settings
from mmwave_gym.core.checks import at_least, between

Row = dict[str, Any]

UES = (2, 4, 8, 16, 32, 64)
A3_REFERENCE = (3.0, 3)  # dB and slots; ours, the best of the pairs that we tried at beta = 25


def speed_curve(
    ues: Sequence[int] = UES,
    *,
    seeds: Sequence[int] = range(5),
    mode: str | Mode = "paper",
    blocks: int = LEARNING_BLOCKS,
    beta: float = 25.0,
    supervised: bool = False,
    share: float = 0.5,
    every: int = 5,
    test_ues: int = 8,
    test_slots: int = 600,
    delayed: bool = True,
) -> list[Row]:
    """One row a seed and number of UEs: how many blocks (seconds at 50 ms a slot) and updates a reward needed.

    All numbers of UEs begin with the same weights, walk in the same room (area A1) and are tested on the same new UEs
    after every `every` blocks, with drawn actions. The reward to be reached lies `share` of the way from that of the
    first weights to that of event A3 (3 dB, 3 slots). delayed: False lets each UE fetch after the push before its own,
    which is the same learning without delayed gradients.

    Keys: ues, seed, delayed; start_reward, a3_reward, target_reward, final_reward, best_reward in bit/s/Hz; blocks,
    updates, blocks_to_target and updates_to_target (None where it was never reached), mean_delay (updates of others
    between fetch and push), bound_ues (the square root of the updates), rewards (those of all tests).
    """
    between("share", share, 0.0, 1.0)
    for name, value in {"blocks": blocks, "every": every, "test_ues": test_ues}.items():
        at_least(name, value, 1, integer=True)
    mode = with_settings(mode, stale=delayed)
    return [
        row
        for seed in seeds
        for row in _of_seed(ues, seed, mode, blocks, beta, supervised, share, every, (test_ues, test_slots))
    ]


def _of_seed(
    ues: Sequence[int],
    seed: int,
    mode: Mode,
    blocks: int,
    beta: float,
    supervised: bool,
    share: float,
    every: int,
    test: tuple[int, int],
) -> Iterator[Row]:
    world = World(seed, beta)
    exam = world.traces("A1", *test, "speed test")
    begun = Server.fresh(world.shape, seed)
    if supervised:
        begun, _ = imitate(begun, world.traces("A1", len(A3_PAIRS), 1000, "imitation"))

    def reward_of(server: Server) -> float:
        return float(act(server, exam, world.price, np.random.default_rng([seed, 2])).reward.mean())

    start, a3 = reward_of(begun), float(follow(exam, world.price, *A3_REFERENCE).reward.mean())
    target = start + share * (a3 - start)
    for count in ues:
        traces = world.traces("A1", count, blocks * BLOCK, "speed")
        server, delays, rewards = begun, np.zeros(count), [start]
        for before in range(0, blocks, every):
            piece = traces.between(before * BLOCK, min(before + every, blocks) * BLOCK)
            rng = np.random.default_rng([seed, 3, before])
            learned = learn(server, piece, mode, world.price, rng, blocks=(before, blocks))
            server, delays = learned.server, delays + learned.delays
            rewards.append(reward_of(server))
        reached = next((i for i, reward in enumerate(rewards) if reward >= target), None)
        a_block = 1 if mode.averaged else count
        needed = None if reached is None else min(reached * every, blocks)
        yield {
            "ues": count,
            "seed": int(seed),
            "delayed": mode.stale,
            "start_reward": start,
            "a3_reward": a3,
            "target_reward": target,
            "final_reward": rewards[-1],
            "best_reward": max(rewards),
            "blocks": blocks,
            "updates": blocks * a_block,
            "blocks_to_target": needed,
            "updates_to_target": None if needed is None else needed * a_block,
            "mean_delay": float((delays * np.arange(count)).sum() / delays.sum()),
            "bound_ues": math.sqrt(blocks * a_block),
            "rewards": rewards,
        }


def speed_up(rows: Sequence[Row]) -> dict[int, float | None]:
    """By the number of UEs: how many times fewer blocks than the fewest UEs that reach the reward, at the median.

    A run that never reached the reward counts as longer than any; None where the median run over seeds is one of
    these, or needed no block at all.
    """
    median: dict[int, float] = {}
    for count in sorted({row["ues"] for row in rows}):
        needed = [row["blocks_to_target"] for row in rows if row["ues"] == count]
        median[count] = float(np.median([np.inf if n is None else n for n in needed]))
    reached = {count: m for count, m in median.items() if 0.0 < m < np.inf}
    first = next(iter(reached.values()), np.inf)
    return {count: first / reached[count] if count in reached else None for count in median}


__all__ = ["UES", "speed_curve", "speed_up"]
