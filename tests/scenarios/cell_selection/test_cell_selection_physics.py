"""Cell selection against pencil and paper: chains, loads, rates, the paper's anchors, the table."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import mmwave_gym  # noqa: F401  (registers)
from mmwave_gym.api.gymnasium import ScenarioEnv
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.radio.nyu_28ghz import mean_efficiency_bps_hz, state_law, state_probabilities
from mmwave_gym.scenarios.cell_selection import config as cs, markov
from mmwave_gym.scenarios.cell_selection.game import CellSelection

PRINTED = np.array(cs.PRINTED_MATRIX)
LOS, NLOS, OUT = range(3)
UNIT = {"rate_bps_hz": (1.0, 0.161, 0.0)}  # rates in units of LOS


def batch_of(num_envs: int, seed: int = 0, **keywords: Any) -> Batch:
    batch = Batch(CellSelection(cs.CellSelectionConfig(**keywords)), num_envs)
    batch.reset([EpisodeKey(seed + i) for i in range(num_envs)])
    return batch


def world(serving: list[int], *channels: list[list[int]], **keywords: Any) -> Batch:
    """One copy whose UEs are at `serving` and whose links have the states `channels[t][ue][cell]`."""
    shape = np.shape(channels[0])
    batch = batch_of(1, num_ues=shape[0], num_cells=shape[1], horizon=len(channels) - 1, **keywords)
    batch.episodes.channel[0] = channels
    batch.episodes.first_cell[0] = serving
    batch.rewind(np.arange(1))
    return batch


# ------------------------------------------------------------------------------------------------- chains


def stepped(matrix: np.ndarray, first: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The obvious loop: the next state is the first whose cumulated probability exceeds the uniform number."""
    bounds = np.ceil(np.cumsum(matrix, axis=1)[:, :-1] * 2.0**32)
    states, state = [], first
    for word in words:
        state = (word[..., None] >= bounds[state]).sum(axis=-1)
        states.append(state)
    return np.array(states)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("num_slots", [1, 2, 3, 8, 63, 257])
def test_paths_are_those_of_the_loop(k: int, num_slots: int) -> None:
    rng = np.random.default_rng(k)
    sampler = markov.ChainSampler(matrix := rng.dirichlet(np.ones(k), k))
    assert (sampler._table is None) == (k >= 5), "both ways of composing are tried"
    first, words = rng.integers(0, k, (4, 3)).astype(np.uint8), markov.uniform_words(rng, (num_slots, 4, 3))
    assert (sampler.paths(first, words) == stepped(matrix, first, words)).all()


@pytest.mark.parametrize("matrix", [cs.PRINTED_MATRIX, cs.recipe_matrix(), ((0.5, 0.5), (1.0, 0.0))])
def test_paths_of_presets_and_of_matrices_with_zeros(matrix: cs.Matrix) -> None:
    rng, p = np.random.default_rng(0), np.array(matrix)
    first, words = rng.integers(0, len(p), 9).astype(np.uint8), markov.uniform_words(rng, (500, 9))
    assert (markov.ChainSampler(p).paths(first, words) == stepped(p, first, words)).all()


def test_no_slots_no_states() -> None:
    empty = markov.ChainSampler(PRINTED).paths(np.zeros(2, np.uint8), np.empty((0, 2), np.uint32))
    assert empty.shape == (0, 2)


def test_words_at_the_bounds_are_those_of_the_loop() -> None:
    """A word equal to a bound belongs to the state above it."""
    bounds = np.ceil(np.cumsum(PRINTED, axis=1)[:, :-1] * 2.0**32).astype(np.int64).ravel()
    words = np.concatenate((bounds - 1, bounds, bounds + 1)).astype(np.uint32)[:, None]
    for state in range(3):
        first, once = np.full(len(words), state, np.uint8), words.T
        sampler = markov.ChainSampler(PRINTED)
        assert (sampler.paths(first, once) == stepped(PRINTED, first, once)).all()


def test_extreme_words_take_the_first_and_the_last_possible_state() -> None:
    words = np.array([[0], [2**32 - 1]], np.uint32)
    sampler = markov.ChainSampler(np.array(((0.0, 0.5, 0.5), (0.25, 0.25, 0.5), (0.0, 1.0, 0.0))))
    assert sampler.paths(np.zeros(1, np.uint8), words).ravel().tolist() == [1, 2]
    assert sampler.paths(np.full(1, 2, np.uint8), words[1:]).ravel().tolist() == [1]


