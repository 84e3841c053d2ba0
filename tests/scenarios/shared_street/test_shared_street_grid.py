"""A grid of blocks and cars that turn, against places worked by hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio.street_maps import street_map
from mmwave_gym.scenarios.shared_street import traffic
from mmwave_gym.scenarios.shared_street.config import SharedStreetConfig
from mmwave_gym.scenarios.shared_street.places import LEFT, RIGHT, Crossing

GRID: dict[str, Any] = {"blocks": (3, 2), "arm_m": 90.0, "isd_m": 60.0, "maps": 3}


def crossing(blocks: tuple[int, int] = (3, 2)) -> Crossing:
    return Crossing("crossing", 90.0, 60.0, 3.0, blocks=blocks)


def test_streets_are_evenly_spaced_and_have_four_lanes_each() -> None:
    grid = crossing()
    assert [m.tolist() for m in grid.middles_m] == [[-60.0, 0.0, 60.0], [-45.0, 45.0]]
    assert (grid.car_lanes, grid.lanes) == (10, 20)
    lanes = grid.lanes_m()
    assert lanes.shape == (20, 91, 2)
    assert lanes[0, 0].tolist() == [-90.0, -48.0], "to the east, on the right of the street at -45 m"
    assert lanes[3, 0].tolist() == [90.0, 48.0], "to the west on the street at 45 m"
    assert lanes[4, 0].tolist() == [-57.0, -90.0], "to the north on the street at -60 m"
    assert lanes[10, 0].tolist() == [-90.0, -53.0], "the pavement beside lane 0"
    assert lanes[19, 0].tolist() == [52.0, 90.0], "the pavement to the south beside the street at 60 m"
    assert grid.sites_m()[:3].tolist() == [[-60.0, -54.0], [0.0, -36.0], [60.0, -54.0]]
    assert len(grid.sites_m()) == 15


def test_buildings_between_streets_block_sight() -> None:
    places = np.array([[-90.0, -45.0], [0.0, -45.0], [0.0, 45.0], [-60.0, 45.0], [0.0, 90.0]])
    clear = crossing().clear(places, places)
    seen = {(a, b) for a in range(5) for b in range(5) if clear[a, b]}
    along = {(0, 1), (1, 2), (2, 3), (2, 4), (1, 4)}
    assert seen == along | {(b, a) for a, b in along} | {(a, a) for a in range(5)}


def test_a_grid_of_one_block_sees_what_a_crossing_sees() -> None:
    one = crossing((1, 1))
    points, sites = one.lanes_m().reshape(-1, 2)[::7], one.sites_m()
    by_buildings = Crossing.clear(Crossing("crossing", 90.0, 60.0, 3.0, blocks=(1, True)), points, sites)
    assert (by_buildings == one.clear(points, sites)).all()


def test_cars_turn_where_lanes_cross() -> None:
    ways = crossing().ways
    # To the east on the street at -45 m: crossings at -60, 0 and 60 m are 30, 90 and 150 m along.
    assert ways.centre_m[0].tolist() == [30.0, 90.0, 150.0]
    assert ways.at_m[0, 1].tolist() == [93.0, 87.0]
    assert ways.lane[0, 1].tolist() == [6, 7], "left to the north, right to the south, on the street at 0 m"
    # To the north it is then at -48 m of -90, to the south at 90 - (-48) m.
    assert ways.to_m[0, 1].tolist() == [42.0, 138.0]
    # To the west on the street at 45 m: the first crossing is at 60 m; left is to the south.
    assert ways.centre_m[3].tolist() == [30.0, 90.0, 150.0]
    assert ways.lane[3, 0].tolist() == [9, 8]
    assert ways.centre_m[4].tolist() == [45.0, 135.0, np.inf]
    assert np.isinf(ways.centre_m[10:]).all(), "pavements"
    lanes = crossing().lanes_m()
    for lane, nth, side in np.argwhere(np.isfinite(ways.at_m)):
        heading, middle = crossing().lane_axes[lane]
        other, its_middle = crossing().lane_axes[ways.lane[lane, nth, side]]
        here = middle + (ways.at_m[lane, nth, side] - 90.0) * heading
        assert here == pytest.approx(its_middle + (ways.to_m[lane, nth, side] - 90.0) * other)
        assert (heading[0] * other[1] - heading[1] * other[0] > 0.0) == (side == LEFT)
    assert len(lanes) == 20


def driven(u: list[float], along_m: float, turning: float, horizon: int = 400, **keywords: Any) -> Any:
    """A car to the east at 10 m/s from the first slot of the warm-up, which is left out; u: of its crossings."""
    config = SharedStreetConfig(
        **{**GRID, **keywords}, num_cars=1, num_pedestrians=0, horizon=horizon, lights=False, turning=turning
    )
    movers = traffic.Movers(np.array([0]), np.array([along_m]), np.full((1, 9), 10.0), 0, np.array([u]))
    warm, traffic.WARM_SLOTS = traffic.WARM_SLOTS, 0
    try:
        return traffic.move(config, movers)
    finally:
        traffic.WARM_SLOTS = warm


def test_a_right_turn_and_a_left_one_lead_where_they_should() -> None:
    # Right in the first crossing, at 27 m; of the street at -60 m to the south, from 90 - (-48) = 138 m on.
    along_m, _, present, lane = driven([0.5, 0.9], 25.5, 0.8)
    assert lane[:3, 0].tolist() == [0, 5, 5]
    assert along_m[:3, 0] == pytest.approx([26.5, 138.5, 139.5])
    assert np.flatnonzero(~present[:, 0])[0] == 41, "178 m are behind it"
    # Left at 33 m: to the north from 42 m on. There the next crossing is at 135 m, where it drives straight on.
    along_m, _, present, lane = driven([0.1, 0.9], 32.5, 0.8)
    assert lane[:3, 0].tolist() == [4, 4, 4]
    assert along_m[:2, 0] == pytest.approx([42.5, 43.5])
    assert present[130, 0]
    assert lane[130, 0] == 4
    # Left again at the next one, to the west.
    _, _, _, lane = driven([0.1, 0.1], 32.5, 0.8)
    assert lane[98, 0] == 3
    # Straight on twice, then right.
    _, _, _, lane = driven([0.85, 0.95, 0.7], 20.5, 0.8)
    assert lane[125, 0] == 0
    assert lane[126, 0] == 9


def test_a_new_car_begins_in_its_first_lane() -> None:
    along_m, _, present, lane = driven([0.5], 25.5, 1.0)
    comes = np.flatnonzero(present[1:, 0] & ~present[:-1, 0]) + 1
    assert lane[comes, 0].tolist() == [0] * len(comes)
    assert len(comes) >= 1
    assert along_m[comes, 0].tolist() == [traffic.BEGIN_M] * len(comes)


def test_cars_stop_at_each_crossing() -> None:
    config = SharedStreetConfig(**GRID, num_cars=2, num_pedestrians=0, horizon=1)
    # Lines at 15, 75 and 135 m. To the east it is red in slot 270 of the cycle.
    movers = traffic.Movers(np.array([0, 0]), np.array([63.0, 123.0]), np.full((2, 9), 10.0), 270, np.ones((2, 1)))
    warm, traffic.WARM_SLOTS = traffic.WARM_SLOTS, 0
    try:
        speed_mps = traffic.move(config, movers)[1]
    finally:
        traffic.WARM_SLOTS = warm
    assert speed_mps[0] == pytest.approx([8.0, 8.0]), "12 m / 1.5 s"


def test_nobody_jumps() -> None:
    keywords = {**GRID, "num_cars": 20, "num_pedestrians": 4, "horizon": 600, "turning": 0.6}
    scenario = make_scenario("shared_street", **keywords)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(i)) for i in range(2)])
    turns = 0
    for i in range(2):
        place_m = scenario.world.place_m(episodes.lane[i], episodes.along_m[i])
        stays = episodes.present[i][1:] & episodes.present[i][:-1]
        step_m = np.hypot(*np.moveaxis(np.diff(place_m, axis=0), 2, 0))
        assert step_m[stays].max() < 1.4 + 1e-3
        turns += int((np.diff(episodes.lane[i], axis=0) != 0)[stays].sum())
    assert turns > 40


def test_cars_turn_as_often_as_they_should() -> None:
    keywords = {**GRID, "num_cars": 20, "num_pedestrians": 0, "horizon": 3000, "turning": 0.4, "lights": False}
    episodes = make_scenario("shared_street", **keywords).draw([EpisodeRng(EpisodeKey(3))])
    grid, lane, along = crossing(), episodes.lane[0], episodes.along_m[0]
    turned, straight = [0, 0], 0
    for ue in range(20):
        for t in np.flatnonzero(episodes.present[0, 1:, ue] & episodes.present[0, :-1, ue]):
            before, after = lane[t, ue], lane[t + 1, ue]
            if before != after:
                turned[int((grid.ways.lane[before, :, RIGHT] == after).any())] += 1
            else:
                ends_m = grid.ways.centre_m[before] + 3.0
                straight += int(((along[t, ue] < ends_m) & (ends_m <= along[t + 1, ue])).any())
    # Who has turned left passes the end of the crossing once more.
    straight -= turned[LEFT]
    total = straight + sum(turned)
    assert total > 300
    assert turned[LEFT] / total == pytest.approx(0.2, abs=0.06)
    assert turned[RIGHT] / total == pytest.approx(0.2, abs=0.06)


def test_links_are_those_of_the_lane_that_a_car_is_on() -> None:
    scenario = make_scenario("shared_street", **GRID, num_cars=6, num_pedestrians=0, horizon=200, turning=1.0)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(1))])
    loss_db = street_map(scenario.world.crossing, 3, 28.0).loss_db
    assert loss_db.shape == (20, 91, 15)
    changed = np.argwhere(np.diff(episodes.lane[0], axis=0) != 0)
    assert len(changed) > 3
    for t, ue in changed:
        for slot in (t, t + 1):
            point, part = scenario.world.point_of(float(episodes.along_m[0, slot, ue]))
            lane = episodes.lane[0, slot, ue]
            level = 130.0 - ((1.0 - part) * loss_db[lane, point] + part * loss_db[lane, point + 1]) - 78.0
            assert episodes.rsrp_dbm[0, slot, ue] == pytest.approx(level, abs=2e-2)


def test_reports_name_the_lane_of_their_slot() -> None:
    scenario = make_scenario("shared_street", **GRID, num_cars=6, num_pedestrians=0, horizon=200, turning=1.0)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(1))])
    for ue in range(6):
        for slot in range(-ue % 4, 201, 4):
            if episodes.present[0, slot, ue]:
                assert episodes.reported_lane[0, (slot + ue % 4) // 4, ue] == episodes.lane[0, slot, ue]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"blocks": (0, 1)}, "blocks must be a pair of integers between 1 and 8, got (0, 1)"),
        ({"blocks": 3}, "blocks must be a pair of integers between 1 and 8, got 3"),
        (
            {"blocks": (8, 8), "arm_m": 100.0},
            "blocks must leave 40 m from street to street on 200 m, got (8, 8): at most 5",
        ),
        ({"turning": 1.5}, "turning must be between 0 and 1, got 1.5"),
    ],
)
def test_bad_keywords_are_refused_with_what_is_allowed(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make_scenario("shared_street", maps=1, isd_m=60.0, **keywords)
