"""The bound on proportional fairness: above brute force whatever its weights and prices, and above every row."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmwave_baselines.association.bounds import relaxation
from mmwave_baselines.association.fair_bound import Weighted, episode_bound, mean_log_rate_bound
from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.association.fairness import fairness

SMALL = {"num_ues": 4, "crossings": (2, 3), "duration_s": 29.0, "settle_s": 5.0}


def worlds_of(numbers: range, **keywords: object) -> list[KnownWorld]:
    batch = Batch(make_scenario("association", **{**SMALL, **keywords}), len(numbers))
    batch.reset([EpisodeKey(1, n, "test") for n in numbers])
    return known_worlds(View(batch, "hindsight"))


def shortened(world: KnownWorld, epochs: int) -> KnownWorld:
    """The world ends with its epoch number `epochs`."""
    parts = world.time_s[: epochs + 1], world.ue[:epochs], world.candidate[:epochs], world.serving
    return KnownWorld(*parts, world.routes, world.bs_m, world.budget)


def mean_log_rate(world: KnownWorld, rank: tuple[int, ...], first: int) -> float:
    """The metric of a plan from epoch `first` on, by the metric's own function and true integrals, at 10 MHz."""
    serving, mbit = world.serving.copy(), np.zeros(len(world.serving))
    for k, (ue, choice) in enumerate(zip(world.ue.tolist(), rank, strict=True)):
        serving[ue] = world.candidate[k, choice]
        if k >= first:
            users, load = np.arange(len(serving)), (serving[:, None] == serving).sum(axis=1)
            ends = (np.full(len(serving), world.time_s[k + i]) for i in (0, 1))
            mbit += 10.0 * world.bits_per_hz(users, serving, *ends) / load
    seconds = world.time_s[-1] - world.time_s[first]
    return fairness(mbit, np.full(len(mbit), seconds), seconds)[2]


def brute_forced(geometry: str) -> list[tuple[KnownWorld, int, float]]:
    """Short worlds, the epoch at which they count, and the best of all plans."""
    found = []
    for world in worlds_of(range(3), geometry=geometry):
        many = np.maximum((world.candidate >= 0).sum(axis=1), 1)
        world = shortened(world, int((many.cumprod(dtype=float) <= 200).sum()))
        choices = [range(n) for n in many[: len(world.ue)]]
        first = 2
        found.append((world, first, max(mean_log_rate(world, plan, first) for plan in itertools.product(*choices))))
    return found


@pytest.mark.parametrize(("geometry", "gap"), [("blocked", 0.5), ("paper", 0.25)])
def test_it_is_above_the_best_of_all_plans_and_not_far(geometry, gap):
    left = []
    for world, first, best in brute_forced(geometry):
        present = np.tile((0.0, 99.0), (4, 1))
        bound = mean_log_rate_bound(world, world.time_s[first], present, 10.0, steps=300)
        assert bound >= best
        left.append(bound - best)
    assert np.mean(left) < gap


def test_no_weights_and_no_prices_make_it_wrong():
    rng = np.random.default_rng(0)
    for world, first, best in brute_forced("blocked"):
        problem = relaxation(world, world.time_s[first], world.time_s[-1])
        mbps = np.full(4, 10.0 / problem.seconds)
        for size in (0.0, 0.3, 3.0):
            price = size * rng.standard_normal(len(problem.link))
            for weight in (np.full(4, 1e-6), np.full(4, 1e9), np.exp(2.0 * rng.standard_normal(4))):
                assert Weighted(problem, np.ones(4), mbps).bound(price, weight) >= best


def test_a_lonely_ue_gets_its_own_rate():
    """One UE and one base station: nothing to share, so the bound is the log of its mean rate, and ticks."""
    (world,) = worlds_of(range(1), num_ues=1, crossings=(1, 2), geometry="paper")
    only = shortened(world, len(world.ue))
    best = max(
        mean_log_rate(only, (0,) * len(only.ue), 0),
        mean_log_rate(only, tuple(int(n > 1) for n in (only.candidate >= 0).sum(axis=1)), 0),
    )
    bound = mean_log_rate_bound(only, 0.0, np.array([[0.0, 99.0]]), 10.0, steps=600)
    assert best <= bound < best + 0.3


def test_no_committed_row_is_above_it():
    task = find_task("association/blocked-256-fair")
    bound = episode_bound(task, 0, steps=60)
    rows = [next(r for r in run.episodes if r["episode"] == 0) for run in committed_runs([task.name])]
    assert len(rows) > 10
    assert max(row["mean_log_rate"] for row in rows) < bound < 2.75


def test_who_is_not_there_does_not_count():
    world = worlds_of(range(1), geometry="blocked")[0]
    present = np.tile((0.0, 99.0), (4, 1))
    everybody = mean_log_rate_bound(world, 5.0, present, 10.0, steps=50)
    present[0] = 28.0, 29.0
    assert mean_log_rate_bound(world, 5.0, present, 10.0, steps=50) != pytest.approx(everybody, rel=1e-6)
    with pytest.raises(ValueError, match="no UE counts"):
        mean_log_rate_bound(world, 5.0, np.tile((28.0, 29.0), (4, 1)), 10.0)