def test_stationary_laws() -> None:
    """The printed matrix has pi = (.1735, .6377, .1887); by hand for two states: (b, a) / (a + b)."""
    assert markov.stationary_law(PRINTED) == pytest.approx((0.1735, 0.6377, 0.1887), abs=5e-5)
    assert markov.stationary_law(np.array(((0.9, 0.1), (0.3, 0.7)))) == pytest.approx((0.75, 0.25))


def test_transitions_have_the_printed_frequencies() -> None:
    """Four standard errors of each cell; the first slot has the stationary law."""
    channel = batch_of(40, horizon=2000).episodes.channel[:40].reshape(40, 2001, -1)
    counts = np.zeros((3, 3))
    np.add.at(counts, (channel[:, :-1], channel[:, 1:]), 1)
    seen = counts.sum(axis=1, keepdims=True)
    assert (np.abs(counts / seen - PRINTED) < 4 * np.sqrt(PRINTED * (1 - PRINTED) / seen)).all()
    law = markov.stationary_law(PRINTED)
    many = batch_of(2000, seed=9, horizon=1).episodes.channel[:2000]
    for slot in (0, 1):
        shares = np.bincount(many[:, slot].ravel(), minlength=3) / many[:, slot].size
        assert (np.abs(shares - law) < 4 * np.sqrt(law * (1 - law) / many[:, slot].size)).all()


def test_links_are_independent() -> None:
    flat = batch_of(40, horizon=1000).episodes.channel[:40].reshape(-1, 9) == LOS
    correlation = np.corrcoef(flat.T) - np.eye(9)
    assert np.abs(correlation).max() < 0.03
    assert len(np.unique(flat.T, axis=0)) == 9


# ---------------------------------------------------------------------------------------- where numbers come from


def test_law_of_the_disc_is_that_of_the_printed_matrix_term_by_term() -> None:
    """LOS .1672, NLOS .6407, OUT .1922, against (.1735, .6377, .1887)."""
    assert state_law() == pytest.approx((0.1672, 0.6407, 0.1922), abs=5e-5)
    assert sum(state_law()) == pytest.approx(1.0)
    assert state_probabilities(np.array([0.0, 156.0, 200.0])).sum(axis=0) == pytest.approx(np.ones(3))
    assert state_probabilities(np.array(67.1))[0] == pytest.approx(np.exp(-1.0))
    samples_m = 200.0 * np.sqrt(np.random.default_rng(0).random(200_000))
    assert state_probabilities(samples_m).mean(axis=1) == pytest.approx(state_law(), abs=3e-3)


def test_recipe_has_the_law_of_the_disc_and_the_best_sojourns() -> None:
    """diag = (.798, .953, .669); no move that keeps the constraints comes nearer to T_avg."""
    matrix = np.array(cs.recipe_matrix())
    assert matrix.sum(axis=1) == pytest.approx(np.ones(3))
    assert np.diag(matrix) == pytest.approx((0.798, 0.953, 0.669), abs=5e-4)
    law = np.array(state_law())
    assert law @ matrix == pytest.approx(law, abs=2e-6)
    wanted = 1 - 1 / np.array((5, 25, 3))
    best = ((np.diag(matrix) - wanted) ** 2).sum()
    rng = np.random.default_rng(1)
    for _ in range(300):  # flows pi_i P_ij that balance: symmetric ones and circulations
        a, b, c = rng.dirichlet(np.ones(3), 3) * law.min() / 2
        flow = np.zeros((3, 3))
        flow[0, 1] = flow[1, 0] = a[0]
        flow[0, 2] = flow[2, 0] = b[0]
        flow[1, 2] = flow[2, 1] = c[0]
        flow[0, 1], flow[1, 2], flow[2, 0] = flow[0, 1] + a[1], flow[1, 2] + a[1], flow[2, 0] + a[1]
        stays = 1 - flow.sum(axis=1) / law
        if (stays >= 0).all():
            assert ((stays - wanted) ** 2).sum() > best - 1e-5


