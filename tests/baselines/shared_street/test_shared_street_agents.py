"""Rules, planners and bounds of shared streets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from shared_street_worlds import by_hand, play

from mmwave_baselines.shared_street import planners, rules
from mmwave_baselines.shared_street.bounds import fair_bound
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

LINKS = np.array([[10.0, 5.0, 0.0, -20.0], [10.0, 5.0, 0.0, -20.0]])


def decided(agent: Any, batch: Batch, slot: int) -> list[int]:
    """The agent's actions in a slot before which nobody has gone anywhere."""
    play(batch, {}, slot - int(batch.state.slot[0]))
    return Rollout.of(agent, batch).act()[0].tolist()


def rsrp(one_dbm: float) -> Any:
    """Powers in dBm that say cell 1 has `one_dbm`, cell 0 -60 dBm."""
    return np.array([[-60.0, one_dbm, -90.0, -95.0]] * 2)


@pytest.mark.parametrize(("one_dbm", "action"), [(-57.0, 0), (-55.5, 1)])
def test_a3_commands_a_cell_that_is_a_hysteresis_stronger(one_dbm: float, action: int) -> None:
    series = np.tile(rsrp(-80.0), (41, 1, 1))
    series[1:] = rsrp(one_dbm)
    batch = by_hand(LINKS, series)
    assert decided(rules.A3(4.0), batch, 4) == [action, 0], "UE 1 measures in slots 3, 7 and so on"
    assert decided(rules.A3(4.0), batch, 5) == [0, 0], "a rule without a condition commands alone"


@pytest.mark.parametrize(("own_db", "action"), [(9.0, 0), (7.0, 1)])
def test_a5_needs_a_weak_serving_cell(own_db: float, action: int) -> None:
    series = np.tile(rsrp(-80.0), (41, 1, 1))
    series[1:] = rsrp(-57.0)
    links = LINKS.copy()
    links[:, 0] = own_db
    assert decided(rules.A5(8.0, 2.0), by_hand(links, series), 4) == [action, 0]


def test_load_offsets_favour_the_empty_cell() -> None:
    # Both on cell 0: two UEs against one on cell 1 are an octave.
    for octave_db, action in ((0.0, 0), (4.0, 1)):
        series = np.tile(rsrp(-62.0), (41, 1, 1))
        assert decided(rules.A3Load(1.0, octave_db), by_hand(LINKS, series), 4) == [action, 0]


@pytest.mark.parametrize(("one_dbm", "action"), [(-55.0, 0), (-53.0, 1)])
def test_a_condition_compares_what_is_now(one_dbm: float, action: int) -> None:
    series = np.tile(rsrp(-80.0), (41, 1, 1))
    series[5] = rsrp(one_dbm)
    batch = by_hand(LINKS, series)
    assert decided(rules.ChoA3(6.0), batch, 4) == [0, 0]
    assert decided(rules.ChoA3(6.0), batch, 5) == [action, action]
    assert decided(rules.GreedyCho(5.0, 6.0, below_db=9.0), batch, 5) == [0, 0], "the serving cell has 10 dB"


def test_greedy_weighs_efficiency_against_sharing() -> None:
    series = np.tile(np.array([[-60.0, -62.0, -90.0, -95.0]] * 2), (41, 1, 1))
    batch = by_hand(LINKS, series)
    seen = batch.scenario.fields.split(batch.observe()[0])
    own = math.log(math.log2(11.0) / 2.0 + 0.01)
    other = math.log(float(seen["efficiency_bps_hz"][0, 1]) / 1.0 + 0.01)
    gain = other - own
    for hysteresis, action in ((gain - 0.05, 1), (gain + 0.05, 0)):
        assert decided(rules.Greedy(max(hysteresis, 0.0)), by_hand(LINKS, series), 4) == [
            action if hysteresis > 0.0 else 1,
            0,
        ]


