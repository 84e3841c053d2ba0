"""Agents of cell selection, played in the environment."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from mmwave_baselines.cell_selection.best_response import solved
from mmwave_baselines.cell_selection.central import (
    Genie,
    Myopic,
    Optimum,
    _by_loads as best_by_loads,
    best_seating,
    value_of_search,
)
from mmwave_baselines.cell_selection.joint_value import solved_joint
from mmwave_baselines.cell_selection.mdp import Mdp, MdpNext, MdpOwnFrame
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reading import read
from mmwave_baselines.cell_selection.rules import (
    Channel,
    ChannelLowest,
    ChannelStay,
    Load,
    NeverMove,
    RandomCell,
    Rate,
    RateStay,
)
from mmwave_baselines.cell_selection.team import TABLES, Team, TeamMemory, table, table_key
from mmwave_baselines.cell_selection.team_rollouts import Observations
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.cell_selection.config import CellSelectionConfig
from mmwave_gym.scenarios.cell_selection.game import CellSelection

LOCAL = [
    RandomCell,
    Load,
    Rate,
    RateStay,
    Channel,
    ChannelStay,
    ChannelLowest,
    NeverMove,
    Mdp,
    MdpOwnFrame,
    MdpNext,
    Team,
]
CENTRAL = [Myopic, Genie, Optimum]


class Play:
    """A batch and the rows that an agent gets from it."""

    def __init__(self, agent, num_envs=64, **keywords):
        self.agent = agent
        scenario = CellSelection(CellSelectionConfig(**keywords))
        self.batch = Batch(scenario, num_envs)
        self.batch.reset([EpisodeKey(7, i) for i in range(num_envs)])
        self.view = View(self.batch, agent.access)
        self.state = agent.begin(self.view, RowRng.from_seed(3, self.view.num_rows))
        self.game = Game.of_constants(scenario.constants())

    def rows(self):
        return self.batch.observe().reshape(self.view.num_rows, -1)

    def act(self, rows=None):
        action, self.state = self.agent.predict(self.rows() if rows is None else rows, self.state)
        return action.reshape(self.batch.num_envs, -1)

    def mean(self, slots):
        """Sum rate and handovers a slot."""
        sums = np.zeros(2)
        for _ in range(slots):
            metrics = self.batch.step(self.act()).metrics
            sums += [metrics[n].mean() for n in ("spectral_efficiency_bps_hz", "handovers_per_slot")]
        return sums / slots


def test_reading_is_the_state():
    play = Play(Load(), num_ues=4)
    play.batch.step(play.act())
    seen = read(play.view.fields.split(play.rows()))
    np.testing.assert_array_equal(
        seen.channel.reshape(64, 4, 3), play.batch.episodes.channel[play.batch.episodes.row, 1]
    )
    np.testing.assert_array_equal(seen.serving.reshape(64, 4), play.batch.state.serving)
    assert (seen.others.sum(axis=1) == 3).all()


@pytest.mark.parametrize("agent", LOCAL)
def test_local_agents_act_row_by_row(agent):
    """What others see changes nothing, and the place picks the policy."""
    play = Play(agent(), num_envs=8, num_ues=3)
    rows = play.rows()
    first = play.act(rows)
    again = Play(agent(), num_envs=8, num_ues=3)
    shuffled = rows.copy()
    shuffled[:-3] = rows[3:]  # other environments see something else
    np.testing.assert_array_equal(again.act(shuffled)[-1], first[-1])


def test_rules_by_hand():
    """One UE: its channels, where it is, and what Load, Rate and Channel make of two others at cell 0."""
    play = Play(ChannelLowest(), num_envs=1, num_ues=3)
    rows = np.zeros((3, play.view.fields.size), np.float32)
    parts = play.view.fields.split(rows)
    parts["los"][:, :2] = 1.0  # cells 0 and 1 in line of sight, cell 2 in outage
    parts["outage"][:, 2] = 1.0
    parts["serving"][:, 1] = 1.0
    parts["others"][:, 0] = 2.0
    assert play.act(rows).tolist() == [[0, 0, 0]]
    assert Play(ChannelStay(), num_envs=1, num_ues=3).act(rows).tolist() == [[1, 1, 1]]
    assert Play(Rate(), num_envs=1, num_ues=3).act(rows).tolist() == [[1, 1, 1]]
    assert Play(Load(), num_envs=1, num_ues=3).act(rows).tolist() == [[2, 2, 2]]
    random = np.concatenate([Play(Channel(), num_envs=64, num_ues=3).act(np.tile(rows, (64, 1))).ravel()])
    assert set(random.tolist()) == {0, 1}


def test_rules_are_called_by_what_matters():
    assert [rule().label for rule in (NeverMove, RandomCell)] == ["stay", "random cell"]
    assert [rule().label for rule in (Channel, ChannelStay)] == ["Channel (random ties)", "Channel (stay ties)"]


def test_load_always_moves():
    """Once a cell is empty, everybody runs to an empty cell in every slot."""
    play = Play(Load(), num_ues=3, start=(0, 0, 0))
    assert play.mean(8)[1] == 3.0


def test_stay_earns_what_the_stationary_law_says():
    """Three UEs on cells of their own: 3 (.1735 R_LOS + .6377 R_NLOS)."""
    play = Play(NeverMove(), num_envs=512, num_ues=3, start="spread", rate_bps_hz=(1.0, 0.161, 0.0))
    rate, handovers = play.mean(60)
    assert handovers == 0.0
    assert rate == pytest.approx(3 * (0.1735 + 0.6377 * 0.161), abs=0.012)


def test_every_ue_has_the_policy_of_its_own():
    game = Game.of_constants(CellSelection(CellSelectionConfig(num_ues=3)).constants())
    policies = solved(game, "same", "prev", 0.9, 0).policies
    play = Play(Mdp(), num_envs=64, num_ues=3)
    for _ in range(3):
        seen = read(play.view.fields.split(play.rows()))
        action = play.act()
        for row in range(play.view.num_rows):
            order = np.arange(3)
            order[[0, seen.serving[row]]] = order[[seen.serving[row], 0]]
            c = game.index_of_links(seen.channel[row][order])
            m = game.index_of_loads(seen.others[row][order])
            assert action.ravel()[row] == order[policies[row % 3][c, m]]
        play.batch.step(action)


def test_fewer_ues_present_are_played_by_the_policies_of_that_number():
    play = Play(MdpNext(), num_envs=1, num_ues=3)
    rows = play.rows()
    play.view.fields.split(rows)["others"][:] = 0.0  # alone in the network
    game = play.game.with_ues(1)
    policy = solved(game, "own-mean", "next", 0.9, 0).policies[0]
    seen = read(play.view.fields.split(rows))
    for row, action in enumerate(play.act(rows).ravel().tolist()):
        order = np.arange(3)
        order[[0, seen.serving[row]]] = order[[seen.serving[row], 0]]
        assert action == order[policy[game.index_of_links(seen.channel[row][order]), 0]]


def test_mdp_tells_how_algorithm_1_ended():
    task = Task(env_id="MmwaveCellSelection-v0", kwargs={"num_ues": 3})
    made = Mdp.for_task(task, 2)
    assert made.config["start"] == 2
    assert made.config["converged"] in (True, False)
    assert made.config["updates"] >= 6


@pytest.mark.parametrize(("ues", "cells"), [(3, 3), (4, 2), (2, 5)])
def test_best_seating_is_the_best_of_all(ues, cells):
    gain = np.random.default_rng(0).random((20, ues, cells))
    for found in (best_seating(gain), np.stack([best_by_loads(one) for one in gain])):
        for one, seats in zip(gain, found.tolist(), strict=True):
            worth = {
                b: sum(one[u, c] / b.count(c) for u, c in enumerate(b))
                for b in itertools.product(range(cells), repeat=ues)
            }
            assert worth[tuple(seats)] == pytest.approx(max(worth.values()))


def test_best_seating_of_many_ues_beats_chance():
    gain = np.random.default_rng(0).random((2, 12, 3))
    found = best_seating(gain)
    users = (found[:, :, None] == found[:, None, :]).sum(axis=2)
    worth = (np.take_along_axis(gain, found[..., None], axis=2)[..., 0] / users).sum(axis=1)
    assert (worth > np.sort(gain.max(axis=2), axis=1)[:, -3:].sum(axis=1) - 0.8).all()


def test_seatings_worth_the_same_are_told_apart_alike_on_every_processor():
    """The last bits of the rates differ between kinds of processors; that must decide nothing."""
    rng = np.random.default_rng(3)
    rates = np.array((9.35672288626263, 1.509553982297423, 0.0))
    gain = rates[rng.integers(0, 3, (200, 4, 3))]
    elsewhere = gain * (1.0 + rng.integers(-1, 2, gain.shape) * 2.0**-52)
    np.testing.assert_array_equal(best_seating(gain), best_seating(elsewhere))


def test_optimum_earns_what_it_promises():
    keywords = {"num_ues": 3, "handover_cost": 0.3, "rate_bps_hz": (1.0, 0.161, 0.0)}
    play, myopic = (Play(agent(), num_envs=256, **keywords) for agent in (Optimum, Myopic))
    found = solved_joint(play.game)
    best, greedy = play.mean(150)[0], myopic.mean(150)[0]
    assert best == pytest.approx((found.low_bps_hz + found.high_bps_hz) / 2, abs=0.012)
    assert best > greedy  # the same episodes


def test_the_search_earns_what_its_chain_says_and_is_no_bound_where_moving_is_dear():
    keywords = {"num_ues": 3, "rate_bps_hz": (1.0, 0.161, 0.0)}
    dear, cheap = (Play(Myopic(), num_envs=256, handover_cost=cost, **keywords) for cost in (0.3, 0.1))
    low, high = value_of_search(dear.game)
    assert high - low < 2e-6
    assert dear.mean(150)[0] == pytest.approx(low, abs=0.012)
    assert high < 0.998 * solved_joint(dear.game).low_bps_hz
    assert value_of_search(cheap.game)[1] == pytest.approx(solved_joint(cheap.game).low_bps_hz, rel=2e-5)
    with pytest.raises(NotApplicable):
        value_of_search(dear.game.with_ues(4))


def test_an_optimum_out_of_reach_says_so():
    with pytest.raises(NotApplicable, match="bound"):
        Optimum.for_task(Task(env_id="MmwaveCellSelection-v0", kwargs={"num_ues": 5}))


@pytest.mark.parametrize("agent", CENTRAL)
def test_central_agents_need_the_load_that_they_reckon_with(agent):
    with pytest.raises(NotApplicable, match="present"):
        Play(agent(), num_ues=2, load="previous")


def test_knowing_more_earns_more():
    earned = [Play(agent(), num_envs=128, num_ues=3).mean(60)[0] for agent in (RandomCell, Channel, Mdp, Myopic, Genie)]
    assert earned == sorted(earned)
    assert Play(Team(), num_envs=128, num_ues=3).mean(60)[0] > earned[2]


def test_team_tables_are_found_by_game():
    game = Game.of_constants(CellSelection(CellSelectionConfig(num_ues=3)).constants())
    best = table(game, False)
    assert best.shape == (Observations(game).count, 3)
    assert best.any(axis=1).all()
    doubled = Game(game.transition, tuple(2.0 * r for r in game.rate_bps_hz), 3, 3, game.handover_cost)
    assert table_key(doubled, False) == table_key(game, False)
    other = Game(game.transition, game.rate_bps_hz, 3, 3, 0.123)
    with pytest.raises(NotApplicable, match=r"--costs 0\.123"):
        table(other, False)


def test_memory_is_one_slot_and_starts_anew_with_an_episode(tmp_path):
    """With a table that goes where the UE was before: the cell of a slot ago, and one's own at first."""
    game = Game.of_constants(CellSelection(CellSelectionConfig(num_ues=2)).constants())
    observations = Observations(game, memory=True)
    before = np.unravel_index(np.arange(observations.count), observations.shape)[3]
    bits = np.packbits(np.eye(3, dtype=bool)[before], axis=1)[:, 0]
    np.savez(tmp_path / "team.npz", **{table_key(game, True): bits})
    agent = TeamMemory(tmp_path)
    play = Play(agent, num_envs=4, num_ues=2)
    cells = [play.batch.state.serving.copy()]
    np.testing.assert_array_equal(play.act(), cells[0])
    for move in ([[2, 1]] * 4, [[0, 1]] * 4):
        play.batch.step(np.array(move))
        cells.append(np.array(move))
        np.testing.assert_array_equal(play.act(), cells[-2])
    started = np.ones(8, bool)
    action, _ = agent.predict(play.rows(), play.state, episode_start=started)
    np.testing.assert_array_equal(action.reshape(4, 2), cells[-1])