def test_rates_are_those_of_the_disc() -> None:
    """11.7 and 1.89 before overhead, rho = .161; .194 without the loss, .357 with the cap."""
    assert mean_efficiency_bps_hz() == pytest.approx((11.7, 1.89), abs=6e-3)
    ratio = {name: rates[NLOS] / rates[LOS] for name, rates in cs.named_rates_bps_hz().items()}
    assert ratio == pytest.approx({"shannon": 0.161, "no_loss": 0.194, "capped": 0.357, "fitted": 0.14}, abs=6e-4)
    assert cs.named_rates_bps_hz()["shannon"] == pytest.approx((9.36, 1.51, 0.0), abs=5e-3)
    assert tuple(cs.named_rates_bps_hz()) == cs.RATES


# --------------------------------------------------------------------------------------------- the game by hand


@pytest.mark.parametrize(
    ("action", "expected"),
    [  # UE 0 has LOS at cell 0 and NLOS at cell 1, UE 1 has outage and LOS, both served by cell 0
        ([0, 0], [10.0 / 2, 0.0]),
        ([0, 1], [10.0, 0.8 * 10.0]),
        ([1, 0], [0.8 * 2.0, 0.0]),
        ([1, 1], [0.8 * 2.0 / 2, 0.8 * 10.0 / 2]),
    ],
)
@pytest.mark.parametrize("reward", ["own", "team"])
def test_every_joint_action_of_a_two_by_two_world(action: list[int], expected: list[float], reward: str) -> None:
    now, after = [[OUT, OUT], [NLOS, NLOS]], [[LOS, NLOS], [OUT, LOS]]
    batch = world([0, 0], now, after, rate_bps_hz=(10.0, 2.0, 0.0), handover_cost=0.2, reward=reward)
    outcome = batch.step(np.array([action]))
    paid = [sum(expected)] * 2 if reward == "team" else expected
    assert outcome.reward[0] == pytest.approx(paid)
    metrics = {name: value[0].tolist() for name, value in outcome.metrics.items()}
    assert metrics["spectral_efficiency_bps_hz"] == pytest.approx(sum(expected))
    assert metrics["own_efficiency_bps_hz"] == pytest.approx(expected)
    assert metrics["handovers_per_slot"] == sum(action)
    assert metrics["outage_fraction"] == [0.0, float(action[1] == 0)]
    assert metrics["load_imbalance"] == (2.0 if action[0] == action[1] else 0.0)
    assert outcome.truncated[0]
    assert not outcome.terminated.any()


@pytest.mark.parametrize(
    ("load", "first", "second"),
    [
        ("present", [1 / 2, 0, 1], [1 / 2, 0, 1 / 2]),
        ("previous", [1 / 2, 0, 1], [1 / 2, 0, 1]),
        ("served", [1, 0, 1], [1 / 2, 0, 1 / 2]),
    ],
)
def test_who_shares_the_slot(load: str, first: list[float], second: list[float]) -> None:
    """UEs 0 and 1 were at cell 0, UE 2 at cell 1; UE 1 is in outage. UE 2 goes to an empty cell, or UE 0 joins it."""
    after = [[LOS] * 3, [OUT] * 3, [LOS] * 3]
    for action, expected in (([0, 0, 2], first), ([1, 0, 1], second)):
        batch = world([0, 0, 1], after, after, rate_bps_hz=(1.0, 0.5, 0.0), handover_cost=0.0, load=load)
        assert batch.step(np.array([action])).reward[0] == pytest.approx(expected)


def test_observation_by_hand() -> None:
    now = [[OUT, LOS, NLOS], [NLOS, NLOS, LOS]]
    batch = world([2, 1], now, now)
    fields = batch.scenario.fields.split(batch.observe()[0])
    assert fields["los"].tolist() == [[0, 1, 0], [0, 0, 1]]
    assert fields["nlos"].tolist() == [[0, 0, 1], [1, 1, 0]]
    assert fields["outage"].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert fields["serving"].tolist() == [[0, 0, 1], [0, 1, 0]]
    assert fields["others"].tolist() == [[0, 1, 0], [0, 0, 1]]
    batch.step(np.array([[1, 1]]))
    after = batch.scenario.fields.split(batch.observe()[0])
    assert after["others"].tolist() == [[0, 1, 0]] * 2
    assert after["serving"].tolist() == [[0, 1, 0]] * 2


