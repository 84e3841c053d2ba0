"""Places, traffic, links, measurements and the radio map of shared streets, against numbers worked by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio import tr38901_umi as umi
from mmwave_gym.radio.street_maps import street_map
from mmwave_gym.scenarios.shared_street import radio_map, traffic
from mmwave_gym.scenarios.shared_street.config import TRAINING_MAPS, SharedStreetConfig
from mmwave_gym.scenarios.shared_street.places import Crossing
from mmwave_gym.scenarios.shared_street.tasks import TASKS, UNSEEN_MAPS

SMALL: dict[str, Any] = {"arm_m": 100.0, "isd_m": 100.0, "maps": 3}


def driven(along_m: list[float], lane: list[int], desired_mps: list[float], phase: int, horizon: int = 40) -> Any:
    """Places, speeds and presence of cars in the first slots of the warm-up, as if they were the episode's."""
    config = SharedStreetConfig(**SMALL, num_cars=len(lane), num_pedestrians=0, horizon=horizon)
    movers = traffic.Movers(
        np.array(lane), np.array(along_m), np.repeat(np.array(desired_mps)[:, None], 5, axis=1), phase, np.ones((1, 1))
    )
    warm = traffic.WARM_SLOTS
    traffic.WARM_SLOTS = 0
    try:
        return traffic.move(config, movers)[:3]
    finally:
        traffic.WARM_SLOTS = warm


def test_a_car_follows_the_one_ahead() -> None:
    # Both want 10 m/s; the one behind is 16 m back: room 9 m, 9 / 1.5 = 6 m/s.
    along_m, speed_mps, _ = driven([20.0, 36.0], [0, 0], [10.0, 10.0], phase=0)
    assert speed_mps[0] == pytest.approx([6.0, 10.0])
    assert along_m[0] == pytest.approx([20.6, 37.0])
    # Next room: 16.4 - 7 = 9.4, 6.2667 m/s, which is more than 0.25 m/s faster.
    assert speed_mps[1] == pytest.approx([6.25, 10.0])
    assert along_m[1] == pytest.approx([20.6 + 0.625, 38.0])


def test_a_car_that_is_too_near_waits() -> None:
    _, speed_mps, _ = driven([20.0, 26.0], [0, 0], [10.0, 1.0], phase=0)
    assert speed_mps[0] == pytest.approx([0.0, 1.0])


def test_a_car_in_another_lane_is_not_followed() -> None:
    _, speed_mps, _ = driven([20.0, 26.0], [0, 1], [10.0, 1.0], phase=0)
    assert speed_mps[0] == pytest.approx([10.0, 1.0])


@pytest.mark.parametrize(("lane", "phase"), [(0, 270), (1, 599), (2, 0), (3, 299), (2, 570)])
def test_a_car_stops_at_a_red_light(lane: int, phase: int) -> None:
    # The line is at 85 m; 10 m/s brake in 12.5 m.
    along_m, speed_mps, _ = driven([60.0], [lane], [10.0], phase, horizon=1)
    assert speed_mps[0, 0] == pytest.approx(10.0), "25 m / 1.5 s is more than it wants"
    along_m, speed_mps, _ = driven([80.0], [lane], [10.0], phase, horizon=1)
    assert speed_mps[0, 0] == pytest.approx(10.0), "too near to stop: 5 m < 12.5 m - 1 m"
    along_m, speed_mps, _ = driven([73.0], [lane], [10.0], phase, horizon=1)
    assert speed_mps[0, 0] == pytest.approx(8.0), "12 m / 1.5 s"
    assert along_m[0, 0] == pytest.approx(73.8)


@pytest.mark.parametrize(("lane", "phase"), [(0, 0), (1, 269), (2, 300), (3, 569)])
def test_a_car_passes_a_green_light(lane: int, phase: int) -> None:
    _, speed_mps, _ = driven([73.0], [lane], [10.0], phase, horizon=0 + 1)
    assert speed_mps[0, 0] == pytest.approx(10.0)