def test_plans_are_worth_what_their_slots_bring() -> None:
    class Told(planners.Planner):
        label = "told"

        def future(self, seen: Any, rows: Any) -> Any:
            efficiency = np.zeros((len(rows), 6, self.horizon))
            efficiency[:, 0], efficiency[:, 1] = 1.0, 5.0
            return efficiency

    batch = by_hand(LINKS)
    planner = Told(horizon=8, margin=0.0)
    play(batch, {}, 4)
    rollout = Rollout.of(planner, batch)
    from mmwave_gym.agents.rule import Seen
    from mmwave_gym.core.batch import View

    seen = Seen(View(batch, "local"), None, batch.observe()[0], np.zeros(2, bool))
    gain = planner.gain(seen, np.array([0]))[0, 0]
    own, other = math.log(1.0 / 2.0 + 0.01), math.log(5.0 + 0.01)
    goes = own - 0.4 + 2.0 * (other - 1.0) + math.log(3.0 + 0.01) + 4.0 * other
    assert gain == pytest.approx(goes - 8.0 * own)
    assert rollout.act()[0].tolist() == [1, 0]


AGENTS: list[Any] = [rules.RandomCandidate(), rules.A3(), rules.GreedyCho(), planners.MapPlanner()]
AGENTS += [planners.Clairvoyant(), planners.GreedyNow()]


@pytest.mark.parametrize("seed", [0, 1])
def test_no_agent_is_above_the_bound_of_fair_shares(seed: int) -> None:
    pytest.importorskip("numba")
    from mmwave_baselines.shared_street.ascent import Ascent

    keywords = {"num_cars": 10, "num_pedestrians": 5, "arm_m": 100.0, "isd_m": 50.0, "maps": (1, 2), "horizon": 120}
    scenario: Any = make_scenario("shared_street", **keywords, car_mps=(10.0, 25.0), lights=False)
    found = []
    for agent in [*AGENTS, Ascent()]:
        batch = Batch(scenario, 2, draws_ahead=False)
        batch.reset([EpisodeKey(seed), EpisodeKey(seed + 10)])
        bound = [fair_bound(scenario, batch.episodes, env) for env in range(2)]
        last: Any = None
        for outcome, _ in Rollout.of(agent, batch).first_episodes():
            last = outcome
        utility = last.metrics["utility"]
        assert (utility <= np.array(bound) + 1e-6).all()
        found.append(utility.mean())
    assert found[-1] == max(found), "the ascent is the best that is known"
    assert found[0] == min(found)


SMALL: dict[str, Any] = {"arm_m": 60.0, "isd_m": 40.0, "maps": 1}
OPTIONS: list[dict[str, Any]] = [
    {**SMALL, "interference": "load"},
    {**SMALL, "demand": "queue"},
    {**SMALL, "blocks": (2, 1), "turning": 0.5},
    {"maps": "munich"},
]


@pytest.mark.parametrize("more", OPTIONS, ids=str)
def test_agents_play_every_option_and_none_is_above_the_bound(more: dict[str, Any]) -> None:
    pytest.importorskip("numba")
    from mmwave_baselines.shared_street.ascent import Ascent

    keywords = {"num_cars": 8, "num_pedestrians": 4, "horizon": 60, "interference_db": -6.0, **more}
    scenario: Any = make_scenario("shared_street", **keywords)
    for agent in [*AGENTS, Ascent()]:
        batch = Batch(scenario, 1, draws_ahead=False)
        batch.reset([EpisodeKey(5)])
        last: Any = None
        for outcome, _ in Rollout.of(agent, batch).first_episodes():
            last = outcome
        assert last.metrics["utility"][0] <= fair_bound(scenario, batch.episodes, 0) + 1e-6


def test_the_bound_is_met_where_all_are_alone() -> None:
    """One UE on each of four cells for a second, links constant: each has all of its cell."""
    links = np.full((4, 4), -20.0)
    np.fill_diagonal(links, 10.0)
    batch = by_hand(links, num_cars=4, horizon=10)
    utility = play(batch, {}, 10)[-1].metrics["utility"][0]
    assert utility == pytest.approx(math.log(math.log2(11.0) + 0.01))
    assert fair_bound(batch.scenario, batch.episodes, 0) == pytest.approx(utility, abs=0.01)