def test_large_observations_are_written_as_small_ones_are() -> None:
    """Many cells have no table of observations; both ways agree where both exist."""
    batch = batch_of(5, num_ues=4, num_cells=3)
    tabled = batch.observe()
    assert batch.scenario._rows is not None
    batch.scenario._rows = None
    assert (batch.observe() == tabled).all()
    wide = batch_of(2, num_ues=2, num_cells=9)
    assert wide.scenario._rows is None
    fields = wide.scenario.fields.split(wide.observe())
    channel = wide.episodes.channel[wide.episodes.row, 0]
    assert all((fields[name] == (channel == k)).all() for k, name in enumerate(cs.STATES))
    assert (fields["others"].sum(axis=-1) == 1).all()


def test_more_or_fewer_states_than_three() -> None:
    keywords = {"transition": ((0.5, 0.5), (0.25, 0.75)), "rate_bps_hz": (3.0, 1.0)}
    scenario = batch_of(1, **keywords).scenario
    assert [f.name for f in scenario.fields] == ["state_0", "state_1", "serving", "others"]
    assert world([0], [[0, 1]], [[1, 0]], **keywords, handover_cost=0.5).step(np.array([[1]])).reward[0, 0] == 1.5


def test_the_world_is_the_same_whatever_is_done_in_it() -> None:
    worlds = []
    for policy in (0, 1):
        batch = batch_of(3, seed=4, horizon=20)
        for _ in range(20):
            batch.step(np.full((3, 3), policy))
        batch.restart(np.arange(3))
        worlds.append(batch.episodes.channel[batch.episodes.row].copy())
    assert (worlds[0] == worlds[1]).all()


def test_cost_rates_load_and_reward_leave_the_world_alone_and_starts_too() -> None:
    first = batch_of(4, horizon=50).episodes
    other = batch_of(4, horizon=50, handover_cost=0.3, rate_bps_hz="capped", load="served", start="spread").episodes
    assert (first.channel[:4] == other.channel[:4]).all()
    assert other.first_cell[0].tolist() == [0, 1, 2]
    assert batch_of(1, start=(2, 2, 0)).state.serving.tolist() == [[2, 2, 0]]


def test_model_is_public_and_channels_are_not() -> None:
    batch = batch_of(2)
    constants = batch.scenario.constants()
    assert constants["transition"] == cs.PRINTED_MATRIX
    assert constants["rate_bps_hz"] == pytest.approx(cs.named_rates_bps_hz()["shannon"])
    assert constants["stationary_law"] == pytest.approx(markov.stationary_law(PRINTED))
    assert constants["step_s"] == 125e-6
    reveal = batch.scenario.reveal
    assert reveal(batch.episodes, batch.state, "local") == {}
    central = reveal(batch.episodes, batch.state, "central")
    assert (central["channel"] == batch.episodes.channel[batch.episodes.row, 0]).all()
    assert (central["serving"] == batch.state.serving).all()
    assert reveal(batch.episodes, batch.state, "hindsight")["channels"].shape == (2, 1001, 3, 3)


# ------------------------------------------------------------------------------- the paper's schemes


def mean_metrics(policy: Any, num_ues: int = 3, num_envs: int = 60, horizon: int = 1000, **keywords: Any) -> dict:
    """Means over slots after the first 20; policy(fields, rng) gives the cells (num_envs, ues)."""
    batch = batch_of(num_envs, seed=1000, num_ues=num_ues, horizon=horizon, **{**UNIT, **keywords})
    rng, sums, slots = np.random.default_rng(3), {}, 0
    for t in range(horizon):
        cells = policy(batch.scenario.fields.split(batch.observe()), rng)
        metrics = batch.step(cells).metrics
        if t >= 20:
            slots += 1
            for name, value in metrics.items():
                sums[name] = sums.get(name, 0.0) + value.mean()
    return {name: value / slots for name, value in sums.items()}


