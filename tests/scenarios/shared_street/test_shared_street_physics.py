"""The procedure of shared streets against numbers worked by hand, and against a plain reading of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from shared_street_worlds import TINY, PlainUe, PlainWorld, by_hand, play

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

LOG11 = math.log2(11.0)  # of 10 dB
GOOD = [[10.0, 5.0, 0.0, -20.0], [5.0, 10.0, 0.0, -20.0]]
"""Two cars, each on a cell of its own: 10 dB; the other's cell 5 dB less."""


def rates(outcomes: list[Any]) -> Any:
    """(slot, ue): rates that rewards stand for, seconds beginning with the first slot."""
    rewards = np.array([outcome.reward[0] for outcome in outcomes])
    rate = np.empty_like(rewards)
    for ue in range(rewards.shape[1]):
        total = value = 0.0
        for t, reward in enumerate(rewards[:, ue]):
            if t % 10 == 0:
                total = value = 0.0
            k = t % 10 + 1
            value += reward
            rate[t, ue] = k * (math.exp(value / k) - 0.01) - total
            total += rate[t, ue]
    return rate


def test_a_cell_is_shared_by_its_active_ues() -> None:
    batch = by_hand([[10.0, 0.0, -20.0, -20.0], [10.0, 0.0, -20.0, -20.0]], horizon=10)
    batch.episodes.active[0, 5:, 1] = False
    outcomes = play(batch, {}, 10)
    assert rates(outcomes)[:5] == pytest.approx(LOG11 / 2.0)
    assert rates(outcomes)[5:, 0] == pytest.approx(LOG11)
    assert (np.array([o.reward[0, 1] for o in outcomes[5:]]) == 0.0).all()
    # Five slots of a half and five of all; the other UE was active in half of the second, and counts.
    one, other = LOG11 * 0.75, LOG11 / 2.0
    last = {name: float(values[0]) for name, values in outcomes[-1].metrics.items() if values.ndim == 1}
    assert last["utility"] == pytest.approx((math.log(one + 0.01) + math.log(other + 0.01)) / 2.0)
    assert last["mean_mbps"] == pytest.approx(400.0 * (one + other) / 2.0)
    assert last["target_share"] == 1.0
    assert last["p5_mbps"] == pytest.approx(400.0 * (other + 0.05 * (one - other)))
    assert sum(float(o.reward[0, 0]) for o in outcomes) == pytest.approx(10.0 * math.log(one + 0.01))


def test_a_second_with_less_than_half_of_its_slots_active_does_not_count() -> None:
    batch = by_hand(GOOD, horizon=10)
    batch.episodes.active[0, 4:, 1] = False
    last = play(batch, {}, 10)[-1].metrics
    assert last["mean_mbps"][0] == pytest.approx(400.0 * LOG11)


def test_rates_are_capped_by_the_best_code_and_nothing_comes_below_out_db() -> None:
    batch = by_hand([[40.0, 0.0, -20.0, -20.0], [-20.0, -8.1, -20.0, -20.0]], horizon=10)
    assert rates(play(batch, {}, 1))[0] == pytest.approx([7.4063, 0.0], abs=1e-6)


def test_a_commanded_handover_takes_four_slots() -> None:
    batch = by_hand(GOOD, horizon=20)
    found = rates(play(batch, {(0, 0): 1}, 10))
    five, wide = math.log2(1.0 + 10.0**0.5), math.log2(1.0 + 10.0**-0.1)
    # 60 % on the old cell, two silent slots, a wide beam that is shared, then all is shared.
    assert found[:6, 0] == pytest.approx([0.6 * LOG11, 0.0, 0.0, wide / 2.0, five / 2.0, five / 2.0], abs=1e-6)
    # The UE counts at the new cell from the slot after the command on.
    assert found[:4, 1] == pytest.approx([LOG11, LOG11 / 2.0, LOG11 / 2.0, LOG11 / 2.0])


def test_a_ue_in_handover_can_only_stay() -> None:
    batch = by_hand(GOOD)
    play(batch, {(0, 0): 1}, 1)
    for _ in range(3):
        assert batch.action_mask()[0, 0].tolist() == [True] + [False] * 5
        play(batch, {}, 1)
    assert batch.action_mask()[0, 0].tolist() == [True] * 4 + [False] * 2, "slot 4 is its own again; there are 4 cells"
    assert batch.state.serving[0].tolist() == [1, 1]


def test_commands_come_in_the_slot_of_the_own_measurement_alone() -> None:
    batch = by_hand(GOOD, handover="command")
    allowed = []
    for _ in range(8):
        allowed.append(batch.action_mask()[0, :, 1:4].all(axis=1).tolist())
        play(batch, {}, 1)
    assert [t for t in range(8) if allowed[t][0]] == [0, 4]
    assert [t for t in range(8) if allowed[t][1]] == [3, 7]


