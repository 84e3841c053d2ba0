"""Sets of users who can be satisfied together, and what an unsatisfied one must cost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmwave_baselines.power_allocation import optimisation as opt
from mmwave_baselines.power_allocation.episode_bounds import dense
from mmwave_baselines.power_allocation.optimisation import Large, Network, sets as sets_module
from mmwave_baselines.power_allocation.optimisation.sets import satisfiable_sets, sca_over_sets
from mmwave_baselines.power_allocation.optimisation.swaps import sca_with_swaps
from mmwave_baselines.power_allocation.planners import networks
from mmwave_baselines.power_allocation.swap_planner import SwapSca
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation


def network_of(numbers: list[int], **keywords: object) -> Network:
    config = PowerAllocationConfig(**{"ue_radius_m": 60.0, "num_bs": 4, "levels": None, **keywords})
    batch = Batch(PowerAllocation(config), len(numbers))
    batch.reset([EpisodeKey(5, n) for n in numbers])
    ((_, network),) = networks(View(batch, "central"), np.arange(len(numbers)))
    assert isinstance(network, Network)
    return network


def episode_of(task: str, episode: int) -> Network:
    found = find_task(task)
    batch = Batch(found.scenario(), 1)
    batch.reset(found.keys([episode]))
    ((_, network),) = networks(View(batch, "central"), np.array([0]))
    assert isinstance(network, Network)
    return network


def test_the_sets_are_those_of_brute_force():
    """All subsets, tried by random powers: none larger is ever satisfied, and each listed one can be."""
    network = network_of(list(range(30)), feasible="not", num_bs=5)
    rng = np.random.default_rng(0)
    for row in range(len(network)):
        one = network.take([row])
        sets = satisfiable_sets(one)
        size = sets[0].sum()
        assert (sets.sum(axis=1) == size).all()
        many = one.take(np.zeros(20_000, int))
        power = np.exp(rng.uniform(*np.log(one.power_mw), many.present.shape))
        met = opt.satisfied(many, power)
        assert met.sum(axis=1).max() <= size
        listed = {tuple(s) for s in sets.tolist()}
        assert {tuple(s) for s in met[met.sum(axis=1) == size].tolist()} <= listed
        for chosen in sets:
            assert opt.least_powers(one, np.where(chosen, one.qos_sinr, 0.0)[None])[1][0]


def test_nothing_on_a_grid_is_better_than_sca_over_sets():
    """More satisfied users first, then their rate, on all of 24 x 24 x 24 powers."""
    network = network_of(list(range(12)), feasible="not", num_bs=3)
    power = sca_over_sets(network)
    grid = np.geomspace(*network.power_mw, 24)
    tried = np.array(list(itertools.product(grid, repeat=3)))
    for row in range(len(network)):
        many = network.take(np.full(len(tried), row))
        count, rate = opt.satisfied(many, tried).sum(axis=1), opt.satisfied_rate(many, tried)
        own = network.take([row])
        mine = opt.satisfied(own, power[[row]]).sum(), opt.satisfied_rate(own, power[[row]])[0]
        assert mine[0] == count.max()
        assert mine[1] >= rate[count == count.max()].max() * (1.0 - 1e-4)


def test_sets_beat_greedy_admission_where_it_drops_the_wrong_user():
    """Episodes of overfull-14 in which `sca` of the admitted is far from the best; never worse in any."""
    better = []
    for episode in range(6):
        network = episode_of("power_allocation/overfull-14", episode)
        greedy, found = opt.sca(network), sca_over_sets(network)
        assert opt.satisfied(network, found).sum() >= opt.satisfied(network, greedy).sum()
        better.append(float((opt.satisfied_rate(network, found) - opt.satisfied_rate(network, greedy))[0]))
    assert min(better) >= 0.0
    assert max(better) > 1.0


def test_with_too_many_sets_it_falls_back_on_greedy_admission(monkeypatch):
    monkeypatch.setattr(sets_module, "MOST_SETS", 3)
    network = network_of([0], feasible="not")
    np.testing.assert_array_equal(satisfiable_sets(network), opt.admitted(network))


# ---------------------------------------------------------------------- swaps, where a missing user has a price


@pytest.mark.parametrize("price", [0.0, 10.0])
def test_nothing_on_a_grid_is_better_than_sca_with_swaps(price):
    """The rate of satisfied users less what missing ones cost, on all of 24 x 24 x 24 powers."""
    network = network_of(list(range(12)), num_bs=3, feasible="not")
    tried = np.array(list(itertools.product(np.geomspace(*network.power_mw, 24), repeat=3)))
    for row in range(len(network)):
        own, many = network.take([row]), network.take(np.full(len(tried), row))
        (found,) = scores(own, sca_with_swaps(own, price)[None], price)[1]
        best = scores(many, tried, price)[1].max()
        assert found >= best - 1e-4 * abs(best)


def test_swaps_find_more_than_sca_of_the_admitted_does():
    """In the first network of an episode of `changing`."""
    task = find_task("power_allocation/changing")
    batch = Batch(task.scenario(), 1)
    batch.reset(task.keys([1]))
    ((_, large),) = networks(View(batch, "central"), np.array([0]))
    network = dense(large) if isinstance(large, Large) else large
    power = np.stack([opt.sca(network, 1)[0], sca_with_swaps(network, 10.0)])
    without, found = scores(network.take([0, 0]), power, 10.0)[1]
    assert found > without + 0.5


def test_swaps_are_for_any_powers_and_not_for_levels():
    with pytest.raises(NotApplicable, match="not for levels"):
        SwapSca(10.0).powers(network_of([0]), 32)


# ---------------------------------------------------------------------- what an unsatisfied user costs


def scores(network: Network, power: np.ndarray, missed_bps_hz: float) -> tuple[np.ndarray, np.ndarray]:
    met = opt.satisfied(network, power)
    return met.sum(axis=1), opt.satisfied_rate(network, power) - missed_bps_hz * (~met).sum(axis=1)


def test_ten_is_too_little_where_giving_one_up_wins_more():
    """Episode 38 of hard-14: what `missed_bps_hz=10` pays for, and None does not."""
    network = episode_of("power_allocation/hard-14", 38)
    size = network.present.shape[1]
    (everybody,) = opt.satisfied_rate(network, opt.sca(network))
    without = ~np.eye(size, dtype=bool)
    fewer = opt.satisfied_rate(many := network.take(np.zeros(size, int)), opt.sca(many, 1, without)).max()
    assert fewer - everybody > 10.0
    assert fewer - everybody < find_task("power_allocation/hard-14").scenario().missed_bps_hz


@pytest.mark.parametrize("qos_sinr", [1.5, 2.83, 1000.0])
def test_more_satisfied_users_always_count_more(qos_sinr):
    """At any two powers of one world, also where an easy requirement leaves rates far above it."""
    config = PowerAllocationConfig(qos_sinr=qos_sinr, num_bs=4, ue_radius_m=40.0, missed_bps_hz=None)
    network = network_of(list(range(20)), qos_sinr=qos_sinr, ue_radius_m=40.0)
    rng = np.random.default_rng(1)
    compared = 0
    for row in range(len(network)):
        many = network.take(np.full(3000, row))
        count, score = scores(many, np.exp(rng.uniform(*np.log(many.power_mw), many.present.shape)), config.missed(4))
        found = sorted(set(count.tolist()))
        for fewer, more in itertools.pairwise(found):
            assert score[count == fewer].max() < score[count == more].min()
            compared += 1
    assert compared > 10


def test_the_price_is_that_of_the_greatest_snr_and_the_metric_charges_it():
    scenario = find_task("power_allocation/overfull-14").scenario()
    snr = 10.0 ** (0.1 * (35.0 + 120.0 - 20.0 * np.log10(4.0 * np.pi * 28e9 / 3e8)))
    assert scenario.missed_bps_hz == pytest.approx(13 * (np.log2(1.0 + snr) - np.log2(3.83)))
    assert PowerAllocation(PowerAllocationConfig()).missed_bps_hz == 10.0
    metrics = {}
    for price in (0.0, 10.0, None):
        config = PowerAllocationConfig(ue_radius_m=30.0, feasible="not", levels=None, missed_bps_hz=price)
        batch = Batch(PowerAllocation(config), 3)
        batch.reset([EpisodeKey(5, n) for n in range(3)])
        metrics[price] = batch.step(np.full((3, 14), 35.0)).metrics
    missed = 14.0 - metrics[None]["qos_satisfaction"].sum(axis=1)
    assert (missed > 0).all()
    np.testing.assert_array_equal(metrics[0.0]["qos_rate_bps_hz"], metrics[0.0]["satisfied_rate_bps_hz"])
    for price, charged in ((10.0, 10.0), (None, scenario.missed_bps_hz)):
        expected = metrics[0.0]["qos_rate_bps_hz"] - charged * missed
        np.testing.assert_allclose(metrics[price]["qos_rate_bps_hz"], expected, rtol=1e-12)


def test_no_price_is_proven_where_own_links_are_shadowed():
    with pytest.raises(ValueError, match="authors=True does not bound"):
        PowerAllocationConfig(authors=True, missed_bps_hz=None)