def best_cell(score: np.ndarray, ties: str, fields: dict, rng: np.random.Generator) -> np.ndarray:
    nudge = {"random": rng.random(score.shape), "stay": fields["serving"], "lowest": np.zeros(score.shape)}[ties]
    return (score + 1e-6 * nudge).argmax(axis=-1)


def channel_rule(ties: str) -> Any:
    return lambda fields, rng: best_cell(2 * fields["los"] + fields["nlos"], ties, fields, rng)


@pytest.mark.parametrize(("ties", "handovers"), [("random", 0.598), ("stay", 0.311), ("lowest", 0.42)])
def test_handovers_of_the_channel_rule(ties: str, handovers: float) -> None:
    """Handovers of a UE in a slot, from a long chain; the standard error here is below .002."""
    seen = mean_metrics(channel_rule(ties))["handovers_per_slot"] / 3
    assert seen == pytest.approx(handovers, abs=6e-3)


def test_efficiency_of_the_channel_rule() -> None:
    """From a long chain: .678 at rho = .161 and 10 %, random ties."""
    assert mean_metrics(channel_rule("random"))["spectral_efficiency_bps_hz"] == pytest.approx(0.678, abs=0.01)


def test_staying_at_cells_of_ones_own() -> None:
    """3 (.1735 + .6377 rho), no handovers, everybody alone."""
    seen = mean_metrics(lambda fields, rng: fields["serving"].argmax(axis=-1), start="spread")
    assert seen["spectral_efficiency_bps_hz"] == pytest.approx(3 * (0.1735 + 0.6377 * 0.161), abs=0.012)
    assert seen["handovers_per_slot"] == 0.0
    assert seen["load_imbalance"] == 0.0
    assert seen["outage_fraction"] == pytest.approx(0.1887, abs=4e-3)


@pytest.mark.parametrize("start", ["uniform", "spread"])
def test_load_rule_keeps_everybody_moving(start: str) -> None:
    """3 handovers a slot, because some cell is empty and all go there; .355 bit/s/Hz from a long chain."""
    seen = mean_metrics(lambda f, rng: best_cell(-(f["others"] + f["serving"]), "random", f, rng), start=start)
    assert seen["handovers_per_slot"] == 3.0
    assert seen["spectral_efficiency_bps_hz"] == pytest.approx(0.355, abs=0.01)


# ------------------------------------------------------------------------------------------ the tabular model


class Stay:
    """Everybody stays, whatever happens."""

    def predict(self, observation: Any, state: Any = None, **_: Any) -> tuple[Any, Any]:
        return observation[:, 6:8].argmax(axis=1), state


class LeaveOutage(Stay):
    """Goes to the other of two cells if the own link is in outage."""

    def predict(self, observation: Any, state: Any = None, **_: Any) -> tuple[Any, Any]:
        serving = observation[:, 6:8].argmax(axis=1)
        return np.where(observation[np.arange(len(serving)), 4 + serving] > 0, 1 - serving, serving), state


class Dice(Stay):
    def begin(self, view: Any, rng: Any) -> Any:
        return rng

    def predict(self, observation: Any, state: Any = None, **_: Any) -> tuple[Any, Any]:
        return (state.random() < 0.5).astype(int), state


TABLES = {
    "one UE": {"num_ues": 1, "num_cells": 3},
    "all of two": {"num_ues": 2, "num_cells": 2, "control": "all"},
    "one of two": {"num_ues": 2, "num_cells": 2, "others": LeaveOutage()},
}


def small_env(**keywords: Any) -> ScenarioEnv:
    return ScenarioEnv("cell_selection", **{"horizon": 400, "handover_cost": 0.3, **UNIT, **keywords})


def arrays(table: Any) -> tuple[np.ndarray, np.ndarray]:
    """(state, action, next state) probabilities and (state, action) mean rewards, from `P`."""
    chance = np.zeros((table.num_states, table.num_actions, table.num_states))
    reward = np.zeros((table.num_states, table.num_actions))
    for state, of in table.P.items():
        for action, moves in of.items():
            for p, following, paid, terminated in moves:
                chance[state, action, following] += p
                reward[state, action] += p * paid
                assert not terminated
    return chance, reward


def best_actions(chance: np.ndarray, reward: np.ndarray, discount: float = 0.9) -> np.ndarray:
    value = np.zeros(len(reward))
    for _ in range(300):
        worth = reward + discount * (chance @ value)
        value = worth.max(axis=1)
    return worth.argmax(axis=1)