def test_agents_say_how_to_begin():
    for agent in (Load(), Mdp(), Myopic(), Team()):
        with pytest.raises(AgentError, match="must begin"):
            agent.predict(np.zeros((3, 15), np.float32))
    with pytest.raises(ValueError, match="tie"):
        Load(tie="first")
    with pytest.raises(AgentError, match="training seeds"):
        Team.for_task(None, 3)


def test_the_stored_ceilings_are_those_that_were_computed():
    """What `solve_exact` wrote for the reproduction agrees; of the local bound it leaves the cost out."""
    exact = json.loads((TABLES / "exact.json").read_text())
    found = {(c.task, c.name): c for c in stored_ceilings(t for t in all_tasks("cell_selection"))}
    for task in all_tasks("cell_selection"):
        ues, cost = task.kwargs["num_ues"], task.kwargs["handover_cost"]
        kind, name = ("optimum", "optimum") if ues < 5 else ("bound", "potential")
        computed = exact[f"{kind} N={ues} cost={cost:g} rates=shannon"]["high_bps_hz"]
        assert 0.0 < found[task.name, name].mean.mean - computed < 0.03
        if ues == 3:
            local = found[task.name, "delayed sharing"].mean.mean
            assert local < exact["local N=3 cost=0 rates=shannon"]["high_bps_hz"] - 0.1
            assert exact[f"team N=3 cost={cost:g} rates=shannon"]["low_bps_hz"] < local


