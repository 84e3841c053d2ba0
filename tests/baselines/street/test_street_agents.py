"""The agents of the street: A3 on made-up measurements by hand, what each may hear, the oracle against everybody."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmwave_baselines.street.conditional import ChoA3
from mmwave_baselines.street.fresh import A3Fresh
from mmwave_baselines.street.oracle import Oracle, bound, solve
from mmwave_baselines.street.rules import A3, A3Offsets, A3Undelayed, RandomCell, Stay, Strongest
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rule import Seen
from mmwave_gym.benchmark.suite import task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, ObservationField, ObservationFields

EPISODES = 32
SUMS = 1e-3  # of some 2,000: rates are float32
RULES = {
    "random": RandomCell(),
    "stay": Stay(),
    "strongest": Strongest(),
    "a3": A3(3.0),
    "a3, waiting": A3(1.0, 1, 4.0),
    "a3 with offsets": A3Offsets(3.0, offset_db=(4.0, -4.0, 0.0, -8.0, 0.0, 0.0)),
    "a3 undelayed": A3Undelayed(3.0, 2),
    "a3 fresh": A3Fresh(past=0.3, trend=0.5, decisions=2, commands_in_outage=True),
}


def fake_view(rows: int, cells: int, truth: Any = None) -> Any:
    """A view without an environment behind it."""
    fields = ObservationFields(
        [
            ObservationField("serving", cells, 0.0, 1.0, "1", ""),  # not first in the environment: names must do
            ObservationField("rsrp_0_dbm", cells, -140.0, 0.0, "dBm", ""),
        ]
    )
    constants = {"num_cells": cells}
    return SimpleNamespace(fields=fields, num_rows=rows, constants=constants, look=lambda *_: {"rsrp_dbm": truth})


def chosen(agent: A3, rsrp_dbm: Any, starts: tuple[int, ...] = (0,), stuck: bool = False) -> list[int]:
    """Cells that one UE chooses, served by cell 0 at first; `stuck`: its handovers come to nothing."""
    rsrp_dbm = np.asarray(rsrp_dbm, float)
    view = fake_view(1, rsrp_dbm.shape[1])
    memory, serving, cells = agent.begin(view), 0, []
    for t, level_dbm in enumerate(rsrp_dbm):
        if t in starts:
            serving = 0
        observation = np.concatenate((np.eye(len(level_dbm))[serving], level_dbm)).astype(np.float32)[None]
        action, memory = agent.predict(observation, memory, np.array([t in starts]))
        cells.append(int(action[0]))
        serving = serving if stuck else cells[-1]
    return cells


def better_by(*dbs: float) -> list[list[float]]:
    """Measurements of two cells, all of them different, in which cell 1 is so much better."""
    return [[-80.0 - 0.25 * t, -80.0 - 0.25 * t + db] for t, db in enumerate(dbs)]


# ------------------------------------------------------------------------------------------------------ A3 by hand


def test_the_entering_condition_is_strict() -> None:
    assert chosen(A3(3.0), better_by(3.0, 3.0)) == [0, 0]
    assert chosen(A3(3.0), better_by(2.75, 3.25)) == [0, 1]


def test_of_those_that_trigger_the_strongest_is_taken() -> None:
    assert chosen(A3(3.0), [[-80.0, -76.0, -75.0, -79.0]]) == [2]


def test_the_wait_counts_new_measurements_in_a_row() -> None:
    assert chosen(A3(3.0, 2), better_by(4.0, 4.0, 4.0, 4.0)) == [0, 0, 1, 1]
    assert chosen(A3(3.0, 2), better_by(4.0, 4.0, 2.0, 4.0, 4.0, 4.0)) == [0, 0, 0, 0, 0, 1]
    old = [[-80.0, -76.0]] * 4  # the same numbers are the same measurement, four decisions long
    assert chosen(A3(3.0, 1), old + better_by(4.5)) == [0, 0, 0, 0, 1]
    assert chosen(A3(3.0, 0), old) == [1, 1, 1, 1]


def test_a_lost_command_is_not_sent_again_before_the_next_measurement() -> None:
    old = [[-80.0, -76.0]] * 3
    assert chosen(A3(3.0), old + better_by(4.5), stuck=True) == [1, 0, 0, 1]


def test_a_counter_begins_anew_with_another_serving_cell() -> None:
    """Cell 2 has been better than cell 0 twice, than cell 1 not yet: after the handover to 1 it waits again."""
    levels = [[-80, -70, -74], [-80.5, -70, -74], [-81, -70, -65], [-81.5, -70, -65.5], [-82, -70, -66]]
    assert chosen(A3(3.0, 1), levels) == [0, 1, 1, 2, 2]


def test_the_filter_forgets_by_half_with_four() -> None:
    """F = (F + M) / 2 with k = 4: after a step of 8 dB at the second measurement 4, 6, 7 dB."""
    step = better_by(0.0, 8.0, 8.0, 8.0)
    assert chosen(A3(5.9, 0, 4.0), step) == [0, 0, 1, 1]
    assert chosen(A3(6.1, 0, 4.0), step) == [0, 0, 0, 1]
    assert chosen(A3(7.5, 0, 0.0), step) == [0, 1, 1, 1]  # k = 0 takes the measurement itself
    # k = 8: a = 1/4: 2, 3.5, 4.625.
    assert chosen(A3(3.4, 0, 8.0), step) == [0, 0, 1, 1]
    assert chosen(A3(3.6, 0, 8.0), step) == [0, 0, 0, 1]


def test_offsets_add_to_their_cell_on_both_sides() -> None:
    level = [[-80.0, -77.0, -76.0]]
    assert chosen(A3Offsets(3.0), level) == [2]
    assert chosen(A3Offsets(3.0, offset_db=(0.0, 2.0, 0.0)), level) == [1]  # 5 dB against 4
    assert chosen(A3Offsets(3.0, offset_db=(2.0, 0.0, 0.0)), level) == [0]  # of the serving cell: harder to leave
    assert chosen(A3Offsets(3.0, offset_db=(0.0, 0.0, -2.0)), level) == [0]
    with pytest.raises(AgentError, match="offset_db must have 3 numbers, one a cell, got 2"):
        chosen(A3Offsets(3.0, offset_db=(0.0, 2.0)), level)


def test_an_episode_s_start_forgets_all() -> None:
    """The filter begins at the first measurement, the counter at none."""
    far = better_by(-20.0, -20.0, 4.0, 4.0)
    assert chosen(A3(3.0, 0, 4.0), far) == [0, 0, 0, 0]
    assert chosen(A3(3.0, 0, 4.0), far, starts=(0, 2)) == [0, 0, 1, 1]
    near = better_by(4.0, 4.0, 4.0, 4.0)
    assert chosen(A3(3.0, 2), near) == [0, 0, 1, 1]
    assert chosen(A3(3.0, 2), near, starts=(0, 1)) == [0, 0, 0, 1]


@pytest.mark.parametrize(("name", "value"), [("wait", -1), ("wait", 0.5), ("filter_k", -1.0), ("hysteresis_db", -200)])
def test_bad_settings(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        A3(**{name: value})  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------- in the environment


def batch_of(n: int, first: int = 0, **keywords: Any) -> Batch:
    batch = Batch(make_scenario("street", **keywords), n)
    batch.reset([EpisodeKey(5, first + i, "test") for i in range(n)])
    return batch


def play(agent: Any, batch: Batch) -> tuple[Any, Any]:
    """Actions (step, copy) and reward sums (copy,) until all copies have ended; those that have stand still."""
    n = batch.num_envs
    keys = [np.random.default_rng([3, key.number]) for key in batch.keys]
    memory = agent.begin(View(batch, agent.access), RowRng(keys))
    start, here, total, actions = np.ones(n, bool), np.ones(n, bool), np.zeros(n), []
    while here.any():
        action, memory = agent.predict(batch.observe()[:, 0], memory, start)
        start = np.zeros(n, bool)
        serving = batch.state.serving
        actions.append(np.where(here, action, -1))
        outcome = batch.step(np.where(here, action, serving)[:, None])
        total += here * outcome.reward[:, 0]
        here &= ~outcome.truncated
        over = batch.state.tick >= batch.scenario.ticks  # type: ignore[attr-defined]
        batch.state.tick[over] = batch.scenario.ticks - 5  # type: ignore[attr-defined]
    return np.array(actions), total


@pytest.mark.parametrize("rule", RULES)
def test_rows_are_independent(rule: str) -> None:
    together, sums = play(RULES[rule], batch_of(4, duration_s=6.0))
    for i in range(4):
        alone, total = play(RULES[rule], batch_of(1, i, duration_s=6.0))
        np.testing.assert_array_equal(alone[:, 0], together[: len(alone), i])
        assert total[0] == pytest.approx(sums[i], rel=1e-12)


def test_a3_hears_late_and_undelayed_hears_the_truth() -> None:
    batch = batch_of(3, measurement_error_db=0.0)
    for _ in range(7):  # to 0.7 s: the newest measurement is the mean over 0 to 0.4 s
        batch.step(batch.state.serving[:, None])
    episodes = batch.episodes
    for agent, expected in (
        (A3(), episodes.rsrp_dbm[episodes.row, 1:21].mean(axis=1)),
        (A3Undelayed(), episodes.rsrp_dbm[episodes.row, 35]),
    ):
        seen = Seen(View(batch, agent.access), None, batch.observe()[:, 0], np.ones(3, bool))
        np.testing.assert_allclose(agent.heard(seen), expected, atol=1e-3)
    with pytest.raises(Exception, match="rsrp_dbm"):
        View(batch, "local").look("rsrp_dbm")


def test_undelayed_counts_decisions_where_a3_counts_measurements() -> None:
    level = np.array([[-80.0, -76.0]])
    observation = np.concatenate((np.eye(2)[[0]], level), axis=1).astype(np.float32)
    for agent, expected in ((A3(3.0, 2), [0, 0, 0, 0]), (A3Undelayed(3.0, 2), [0, 0, 1, 1])):
        memory, actions = agent.begin(fake_view(1, 2, level)), []
        for t in range(4):
            action, memory = agent.predict(observation, memory, np.array([t == 0]))
            actions.append(int(action[0]))
        assert actions == expected


def test_agents_begin_before_they_predict() -> None:
    for agent in (*RULES.values(), Oracle()):
        with pytest.raises(AgentError, match="must begin before it predicts"):
            agent.predict(np.zeros((1, 60), np.float32))


# ------------------------------------------------------------------------------------------- conditional handover


def conditional_choices(rule: ChoA3, now_dbm: Any, prepared: Any, sinr_db: float = 0.0) -> list[int]:
    """Cells that one UE names, served by cell 0 throughout: it is told RSRPs (decision, cell) of now in dBm."""
    fields = ObservationFields(
        [ObservationField(name, 3, -140.0, 1.0, "1", "") for name in ("serving", "prepared", "now_dbm", "sinr_db")]
    )
    view: Any = SimpleNamespace(fields=fields, num_rows=1, constants={"num_cells": 3, "handover": "conditional"})
    memory, cells = rule.begin(view), []
    for t, level_dbm in enumerate(now_dbm):
        seen = np.concatenate(([1.0, 0.0, 0.0], prepared, level_dbm, [sinr_db] * 3)).astype(np.float32)[None]
        action, memory = rule.predict(seen, memory, np.array([t == 0]))
        cells.append(int(action[0]))
    return cells


def test_cho_a3_by_hand() -> None:
    """Cell 2 is 5 dB better, cell 1 is 4 dB better."""
    level = [[-80.0, -76.0, -75.0]]
    assert conditional_choices(ChoA3(hysteresis_db=4.5), level, (0, 1, 1)) == [2]
    assert conditional_choices(ChoA3(hysteresis_db=3.0), level, (0, 1, 0)) == [1]  # 2 is not prepared
    assert conditional_choices(ChoA3(hysteresis_db=4.5), level, (0, 1, 0)) == [0]
    assert conditional_choices(ChoA3(hysteresis_db=5.0), level, (0, 1, 1)) == [0]  # strictly better
    assert conditional_choices(ChoA3(hysteresis_db=3.0), level, (0, 0, 0)) == [0]
    assert conditional_choices(ChoA3(hysteresis_db=3.0, gate_db=0.0), level, (0, 1, 1)) == [0]
    assert conditional_choices(ChoA3(hysteresis_db=3.0, gate_db=0.5), level, (0, 1, 1)) == [2]
    off, on = [-80.0, -80.0, -80.0], level[0]
    assert conditional_choices(ChoA3(decisions=2), [on, on, off, on, on], (0, 1, 1)) == [0, 2, 0, 0, 2]


def test_cho_a3_needs_conditional_handovers() -> None:
    with pytest.raises(AgentError, match="cho-a3 needs a task with handover='conditional', such as"):
        ChoA3.for_task(task("street/car-sparse-v1"))
    with pytest.raises(AgentError, match="cho-a3 needs"):
        ChoA3().begin(View(batch_of(1), "local"))
    assert ChoA3.for_task(task("street/car-sparse-conditional-v1")).config["tuned_on"]
    assert task("street/car-sparse-conditional-v1").reference == "cho-a3"


def test_shaped_rewards_of_v1_and_conditional_handovers_rank_as_the_oracle() -> None:
    """V along the oracle's own decisions: it loses no more than T310 and re-establishment at will are worth."""
    pytest.importorskip("stable_baselines3")
    from mmwave_baselines.street.training.shaping import StreetPotential
    from mmwave_gym.api.sb3 import make_sb3_vec_env

    for keywords in ({}, {"handover": "conditional"}):
        venv: Any = make_sb3_vec_env("MmwaveStreet-v1", n_envs=4, seed=3, duration_s=4.0, **keywords)
        venv.reset()
        potential, batch, oracle = StreetPotential(venv), venv.batch, Oracle()
        value, memory = potential.solve(np.ones(4, bool)), oracle.begin(View(venv.batch, "hindsight"))
        for step in range(20):
            action, memory = oracle.predict(batch.observe()[:, 0], memory, np.full(4, step == 0))
            reward = batch.step(action[:, None]).reward
            following = potential.after(action[:, None], np.zeros(4, bool))
            assert (reward + following <= value + SUMS).all()
            assert (reward + following >= value - 0.05 * value).all()
            value = following
            if (batch.state.tick >= batch.scenario.ticks - 20).any():
                break