@pytest.mark.parametrize("name", TABLES)
def test_dynamic_programming_on_the_table_gives_what_playing_gives(name: str) -> None:
    """The greedy policy's mean reward by its stationary law, and played in 12 episodes; it beats the other policies."""
    env = small_env(**TABLES[name])
    table = env.table
    assert env.P is table.P
    chance, reward = arrays(table)
    assert chance.sum(axis=2) == pytest.approx(np.ones(reward.shape))
    policy = best_actions(chance, reward)
    states = np.arange(table.num_states)

    def mean_reward(actions: np.ndarray) -> float:
        law = np.full(table.num_states, 1 / table.num_states)
        for _ in range(400):
            law = law @ chance[states, actions]
        return float(law @ reward[states, actions])

    predicted = mean_reward(policy)
    assert predicted > mean_reward(reward.argmin(axis=1))
    episodes = []
    for seed in range(12):
        env.reset(seed=seed)
        paid = [env.step(table.action(int(policy[env.s])))[1] for _ in range(400)]
        episodes.append(np.mean(paid))
    error = np.std(episodes, ddof=1) / np.sqrt(len(episodes))
    assert abs(np.mean(episodes) - predicted) < 4 * error


@pytest.mark.parametrize("name", TABLES)
def test_a_step_is_among_the_transitions_of_its_state(name: str) -> None:
    env = small_env(**TABLES[name])
    env.reset(seed=5)
    rng = np.random.default_rng(0)
    for _ in range(30):
        state, action = env.s, int(rng.integers(env.table.num_actions))
        reward = env.step(env.table.action(action))[1]
        moves = {following: paid for _, following, paid, _ in env.P[state][action]}
        assert moves[env.s] == pytest.approx(reward)


def test_numbering_of_states() -> None:
    table = small_env(**TABLES["all of two"]).table
    assert (table.num_states, table.num_actions) == (2**2 * 3**4, 4)
    everything = np.arange(table.num_states)
    serving, channel = table.decode(everything)
    assert (table.index(serving, channel) == everything).all()
    assert table.index([1, 0], [[0, 1], [2, 0]]) == 2 * 81 + 9 * 1 + 3 * 2
    assert table.action(2).tolist() == [1, 0]


def test_one_ue_alone_without_cost_takes_the_link_with_the_best_next_rate() -> None:
    """By hand: OUT has the better next rate than NLOS, .38 + .40 rho > .01 + .80 rho."""
    table = small_env(num_ues=1, num_cells=2, handover_cost=0.0).table
    policy = best_actions(*arrays(table))
    next_rate = PRINTED @ (1.0, 0.161, 0.0)
    assert next_rate[OUT] > next_rate[NLOS]
    for state, action in enumerate(policy):
        _, channel = table.decode(state)
        assert next_rate[channel[0, action]] == pytest.approx(next_rate[channel[0]].max())


def test_what_has_no_table_says_so() -> None:
    with pytest.raises(AttributeError, match="handover has no tabular model"):
        _ = ScenarioEnv("handover").P
    with pytest.raises(ValueError, match=r"3 UEs at 3 cells has 531,441 states .* choose fewer UEs or cells"):
        _ = small_env(num_ues=3, control="all").P
    with pytest.raises(ValueError, match="draws lots"):
        _ = small_env(num_ues=2, num_cells=2, others=Dice()).P


# --------------------------------------------------------------------------------------- the centralised view


def test_centralised_view_is_the_agents_side_by_side() -> None:
    joint = gymnasium.make_vec("MmwaveCellSelection-v0", num_envs=4, control="all", num_ues=3)
    batch = batch_of(4, seed=6)
    observation, _ = joint.reset(seed=6)
    assert joint.single_action_space.nvec.tolist() == [3, 3, 3]
    assert (observation == batch.observe().reshape(4, -1)).all()
    action = np.random.default_rng(0).integers(0, 3, (5, 4, 3))
    for cells in action:
        observation, reward, _, _, info = joint.step(cells)
        outcome = batch.step(cells)
        assert (observation == batch.observe().reshape(4, -1)).all()
        assert reward == pytest.approx(outcome.reward.sum(axis=1))
        assert info["handovers_per_slot"] == pytest.approx(outcome.metrics["handovers_per_slot"])
        assert info["own_efficiency_bps_hz"] == pytest.approx(outcome.metrics["own_efficiency_bps_hz"].mean(axis=1))