def test_the_optimum_is_solved_when_it_is_needed():
    made = Optimum.for_task(Task(env_id="MmwaveCellSelection-v0", kwargs={"num_ues": 4, "handover_cost": 0.123}))
    assert not getattr(made, "expensive", False)  # and this took no half minute
    small = Task(env_id="MmwaveCellSelection-v0", kwargs={"num_ues": 2})
    assert not getattr(Optimum.for_task(small), "config", None)  # the solution's last digits are the processor's
    found = solved_joint(Game.of_constants(small.scenario().constants()))
    assert found.low_bps_hz <= found.high_bps_hz <= found.low_bps_hz + 1e-3


def test_shipped_team_tables_are_between_what_bounds_them():
    """Simulated and exact values agree; local optimum, local bound and joint optimum lie above, memory helps."""
    exact = json.loads((TABLES / "exact.json").read_text())
    found = json.loads((TABLES / "team.json").read_text())

    def value(ues: int, cost: float, memory: bool) -> tuple[float, float]:
        game = Game.of_constants(CellSelection(CellSelectionConfig(num_ues=ues, handover_cost=cost)).constants())
        record = found[table_key(game, memory)]
        return record["sum_rate_bps_hz"], record["standard_error_bps_hz"]

    bound = exact["local N=3 cost=0 rates=shannon"]["high_bps_hz"]
    for cost in (0.03, 0.06, 0.1, 0.3):
        mean, error = value(3, cost, False)
        shipped = exact[f"shipped N=3 cost={cost:g} rates=shannon"]["low_bps_hz"]
        assert abs(mean - shipped) < 4 * error
        assert shipped < bound < exact["optimum N=3 cost=0 rates=shannon"]["low_bps_hz"]
    for cost in (0.1, 0.3):
        shipped, best = (exact[f"{what} N=3 cost={cost:g} rates=shannon"]["low_bps_hz"] for what in ("shipped", "team"))
        assert shipped < best < 1.001 * shipped
        mean, error = value(3, cost, True)
        assert best + 2 * error < mean < bound
        assert value(6, cost, True)[0] > value(6, cost, False)[0]
    for cost in (0.03, 0.06, 0.1, 0.3):
        optimum = exact[f"optimum N=4 cost={cost:g} rates=shannon"]
        assert value(4, cost, False)[0] < optimum["low_bps_hz"] < optimum["high_bps_hz"]
        assert optimum["cpu_s"] < 20 * 60
        assert optimum["peak_mb"] < 8000


@pytest.mark.parametrize(("ues", "cost"), [(3, 0.1), (3, 0.3), (6, 0.1), (6, 0.3)])
def test_team_memory_plays_the_games_it_was_learned_on(ues, cost):
    task = Task(env_id="MmwaveCellSelection-v0", kwargs={"num_ues": ues, "handover_cost": cost})
    assert TeamMemory.for_task(task).weights_sha256
    play = Play(TeamMemory(), num_envs=64, num_ues=ues, handover_cost=cost)
    other = Play(Mdp(), num_envs=64, num_ues=ues, handover_cost=cost)
    assert play.mean(40)[0] > other.mean(40)[0]  # the same episodes
