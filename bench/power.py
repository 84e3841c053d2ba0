"""How fast power allocation steps, what its networks take, and how fast they are clustered."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from bench.measure import Row, seconds
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.power_allocation.clustering import floc
from mmwave_gym.scenarios.power_allocation.layouts import in_strips

MANY = 512
NETWORK = {"layout": "poisson", "scope": "network", "interference": "network", "interference_range_m": 200.0}
BS_PER_M2 = 120e-6


def plain_power_slot(batch: Batch) -> float:
    """CPU seconds for one environment's SINRs and rewards alone where Python goes link by link."""
    state, noise_mw = batch.state, batch.scenario.constants()["noise_mw"]
    gain = state.gain[0]
    links = (
        [[(j, float(g)) for j, g in enumerate(row) if g] for row in gain]
        if isinstance(gain, np.ndarray)
        else [
            list(zip(*(part[first:last].tolist() for part in (gain.indices, gain.data)), strict=True))
            for first, last in pairwise(gain.indptr.tolist())
        ]
    )
    power, own, line = state.power_mw[0].tolist(), state.own_gain[0].tolist(), math.log2(2.83)

    def play() -> None:
        for i, heard in enumerate(links):
            interference_mw = noise_mw
            for j, g in heard:
                interference_mw += power[j] * g
            capacity = math.log2(1.0 + power[i] * own[i] / interference_mw)
            (capacity - abs(capacity - 2.0 * line)) / (2.0 * line)

    return min(seconds(play) for _ in range(5))


def power_slot(batch: Batch, steps: int, rounds: int) -> float:
    """CPU seconds of a slot with everybody's observation; draws of worlds do not count."""
    shape = (8, batch.num_envs, batch.scenario.num_agents)
    actions = np.random.default_rng(0).integers(0, 32, shape)

    def play() -> None:
        for t in range(steps):
            batch.step(actions[t % 8])
            batch.observe()

    return min(seconds(play) for _ in range(rounds)) / steps


def power_rates(quick: bool) -> list[Row]:
    """Agent-steps of clusters and networks of base stations, and what a network costs to draw and to keep."""
    rows, rounds = [], 3 if quick else 12
    kinds: list[tuple[str, int, int, dict[str, Any]]] = [(f"{MANY} clusters of 14", MANY, 14, {})]
    kinds += [
        (f"{num} network{'s' * (num > 1)} of {n:,}", num, n, {**NETWORK, "side_m": (n / BS_PER_M2) ** 0.5})
        for num, n in ((1, 1000), (16, 1000), (1, 10_000), (1, 100_000))
    ]
    for name, num_envs, n, keywords in kinds:
        steps = max(200_000 // (num_envs * n), 2)
        for observation, goal in (("ring", ">= 15"), ("local", ">= 6" if (num_envs, n) == (1, 1000) else "-")):
            batch = Batch(
                make_scenario("power_allocation", observation=observation, **keywords), num_envs, draws_ahead=False
            )
            keys = [EpisodeKey(seed) for seed in range(num_envs)]
            drawn_s = seconds(lambda batch=batch, keys=keys: batch.reset(keys))
            cost = power_slot(batch, steps, rounds)
            live = int(batch.state.present.sum())
            million = live / cost / 1e6
            plain = plain_power_slot(batch) / int(batch.state.present[0].sum())
            setup = (
                f"everybody's {observation} observation, 32 levels; {cost * 1e3:.3g} ms a slot, "
                f"{plain * live / cost:.0f} times plain Python that only measures; "
                f"drawn in {drawn_s:.2g} s, {megabytes(batch):,.0f} MB"
            )
            rows.append(Row(f"power, {name}, {observation}: million agent-steps/s", million, goal, setup))
    return rows


def megabytes(batch: Batch) -> float:
    """What the arrays of a batch's worlds and state take."""
    arrays = [a for record in (batch.episodes, batch.state) for a in vars(record).values()]
    dense = sum(a.nbytes for a in arrays if a.dtype != object)
    gains = {id(g): g for a in arrays if a.dtype == object for g in a if g is not None}
    return (dense + sum(g.data.nbytes + g.indices.nbytes + g.indptr.nbytes for g in gains.values())) / 1e6


def difference_rate(quick: bool) -> Row:
    """Q-learning on the difference reward in the largest network, compiled; drawing it does not count."""
    n, what, goal = 100_000, "difference learner, network of 100,000: million agent-steps/s", ">= 3"
    try:
        from mmwave_baselines.power_allocation import q_learning
        from mmwave_baselines.power_allocation.scale import air_of, settings
    except ImportError as error:
        return Row(what, None, goal, f"not measured: {error}")
    _, _, air = air_of(n)
    few, many = 5, 25 if quick else 65

    def learn(steps: int) -> None:
        q_learning.run(**air, rng=np.random.default_rng(0), steps=steps, **settings("difference-q", steps))

    learn(1)  # compiles
    rounds = [(seconds(lambda: learn(many)) - seconds(lambda: learn(few))) / (many - few) for _ in range(4)]
    links, count = air["gain"].nnz, len(air["own_gain"])
    setup = f"{count:,} base stations, {links / count:.0f} links each, 32 levels; {1e3 * min(rounds):.3g} ms a step"
    return Row(what, count / min(rounds) / 1e6, goal, setup)


def clustering_time(quick: bool) -> Row:
    """FLOC among as many base stations as the largest network has."""
    n = 100_000
    place_m = np.random.default_rng(0).random((n, 2)) * (n / BS_PER_M2) ** 0.5

    def cluster() -> None:
        floc(in_strips(place_m, 100.0), np.random.default_rng(1))

    cluster_s = min(seconds(cluster) for _ in range(1 if quick else 3))
    return Row(f"FLOC, seconds for {n:,} base stations", cluster_s, "<= 3", "120 a km2, unit 100 m, one core")
