"""The batch: keyed episodes, drawn ahead without changing anything, in storage that nobody shares."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from contract import SMALL_CASES
from small_scenarios import Crowd, CrowdConfig, SharedCells, SharedCellsConfig

from mmwave_gym.api.contract.cases import Case, Script, joint_action, over, play_batch, same
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

pytestmark = pytest.mark.usefixtures("small_scenarios")
each_room = pytest.mark.sample(by=lambda case: (case.scenario,))
each_small = pytest.mark.parametrize("case", SMALL_CASES, ids=str)


class OnDemand(Batch):
    """Draws no episode before it is needed."""

    def _draw_ahead(self) -> None:
        pass


class CountingCells(SharedCells):
    """Notes how many episodes each call draws."""

    def __init__(self, config: SharedCellsConfig):
        super().__init__(config)
        self.drawn: list[int] = []

    def draw(self, rngs: Any) -> Any:
        self.drawn.append(len(rngs))
        return super().draw(rngs)


def arrays(record: Any) -> dict[str, np.ndarray]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name != "row"}


def keys(n: int, seed: int = 0) -> list[EpisodeKey]:
    return [EpisodeKey(seed + i) for i in range(n)]


@each_room
@each_small
def test_drawing_ahead_changes_nothing(case: Case) -> None:
    ahead, on_demand = Batch(case.make_scenario(), 9), OnDemand(case.make_scenario(), 9)
    steps = int(2.5 * min(case.make_scenario().horizon, 40))
    logs = []
    for batch in (ahead, on_demand):
        batch.reset(keys(9, seed=300))
        logs.append(play_batch(batch, 300, steps))
    assert ahead.keys == on_demand.keys
    assert max(key.number for key in ahead.keys) >= 2
    assert same(*logs)


def test_copies_with_early_ends_play_the_same_episodes_ahead_and_on_demand() -> None:
    """Copies end at steps of their own, some at once, some never, and several restart twice in a row."""
    logs = []
    for kind in (Batch, OnDemand):
        batch, rng = kind(make_scenario("crowd", num_places=5, horizon=50), 40), np.random.default_rng(0)
        batch.reset(keys(40))
        log = []
        for _ in range(40):
            batch.step(rng.random((40, 5, 1)))
            ended = np.flatnonzero(rng.random(40) < np.linspace(0.0, 0.9, 40))
            if len(ended):
                batch.restart(ended)
                if rng.random() < 0.3:
                    batch.restart(ended[::2])
            log.append((batch.observe(), batch.agent_ids(), np.array([key.number for key in batch.keys])))
        logs.append(log)
    assert same(*logs)
    assert logs[0][-1][2].max() > 30
    assert logs[0][-1][2].min() == 0


def test_a_thousand_copies_that_end_together_wait_for_no_draw() -> None:
    scenario = CountingCells(SharedCellsConfig(horizon=8))
    batch = Batch(scenario, 1000)
    batch.reset(keys(1000))
    action = np.zeros((1000, scenario.num_agents), np.int64)
    assert sum(scenario.drawn) == 1000
    assert max(scenario.drawn) < 100, "not all are in memory twice"
    for episode in range(1, 4):
        for t in range(scenario.horizon):
            assert batch.step(action).truncated.all() == (t == scenario.horizon - 1)
            assert scenario.drawn[-1] <= 200, "no step draws much more than its share"
        before = len(scenario.drawn)
        assert sum(scenario.drawn) == 1000 * (1 + episode), "all next episodes are drawn, none twice"
        batch.restart(np.arange(1000))
        assert len(scenario.drawn) == before, "the restart found everything drawn"


def test_one_copy_draws_nothing_ahead() -> None:
    scenario = CountingCells(SharedCellsConfig(horizon=8))
    batch = Batch(scenario, 1)
    batch.reset(keys(1))
    for _ in range(8):
        batch.step(np.zeros((1, scenario.num_agents), np.int64))
    assert scenario.drawn == [1]
    batch.restart(np.array([0]))
    assert scenario.drawn == [1, 1]


def test_episodes_that_suddenly_end_early_are_drawn_on_demand_and_then_ahead_again() -> None:
    scenario = CountingCells(SharedCellsConfig(horizon=1000))
    batch = Batch(scenario, 50)
    batch.reset(keys(50))
    action = np.zeros((50, scenario.num_agents), np.int64)
    late = []
    for _ in range(4):
        for _ in range(3):
            batch.step(action)
        before = len(scenario.drawn)
        batch.restart(np.arange(50))
        late.append(sum(scenario.drawn[before:]))
    assert late[0] == 50
    assert late[2:] == [0, 0], "the batch learned how long episodes are"


def test_one_reset_in_the_middle_of_episodes_does_not_say_how_long_they_are() -> None:
    scenario = CountingCells(SharedCellsConfig(horizon=1000))
    batch = Batch(scenario, 50)
    batch.reset(keys(50))
    action = np.zeros((50, scenario.num_agents), np.int64)
    late = []
    for _ in range(4):
        for _ in range(10):
            batch.step(action)
        before = len(scenario.drawn)
        batch.restart(np.arange(50), ended=False)
        late.append(sum(scenario.drawn[before:]))
        if len(late) == 1:
            scenario.drawn.clear()
            for _ in range(10):
                batch.step(action)
            assert sum(scenario.drawn) <= 1, "spare episodes are drawn at the pace of whole ones"
    assert late[-1] == 0, "whoever resets again and again finds them drawn"


def test_resets_without_steps_between_them_do_no_harm() -> None:
    batch = Batch(SharedCells(SharedCellsConfig(num_ues=1)), 2)
    batch.reset(keys(2))
    for _ in range(2000):
        batch.restart(np.arange(2))
    batch.step(np.zeros((2, 1), np.int64))
    assert batch.keys[0].number == 2000


@each_small
def test_rewind_goes_back_to_the_start_of_the_running_episode(case: Case) -> None:
    batch, untouched = case.batch(5, seed=4), case.batch(5, seed=4)
    first = batch.observe()
    scripts = [Script(batch.scenario.action_space, i, 10) for i in range(5)]
    for b in (batch, untouched):
        for t in range(3):
            b.step(joint_action(b, scripts, [t] * 5))
    batch.rewind(np.array([1, 3]))
    assert same(batch.observe()[[1, 3]], first[[1, 3]])
    assert same(batch.observe()[[0, 2, 4]], untouched.observe()[[0, 2, 4]])
    assert batch.keys == untouched.keys


@each_small
def test_rewinding_who_has_just_restarted_looks_at_the_episode_that_runs_now(case: Case) -> None:
    """The batch keeps the start of a restart for it, as long as it is true."""
    batch, envs = case.batch(5, seed=4), np.array([1, 3])
    scripts = [Script(batch.scenario.action_space, i, 10) for i in range(5)]

    def starts(again: Batch, chosen: list[EpisodeKey]) -> None:
        fresh = Batch(again.scenario, 2)
        fresh.reset(chosen)
        for _ in range(2):
            assert same(again.observe()[envs], fresh.observe())
            again.step(joint_action(again, scripts, [0] * 5))
            again.rewind(envs)

    batch.restart(envs)
    starts(batch, [EpisodeKey(5, 1), EpisodeKey(7, 1)])
    batch.restart(envs)
    starts(batch, [EpisodeKey(5, 2), EpisodeKey(7, 2)])
    batch.begin(envs, [EpisodeKey(50), EpisodeKey(51)])
    starts(batch, [EpisodeKey(50), EpisodeKey(51)])
    batch.reset(keys(5, seed=90))
    batch.step(joint_action(batch, scripts, [0] * 5))
    batch.rewind(envs)
    starts(batch, [EpisodeKey(91), EpisodeKey(93)])


@each_small
def test_restart_leaves_other_copies_alone(case: Case) -> None:
    batch, untouched = case.batch(5, seed=4), case.batch(5, seed=4)
    scripts = [Script(batch.scenario.action_space, i, 10) for i in range(5)]
    for b in (batch, untouched):
        b.step(joint_action(b, scripts, [0] * 5))
    batch.restart(np.array([4, 1]))
    assert same(batch.observe()[[0, 2, 3]], untouched.observe()[[0, 2, 3]])
    assert [key.number for key in batch.keys] == [0, 1, 0, 0, 1]
    later = Batch(batch.scenario, 2)
    later.reset([EpisodeKey(8, 1), EpisodeKey(5, 1)])
    assert same(batch.observe()[[4, 1]], later.observe())


@each_small
def test_running_and_next_episodes_have_storage_of_their_own(case: Case) -> None:
    batch = case.batch(6, seed=2)
    scripts = [Script(batch.scenario.action_space, i, 10) for i in range(6)]
    for t in range(30):
        running = batch.episodes.row
        assert len(set(running.tolist()) | set(batch._spare(np.arange(6)).tolist())) == 12
        before = {n: a[running].copy() for n, a in arrays(batch.episodes).items()}
        outcome = batch.step(joint_action(batch, scripts, [t] * 6))
        assert same(before, {n: a[running] for n, a in arrays(batch.episodes).items()})
        ended = over(batch, outcome)
        ended |= np.arange(6) == t % 11
        if ended.any():
            batch.restart(np.flatnonzero(ended))
    storage = list(arrays(batch.episodes).values())
    state = list(arrays(batch.state).values())
    assert not any(np.shares_memory(a, b) for a in storage for b in state)
    assert not any(np.shares_memory(a, b) for i, a in enumerate(state) for b in state[:i])


@each_small
def test_an_episode_does_not_depend_on_its_neighbours(case: Case) -> None:
    scenario = case.make_scenario()
    wanted = EpisodeKey(77, 5, "test")
    alone = arrays(scenario.draw([EpisodeRng(wanted)]))
    others = [EpisodeKey(i) for i in range(4)]
    among = arrays(scenario.draw([EpisodeRng(key) for key in (*others, wanted, *others)]))
    assert same({n: a[0] for n, a in alone.items()}, {n: a[4] for n, a in among.items()})


def test_resetting_again_starts_over() -> None:
    batch = Batch(Crowd(CrowdConfig(num_places=6)), 3)
    logs = []
    for _ in range(2):
        batch.reset(keys(3, seed=5))
        logs.append(play_batch(batch, 5, 20))
    assert same(*logs)


def test_causes_of_chance_are_independent() -> None:
    key = EpisodeKey(3, 1)
    rng = EpisodeRng(key)
    fading = rng["fading"].random(5)
    assert same(fading, EpisodeRng(key)["fading"].random(5)), "asked again, a cause begins again"
    rng["sites"].random(1000)
    assert same(fading, rng["fading"].random(5)), "draws of another cause change nothing"
    causes = ["fading", "sites", "mobility", "shadowing", "others", "schedule"]
    draws = np.array([EpisodeRng(key)[cause].standard_normal(20_000) for cause in causes])
    correlation = np.corrcoef(draws) - np.eye(len(causes))
    assert np.abs(correlation).max() < 0.04, "5.6 standard deviations"


def test_neighbouring_seeds_and_numbers_are_independent() -> None:
    keyed = [EpisodeKey(s, n) for s in range(5) for n in range(5)]
    draws = np.array([EpisodeRng(key)["fading"].standard_normal(20_000) for key in keyed])
    assert np.abs(np.corrcoef(draws) - np.eye(len(keyed))).max() < 0.04


def test_keys_must_be_one_a_copy() -> None:
    with pytest.raises(ValueError, match="one key for each environment is needed: 3, got 2"):
        Batch(SharedCells(SharedCellsConfig()), 3).reset(keys(2))
