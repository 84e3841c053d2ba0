"""The causal bound of streets against brute force: every policy that cannot know the way, played in the environment."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from mmwave_baselines.street.causal import possible_ways, price_of_the_way, values
from mmwave_baselines.street.oracle import Way, solve
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.scenarios.street.world import StreetWorld

SMALL = {"isd_m": 40.0, "arm_m": 40.0, "duration_s": 1.2, "speed_mps": (12.0, 14.0), "interference_db": -3.0}


def _small(env_id, **keywords):
    scenario = make_registered(env_id, **{**SMALL, **keywords})
    world = StreetWorld(scenario.config, scenario.world.after)
    return scenario, world


def _crossing(world, many=1):
    """Episodes in which the way is not known at the start and told on the road."""
    found = []
    for number in range(400):
        rng = EpisodeRng(EpisodeKey(5, number))
        drives, chance, apart = possible_ways(world, rng)
        last = apart[~np.eye(len(chance), dtype=bool)]
        if len(chance) > 1 and (last < world.ticks - 10).any() and (last > 10).any():
            found.append((rng, drives, chance, apart))
            if len(found) == many:
                return found
    raise AssertionError("no such drive")


def _brute(scenario, drives, chance, apart, states, memo):
    """The most that who cannot tell the ways of `states`, {way: state}, has from here on, by playing everything."""
    key = tuple(sorted((w, int(s.tick[0]), int(s.serving[0]), int(s.out_ticks[0])) for w, s in states.items()))
    if key in memo:
        return memo[key]
    ticks = {int(s.tick[0]) for s in states.values()}
    assert len(ticks) == 1  # who cannot tell them apart has met the same
    end = scenario.ticks
    if min(ticks) >= end:
        return 0.0
    most = -np.inf
    for action in range(scenario.num_cells):
        groups: list[dict] = []
        total = 0.0
        for w, state in states.items():
            following = copy.deepcopy(state)
            outcome = scenario.step(drives.of(np.array([w])), following, np.array([[action]]))
            total += chance[w] * float(outcome.metrics["rate_bps_hz"][0].sum())  # times seconds
            for group in groups:
                v, its = next(iter(group.items()))
                if int(its.tick[0]) == int(following.tick[0]) and apart[w, v] > int(following.tick[0]):
                    group[w] = following
                    break
            else:
                groups.append({w: following})
        total += sum(_brute(scenario, drives, chance, apart, group, memo) for group in groups)
        most = max(most, total)
    memo[key] = most
    return most


@pytest.mark.parametrize("env_id", ["MmwaveStreet-v0", "MmwaveStreet-v1"])
def test_the_causal_optimum_is_that_of_all_policies_played(env_id):
    scenario, world = _small(env_id)
    constants = scenario.constants()
    differs = 0
    for _, drives, chance, apart in _crossing(world, 3):
        way = Way(drives.sinr_db, drives.rsrp_dbm, constants)
        serving = int(drives.rsrp_dbm[0, 0].argmax())
        found = values(way, chance, apart, int(constants["t310_ticks"]))[0, serving]
        start = {w: scenario.start(drives.of(np.array([w]))) for w in range(len(chance))}
        brute = _brute(scenario, drives, chance, apart, start, {})
        per_decision = constants["decision_ticks"] * constants["tick_s"]
        assert found * per_decision == pytest.approx(brute, rel=1e-5)
        knowing = solve(drives.sinr_db, drives.rsrp_dbm, constants).value[:, serving]
        assert found <= chance @ knowing + 1e-9
        differs += found < chance @ knowing - 1e-6
    assert differs


def test_where_all_is_told_it_is_the_optimum_in_hindsight():
    scenario, world = _small("MmwaveStreet-v1")
    constants = scenario.constants()
    ((_, drives, chance, apart),) = _crossing(world)
    way = Way(drives.sinr_db, drives.rsrp_dbm, constants)
    told = np.where(np.eye(len(chance), dtype=bool), apart.max(), 0)
    np.testing.assert_allclose(
        values(way, chance, told, int(constants["t310_ticks"])),
        solve(drives.sinr_db, drives.rsrp_dbm, constants).value,
        rtol=1e-9,
    )


def test_the_first_of_the_possible_ways_is_the_episodes_own_and_all_begin_alike():
    scenario, world = _small("MmwaveStreet-v0")
    ((rng, drives, chance, apart),) = _crossing(world)
    own = scenario.draw([rng])
    np.testing.assert_allclose(drives.rsrp_dbm[0], own.rsrp_dbm[0], atol=1e-4)
    assert chance.sum() == pytest.approx(1.0)
    for w in range(1, len(chance)):
        before = slice(0, max(int(apart[0, w]) - 1, 1))
        np.testing.assert_allclose(drives.rsrp_dbm[w, before], drives.rsrp_dbm[0, before], atol=1e-4)
        assert np.abs(drives.rsrp_dbm[w] - drives.rsrp_dbm[0]).max() > 1.0


def test_knowing_the_way_is_worth_something_at_a_crossing_and_nothing_in_a_canyon():
    assert price_of_the_way(find_task("street/car-canyon"), 0) == 0.0
    task = find_task("street/car-sparse")
    worth = np.array([price_of_the_way(task, episode) for episode in range(6)])
    best = np.array([row["rate_bps_hz"] for row in evaluate("oracle", task, episodes=6)])
    assert (worth >= 0.0).all()
    assert worth.max() > 0.0
    assert (worth < best).all()