def test_a_command_below_out_db_is_lost_and_t310_runs_on() -> None:
    links = np.tile(np.array([[-9.0, -20.0, 5.0, -20.0], [10.0, 5.0, 0.0, -20.0]]), (41, 1, 1))
    batch = by_hand(links, rsrp_dbm=np.where(links == -9.0, 9.0, links) - 70.0)  # it serves at first
    actions = {(0, 0): 2, (4, 0): 2, (8, 0): 2}
    outcomes = play(batch, actions, 9)
    assert all(o.metrics["failures_per_min"][0, 0] == 0.0 for o in outcomes)
    assert all(o.metrics["handovers_per_s"][0, 0] == 0.0 for o in outcomes)
    batch.episodes.rsrp_dbm[0, 9:, 0] = batch.episodes.sinr_db[0, 9:, 0] - 70.0
    tenth = play(batch, {}, 1)[0]
    assert tenth.metrics["failures_per_min"][0].tolist() == [60.0, 0.0], "ten slots are 1 s"
    assert batch.state.serving[0, 0] == 0
    play(batch, {}, 3)
    assert batch.state.serving[0, 0] == 2, "three whole slots later the strongest cell serves"
    assert rates(play(batch, {}, 1))[0, 0] > 1.0


def test_t310_goes_on_between_out_and_in_and_ends_above() -> None:
    series = [-9.0, -7.0, -6.0, -5.9, -7.0, -9.0] + [-7.0] * 9 + [10.0] * 26
    links = np.tile(np.array([[0.0, -20.0, -20.0, -20.0], [10.0, 5.0, 0.0, -20.0]]), (41, 1, 1))
    rsrp = links - 70.0
    links[:, 0, 0] = series
    batch = by_hand(links, rsrp)
    ran, failures = [], []
    for _ in range(16):
        failures.append(play(batch, {}, 1)[0].metrics["failures_per_min"][0, 0])
        ran.append(int(batch.state.out_slots[0, 0]))
    assert ran[:6] == [1, 2, 3, 0, 0, 1]
    assert np.flatnonzero(failures).tolist() == [14], "slots 5 to 14 are ten"


def test_access_is_refused_below_in_db() -> None:
    batch = by_hand([[10.0, -6.5, 8.0, -20.0], [10.0, 5.0, 0.0, -20.0]])
    outcomes = play(batch, {(0, 0): 1}, 7)
    assert [o.metrics["failures_per_min"][0, 0] for o in outcomes] == [0.0, 0.0, 0.0, 60.0, 0.0, 0.0, 0.0]
    assert batch.state.serving[0, 0] == 0
    assert rates(outcomes)[1:7, 0] == pytest.approx(0.0, abs=1e-9), "silent from the command's next slot on"
    assert rates(outcomes)[4:7, 1] == pytest.approx(LOG11), "a UE without a link takes no share"
    assert batch.state.doing[0, 0] == 0, "slot 7: it has a cell again"


def test_the_two_strongest_neighbours_are_prepared_if_they_can_be_told() -> None:
    links = np.tile(np.array([[10.0, 5.0, 0.0, -5.0], [10.0, 5.0, 0.0, -20.0]]), (41, 1, 1))
    links[4, 0, 0], links[2:5, 0, 3] = -9.0, 40.0
    batch = by_hand(links, np.tile(links[0] - 70.0, (41, 1, 1)))
    batch.episodes.measured_dbm[0, 1, 0, 3] = -50.0  # the measurement of slot 4: cell 3 is the strongest
    assert batch.state.prepared[0, 0].tolist() == [1, 2]
    play(batch, {}, 1)
    assert batch.action_mask()[0, 0].tolist() == [True, True, True, False, False, False]
    play(batch, {}, 4)
    assert batch.state.prepared[0, 0].tolist() == [1, 2], "in slot 4 the serving cell could not tell the UE"
    assert batch.state.candidate[0, 0, :4].tolist() == [0, 3, 1, 2]
    assert batch.action_mask()[0, 0].tolist() == [True, False, True, True, False, False]
    play(batch, {}, 4)
    assert batch.state.prepared[0, 0].tolist() == [1, 2]


def test_a_conditional_handover_takes_three_slots_and_needs_no_command() -> None:
    links = np.tile(np.array(GOOD), (41, 1, 1))
    links[2, 0, 0] = -30.0
    batch = by_hand(links, np.tile(np.array(GOOD) - 70.0, (41, 1, 1)))
    found = rates(play(batch, {(2, 0): 1}, 8))
    five, wide = math.log2(1.0 + 10.0**0.5), math.log2(1.0 + 10.0**-0.1)
    assert found[:7, 0] == pytest.approx([LOG11, LOG11, 0.0, 0.0, wide / 2.0, five / 2.0, five / 2.0], abs=1e-6)
    assert found[2, 1] == pytest.approx(LOG11 / 2.0), "it counts at the new cell at once"


def test_a_handover_ends_what_was_prepared() -> None:
    batch = by_hand(GOOD)
    play(batch, {(1, 0): 1}, 1)  # no handover in slot 0; `play` counts from 0
    play(batch, {(0, 0): 1}, 1)  # slot 1: conditional
    play(batch, {}, 2)
    assert batch.state.serving[0, 0] == 1
    assert batch.state.doing[0, 0] == 0
    assert batch.state.prepared[0, 0].tolist() == [0, 2], "slot 4 is its own measurement's"
    batch = by_hand(GOOD)
    play(batch, {(2, 0): 1}, 5)
    assert batch.state.slot[0] == 5
    assert batch.state.prepared[0, 0].tolist() == [-1, -1], "it was in a handover in slot 4"
    assert batch.action_mask()[0, 0].tolist() == [True] + [False] * 5


