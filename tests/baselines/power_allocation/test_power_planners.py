"""Agents of power allocation that know all gains, played in the environment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from mmwave_baselines.power_allocation import optimisation as opt
from mmwave_baselines.power_allocation.optimisation.large import Large
from mmwave_baselines.power_allocation.planners import (
    FoschiniMiljanic,
    LevelAscent,
    MaxMin,
    Sca,
    Selected,
    Wmmse,
    networks,
)
from mmwave_baselines.power_allocation.rules import FullPower, MinimumPower, RandomPower
from mmwave_baselines.power_allocation.set_planner import SetSca
from mmwave_gym.agents.protocol import NotApplicable, RowRng
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation

PLANNERS = [FoschiniMiljanic, MaxMin, Wmmse, Sca, Selected]
RULES = [FullPower, MinimumPower, RandomPower]
HARD = {"ue_radius_m": 30.0, "num_bs": 8, "levels": None, "horizon": 5}
NETWORK = {"ue_radius_m": 30.0, "levels": None, "horizon": 5, "layout": "poisson", "scope": "network", "side_m": 400.0}


class Play:
    """A batch, and what an agent does in it."""

    def __init__(self, agent, num_envs=6, first=0, **keywords):
        self.scenario = PowerAllocation(PowerAllocationConfig(**keywords))
        self.batch = Batch(self.scenario, num_envs)
        self.batch.reset([EpisodeKey(11, first + i) for i in range(num_envs)])
        self.view = View(self.batch, getattr(agent, "access", "local"))
        self.agent = agent
        self.state = agent.begin(self.view, RowRng.from_seed(3, self.view.num_rows))

    def action(self):
        rows = self.batch.observe().reshape(self.view.num_rows, -1)
        action, self.state = self.agent.predict(rows, self.state)
        return action.reshape(self.batch.num_envs, -1)

    def step(self):
        return self.batch.step(self.action())


@pytest.mark.parametrize("keywords", [{}, {"levels": 32}, {"action": "change", "change_db": 45.0}], ids=str)
def test_the_environment_gives_what_was_planned(keywords):
    play = Play(Sca(), **{**HARD, "feasible": "only", **keywords})
    outcome = play.step()
    np.testing.assert_allclose(play.batch.state.power_mw, play.state.memory.power_mw, rtol=1e-6)
    assert outcome.metrics["qos_satisfaction"].all()
    network = next(networks(play.view, np.arange(6)))[1]
    rate = opt.capacity_bps_hz(network, play.state.memory.power_mw).sum(axis=1)
    np.testing.assert_allclose(outcome.metrics["sum_rate_bps_hz"], rate, rtol=1e-6)


@pytest.mark.parametrize("feasible", ["only", "not"])
@pytest.mark.parametrize("levels", [None, 32])
def test_none_beats_the_ceiling(feasible, levels):
    """By the metric that ranks, Sca; by the rate of satisfied UEs, Selected."""
    keywords = {**HARD, "feasible": feasible, "levels": levels}
    got, ranked = {}, {}
    for kind in [*PLANNERS, *RULES, *([LevelAscent] if levels else [])]:
        metrics = Play(kind(), **keywords).step().metrics
        got[kind], ranked[kind] = metrics["satisfied_rate_bps_hz"], metrics["qos_rate_bps_hz"]
        if kind in (FoschiniMiljanic, Sca) and feasible == "only" and (kind is Sca or levels is None):
            assert metrics["all_satisfied"].all(), kind
    for kind, rate in got.items():
        assert (rate <= got[Selected] * (1 + 1e-4)).all(), kind
        assert ranked[kind].mean() <= ranked[Sca].mean() * (1 + 1e-4), kind
    assert (got[Sca] > got[FullPower]).mean() > 0.5


@pytest.mark.parametrize("feasible", ["only", "not"])
@pytest.mark.parametrize("levels", [None, 32])
def test_where_satisfied_users_count_first_none_beats_sets(feasible, levels):
    """On every episode, beyond the rounding of powers."""
    keywords = {**HARD, "feasible": feasible, "levels": levels, "missed_bps_hz": None}
    best = Play(SetSca(), **keywords).step().metrics
    for kind in [*PLANNERS, *RULES, *([LevelAscent] if levels else [])]:
        metrics = Play(kind(), **keywords).step().metrics
        allowed = best["qos_rate_bps_hz"] + 1e-4 * best["satisfied_rate_bps_hz"]
        assert (metrics["qos_rate_bps_hz"] <= allowed).all(), kind


def test_a_plan_is_made_once_and_again_for_each_change():
    made = []

    class Counting(MaxMin):
        def powers(self, network, levels):
            made.append(len(network))
            return super().powers(network, levels)

    play = Play(Counting(), num_envs=3, **{**HARD, "changes": 2, "horizon": 12})
    phases = 0
    for _ in range(12):
        before, present = play.state.memory.power_mw.copy(), play.batch.state.present.copy()
        planned = bool(made)
        play.action()
        assert (play.state.memory.power_mw[~present] == 0).all()
        assert (play.state.memory.power_mw[present] > 0).all()
        same = play.batch.state.phase == phases
        if planned:
            np.testing.assert_array_equal(play.state.memory.power_mw[same], before[same])
        phases = play.batch.state.phase.copy()
        play.step()
    assert sum(made) == 3 * (1 + 2)
    play.batch.reset([EpisodeKey(12, i) for i in range(3)])
    play.action()
    assert sum(made) == 3 * (1 + 2) + 3


@pytest.mark.parametrize("kind", PLANNERS)
def test_plans_do_not_depend_on_neighbours(kind):
    together = Play(kind(), num_envs=4, **HARD).action()
    alone = [Play(kind(), num_envs=1, first=i, **HARD).action()[0] for i in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@pytest.mark.parametrize("kind", PLANNERS)
def test_clusters_are_planned_one_by_one(kind):
    play = Play(kind(), num_envs=2, **NETWORK, interference="cluster")
    play.step()
    state = play.batch.state
    num_envs, places = zip(*(at for at, _ in networks(play.view, np.arange(2))), strict=True)
    assert sum(p.size for p in places) == state.present.sum()
    for env, at in zip(num_envs, places, strict=True):
        for c, p in zip(np.ravel(env), np.atleast_2d(at), strict=True):
            assert len(set(state.head[c, p])) == 1
    if kind is FoschiniMiljanic:
        network = [n for _, n in networks(play.view, np.arange(2))]
        assert all(isinstance(n, opt.Network) for n in network)
        able = sum(opt.satisfied(n, opt.foschini_miljanic(n)).sum() for n in network)
        assert (state.sinr[state.present] >= 2.83 * (1 - 1e-9)).sum() == able


@pytest.mark.parametrize("kind", PLANNERS)
def test_the_far_are_counted_by_their_mean_power(kind):
    keywords = {**NETWORK, "interference": "network", "interference_range_m": 150.0}
    play = Play(kind(), num_envs=1, **keywords)
    play.step()
    ((at, network),) = networks(play.view, np.arange(1))
    assert isinstance(network, Large)
    np.testing.assert_allclose(network.sinr(play.state.memory.power_mw[at]), play.batch.state.sinr[at], rtol=1e-6)


def large_and_small(seed=0, **keywords):
    play = Play(MaxMin(), num_envs=1, first=seed, **{**NETWORK, "interference": "network", **keywords})
    small = next(networks(play.view, np.arange(1)))[1]
    known = {"own_gain": small.own_gain[0], "noise_mw": small.noise_mw[0]}
    common = {"qos_sinr": small.qos_sinr, "power_mw": small.power_mw}
    return small, [Large(gain=form(small.gain[0]), **known, **common) for form in (np.array, csr_array)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_large_networks_are_solved_like_small_ones(seed):
    small, large = large_and_small(seed)
    for one in large:
        np.testing.assert_allclose(opt.foschini_miljanic_large(one), opt.foschini_miljanic(small)[0], rtol=1e-4)
        np.testing.assert_allclose(opt.wmmse_large(one), opt.wmmse(small)[0], rtol=1e-6)
        worst = one.sinr(opt.max_min_large(one)).min()
        assert worst == pytest.approx(opt.max_min_sinr(small)[1][0], rel=1e-3)
        reached = one.satisfied_rate(opt.selected_large(one))
        assert reached >= 0.98 * opt.satisfied_rate(small, opt.selected(small))[0]


def test_the_way_back_of_interference_is_its_transpose():
    rng = np.random.default_rng(0)
    _, large = large_and_small()
    for one in large:
        size = len(one.own_gain)
        far = Large(
            gain=one.gain,
            own_gain=one.own_gain,
            noise_mw=one.noise_mw,
            qos_sinr=one.qos_sinr,
            power_mw=one.power_mw,
            far_gain=rng.random(size) * one.own_gain,
        )
        power, price = rng.random((2, size))
        heard = far.interference(power) - far.noise
        assert price @ heard == pytest.approx(power @ far.charged(price), rel=1e-12)
        several = np.stack([power, price], axis=1)
        np.testing.assert_allclose(far.interference(several)[:, 1], far.interference(price))
        np.testing.assert_allclose(far.charged(several)[:, 0], far.charged(power))


def test_least_levels_are_the_least():
    play = Play(MaxMin(), num_envs=12, **{**HARD, "num_bs": 3, "feasible": "only", "qos_sinr": 20.0})
    network = next(networks(play.view, np.arange(12)))[1]
    power, grid = opt.least_levels(network, 8), opt.levels_mw(network, 8)
    every = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    some = 0
    for n in range(12):
        good = opt.satisfied(network.take(np.full(len(every), n)), every).all(axis=1)
        if good.any():
            some += 1
            np.testing.assert_allclose(power[n], every[good].min(axis=0))
    assert some > 3
    assert (power > grid[0] * 1.01).any()


def test_selected_leaves_out_whom_the_others_gain_from():
    """One hears another loudly and is heard by nobody: alone the loud one gains more than the quiet one's rate."""
    gain = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    network = opt.Network(
        gain=gain,
        own_gain=np.array([[1e-3, 1.0]]),
        noise_mw=np.full((1, 2), 1e-6),
        qos_sinr=2.83,
        power_mw=(1e-4, 1e3),
        present=np.ones((1, 2), dtype=bool),
    )
    all_of_them, chosen = opt.sca(network), opt.selected(network)
    assert opt.satisfied(network, all_of_them).all()
    np.testing.assert_array_equal(opt.satisfied(network, chosen), [[False, True]])
    assert chosen[0, 1] == pytest.approx(1e3, rel=1e-3)
    assert opt.satisfied_rate(network, chosen)[0] > opt.satisfied_rate(network, all_of_them)[0]


def test_agents_say_what_they_are_not_for():
    with pytest.raises(NotApplicable, match="authors"):
        Play(Sca(), num_bs=4, authors=True, ue_radius_m=10.0)
    with pytest.raises(NotApplicable, match="levels"):
        Play(LevelAscent(), **HARD).action()
    with pytest.raises(NotApplicable, match="at most 24 base stations"):
        Play(SetSca(), num_envs=1, **{**NETWORK, "interference": "network", "side_m": 700.0}).action()
