"""Plans annealed in hindsight: what they start from, what they gain, and how near to the optimum they end."""

from __future__ import annotations

import numpy as np
import pytest

import mmwave_gym
from mmwave_baselines.association import bounds
from mmwave_baselines.association.optimum import best_plan, network_bits
from mmwave_baselines.association.polish import Polish, polished
from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.agents.protocol import AgentError, NotApplicable
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

ENV = "MmwaveAssociation-v0"
SMALL = {"num_ues": 6, "crossings": (2, 3), "duration_s": 29.0, "settle_s": 5.0}


def worlds_of(numbers: range, **keywords: object) -> list[KnownWorld]:
    batch = Batch(make_scenario("association", **{**SMALL, **keywords}), len(numbers))
    batch.reset([EpisodeKey(1, n, "test") for n in numbers])
    return known_worlds(View(batch, "hindsight"))


def value(world: KnownWorld, rank: np.ndarray, first: int = 0) -> float:
    """What a plan brings from epoch `first` on, in bit/Hz: gap by gap."""
    serving, bits = world.serving.copy(), 0.0
    for k, (ue, choice) in enumerate(zip(world.ue.tolist(), rank.tolist(), strict=True)):
        serving[ue] = world.candidate[k, choice]
        if k >= first:
            users = np.arange(len(serving))
            ends = (np.full(len(serving), world.time_s[k + i]) for i in (0, 1))
            gap = world.bits_per_hz(users, serving, *ends)
            bits += float(network_bits(serving[:, None], gap[:, None], (1,) * len(serving)).sum())
    return bits


@pytest.mark.parametrize("geometry", ["blocked", "paper"])
@pytest.mark.parametrize("first", [0, 10])
def test_it_gains_and_is_never_above_the_optimum(geometry, first):
    rng = np.random.default_rng(0)
    for world in worlds_of(range(4), geometry=geometry):
        start = np.array([rng.integers(max(n, 1)) for n in (world.candidate >= 0).sum(axis=1)])
        found = polished(world, (start,), first, len(world.ue), moves=30_000)
        best = value(world, best_plan(world, first), first)
        assert value(world, start, first) < value(world, found, first) <= best * (1.0 + 1e-6)
        assert value(world, found, first) > 0.9 * best
        assert ((world.candidate[np.arange(len(found)), found] >= 0) == (world.candidate[:, 0] >= 0)).all()


def test_the_best_of_several_plans_counts():
    rng = np.random.default_rng(3)
    (world,) = worlds_of(range(1), geometry="blocked")
    choices = (world.candidate >= 0).sum(axis=1)
    starts = [np.array([rng.integers(max(n, 1)) for n in choices]) for _ in range(4)]
    found = polished(world, starts, 0, len(world.ue), moves=0)
    assert value(world, found) == pytest.approx(max(value(world, start) for start in starts))


def test_decisions_of_jobs_outside_the_scored_time_stay():
    (world,) = worlds_of(range(1), geometry="blocked")
    start = np.zeros(len(world.ue), np.int64)
    first, last = 20, 40
    found = polished(world, (start,), first, last, moves=20_000)
    problem = bounds.relaxation(world, world.time_s[first], world.time_s[last])
    inside = np.isin(np.arange(len(start)), problem.epoch)
    assert (found[~inside] == 0).all()
    assert (found[inside] != 0).any()


@pytest.mark.parametrize("geometry", ["blocked", "paper"])
def test_without_moves_it_plays_cover(geometry):
    task = Task(env_id=ENV, kwargs={**SMALL, "geometry": geometry}, episodes=6, primary="network_rate_mbps")
    cover, played = (mmwave_gym.evaluate(agent, task) for agent in ("cover", Polish(moves=0)))
    assert [row["network_rate_mbps"] for row in played] == [row["network_rate_mbps"] for row in cover]


def test_the_environment_pays_what_annealing_gained_and_no_one_gets_more():
    task = Task(env_id=ENV, kwargs={**SMALL, "geometry": "blocked"}, episodes=8, primary="network_rate_mbps")
    cover, found, best = (
        np.array([row["network_rate_mbps"] for row in mmwave_gym.evaluate(agent, task)])
        for agent in ("cover", Polish(moves=30_000), "optimum")
    )
    assert (found >= cover * 0.999).all()
    assert found.mean() > cover.mean() * 1.02
    assert (found <= best * 1.002).all()
    assert found.mean() > 0.99 * best.mean()


def test_the_same_plan_whatever_the_batch():
    task = Task(env_id=ENV, kwargs={**SMALL, "geometry": "blocked"}, episodes=4, primary="network_rate_mbps")
    together, alone = (mmwave_gym.evaluate(Polish(moves=3_000), task, num_envs=n) for n in (4, 1))
    assert [row["network_rate_mbps"] for row in together] == [row["network_rate_mbps"] for row in alone]


def test_what_polish_cannot_do_it_says():
    with pytest.raises(NotApplicable, match="ranks by jain_index"):
        Polish.for_task(Task(env_id=ENV, kwargs=SMALL, primary="jain_index"))
    with pytest.raises(AgentError, match="no training seeds"):
        Polish.for_task(None, 3)
    with pytest.raises(ValueError, match="moves must be"):
        Polish(moves=-1)