# ------------------------------------------------------------------------------------------------------ oracle

WORLDS: dict[str, dict[str, Any]] = {
    "cars": {},
    "pedestrians": {"users": "pedestrian", "decision_s": 0.4},
    "weak": {"link_budget_db": 112.0, "duration_s": 20.0},
    "v1": {"lost_command": "stays"},
    "v1, weak": {"lost_command": "stays", "link_budget_db": 112.0, "duration_s": 20.0},
    "conditional": {"handover": "conditional"},
    "conditional, weak": {"handover": "conditional", "link_budget_db": 112.0, "duration_s": 20.0},
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_oracle_plays_what_its_values_promise_and_nobody_beats_it(world: str) -> None:
    keywords = WORLDS[world]
    batch = batch_of(EPISODES, **keywords)
    episodes, rows = batch.episodes, batch.episodes.row
    conditional = "handover" in keywords
    shown = batch.scenario.reveal(episodes, batch.state, "hindsight")
    prepared = (shown["prepared_ahead"](),) if conditional else ()
    ways = episodes.sinr_db[rows], episodes.rsrp_dbm[rows], batch.scenario.constants(), *prepared
    at_start = np.arange(EPISODES), 0, batch.state.serving
    most = bound(*ways)[at_start]
    promised = solve(*ways).value[np.arange(EPISODES), batch.state.serving]
    _, best = play(Oracle(), batch)
    assert best == pytest.approx(promised, abs=SUMS)
    assert (best <= most + SUMS).all()
    # Nobody fails a link at will where a lost command does not: what `bound` leaves out is worth more.
    assert best.sum() == pytest.approx(most.sum(), rel=0.005 if world == "v1, weak" else 0.002)
    for name, rule in {**RULES, **({"cho-a3": ChoA3(hysteresis_db=6.0)} if conditional else {})}.items():
        _, total = play(rule, batch_of(EPISODES, **keywords))
        assert (total <= best + SUMS).all(), name
        assert total.sum() < best.sum(), name


def test_the_oracle_notices_a_new_episode() -> None:
    batch = batch_of(2, duration_s=2.0)
    oracle = Oracle()
    memory = oracle.begin(View(batch, "hindsight"))
    sums = []
    for _ in range(2):
        start, total = np.ones(2, bool), np.zeros(2)
        here = np.ones(2, bool)
        while here.any():
            action, memory = oracle.predict(batch.observe()[:, 0], memory, start)
            start = np.zeros(2, bool)
            outcome = batch.step(action[:, None])
            total += here * outcome.reward[:, 0]
            here &= ~outcome.truncated
            batch.state.tick = np.minimum(batch.state.tick, batch.scenario.ticks - 5)  # type: ignore[attr-defined]
        sums.append(total)
        batch.restart(np.arange(2))
    for number in range(2):
        _, fresh = play(oracle, batch_of(2, number, duration_s=2.0))
        np.testing.assert_allclose(sums[number], fresh)