def test_centralised_view_of_agents_that_leave() -> None:
    env = ScenarioEnv("handover", control="all", num_ues=2, mobility="A3", horizon=2000)
    env.reset(seed=0)
    rewards, over = [], False
    while not over:
        _, reward, over, _, _ = env.step(np.zeros(2, np.int64))
        rewards.append(reward)
    departures = env.batch.episodes.departure[0]
    assert len(rewards) == departures.max()
    assert env.observation_space.shape == (24,)
    with pytest.raises(ValueError, match="control must be one of 'first', 'all', got 'both'"):
        ScenarioEnv("cell_selection", control="both")


# ------------------------------------------------------------------------------------------------- bad input

NOT_ERGODIC = {
    "absorbing": (((1.0, 0.0), (0.5, 0.5)), "state 1 does not"),
    "periodic": (((0.0, 1.0), (1.0, 0.0)), "state 0 does not"),
    "apart": (((0.5, 0.5, 0.0), (0.5, 0.5, 0.0), (0.0, 0.0, 1.0)), "state 0 does not"),
}


@pytest.mark.parametrize("name", NOT_ERGODIC)
def test_matrices_that_are_not_ergodic(name: str) -> None:
    matrix, message = NOT_ERGODIC[name]
    with pytest.raises(ValueError, match=f"must be ergodic.*{message}"):
        markov.checked_matrix("transition", matrix)