def test_who_leaves_is_replaced_in_a_slot_of_measurement_when_there_is_room() -> None:
    along_m, _, present = driven([196.5, 8.5], [0, 0], [10.0, 5.0], phase=0)
    # 197.5, then 198.5 is beyond 198: it leaves in slot 1. The other is beyond 9 m then; UE 0 measures in slot 4.
    assert present[:6, 0].tolist() == [True, False, False, False, True, True]
    assert along_m[4, 0] == traffic.BEGIN_M
    along_m, _, present = driven([196.5, 1.0], [0, 0], [10.0, 2.0], phase=0)
    first = -(-int(np.flatnonzero(along_m[:, 1] > traffic.ENTRY_M)[0]) // 4) * 4
    assert first > 4
    assert present[:, 0].tolist()[: first + 1] == [True, *[False] * (first - 1), True]


def test_agent_slot_0_has_a_ue_in_slot_0() -> None:
    _, _, present = driven([197.5, 5.0], [0, 0], [10.0, 5.0], phase=0)
    assert present[0].tolist() == [True, True]


def test_nobody_is_nearer_than_a_car_for_long() -> None:
    scenario = make_scenario("shared_street", **SMALL, num_cars=24, num_pedestrians=0, horizon=600)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(i)) for i in range(2)])
    for i in range(2):
        for lane in range(4):
            cars = np.flatnonzero(episodes.lane[i, 0] == lane)
            there = np.where(episodes.present[i][:, cars], episodes.along_m[i][:, cars], np.nan)
            gaps = np.diff(np.sort(there, axis=1), axis=1)
            assert np.nanmin(gaps) > 3.0
        assert episodes.present[i, 0, 0]
        moves = np.diff(episodes.along_m[i], axis=0)
        stays = episodes.present[i][1:] & episodes.present[i][:-1]
        assert moves[stays].min() >= 0.0
        assert moves[stays].max() <= 1.4 + 1e-4


def test_pedestrians_stand_in_a_cluster_or_walk() -> None:
    c = SharedStreetConfig(maps=3, num_cars=0, num_pedestrians=200, horizon=100)
    scenario = make_scenario("shared_street", maps=3, num_cars=0, num_pedestrians=200, horizon=100)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(1))])
    way = episodes.along_m[0, -1] - episodes.along_m[0, 0]
    stands = way == 0.0
    assert 0.55 < stands.mean() < 0.78
    assert len(set(episodes.lane[0, 0][stands].tolist())) == 1
    assert 7.0 < episodes.along_m[0, 0][stands].std() < 13.0
    walks = ~stands & episodes.present[0].all(axis=0)
    assert (way[walks] >= c.walk_mps[0] * 10.0 - 1e-3).all()
    assert (way[walks] <= c.walk_mps[1] * 10.0 + 1e-3).all()


def test_eight_lanes_lie_beside_two_axes() -> None:
    lanes = Crossing("crossing", 100.0, 100.0, 3.0).lanes_m()
    assert lanes.shape == (8, 101, 2)
    assert lanes[0, 0].tolist() == [-100.0, -3.0]
    assert lanes[0, 1].tolist() == [-98.0, -3.0]
    assert lanes[1, 0].tolist() == [100.0, 3.0]
    assert lanes[2, 0].tolist() == [3.0, -100.0]
    assert lanes[4, 0].tolist() == [-100.0, -8.0]
    assert lanes[7, -1].tolist() == [-8.0, -100.0]


def test_links_follow_the_formula() -> None:
    scenario = make_scenario("shared_street", **SMALL, num_cars=2, num_pedestrians=2, horizon=30)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(5))])
    loss_db = street_map(scenario.world.crossing, 3, 28.0).loss_db
    lane = episodes.lane[0, 0]
    weight, blocked = 10.0**-1.3, 0
    for t in (0, 13, 30):
        for ue in range(4):
            place = float(episodes.along_m[0, t, ue]) / 2.0
            p, f = int(place), place - int(place)
            level = 130.0 - ((1.0 - f) * loss_db[lane[ue], p] + f * loss_db[lane[ue], p + 1])
            rsrp = episodes.rsrp_dbm[0, t, ue] + 78.0
            less = level - rsrp
            if ue >= 2:
                blocked += int((less > 1.0).sum())
                less = np.where(less > 1.0, less - 14.0, less)
            assert less == pytest.approx(0.0, abs=1e-3)
            snr = 10.0 ** (rsrp.astype(float) / 10.0)
            for k in range(len(snr)):
                others = sum(float(x) for j, x in enumerate(snr) if j != k)
                sinr_db = 10.0 * math.log10(snr[k] / (1.0 + weight * others))
                assert episodes.sinr_db[0, t, ue, k] == pytest.approx(sinr_db, abs=1e-3)
    assert blocked < 12


