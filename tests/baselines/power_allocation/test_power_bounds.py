"""The certificate of power allocation: above brute force, above every row, and as close as it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmwave_baselines.power_allocation import optimisation as opt
from mmwave_baselines.power_allocation.bound_kernel import OPEN, SERVED, raise_floor
from mmwave_baselines.power_allocation.bounds import Search, certificate
from mmwave_baselines.power_allocation.episode_bounds import episode_bound
from mmwave_baselines.power_allocation.optimisation import Network
from mmwave_baselines.power_allocation.optimisation.sets import sca_over_sets
from mmwave_baselines.power_allocation.planners import networks
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation

POWER = "MmwavePowerAllocation-v0"


def drawn(count: int, num_bs: int, **keywords: object) -> Network:
    config = PowerAllocationConfig(**{"ue_radius_m": 60.0, "num_bs": num_bs, "levels": None, **keywords})
    batch = Batch(PowerAllocation(config), count)
    batch.reset([EpisodeKey(21, n) for n in range(count)])
    ((_, network),) = networks(View(batch, "central"), np.arange(count))
    assert isinstance(network, Network)
    return network


def brute_force(network: Network, missed: float, points: int) -> float:
    """The best of all powers on a grid, of one network, a requirement that is missed by rounding taken as met."""
    size = network.present.shape[1]
    tried = np.array(list(itertools.product(np.geomspace(*network.power_mw, points), repeat=size)))
    many = network.take(np.zeros(len(tried), int))
    met = opt.satisfied(many, tried)
    return float((opt.satisfied_rate(many, tried) - missed * (~met).sum(axis=1)).max())


@pytest.mark.parametrize("missed", [0.0, 3.0, 10.0, None])
@pytest.mark.parametrize(("num_bs", "points", "gap"), [(2, 120, 0.01), (3, 32, 0.02)])
def test_the_bound_is_above_brute_force_and_close(num_bs, points, gap, missed):
    """Feasible and infeasible worlds; the grid explains most of what is left between."""
    config = PowerAllocationConfig(ue_radius_m=60.0, missed_bps_hz=missed)
    price, left = config.missed(num_bs), []
    for kind in ("only", "not"):
        network = drawn(10, num_bs, feasible=kind, qos_sinr=8.0)
        for row in range(len(network)):
            one = network.take([row])
            proven = certificate(one, price, sca_over_sets(one)[0], first=missed is None, tolerance=1e-3)
            best = brute_force(one, price, points)
            assert proven.upper >= max(best, proven.lower)
            left.append((proven.upper - best) / opt.satisfied_rate(one, proven.power_mw[None])[0])
    assert np.mean(left) < gap


def test_no_weights_and_no_point_make_a_bound_wrong():
    """One node each, cut off after nothing, some or all of Newton's steps, from starts at random."""
    rng = np.random.default_rng(0)
    network = drawn(8, 3, qos_sinr=8.0)
    for row in range(len(network)):
        one = network.take([row])
        best = brute_force(one, 10.0, 24)
        for nodes in (1, 2, 5, 40):
            start = np.exp(rng.uniform(*np.log(one.power_mw), 3))
            assert certificate(one, 10.0, start, most_nodes=nodes, tolerance=0.0).upper >= best


def test_powers_below_the_floor_never_satisfy():
    """`raise_floor` against random powers that satisfy, and against `least_powers`; impossible is proven impossible."""
    rng = np.random.default_rng(1)
    network = drawn(40, 4, qos_sinr=20.0)
    possible = opt.feasible(network)
    assert 5 < possible.sum() < 36
    for row in range(len(network)):
        search = Search(network.take([row]), 10.0)
        floor, low = search.p_low.copy(), np.full(4, search.wanted)
        assert raise_floor(search.F, search.eta, floor, search.p_high, np.full(4, SERVED), low) == possible[row]
        if possible[row]:
            least = opt.least_powers(network.take([row]), network.take([row]).target)[0][0]
            np.testing.assert_allclose(floor, least, rtol=1e-5)
            assert (floor <= least * (1.0 + 1e-12)).all()
            many = network.take(np.full(2000, row))
            tried = least * np.exp(rng.exponential(0.05, (2000, 4)))
            good = opt.satisfied(many, tried).all(axis=1)
            assert (tried[good] >= floor).all()