def test_what_is_compared_has_the_error_of_its_slot() -> None:
    batch = by_hand(GOOD)
    batch.episodes.error_db[0, 1, 0] = (1.0, -2.0, 3.0)
    play(batch, {}, 1)
    now_dbm = batch.scenario.fields.split(batch.observe())["now_dbm"][0, 0]
    assert now_dbm[:4].tolist() == [-59.0, -67.0, -67.0, -90.0]


def test_loads_are_broadcast_every_second() -> None:
    batch = by_hand(GOOD, horizon=40)
    load = []
    for slot in range(22):
        load.append(batch.state.load[0, :2].tolist())
        play(batch, {(0, 0): 1} if slot == 8 else {}, 1)
    assert load[:10] == [[1.0, 1.0]] * 10
    assert load[10:20] == [[0.0, 2.0]] * 10, "in slot 10 the UE that was commanded in slot 8 counts at its new cell"
    assert batch.state.load_before[0, :2].tolist() == [0.0, 2.0]
    sharing = batch.scenario.fields.split(batch.observe())["sharing"][0, 0]
    assert sharing[:2].tolist() == [2.0, 1.0], "of two UEs of its cell it is one; on the other it would be the first"


def test_the_difference_reward_takes_what_others_lose() -> None:
    links = [[10.0, 0.0, -20.0, -20.0], [10.0, 0.0, -20.0, -20.0]]
    own, difference = (play(by_hand(links, reward=kind), {}, 1)[0].reward[0] for kind in ("own", "difference"))
    assert difference - own == pytest.approx([-math.log(2.0)] * 2), "without this UE the other had twice as much"


@pytest.mark.parametrize("handover", ["both", "command", "conditional"])
@pytest.mark.parametrize("budget_db", [130.0, 100.0])
def test_the_game_is_a_plain_reading_of_its_rules(handover: str, budget_db: float) -> None:
    """Many UEs with random actions, one after the other, against the batch."""
    keywords = {**TINY, "num_cars": 8, "num_pedestrians": 4, "horizon": 150, "isd_m": 30.0 + 10.0, "handover": handover}
    keywords |= {"link_budget_db": budget_db, "t310_s": 0.5, "lights": False, "car_mps": (10.0, 20.0), "maps": (1, 2)}
    batch = Batch(make_scenario("shared_street", **keywords), 1, draws_ahead=False)
    went = failed = 0
    for seed in range(2):
        batch.reset([EpisodeKey(seed)])
        world = PlainWorld.of(batch)
        ues = [PlainUe(world, ue) for ue in range(12)]
        chance = np.random.default_rng(seed)
        totals: dict[tuple[int, int], tuple[float, int, float]] = {}
        for t in range(150):
            wanted = np.full(12, -1)
            for ue in ues:
                ue.begin(t)
                if (choices := ue.choices(t)) and chance.random() < 0.2:
                    wanted[ue.ue] = chance.choice(choices)
            assert [ue.doing != "away" for ue in ues] == (batch.agent_ids()[0] >= 0).tolist()
            candidate, mask = batch.state.candidate[0], batch.action_mask()[0]
            for ue in ues:
                if ue.doing != "away":
                    assert set(candidate[ue.ue][mask[ue.ue]]) == {ue.serving, *ue.choices(t)}
            action = [int(np.flatnonzero(candidate[u] == c)[0]) if c >= 0 else 0 for u, c in enumerate(wanted)]
            went += sum(ue.decide(t, cell) for ue, cell in zip(ues, wanted, strict=True))
            outcome = batch.step(np.array([action]))
            active = [bool(world.active[t, ue.ue]) and ue.doing != "away" for ue in ues]
            for ue in ues:
                among = sum(a and other.counted == ue.counted for a, other in zip(active, ues, strict=True))
                rate = ue.rate(t, among)
                ue.end(t)
                failed += ue.failed
                assert bool(outcome.metrics["failures_per_min"][0, ue.ue]) == ue.failed
                total, k, value = totals.get((t // 10, ue.ue), (0.0, 0, 0.0))
                if not active[ue.ue]:
                    assert outcome.reward[0, ue.ue] == 0.0
                    continue
                new = (k + 1) * math.log((total + rate) / (k + 1) + 0.01)
                assert outcome.reward[0, ue.ue] == pytest.approx(new - value, rel=1e-4, abs=1e-4), (t, ue)
                totals[t // 10, ue.ue] = (total + rate, k + 1, new)
            for ue in ues:  # who leaves takes its second along
                if t < 149 and not world.present[t + 1, ue.ue]:
                    totals.pop(((t + 1) // 10, ue.ue), None)
    assert went > 20
    assert failed > 3 or budget_db > 100.0