def test_path_loss_is_that_of_the_street() -> None:
    crossing = Crossing("crossing", 100.0, 100.0, 3.0)
    drawn = street_map(crossing, 3, 28.0)
    apart_m = np.linalg.norm(crossing.lanes_m()[:, :, None] - crossing.sites_m(), axis=3)
    los = umi.los_path_loss_db(apart_m, 10.0, 1.5, 28.0)
    off = (drawn.loss_db - los)[drawn.los]
    assert abs(off.mean()) < 1.5
    assert 3.0 < off.std() < 5.0, "shadowing of 4 dB"


def test_a_measurement_is_the_mean_of_its_four_slots() -> None:
    keywords = {**SMALL, "num_cars": 6, "num_pedestrians": 2, "measurement_error_db": 0.0, "horizon": 60}
    scenario = make_scenario("shared_street", **keywords)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(2))])
    rsrp, told, present = (x[0] for x in (episodes.rsrp_dbm, episodes.measured_dbm, episodes.present))
    assert told[0] == pytest.approx(rsrp[0]), "the first is of one slot"
    for ue in range(8):
        for number, slot in enumerate(range(-(ue % 4), 61, 4)):
            if slot >= 4 and present[slot - 3 : min(slot + 4, 61), ue].all():
                assert told[number, ue] == pytest.approx(rsrp[slot - 3 : slot + 1, ue].mean(axis=0), abs=1e-4)


def test_who_arrives_measures_since_then() -> None:
    keywords = {**SMALL, "num_cars": 4, "num_pedestrians": 0, "horizon": 12, "measurement_error_db": 0.0}
    world = make_scenario("shared_street", **keywords).world
    rsrp = np.arange(13.0)[:, None, None] * np.ones((1, 4, world.num_cells))
    present = np.ones((13, 4), bool)
    present[5:8, 0] = False  # arrives in slot 8
    told = np.zeros((world.measurements, 4, world.num_cells), np.float32)
    world.measure(rsrp, present, np.zeros_like(told), told)
    assert told[:, 0, 0].tolist() == [0.0, 2.5, 8.0, 10.5], "slot 0; the mean of 1 to 4; slot 8; the mean of 9 to 12"
    assert told[:, 3, 0].tolist() == [0.0, 0.5, 3.5, 7.5], "slot 0; its own slots are 1, 5, 9"


def test_reports_have_errors_of_the_given_sizes() -> None:
    keywords = {**SMALL, "num_cars": 0, "num_pedestrians": 150, "horizon": 40, "walk_mps": (2.0, 2.0)}
    scenario = make_scenario(
        "shared_street", **keywords, position_error_m=5.0, clustered_share=0.5, reporting_share=0.4
    )
    episodes = scenario.draw([EpisodeRng(EpisodeKey(2))])
    off, speed = [], []
    for number in range(1, 10):
        ues = np.arange(0, 150, 4)
        off.append(episodes.reported_m[0, number, ues] - episodes.along_m[0, 4 * number, ues])
        speed.append(episodes.speed_mps[0, number])
    assert np.std(off) == pytest.approx(5.0, rel=0.15)
    stands = np.ptp(episodes.along_m[0], axis=0) == 0.0
    assert (np.array(speed)[:, stands] == 0.0).all()
    assert np.array(speed)[:, ~stands].std() == pytest.approx(0.3, rel=0.15)
    assert episodes.reports[0].sum() == 60


