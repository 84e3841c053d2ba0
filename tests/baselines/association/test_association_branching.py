"""Branching on jobs: never below the optimum, never above the relaxation, and nearly exact where it may go on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmwave_baselines.association.bounds import Relaxation, best_plans, best_prices, relaxation
from mmwave_baselines.association.branching import Tree, branched_bound, part, parts_of
from mmwave_baselines.association.optimum import best_plan
from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

SMALL = {"num_ues": 7, "crossings": (2, 3), "duration_s": 29.0, "settle_s": 5.0}


def problems(count: int, **keywords: object) -> list[tuple[KnownWorld, Relaxation]]:
    batch = Batch(make_scenario("association", **{**SMALL, **keywords}), count)
    batch.reset([EpisodeKey(2, n, "test") for n in range(count)])
    worlds = known_worlds(View(batch, "hindsight"))
    return [(world, relaxation(world, world.time_s[0], world.time_s[-1])) for world in worlds]


def plan_bits(problem: Relaxation, world: KnownWorld, rank: np.ndarray) -> float:
    """What a plan brings in the relaxation's own pieces, bit/Hz."""
    wanted = np.where(problem.epoch >= 0, rank[problem.epoch], 0)
    on = problem.rank == wanted[problem.job]
    return links_bits(problem, on)


def links_bits(problem: Relaxation, on: np.ndarray) -> float:
    cell, used = problem.pieces_cell, on[problem.link]
    load = np.bincount(cell, used, len(problem.leave))
    total = np.bincount(cell, used * problem.bits, len(problem.leave))
    return float((total / np.maximum(load, 1.0)).sum())


@pytest.mark.parametrize("geometry", ["blocked", "paper"])
@pytest.mark.parametrize("most", [2, 3, 99])
def test_it_stays_above_the_optimum_and_below_the_relaxation(geometry, most):
    for world, problem in problems(4, geometry=geometry):
        best = plan_bits(problem, world, best_plan(world)) / problem.seconds
        bound, price = best_prices(problem, 100)
        parts = parts_of(world.bs_m, most)
        for nodes in (1, 8):
            found = branched_bound(problem, price, parts, nodes, steps=15)
            assert best <= found <= bound * (1.0 + 1e-6)
            bound = found


def test_with_enough_nodes_one_part_is_nearly_exact():
    """Where the relaxation is loose, a few hundred problems leave little, and none is below the optimum."""
    left, before = [], []
    for world, problem in problems(6, geometry="blocked", num_ues=10):
        best = plan_bits(problem, world, best_plan(world)) / problem.seconds
        bound, price = best_prices(problem, 150)
        found = branched_bound(problem, price, parts_of(world.bs_m, 99), 250, steps=20, known=best)
        assert found >= best
        left.append(found / best - 1.0)
        before.append(bound / best - 1.0)
    assert np.mean(before) > 0.01
    assert np.mean(left) < 0.25 * np.mean(before)


def test_no_prices_and_no_choices_make_a_leaf_wrong():
    """Each leaf bounds the plans in it: those that use no link that is gone."""
    rng = np.random.default_rng(0)
    for world, problem in problems(3, geometry="blocked", num_ues=4):
        whole = part(problem, np.arange(len(world.bs_m)))
        assert whole.inner.all()
        tree = Tree(whole)
        for _ in range(6):
            gone = np.zeros(len(problem.job), bool)
            for job in rng.permutation(len(problem.job_s))[:3]:
                links = np.arange(tree.first[job], tree.first[job + 1])
                gone[links] = True
                gone[rng.choice(links)] = False
            leaf = tree.descend(gone, rng.standard_normal(len(problem.link)), int(rng.integers(1, 6)))
            for _ in range(200):
                on = np.zeros(len(problem.job), bool)
                for job in range(len(problem.job_s)):
                    links = np.arange(tree.first[job], tree.first[job + 1])
                    on[rng.choice(links[~gone[links]])] = True
                assert links_bits(problem, on) <= leaf.bits


def test_parts_add_up_to_the_whole():
    """At any prices the parts' brackets and what the jobs between them get back are the relaxation's bound."""
    rng = np.random.default_rng(1)
    for world, problem in problems(3, geometry="blocked"):
        price = rng.standard_normal(len(problem.link))
        paid = price * problem.piece_s
        back = np.full(len(problem.job_s), -np.inf)
        np.maximum.at(back, problem.job, np.bincount(problem.link, paid, len(problem.job)))
        taken = np.empty(len(paid), bool)
        expected = back.sum() + best_plans(*problem.course, problem.bits, paid, problem.forced, taken)
        total, inner = 0.0, np.zeros(len(back), bool)
        for stations in parts_of(world.bs_m, 2):
            here = part(problem, stations)
            none = np.zeros(len(here.problem.job), bool)
            total += Tree(here).bits(price[here.pieces], none, here.problem.forced)
            assert not inner[here.jobs[here.inner]].any()
            inner[here.jobs[here.inner]] = True
        assert inner.any()
        assert not inner.all()
        assert total + back[~inner].sum() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7, 8])
def test_prices_of_jobs_between_parts_stay(steps):
    """Bit for bit, or the parts would not add up."""
    ((world, problem),) = problems(1, geometry="blocked")
    price = np.random.default_rng(3).standard_normal(len(problem.link))
    for stations in parts_of(world.bs_m, 2):
        here = part(problem, stations)
        leaf = Tree(here).descend(np.zeros(len(here.problem.job), bool), price[here.pieces], steps)
        between = ~here.inner[here.problem.job[here.problem.link]]
        np.testing.assert_array_equal(leaf.price[between], price[here.pieces][between])


def test_parts_are_small_and_hold_every_base_station_once():
    grid = np.array(list(itertools.product(range(8), range(8))), float)
    for most in (1, 7, 16, 64):
        groups = parts_of(grid, most)
        assert sorted(np.concatenate(groups).tolist()) == list(range(64))
        assert max(map(len, groups)) <= most
    assert all(np.ptp(grid[group], axis=0).max() <= 3.0 for group in parts_of(grid, 16))