def test_more_nodes_only_tighten_and_open_users_are_settled():
    network = drawn(1, 6, feasible="not", qos_sinr=8.0)
    known = sca_over_sets(network)[0]
    uppers = [certificate(network, 10.0, known, most_nodes=n, tolerance=0.001).upper for n in (1, 20, 200, 2000)]
    assert uppers == sorted(uppers, reverse=True)
    assert uppers[0] > uppers[-1]
    search = Search(network, 10.0)
    search.offer(known)
    root = search.root(np.full(6, OPEN))
    assert root is not None
    assert root.bound == pytest.approx(uppers[0])


@pytest.mark.parametrize("name", ["paper-14", "hard-14", "overfull-14"])
def test_no_committed_row_is_above_and_the_gap_is_small(name):
    """A few nodes are enough to be above everybody; the gap of the whole search is in the committed bounds."""
    task = find_task(f"power_allocation/{name}")
    runs = committed_runs([task.name])
    assert runs
    for episode in range(2):
        proven = episode_bound(task, episode, most_nodes=300)
        assert proven.lower <= proven.upper
        assert proven.upper - proven.lower < 2.5  # bit/s/Hz, of a rate of 75 to 145
        for run in runs:
            row = next(row for row in run.episodes if row["episode"] == episode)
            charged = 10.0 if run.task["kwargs"].get("missed_bps_hz", 10.0) == 10.0 else None
            value = row["qos_rate_bps_hz"]
            if charged is not None:  # rows of the old price count the same slots
                missed = (row["satisfied_rate_bps_hz"] - value) / charged
                value = row["satisfied_rate_bps_hz"] - task.scenario().missed_bps_hz * missed
            assert value <= proven.upper * (1.0 + 1e-9) + 1e-6, run.agent["name"]


def test_changing_networks_are_bounded_phase_by_phase():
    """Every slot's metric of any powers is below the bound of its network, so the mean is below the mean."""
    keywords = {"num_bs": 5, "changes": 3, "horizon": 12, "levels": None, "ue_radius_m": 60.0}
    task = Task(env_id=POWER, kwargs=keywords, primary="qos_rate_bps_hz", warmup_steps=2, scored_steps=9)
    proven = episode_bound(task, 0, tolerance=0.001)
    batch = Batch(task.scenario(), 1)
    batch.reset(task.keys([0]))
    rng, best = np.random.default_rng(0), []
    for slot in range(11):
        view = View(batch, "central")
        ((at, network),) = networks(view, np.array([0]))
        power = np.full((1, view.num_agents), 35.0)
        tried = np.exp(rng.uniform(*np.log(network.power_mw), (4000, network.present.shape[1])))
        many = network.take(np.zeros(len(tried), int))
        met = opt.satisfied(many, tried)
        value = opt.satisfied_rate(many, tried) - 10.0 * (~met).sum(axis=1)
        power[at] = 10.0 * np.log10(tried[value.argmax()])
        outcome = batch.step(power)
        if slot >= 2:
            best.append(float(outcome.metrics["qos_rate_bps_hz"][0]))
    assert np.mean(best) <= proven.upper
    assert proven.upper < np.mean(best) + 0.25 * abs(np.mean(best))


def test_what_has_no_bound_says_so():
    with pytest.raises(NotApplicable, match="not ranked by it"):
        episode_bound(Task(env_id=POWER, kwargs={"num_bs": 3}, primary="sum_rate_bps_hz"), 0)
    keywords = {"layout": "poisson", "scope": "network", "interference": "network", "interference_range_m": 200.0}
    far = Task(env_id=POWER, kwargs={**keywords, "side_m": 800.0}, primary="qos_rate_bps_hz")
    with pytest.raises(NotApplicable, match="disturb each other one by one"):
        episode_bound(far, 0)
    with pytest.raises(ValueError, match="one network"):
        Search(drawn(2, 3), 10.0)