def test_activity_has_the_given_mean_times() -> None:
    scenario = make_scenario("shared_street", **SMALL, num_cars=0, num_pedestrians=200, horizon=1200)
    active = scenario.draw([EpisodeRng(EpisodeKey(2))]).active[0]
    assert active.mean() == pytest.approx(2.0 / 3.0, abs=0.02)
    changes = (active[1:] != active[:-1]).mean()
    assert changes == pytest.approx(2.0 * 0.1 / 15.0, rel=0.05), "a cycle of 15 s has two changes"


def test_bins_weigh_reports_by_their_number() -> None:
    level, count = np.zeros((1, 8, 10, 2), np.float32), np.zeros((1, 8, 10), np.float32)
    expected = 0.0
    for n, value in enumerate([-60.0, -70.0, -80.0, -50.0, -40.0, -90.0, -60.0], start=1):
        told = np.array([[value, 2.0 * value]], np.float32)
        radio_map.feed(level, count, np.array([0]), np.array([3]), np.array([9.5], np.float32), told)
        expected += max(1.0 / n, 0.2) * (value - expected)
        assert level[0, 3, 2] == pytest.approx([expected, 2.0 * expected], rel=1e-6)
    assert count.sum() == 7.0
    assert count[0, 3, 2] == 7.0
    radio_map.feed(
        level, count, np.array([0, 0]), np.array([3, 3]), np.array([-0.1, 40.0], np.float32), np.ones((2, 2))
    )
    assert count.sum() == 7.0, "reports from beyond the lane count nowhere"


def test_reports_of_one_slot_count_one_after_the_other() -> None:
    level, count = np.zeros((2, 8, 10, 1), np.float32), np.zeros((2, 8, 10), np.float32)
    told = np.array([[-60.0], [-10.0], [-80.0]], np.float32)
    places = np.array([1.0, 1.0, 2.0], np.float32)
    radio_map.feed(level, count, np.array([0, 1, 0]), np.array([0, 0, 0]), places, told)
    assert level[:, 0, 0, 0].tolist() == [-70.0, -10.0]


@pytest.mark.parametrize(
    ("place_m", "expected"),
    [
        (6.0, -60.0 * 1.02 / 1.04 - 70.0 * 0.02 / 1.04),  # the middle of bin 1; 0.02 of bin 2
        (8.0, -65.0),
        (9.0, (0.27 * -60.0 + 0.77 * -70.0) / 1.04),
        (12.0, -70.0),  # bin 3 is unknown
        (15.0, -70.0),  # neither 3 nor 4: the nearest is 2
        (21.0, -70.0),  # between 4 and 5; 2 is two away from 4
        (25.0, -70.0),  # between 5 and 6: 2 is three away from 5
        (27.0, None),
        (-5.0, -60.0),  # between -2 and -1: bin 1 is three away from -2
        (-7.0, None),
    ],
)
def test_look_ups_take_both_bins_or_the_nearest(place_m: float, expected: float | None) -> None:
    level, count = np.zeros((1, 8, 10, 1), np.float32), np.zeros((1, 8, 10), np.float32)
    level[0, 2, 1:3, 0], count[0, 2, 1:3] = (-60.0, -70.0), 1.0
    found, known = radio_map.look_up(level, count, np.array([0]), np.array([2]), np.array([place_m], np.float32))
    assert known[0] == (expected is not None)
    assert found[0, 0] == pytest.approx(expected or 0.0, rel=1e-5)


