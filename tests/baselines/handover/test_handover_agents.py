"""The agents of UDN handover: each against something slower and more obvious, and the oracle against everything."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import mmwave_gym
from mmwave_baselines.handover.mean_rate import MeanRate
from mmwave_baselines.handover.oracle import Oracle
from mmwave_baselines.handover.rules import A3, RandomCell, Stay, StrongestCell
from mmwave_baselines.handover.saturated import Saturated
from mmwave_baselines.handover.ucb import NormalisedUcb, Ucb
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.tuned import file_of, stored
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng, ObservationField, ObservationFields
from mmwave_gym.links.matrix import LinkMatrix

ENV = "MmwaveHandover-v0"
CAUSAL = (RandomCell, Stay, StrongestCell, A3, Saturated, MeanRate, Ucb, NormalisedUcb)


def batch_of(numbers, **keywords):
    scenario = make_scenario("handover", **keywords)
    batch = Batch(scenario, len(numbers))
    batch.reset([EpisodeKey(1, n, "test") for n in numbers])
    return batch


def play(agent, batch, numbers, steps):
    """Actions and rewards (slot, copy, UE) of `agent`, whose chance is keyed by the episode; 0 for who has left."""
    places = batch.scenario.num_agents
    rng = RowRng([np.random.default_rng([n, a]) for n in numbers for a in range(places)])
    memory = agent.begin(View(batch, agent.access), rng)
    started = np.ones(len(numbers) * places, bool)
    here = np.ones((len(numbers), places), bool)
    actions, rewards = [], []
    for _ in range(steps):
        observation = batch.observe().reshape(len(started), -1)
        mask = batch.action_mask()
        action, memory = agent.predict(observation, memory, started)
        assert action.shape == started.shape
        if mask is not None:
            assert np.take_along_axis(mask.reshape(len(started), -1), action[:, None], axis=1).all()
        outcome = batch.step(action.reshape(len(numbers), places))
        if hasattr(agent, "learn"):
            following = batch.observe().reshape(len(started), -1)
            done = outcome.terminated.ravel() | np.repeat(outcome.truncated, places)
            memory = agent.learn(memory, observation, action, outcome.reward.ravel(), following, done, {})
        started = outcome.terminated.ravel()
        actions.append(action.reshape(len(numbers), places))
        rewards.append(np.where(here, outcome.reward, 0.0))
        here &= ~outcome.terminated
    return np.array(actions), np.array(rewards)


def street(places=40, cells=3, deaf=0.4, seed=0):
    """A street on which cells come and go, as a link matrix."""
    rng = np.random.default_rng(seed)
    rsrp_dbm = rng.uniform(-95.0, -60.0, (places, cells))
    rsrp_dbm[rng.random((places, cells)) < deaf] = np.nan
    rsrp_dbm[places // 2] = np.nan  # a hole
    position_m = np.stack((np.arange(places) * 1.0, np.zeros(places)), axis=1)
    names = tuple(f"cell {k}" for k in range(cells))
    return LinkMatrix(rsrp_dbm=rsrp_dbm, noise_dbm=-100.0, cells=names, position_m=position_m)


# ---------------------------------------------------------------------- the oracle


def best_of_all(scenario, key, warmup, scored):
    """The largest scored reward of each UE over all sequences of allowed cells, by playing every one."""
    cells, steps = int(scenario.action_space.n), warmup + scored
    sequences = np.array(list(itertools.product(range(cells), repeat=steps)))
    episodes = scenario.draw([EpisodeRng(key)])
    episodes.row = np.zeros(len(sequences), np.intp)
    state = scenario.start(episodes)
    total = np.zeros((len(sequences), scenario.num_agents))
    here = np.ones(total.shape, bool)
    for t in range(steps):
        action = np.repeat(sequences[:, t, None], scenario.num_agents, axis=1)
        mask = scenario.action_mask(episodes, state)
        if mask is not None:
            allowed = np.take_along_axis(mask, action[..., None], axis=-1)[..., 0]
            total[~allowed] = -np.inf
        outcome = scenario.step(episodes, state, action)
        if t >= warmup:
            total += np.where(here, outcome.reward, 0.0)
        here &= ~outcome.terminated
    return total.max(axis=0)


TINY = {
    "cheap handovers": ({"beta": 5.0}, 0, 6),
    "dear handovers": ({"beta": 25.0}, 0, 6),
    "free handovers": ({"beta": 0.0}, 0, 6),
    "interruption": ({"beta": 5.0, "interruption_s": 0.05}, 0, 6),
    "warm-up": ({"beta": 25.0}, 2, 4),
    "warm-up of one slot": ({"beta": 25.0}, 1, 5),
    "scored in the middle": ({"beta": 10.0, "horizon": 9}, 2, 3),
    "departures": ({"beta": 5.0, "area_side_m": 0.4, "boundary": "leave"}, 0, 6),
    "departures after a warm-up": ({"beta": 5.0, "area_side_m": 1.0, "boundary": "leave"}, 1, 5),
    "several UEs that leave": ({"beta": 5.0, "num_ues": 3, "area_side_m": 0.4, "boundary": "leave"}, 1, 5),
    "masks": ({"beta": 5.0, "channel": street(), "speed_mps": (10.0, 20.0)}, 0, 6),
    "masks and interruption": (
        {"beta": 0.5, "channel": street(), "speed_mps": (10.0, 20.0), "interruption_s": 0.05, "num_ues": 2},
        0,
        6,
    ),
    "real receiver": ({"receiver": "real", "beta": 5.0}, 0, 6),
    "real receiver with a warm-up": ({"receiver": "real", "beta": 1.0}, 2, 4),
    "two slots and a half without data": ({"receiver": "real", "beta": 0.5, "interruption_s": 0.125}, 0, 7),
    "three slots after a warm-up": ({"receiver": "real", "beta": 0.0, "interruption_s": 0.15}, 3, 5),
    "half of three slots scored": ({"receiver": "real", "beta": 0.0, "interruption_s": 0.125, "horizon": 9}, 2, 5),
    "interruptions of UEs that leave": (
        {"receiver": "real", "beta": 0.1, "interruption_s": 0.1, "num_ues": 2, "area_side_m": 0.6, "boundary": "leave"},
        1,
        6,
    ),
    "masks and an interruption of two slots": (
        {"receiver": "real", "beta": 0.1, "channel": street(), "speed_mps": (10.0, 20.0), "interruption_s": 0.075},
        0,
        7,
    ),
    "masks in the warm-up": ({"beta": 20.0, "channel": street(seed=3), "speed_mps": (10.0, 20.0)}, 3, 3),
}


@pytest.mark.parametrize("case", TINY)
def test_the_oracle_is_the_best_of_all_sequences(case):
    keywords, warmup, scored = TINY[case]
    # Independent shadowing makes cells change places within six slots.
    world = {} if "channel" in keywords else {"num_cells": 3, "shadowing": "independent", "boundary": "open"}
    keywords = {"horizon": warmup + scored, **world, **keywords}
    numbers = list(range(8))
    batch = batch_of(numbers, **keywords)
    _, rewards = play(Oracle(warmup, scored), batch, numbers, warmup + scored)
    ours = rewards[warmup:].sum(axis=0)
    scenario = make_scenario("handover", **keywords)
    best = [best_of_all(scenario, EpisodeKey(1, n, "test"), warmup, scored) for n in numbers]
    np.testing.assert_allclose(ours, best, rtol=0, atol=2e-5)  # the environment sums float32 rates


def test_a_warm_up_lets_the_oracle_begin_anywhere_for_nothing():
    keywords = {"num_cells": 3, "shadowing": "static", "horizon": 4, "beta": 1e4, "boundary": "open"}
    numbers = list(range(20))
    batch = batch_of(numbers, **keywords)
    efficiency = View(batch, "hindsight").look()["efficiency_bps_hz"][:, :, 0]
    _, cold = play(Oracle(), batch, numbers, 4)
    _, warm = play(Oracle(warmup_steps=1), batch_of(numbers, **keywords), numbers, 4)
    start = efficiency[:, 0].argmax(axis=1)  # fading is seen: the strongest is the fastest
    held = efficiency[np.arange(20), :4, start]
    np.testing.assert_allclose(cold.sum(axis=(0, 2)), held.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(warm[1:].sum(axis=(0, 2)), efficiency[:, 1:4].sum(axis=1).max(axis=1), rtol=1e-6)


def test_the_oracle_stays_where_nothing_is_gained():
    """Also in the warm-up, up to its last slot: a handover earlier would be worth as much and look odd."""
    keywords = {"num_cells": 4, "horizon": 30, "beta": 25.0, "boundary": "open"}
    numbers = list(range(30))
    actions, _ = play(Oracle(10), batch_of(numbers, **keywords), numbers, 30)
    assert (actions[:9] == actions[0]).all()


def test_the_oracle_notices_a_new_episode():
    """Rows may go on to another episode without a new `begin`; only the flag says so."""
    keywords = {"num_cells": 3, "horizon": 6, "beta": 5.0, "boundary": "open", "shadowing": "independent"}
    batch = batch_of([0, 5], **keywords)
    oracle = Oracle()
    memory = oracle.begin(View(batch, "hindsight"))
    totals = []
    for _ in range(2):
        total = np.zeros(2)
        for t in range(6):
            action, memory = oracle.predict(batch.observe()[:, 0], memory, np.full(2, t == 0))
            total += batch.step(action[:, None]).reward[:, 0]
        totals.append(total)
        batch.restart(np.arange(2))
    scenario = make_scenario("handover", **keywords)
    best = [[best_of_all(scenario, EpisodeKey(1, n, "test"), 0, 6)[0] for n in pair] for pair in ((0, 5), (1, 6))]
    np.testing.assert_allclose(totals, best, atol=2e-5)


def playable(task):
    """The agents found that have something to say about this task, by name."""
    found = {}
    for name in mmwave_gym.agents("handover"):
        try:
            found[name] = load_agent(name, "handover", task)
        except NotApplicable:
            continue
    return found


@pytest.mark.sample(by=lambda task: (bool(task.needs_data),))
@pytest.mark.parametrize("task", [t for t in all_tasks() if t.scenario_name == "handover"], ids=lambda task: task.name)
def test_nobody_beats_the_oracle_on_any_episode_of_the_suite(task):
    if task.missing_data:
        pytest.skip(task.missing_data)
    rewards = {
        name: np.array([row["reward"] for row in mmwave_gym.evaluate(agent, task, episodes=5)])
        for name, agent in playable(task).items()
    }
    for name, reward in rewards.items():
        assert (reward <= rewards["oracle"] + 1e-6).all(), name
    assert (rewards["random"] < rewards["a3"]).all()


# ---------------------------------------------------------------------- A3


LOWEST_DB = -20.0


def readings(cells, rows, heard=False, mask=None, step_s=0.05):
    """A view without an environment behind it."""
    fields = [
        ObservationField("serving", cells, 0.0, 1.0, "1", ""),  # not first in the environment: names must do
        ObservationField("rsrq_db", cells, LOWEST_DB, 0.0, "dB", ""),
    ]
    if heard:
        fields.append(ObservationField("heard", cells, 0.0, 1.0, "1", ""))
    return SimpleNamespace(
        fields=ObservationFields(fields), num_rows=rows, constants={"step_s": step_s}, action_mask=lambda: mask
    )


class SlowA3:
    """One UE, one cell after the other."""

    def __init__(self, hysteresis_db, wait):
        self.hysteresis_db, self.wait = hysteresis_db, wait
        self.count, self.compared = {}, None

    def act(self, rsrq_db, serving, usable, allowed, started):
        if started or serving != self.compared:
            self.count = {}
        self.compared = serving
        pool = []
        for n in range(len(rsrq_db)):
            if usable[n] and rsrq_db[n] > rsrq_db[serving] + self.hysteresis_db:
                self.count[n] = self.count.get(n, 0) + 1
            else:
                self.count[n] = 0
            if self.count[n] > self.wait:
                pool.append(n)
        if not usable[serving]:
            pool = [n for n in range(len(rsrq_db)) if usable[n]]
        if pool:
            return max(pool, key=lambda n: (rsrq_db[n], -n))
        return serving if allowed[serving] else list(allowed).index(True)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cells=st.integers(2, 5),
    rows=st.integers(1, 4),
    hysteresis_db=st.sampled_from((0.0, 1.0, 2.0, 3.5)),
    wait=st.integers(0, 4),
    heard=st.booleans(),
    masked=st.booleans(),
)
def test_a3_is_the_slow_a3(seed, cells, rows, hysteresis_db, wait, heard, masked):
    rng = np.random.default_rng(seed)
    view = readings(cells, rows, heard)
    agent = A3(hysteresis_db, wait * 0.05)
    memory = agent.begin(view)
    slow = [SlowA3(hysteresis_db, wait) for _ in range(rows)]
    serving = rng.integers(0, cells, rows)
    level = rng.integers(-6, 1, (rows, cells))
    for t in range(25):
        level = np.clip(level + rng.integers(-2, 3, (rows, cells)), -8, 0)  # whole dB: many ties
        rsrq_db = np.where(level == -8, LOWEST_DB, level).astype(np.float32)
        hears = rng.random((rows, cells)) < 0.8
        mask = rng.random((rows, cells)) < 0.8
        mask[np.arange(rows), rng.integers(0, cells, rows)] = True
        view.action_mask = lambda mask=mask: mask if masked else None
        parts = [np.eye(cells)[serving], rsrq_db, hears] if heard else [np.eye(cells)[serving], rsrq_db]
        started = (rng.random(rows) < 0.05) | (t == 0)
        action, memory = agent.predict(np.concatenate(parts, axis=1).astype(np.float32), memory, started)
        usable = hears if heard else rsrq_db > LOWEST_DB
        allowed = mask if masked else np.ones_like(mask)
        expected = [
            ue.act(rsrq_db[i].tolist(), int(serving[i]), (usable & allowed)[i], allowed[i], started[i])
            for i, ue in enumerate(slow)
        ]
        assert action.tolist() == expected
        forced = rng.random(rows) < 0.1  # somebody else may move the UE
        serving = np.where(forced, rng.integers(0, cells, rows), action)


def a3_on(rsrq_db, hysteresis_db, time_to_trigger_s, step_s=0.05):
    """Cells that A3 chooses for one UE served by cell 0 at first, for RSRQ (slot, cell)."""
    view = readings(len(rsrq_db[0]), 1, step_s=step_s)
    agent = A3(hysteresis_db, time_to_trigger_s)
    memory, serving, chosen = agent.begin(view), 0, []
    for t, row in enumerate(rsrq_db):
        observation = np.concatenate((np.eye(len(row))[serving], row)).astype(np.float32)[None]
        action, memory = agent.predict(observation, memory, np.array([t == 0]))
        serving = int(action[0])
        chosen.append(serving)
    return chosen


def test_time_to_trigger_by_hand():
    better = [[-5.0, -1.0]] * 6
    assert a3_on(better, 3.0, 0.0) == [1] * 6
    assert a3_on(better, 3.0, 0.05) == [0, 1, 1, 1, 1, 1]  # the condition held at both ends of 50 ms
    assert a3_on(better, 3.0, 0.15) == [0, 0, 0, 1, 1, 1]
    assert a3_on(better, 3.0, 0.12) == [0, 0, 0, 1, 1, 1]  # rounded up to whole slots
    assert a3_on(better, 3.0, 0.3, step_s=0.1) == [0, 0, 0, 1, 1, 1]  # 0.3 / 0.1 is a bit less than 3
    assert a3_on(better, 4.0, 0.0) == [0] * 6  # the entering condition is strict
    assert a3_on(better, 3.9, 0.0) == [1] * 6
    interrupted = [*better[:2], [-5.0, -3.0], *better[:4]]
    assert a3_on(interrupted, 3.0, 0.1) == [0, 0, 0, 0, 0, 1, 1]


def test_counters_are_per_neighbour_and_start_anew_after_a_handover():
    turns = [[-9.0, -1.0, -9.0], [-9.0, -9.0, -1.0]] * 3
    assert a3_on(turns, 3.0, 0.05) == [0] * 6  # somebody is always better, but nobody for long
    both = [[-9.0, -3.0, -2.0]] * 2
    assert a3_on(both, 3.0, 0.05) == [0, 2]  # the strongest of the triggered
    after = [[-9.0, -3.0, -9.0], [-9.0, -9.0, -1.0], [-9.0, -9.0, -1.0], [-9.0, -9.0, -1.0]]
    assert a3_on(after, 3.0, 0.0) == [1, 2, 2, 2]
    swing = [[-9.0, -3.0], [-9.0, -3.0], [-3.0, -9.0], [-3.0, -9.0], [-3.0, -9.0]]
    assert a3_on(swing, 3.0, 0.05) == [0, 1, 1, 0, 0]


def test_unheard_cells():
    low = LOWEST_DB
    assert a3_on([[low, -15.0], [low, -15.0]], 10.0, 0.5) == [1, 1]  # the serving cell is gone: leave at once
    assert a3_on([[low, low]] * 2, 0.0, 0.0) == [0, 0]  # nothing to go to
    assert a3_on([[-19.5, low], [-19.5, low]], 0.0, 0.0) == [0, 0]


def test_a3_without_hysteresis_and_time_is_greedy():
    numbers = list(range(12))
    for keywords in ({"horizon": 80}, {"horizon": 80, "channel": street(cells=5), "speed_mps": (1.0, 10.0)}):
        ours, _ = play(A3(0.0, 0.0), batch_of(numbers, **keywords), numbers, 80)
        greedy, _ = play(StrongestCell(), batch_of(numbers, **keywords), numbers, 80)
        assert (ours == greedy).all()


def test_a3_takes_what_was_tuned_and_says_where_from():
    tuned = stored(file_of(A3))["A3"]
    for task in all_tasks("handover"):
        made = load_agent("a3", "handover", task)
        if task.name in tuned:
            assert made.config["tuned_on"] == f"the training split of {task.name}, task hash {task.hash}"
            assert made.hysteresis_db == tuned[task.name]["parameters"].get("hysteresis_db", 3.0)
        else:
            assert made.config["tuned_on"] is None
            assert task.env_id != ENV or task.needs_data
    default = load_agent("a3", "handover", Task(env_id=ENV))
    assert default.config == {"hysteresis_db": 3.0, "time_to_trigger_s": 0.15, "tuned_on": None, "tuned_by": None}
    with pytest.raises(AgentError, match="no training seeds"):
        load_agent("a3@3", "handover")


@pytest.mark.parametrize(("name", "value"), [("hysteresis_db", -1.0), ("time_to_trigger_s", math.nan)])
def test_a3_refuses_bad_parameters(name, value):
    with pytest.raises(ValueError, match=name):
        A3(**{name: value})


# ---------------------------------------------------------------------- UCB


def scalar_ucb(env_step, serving, cells, steps, scale):
    """Eq. 34-35 for one UE."""
    mean, plays, chosen = [0.0] * cells, [0] * cells, []
    for t in range(1, steps + 1):
        index = [m + math.sqrt(2 * math.log(t) / n) if n else math.inf for m, n in zip(mean, plays, strict=True)]
        arm = serving if index[serving] == max(index) else index.index(max(index))
        reward = env_step(arm) / scale
        plays[arm] += 1
        mean[arm] += (reward - mean[arm]) / plays[arm]
        serving = arm
        chosen.append(arm)
    return chosen


@pytest.mark.parametrize("agent", [Ucb(), NormalisedUcb()], ids=lambda agent: agent.label)
def test_ucb_is_the_scalar_ucb(agent):
    numbers, steps = list(range(5)), 300
    keywords = {"horizon": steps, "beta": 5.0, "num_cells": 4, "boundary": "stay"}
    ours, _ = play(agent, batch_of(numbers, **keywords), numbers, steps)
    for i, n in enumerate(numbers):
        batch = batch_of([n], **keywords)
        serving = int(batch.state.serving[0, 0])
        step = lambda arm, batch=batch: float(batch.step(np.array([[arm]])).reward[0, 0])  # noqa: E731
        assert ours[:, i, 0].tolist() == scalar_ucb(step, serving, 4, steps, agent.reward_scale_bps_hz)


def test_ucb_ties_stay():
    view = readings(3, 2)
    agent = Ucb()
    state = agent.begin(view)
    observation = np.concatenate((np.eye(3)[[1, 2]], np.full((2, 3), -5.0)), axis=1)
    action, state = agent.predict(observation, state)
    assert action.tolist() == [1, 2]  # all unseen: the serving cell first
    state.memory.plays[:] = 4
    state.memory.mean[:] = 7.0
    assert agent.predict(observation, state)[0].tolist() == [1, 2]
    state.memory.mean[:, 0] += 1e-3
    assert agent.predict(observation, state)[0].tolist() == [0, 0]
    state.memory.plays[:, 1:] = 0
    state.memory.plays[1, 2] = 3
    assert agent.predict(observation, state)[0].tolist() == [1, 1]  # unseen arms first


def test_ucb_learns_nothing_from_a_place_whose_ue_has_left():
    agent = Ucb()
    view = readings(2, 2)
    state = agent.begin(view)
    observation = np.array([[1.0, 0.0, -1.0, -2.0], [0.0, 0.0, 0.0, 0.0]])
    state = agent.learn(state, observation, np.array([0, 0]), np.array([9.0, 0.0]), observation, np.zeros(2), {})
    assert state.memory.plays.tolist() == [[1, 0], [0, 0]]
    assert state.memory.mean[0, 0] == 9.0


# ---------------------------------------------------------------------- all of them


WORLDS = {
    "interruptions of several slots": {"receiver": "real", "interruption_s": 0.12, "beta": 1.0, "num_ues": 2},
    "paper": {"horizon": 60, "num_cells": 4, "beta": 5.0, "area_side_m": 3.0, "num_ues": 2},
    "measured": {"horizon": 60, "channel": street(cells=4), "speed_mps": (2.0, 20.0), "num_ues": 2},
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("make", [*CAUSAL, Oracle], ids=lambda make: make.__name__)
def test_rows_are_independent_and_masks_respected(make, world):
    """`play` checks the masks."""
    numbers = [4, 0, 7, 2]
    together, _ = play(make(), batch_of(numbers, **WORLDS[world]), numbers, 60)
    for i, n in enumerate(numbers):
        alone, _ = play(make(), batch_of([n], **WORLDS[world]), [n], 60)
        assert (alone[:, 0] == together[:, i]).all()
    order = [2, 0, 3, 1]
    other = [numbers[i] for i in order]
    permuted, _ = play(make(), batch_of(other, **WORLDS[world]), other, 60)
    assert (permuted == together[:, order]).all()


@pytest.mark.parametrize("make", CAUSAL, ids=lambda make: make.__name__)
def test_nobody_acts_on_what_is_hidden(make):
    """Neither on the rates of cells that do not serve, nor on any slot to come; the oracle does."""
    numbers, steps = list(range(6)), 120
    keywords = {"horizon": steps, "beta": 5.0, "boundary": "stay"}
    base, _ = play(make(), batch_of(numbers, **keywords), numbers, steps)
    foreseen, _ = play(Oracle(), batch_of(numbers, **keywords), numbers, steps)

    def other_rates(agent, actions):
        batch = batch_of(numbers, **keywords)
        chosen = np.zeros((len(numbers), steps + 1, 1, 6), bool)
        np.put_along_axis(chosen[:, :steps], actions.transpose(1, 0, 2)[..., None], True, axis=-1)
        rates = batch.episodes.efficiency_bps_hz[: len(numbers)]
        rates[~chosen] = rates[~chosen][::-1] + 8.0
        return play(agent, batch, numbers, steps)[0]

    assert (other_rates(make(), base) == base).all()
    assert (other_rates(Oracle(), foreseen) != foreseen).any()

    def another_future(agent):
        batch = batch_of(numbers, **keywords)
        for kind in (batch.episodes.rsrq_db, batch.episodes.efficiency_bps_hz):
            kind[: len(numbers), 61:] = kind[: len(numbers), :60:-1, :, ::-1].copy()
        return play(agent, batch, numbers, steps)[0][:61]

    assert (another_future(make()) == base[:61]).all()
    assert (another_future(Oracle()) != foreseen[:61]).any()


def test_every_agent_found_plays_a_small_task():
    task = Task(env_id=ENV, kwargs={"horizon": 40}, warmup_steps=10)
    found = playable(task)
    assert {"random", "stay", "strongest", "a3", "ucb", "ucb-normalised", "oracle"} <= set(found)
    for name, agent in found.items():
        rows = mmwave_gym.evaluate(agent, task, episodes=3)
        assert [row["scored_steps"] for row in rows] == [30] * 3, name
        assert agent.kind in ("rule", "paper", "learned", "floor", "ceiling")
        assert isinstance(agent.label, str)
        json.dumps(agent.config)


@pytest.mark.parametrize("make", [*CAUSAL, Oracle], ids=lambda make: make.__name__)
def test_an_agent_that_was_not_begun_says_so(make):
    with pytest.raises(AgentError, match=r"must begin before it predicts"):
        make().predict(np.zeros((1, 12), np.float32))


def test_stay_stays_and_random_covers_every_cell():
    numbers = list(range(10))
    actions, _ = play(Stay(), batch_of(numbers, horizon=100), numbers, 100)
    assert (actions == actions[0]).all()
    actions, _ = play(RandomCell(), batch_of(numbers, horizon=100), numbers, 100)
    share = np.bincount(actions.ravel(), minlength=6) / actions.size
    np.testing.assert_allclose(share, 1 / 6, atol=5 * math.sqrt(5 / 36 / actions.size))


def test_the_oracle_of_a_task_knows_what_is_scored():
    task = dataclasses.replace(
        all_tasks("handover")[0], name="handover/other", kwargs={"horizon": 50}, warmup_steps=7, scored_steps=9
    )
    assert load_agent("oracle", "handover", task).config == {"warmup_steps": 7, "scored_steps": 9}
    with pytest.raises(ValueError, match="scored_steps must be at least 1"):
        Oracle(scored_steps=0)
