"""What a base station can have at given prices: never below brute force, and exact where few UEs are there."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from mmwave_baselines.association import bounds as bounds_module
from mmwave_baselines.association.bound_kernel import best_plans
from mmwave_baselines.association.bounds import Relaxation, Stage, relaxation, upper_bound
from mmwave_baselines.association.optimum import best_plan
from mmwave_baselines.association.polish import polished
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


def best_series(p: Relaxation, b: int, paid: np.ndarray) -> float:
    """The most that base station b can have: a job is with it all the time or never."""
    cells = range(p.station[b], p.station[b + 1])
    pieces = {c: range(p.cell[c], p.cell[c + 1]) for c in cells}

    @cache
    def most(c: int, held: frozenset[int]) -> float:
        """From cell c on, with the links that are held from before."""
        if c == cells.stop:
            return 0.0
        may = [int(p.link[i]) for i in pieces[c] if p.fresh[i]]
        must = {int(p.link[i]) for i in pieces[c] if p.forced[i]}
        here = {int(p.link[i]): i for i in pieces[c]}
        best = -np.inf
        for many in range(len(may) + 1):
            for new in combinations(may, many):
                links = held | set(new)
                if not must <= links:
                    continue
                taken = [here[link] for link in links]
                gain = sum(p.bits[i] / len(taken) - paid[i] for i in taken)
                stay = frozenset(link for link in links if p.onward[here[link]] >= 0)
                best = max(best, gain + most(c + 1, stay))
        return best

    return most(cells.start, frozenset())


def bits_of(p: Relaxation, rank: np.ndarray) -> float:
    """What a plan brings, in bit/Hz."""
    wanted = np.where(p.epoch >= 0, rank[p.epoch], 0)
    on = (p.rank == wanted[p.job])[p.link]
    load = np.bincount(p.pieces_cell, on, len(p.leave))
    return float((np.bincount(p.pieces_cell, on * p.bits, len(p.leave)) / np.maximum(load, 1.0)).sum())


@pytest.mark.parametrize("brief_s", [0.0, 1.0, 1e9])
def test_it_is_at_least_the_best_series_of_sets_and_exact_where_three_are_at_most_there(brief_s):
    rng = np.random.default_rng(0)
    equal = closer = 0
    for _, p in problems(2, geometry="blocked"):
        p.brief[:] = (p.job_s < brief_s)[p.job[p.link]]
        for size in (0.0, 0.3, 2.0):
            paid = size * rng.standard_normal(len(p.link)) * p.piece_s
            for b in range(len(p.station) - 1):
                one = slice(p.station[b], p.station[b + 1])
                widest = int(np.diff(p.cell)[one].max(initial=0))
                if widest > 6:
                    continue
                best = best_series(p, b, paid)
                bounds, station = [], p.station[b : b + 2]
                for named in (1, 2, 3):
                    taken = np.zeros(len(p.link), bool)
                    course = (station, *p.course[1:])
                    bounds.append(best_plans(*course, p.bits, paid, p.forced, named, taken))
                    assert bounds[-1] >= best - 1e-9
                assert bounds[0] >= bounds[1] - 1e-9
                assert bounds[1] >= bounds[2] - 1e-9
                if brief_s == 0.0 and widest <= 3:
                    assert bounds[2] == pytest.approx(best, abs=1e-9)
                    equal += 1
                closer += bounds[2] < bounds[0] - 1e-9
    assert brief_s > 0.0 or equal > 0
    assert brief_s > 1e3 or closer > 0


@pytest.mark.parametrize("named", [1, 2, 3])
def test_what_is_taken_is_worth_what_it_says(named):
    """The series that comes back has the value that is told, and sets as they may follow each other."""
    rng = np.random.default_rng(1)
    for _, p in problems(2, geometry="blocked", num_ues=12):
        paid = 0.5 * rng.standard_normal(len(p.link)) * p.piece_s
        taken = np.zeros(len(p.link), bool)
        told = best_plans(*p.course, p.bits, paid, p.forced, named, taken)
        load = np.bincount(p.pieces_cell, taken, len(p.leave))
        bits = np.bincount(p.pieces_cell, taken * p.bits, len(p.leave))
        worth = (bits / np.maximum(load, 1.0)).sum() - paid[taken].sum()
        assert told == pytest.approx(worth, rel=1e-9)
        assert taken[p.forced].all()


def test_knowing_members_brings_it_down_to_the_optimum():
    """Where the relaxation is loose, and never below."""
    gaps = {1: [], 3: []}
    for world, p in problems(3, geometry="blocked", num_ues=14, crossings=(1, 3)):
        best = bits_of(p, best_plan(world)) / p.seconds
        for named, found in gaps.items():
            bound = upper_bound(p, (Stage(1, 100), Stage(named, 100, 0.3, 0.01)))
            assert bound >= best
            found.append(bound / best - 1.0)
    assert np.mean(gaps[1]) > 0.03
    assert np.mean(gaps[3]) < 0.2 * np.mean(gaps[1])


def test_a_window_of_nine_base_stations_is_within_six_per_cent(monkeypatch):
    """Sixteen seconds with 64 UEs: prices of three members, against a plan that is annealed in hindsight."""
    monkeypatch.setattr(bounds_module, "BRIEF_S", 1.0)
    batch = Batch(make_scenario("association", geometry="blocked", num_ues=64, crossings=(3, 3), duration_s=40.0), 1)
    batch.reset([EpisodeKey(0, 0, "test")])
    (world,) = known_worlds(View(batch, "hindsight"))
    first, last = np.searchsorted(world.time_s, (20.0, 36.0))
    p = relaxation(world, world.time_s[first], world.time_s[last])
    rank = polished(world, (np.zeros(len(world.ue), np.int64),), int(first), int(last), moves=4_000_000)
    known = bits_of(p, rank) / p.seconds
    bound = upper_bound(p, (Stage(1, 60), Stage(2, 40, 0.3, 0.02), Stage(3, 40, 0.2, 0.02)))
    assert known <= bound < 1.06 * known