def test_the_map_is_fed_where_ues_were_and_looked_up_where_they_will_be() -> None:
    from mmwave_gym.core.batch import Batch

    keywords = {**SMALL, "num_cars": 6, "num_pedestrians": 2, "horizon": 60, "position_error_m": 0.0}
    scenario = make_scenario("shared_street", **keywords, speed_error_mps=0.0, lights=False)
    batch = Batch(scenario, 1, draws_ahead=False)
    batch.reset([EpisodeKey(2)])
    e = batch.episodes
    reports: dict[tuple[int, int], list[Any]] = {}
    for t in range(1, 60):
        batch.step(np.zeros((1, 8), np.int64))
        for ue in range(8):
            if (t + ue) % 4 or not e.present[0, t, ue] or not e.present[0, t - 1, ue]:
                continue
            number = (t + ue % 4) // 4
            place = e.along_m[0, t, ue] - e.speed_mps[0, number, ue] * np.float32(0.15)
            if 0.0 <= place < 200.0:
                at = int(e.lane[0, t, ue]), int(place // np.float32(4.0))
                reports.setdefault(at, []).append(e.measured_dbm[0, number, ue])
    for (lane, at), values in reports.items():
        assert batch.state.map_count[0, lane, at] == len(values)
        assert len(reports) > 20
        level = np.zeros(scenario.num_cells)
        for n, value in enumerate(values, start=1):
            level += max(1.0 / n, 0.2) * (value - level)
        assert batch.state.map_dbm[0, lane, at] == pytest.approx(level, abs=1e-3)


def test_without_a_map_nothing_of_it_is_observed() -> None:
    from mmwave_gym.core.batch import Batch

    scenario = make_scenario("shared_street", **SMALL, num_cars=6, num_pedestrians=2, horizon=60, shared_map=False)
    batch = Batch(scenario, 2)
    batch.reset([EpisodeKey(2), EpisodeKey(3)])
    for _ in range(30):
        batch.step(np.zeros((2, 8), np.int64))
    seen = scenario.fields.split(batch.observe())
    assert not seen["known"].any()
    assert not seen["map_change_db"].any()
    for name in ("ahead_400ms_bps_hz", "ahead_2000ms_bps_hz"):
        assert (seen[name] == seen["efficiency_bps_hz"]).all()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_cars": 0, "num_pedestrians": 0}, "num_cars and num_pedestrians must be 1 at least together"),
        ({"num_cars": -1}, "num_cars must be between 0 and 200, got -1"),
        ({"num_cars": 2.5}, "num_cars must be an integer between 0 and 200, got 2.5"),
        ({"arm_m": 30.0}, "arm_m must be between 40 and 400, got 30"),
        ({"isd_m": 500.0, "arm_m": 300.0}, "isd_m must leave two cells a street of 600 m, got 500: at most 300"),
        ({"maps": ()}, "maps must be 1 to 4096 integers"),
        ({"maps": 2.5}, "maps must be 1 to 4096 integers"),
        ({"handover": "never"}, "handover must be one of 'both', 'command', 'conditional', got 'never'"),
        ({"reporting_share": 1.5}, "reporting_share must be between 0 and 1, got 1.5"),
        ({"position_error_m": float("nan")}, "position_error_m must be between 0 and 100, got nan"),
        ({"in_db": -9.0}, "in_db must be between -8 and 300, got -9.0"),
        ({"horizon": 0}, "horizon must be between 1 and 36,000, got 0"),
        ({"reward": "team"}, "reward must be one of 'own', 'difference', got 'team'"),
        ({"shared_map": 1}, "shared_map must be False or True, got 1"),
        ({"car_mps": (14.0, 8.0)}, "car_mps must be a pair of numbers"),
    ],
)
def test_bad_keywords_are_refused_with_what_is_allowed(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        make_scenario("shared_street", **keywords)


def test_an_unknown_keyword_is_named() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'num_car'"):
        make_scenario("shared_street", num_car=3)


def test_training_and_test_maps_differ_and_groups_say_which_map_an_episode_has() -> None:
    assert len(TRAINING_MAPS) == 48
    assert not set(TRAINING_MAPS) & set(UNSEEN_MAPS)
    for task in TASKS:
        seen = task.name == "shared_street/seen"  # asks what learning maps by heart is worth
        assert task.kwargs["maps"] == (TRAINING_MAPS if seen else UNSEEN_MAPS)
        assert task.for_training().kwargs["maps"] == TRAINING_MAPS
        assert len(task.groups) == task.episodes
        assert len(set(task.groups)) >= (32 if seen else 64)
    main = TASKS[0]
    short = dataclasses.replace(main, kwargs={**main.kwargs, "horizon": 1, "num_cars": 1, "num_pedestrians": 0})
    scenario = make_scenario("shared_street", **{**short.kwargs, "arm_m": 40.0, "isd_m": 40.0})
    drawn = scenario.draw([EpisodeRng(key) for key in short.keys(list(range(12)))])
    assert [UNSEEN_MAPS[g] for g in main.groups[:12]] == drawn.map_seed.tolist()
