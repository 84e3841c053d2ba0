"""Checks of the physics, played as a batch: what a scenario declares, bounds, agents, masks, chance, secrets."""

from __future__ import annotations

import copy
import dataclasses
from itertools import chain
from typing import Any

import numpy as np
from gymnasium import spaces

from mmwave_gym.api.contract.cases import Case, Script, joint_action, over, play_batch, raises, same, several_episodes
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.batch import View
from mmwave_gym.core.scenario import EpisodeKey


def scenario_declares_what_it_gives(case: Case) -> None:
    scenario = case.make_scenario()
    batch = case.batch(3)
    n, a = 3, scenario.num_agents
    fields, space = scenario.fields, scenario.action_space
    assert np.isfinite(fields.low).all()
    assert np.isfinite(fields.high).all()
    assert (fields.low < fields.high).all()
    for f in fields:
        assert f.per in ("", "choice")
        assert f.per == "" or (isinstance(space, spaces.Discrete) and f.size == space.n), "one number for each choice"
    assert isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.Box)
    assert np.all(getattr(space, "start", 0) == 0), "actions count from 0"
    assert scenario.agent_noun.isalpha()
    assert scenario.agent_noun.islower()
    assert not scenario.turn_based or a == 1
    assert scenario.masked == (batch.action_mask() is not None)
    assert (batch.agent_ids()[:, 0] >= 0).all(), "agent slot 0 is taken when an episode starts"
    for entry in chain(*play_batch(batch, 0, 5)):
        assert {m.name for m in scenario.metrics} <= entry.keys()
        assert entry["own"].keys() == {m.name for m in scenario.own}
        assert not {m.name for m in scenario.own} & {m.name for m in scenario.metrics}
        for metric in scenario.metrics:
            assert metric.per in ("step", "second", "all")
            assert np.shape(entry[metric.name]) in ((), (a,))
        assert entry["reward"].shape == (a,)
        assert entry["reward"].dtype == np.float64
        assert entry["terminated"].shape == (a,)
        assert entry["observation"].shape == (a, fields.size)
        assert entry["observation"].dtype == np.float32
        assert entry["elapsed_s"] > 0.0
    assert View(batch, "local").num_rows == n * a


def values_stay_in_bounds_over_whole_episodes(case: Case) -> None:
    scenario, batch = case.make_scenario(), case.batch(4, seed=50)
    low, high = scenario.fields.low, scenario.fields.high
    log = play_batch(batch, 50, several_episodes(case))
    for entry in chain(*log):
        assert (entry["observation"] >= low).all()
        assert (entry["observation"] <= high).all()
        assert np.isfinite(entry["reward"]).all()
        assert all(np.isfinite(entry[m.name]).all() for m in scenario.metrics)
        assert (entry["ids"] < scenario.max_agent_ids).all()
        if scenario.masked:
            assert entry["mask"].dtype == bool
            assert entry["mask"].any(axis=-1).all()
    for copy_log in log:
        lengths = np.diff([-1, *(t for t, entry in enumerate(copy_log) if entry["ended"])])
        assert len(lengths) >= 2, "no episode ended"
        assert max(lengths) <= scenario.horizon


def agents_come_and_go_by_the_rules(case: Case) -> None:
    """Whoever leaves is said to be terminated, an id never comes back, an agent slot rests between two agents."""
    batch = case.batch(3, seed=9)
    first = np.array(batch.agent_ids())
    for i, copy_log in enumerate(play_batch(batch, 9, several_episodes(case))):
        before, known = first[i], set(first[i][first[i] >= 0].tolist())
        for entry in copy_log:
            ids = entry["ids"]
            left = (before >= 0) & (ids < 0)
            assert not ((before >= 0) & (ids >= 0) & (ids != before)).any(), "an agent slot changed hands at once"
            assert same(entry["terminated"], left)
            assert (entry["reward"][before < 0] == 0.0).all()
            came = ids[(before < 0) & (ids >= 0)].tolist()
            assert known.isdisjoint(came), "an agent came back"
            known.update(came)
            absent = entry["observation"][ids < 0]
            if batch.scenario.num_agents > 1:
                assert (absent == batch.scenario.fields.absent).all()
            before = ids
            if entry["ended"]:
                break


def forbidden_and_meaningless_actions_do_no_harm(case: Case) -> None:
    batch = case.batch(3)
    space: Any = batch.scenario.action_space
    shape = (3, batch.scenario.num_agents)
    space.seed(0)
    for _ in range(10):
        action = np.resize([space.sample() for _ in range(50)], (*shape, *space.shape))
        outcome = batch.step(action)
        assert np.isfinite(outcome.reward).all()
        if over(batch, outcome).any():
            break


def reveal_grants_more_at_every_level_and_lends_nothing(case: Case) -> None:
    batch = case.batch(2)
    granted: set[str] = set()
    for access in ACCESS_LEVELS:
        known = View(batch, access).look()
        assert granted <= known.keys()
        granted = set(known)
        for value in known.values():
            assert len(value) == 2
            with raises(ValueError, match="read-only"):
                value[...] = 0
            arrays = [v for record in (batch.episodes, batch.state) for v in vars(record).values()]
            assert not any(np.shares_memory(value, array) for array in arrays)
    with raises(ValueError, match="access must be one of local, central, trajectory, hindsight, got 'all'"):
        View(batch, "all")


def the_world_does_not_depend_on_actions(case: Case) -> None:
    """Common random numbers: every policy meets the same episodes, and playing them does not change them."""
    worlds: list[dict[EpisodeKey, dict[str, np.ndarray]]] = []
    for policy_seed in (1, 1000):
        batch = case.batch(3, seed=20)
        names = [f.name for f in dataclasses.fields(batch.episodes) if f.name != "row"]
        steps = several_episodes(case)
        scripts = [Script(batch.scenario.action_space, policy_seed + i, steps) for i in range(3)]
        drawn: dict[EpisodeKey, dict[str, np.ndarray]] = {}
        for t in range(steps):
            for i, key in enumerate(batch.keys):
                world = {n: getattr(batch.episodes, n)[batch.episodes.row[i]] for n in names}
                if key not in drawn:
                    drawn[key] = copy.deepcopy(world)
                elif t % 10 == 0:
                    assert same(drawn[key], world), "a step changed the episode"
            outcome = batch.step(joint_action(batch, scripts, [t] * 3))
            if (ended := over(batch, outcome)).any():
                batch.restart(np.flatnonzero(ended))
        worlds.append(drawn)
    common = worlds[0].keys() & worlds[1].keys()
    assert {key.number for key in common} >= {0, 1, 2}
    assert all(same(worlds[0][key], worlds[1][key]) for key in common)


def batch_of_7_is_the_head_of_a_batch_of_300(case: Case) -> None:
    steps = min(several_episodes(case), 14 if case.name == "crowd" else 30)
    few, many = (play_batch(case.batch(n, seed=7), 7, steps) for n in (7, 300))
    assert same(few, many[:7])