def test_the_slowest_ergodic_matrix_is_accepted() -> None:
    """Wielandt's: a cycle of five states and one chord needs (5 - 1)² + 1 = 17 slots until all is possible."""
    matrix = np.roll(np.eye(5), 1, axis=1)
    matrix[4] = (0.5, 0.5, 0.0, 0.0, 0.0)
    assert not (np.linalg.matrix_power(matrix, 16) > 0).all()
    assert (np.linalg.matrix_power(matrix, 17) > 0).all()
    assert (markov.checked_matrix("p", matrix.tolist()) == matrix).all()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_ues": 0}, "num_ues must be between 1 and 1,000, got 0"),
        ({"num_cells": 0}, "num_cells must be between 1 and 1,000, got 0"),
        ({"num_cells": 2.5}, "num_cells must be an integer"),
        ({"horizon": 0}, "horizon must be between 1"),
        ({"transition": "measured"}, "transition must be one of 'printed', 'recipe', 'drive_test', a .json file or"),
        ({"transition": "nowhere.json"}, "nowhere.json: there is no such file"),
        ({"transition": ((0.5, 0.5), (0.5, 0.6))}, r"row 1 of transition must sum to 1"),
        ({"transition": ((0.5, 0.5),)}, r"square matrix of 1 to 16 states, got shape \(1, 2\)"),
        ({"transition": ((1.2, -0.2), (0.5, 0.5))}, "row 0 of transition must be 2 probabilities"),
        ({"transition": ((float("nan"), 1.0), (0.5, 0.5))}, "row 0 of transition must be 2 probabilities"),
        ({"transition": (("a", "b"), ("c", "d"))}, "transition must be a square matrix of numbers"),
        ({"transition": ((0.5, 0.5), (0.5, 0.5))}, "rate_bps_hz='shannon' has the rates of 3 states"),
        ({"rate_bps_hz": "akdeniz"}, "rate_bps_hz must be one of 'shannon', 'no_loss', 'capped', 'fitted'"),
        ({"rate_bps_hz": (1.0, 0.5)}, "one rate for each of the 3 states"),
        ({"rate_bps_hz": (1.0, -0.5, 0.0)}, r"rate_bps_hz must be 1 to 16 numbers between 0 and 1000"),
        ({"rate_bps_hz": (0.0, 1.0, 2.0)}, "rate_bps_hz must not rise from LOS to NLOS to outage"),
        ({"start": 5}, "start must be 'uniform'"),
        ({"rate_bps_hz": 3.0}, "rate_bps_hz must be 1 to 16 numbers between 0 and 1000, got 3.0"),
        ({"handover_cost": 1.5}, "handover_cost must be between 0 and 1"),
        ({"handover_cost": float("nan")}, "handover_cost must be between 0 and 1"),
        ({"load": "next"}, "load must be one of 'present', 'previous', 'served'"),
        ({"reward": "sum"}, "reward must be one of 'own', 'team'"),
        ({"start": "centre"}, "start must be one of 'uniform', 'spread'"),
        ({"start": (0, 1)}, "a cell from 0 to 2 for each of the 3 UEs"),
        ({"start": (0, 1, 3)}, "a cell from 0 to 2 for each of the 3 UEs"),
        ({"step_s": 0.0}, "step_s must be between"),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, dict) else "",
)
def test_bad_keywords(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cs.CellSelectionConfig(**keywords)


numbers = st.one_of(st.floats(), st.integers(-2, 3), st.none(), st.text(max_size=2))


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        numbers, st.lists(st.lists(numbers, max_size=4), max_size=4), st.dictionaries(numbers, numbers, max_size=2)
    )
)
def test_any_matrix_is_ergodic_and_stochastic_or_refused_with_its_name(value: Any) -> None:
    try:
        matrix = markov.checked_matrix("transition", value)
    except ValueError:
        with pytest.raises(ValueError, match="transition"):
            markov.checked_matrix("transition", value)
    else:
        assert matrix.sum(axis=1) == pytest.approx(np.ones(len(matrix)))
        assume(matrix[matrix > 0.0].min() >= 2.0**-32)  # words of 32 bits draw nothing rarer, and laws have 16 digits
        law = markov.stationary_law(matrix)
        assert (law > 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_powers_of_an_ergodic_matrix_go_to_the_stationary_law(k: int, seed: int) -> None:
    """Half of the entries are 0, so many matrices are not ergodic: those are refused, and their powers show why."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 9, (k, k)) * (rng.random((k, k)) < 0.5) + np.eye(k)[rng.permutation(k)]
    p = weights / weights.sum(axis=1, keepdims=True)
    far = np.linalg.matrix_power(p, 2**20)  # in exact arithmetic positive at 2^20 if and only if ergodic
    try:
        matrix = markov.checked_matrix("p", p.tolist())
    except ValueError:
        assert (far < 1e-12).any()
    else:
        assert far == pytest.approx(np.tile(markov.stationary_law(matrix), (k, 1)), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    num_ues=st.integers(1, 7),
    num_cells=st.integers(1, 6),
    cost=st.floats(0.0, 1.0),
    load=st.sampled_from(cs.LOADS),
    seed=st.integers(0, 2**40),
)
def test_any_size_keeps_its_books(num_ues: int, num_cells: int, cost: float, load: str, seed: int) -> None:
    """Loads add up, rewards are shares of rates, observations stay in bounds."""
    batch = batch_of(2, seed=seed, num_ues=num_ues, num_cells=num_cells, handover_cost=cost, load=load, horizon=5)
    scenario, rng = batch.scenario, np.random.default_rng(seed)
    for _ in range(5):
        before = batch.state.serving
        outcome = batch.step(cells := rng.integers(0, num_cells, (2, num_ues)))
        observation = batch.observe()
        assert (observation >= scenario.fields.low).all()
        assert (observation <= scenario.fields.high).all()
        assert (scenario.fields.split(observation)["others"].sum(axis=-1) == num_ues - 1).all()
        assert outcome.metrics["handovers_per_slot"].tolist() == (cells != before).sum(axis=1).tolist()
        assert (outcome.reward >= 0).all()
        assert (outcome.reward <= scenario.rate_bps_hz.max()).all()


def test_a_fit_as_the_matrix_brings_its_slot(tmp_path: Any) -> None:
    path = tmp_path / "fit.json"
    path.write_text(json.dumps({"transition": cs.PRINTED_MATRIX, "slot_s": 0.5}))
    scenario = batch_of(1, transition=str(path)).scenario
    assert (scenario.transition == PRINTED).all()
    assert scenario.step_s == 0.5
    assert batch_of(1, transition=str(path), step_s=2.0).scenario.step_s == 2.0
