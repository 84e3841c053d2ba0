"""Sight by geometry: what is in the way, and what of it counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio import blockage, obstacles, tr38901_umi as umi
from mmwave_gym.radio.obstacles import Screens
from mmwave_gym.radio.street_maps import HEIGHTS_M, Geometry, street_map

WAVE_M = blockage.wavelength_m(28.0)
EMPTY: dict[str, Any] = {"sight": "geometry", "parked_share": 0.0, "vehicles_per_km": 0.0, "bodies_per_km": 0.0}


def map_of(kind: str, parked_share: float | None, seed: int = 3) -> Any:
    return street_map(Geometry(kind, 300.0, 200.0, 3.0, parked_share), seed, 28.0)


def away_m(here: Any) -> Any:
    return np.hypot(*np.moveaxis(here.geometry.lanes_m()[:, :, None] - here.site_m, -1, 0))


def test_a_car_in_an_empty_canyon_sees_a_cell_at_80_m() -> None:
    """And all others: the statistical law lets it see a third of those at 60 to 100 m."""
    empty, law = map_of("canyon", 0.0), [map_of("canyon", None, seed).los for seed in range(40)]
    band = (away_m(empty) > 60.0) & (away_m(empty) < 100.0)
    assert empty.los.all()
    assert np.mean([los[band].mean() for los in law]) == pytest.approx(0.32, abs=0.05)


def test_the_direct_path_of_an_empty_canyon_is_that_of_the_standard() -> None:
    empty = map_of("canyon", 0.0)
    rest = empty.direct_db - umi.los_path_loss_db(away_m(empty), 10.0, 1.5, 28.0)
    assert rest.mean() == pytest.approx(0.0, abs=1.5)
    assert rest.std() == pytest.approx(4.0, abs=1.0)  # shadowing, and no obstacle
    np.testing.assert_array_equal(empty.loss_db, np.minimum(empty.direct_db, empty.reflected_db))


def test_a_corner_hides_what_the_line_does_not_clear() -> None:
    crossing = map_of("crossing", 0.0)
    clear = crossing.geometry.clear(crossing.geometry.lanes_m().reshape(-1, 2), crossing.site_m)
    assert (crossing.los.reshape(clear.shape) == clear).mean() > 0.999  # but for lines that touch one
    ends = np.array([[3.0, 60.0], [3.0, 12.0]]), np.array([[60.0, 3.0], [3.0, -60.0]])
    taken = obstacles.corners_loss_db(*ends, crossing.geometry.corners(*ends), WAVE_M)
    assert taken[0, 0] > 30.0  # around the corner, 18 m behind it
    assert taken[0, 1] < 0.5  # straight on
    assert taken[1, 1] < 0.5


def test_shadowing_is_the_same_in_both_kinds_of_sight() -> None:
    """What is reflected has the loss of NLOS, metre by metre."""
    law, seen = map_of("crossing", None), map_of("crossing", 0.0)
    np.testing.assert_array_equal(seen.reflected_db[~law.los], law.loss_db[~law.los])


def test_a_lorry_beside_the_ue_hides_a_cell_and_a_car_does_not() -> None:
    """UE at the origin, the cell 80 m to the east; the obstacle 5 m before it, 2 m high edges of the line at 2.03 m."""
    ue_m, site_m, at_m = np.zeros((1, 2)), np.array([[80.0, 0.0], [0.0, 80.0]]), np.array([[5.0, 0.0]])
    size = {"car": obstacles.CAR_M, "lorry": obstacles.TALL_M}
    taken = {
        name: obstacles.screens_loss_db(
            ue_m, site_m, at_m, Screens(np.array(its[:1]), np.array(its[1:]), 3.0), HEIGHTS_M, WAVE_M
        )
        for name, its in size.items()
    }
    by_hand = blockage.screen_loss_db(5.0, 75.0, 0.0, *obstacles.TALL_M, HEIGHTS_M, WAVE_M)
    assert taken["lorry"].tolist() == [[by_hand, 0.0]]  # the other cell is to the north
    assert by_hand > 18.0
    assert taken["car"][0, 0] < 1.0
    near = obstacles.screens_loss_db(ue_m, site_m, at_m / 2.0, obstacles.bodies(1), HEIGHTS_M, WAVE_M)
    same = Screens(np.array([8.0]), np.array([3.2]), 3.0)
    assert near[0, 0] > 0.0
    assert not obstacles.screens_loss_db(
        ue_m, site_m, at_m / 2.0, same, HEIGHTS_M, WAVE_M
    ).any()  # it is the UE's place


def test_what_is_left_out_takes_less_than_a_third_of_a_db() -> None:
    """Screens that end `CLEARANCE_M` aside of a line or below it, wherever on it they stand."""
    before_m = np.linspace(0.5, 149.5, 300)
    for width_m, height_m in (obstacles.CAR_M, obstacles.TALL_M, obstacles.BODY_M):
        aside_m = width_m / 2.0 + obstacles.CLEARANCE_M
        beside = blockage.screen_loss_db(before_m, 150.0 - before_m, aside_m, width_m, height_m, HEIGHTS_M, WAVE_M)
        line_m = 1.5 + 8.5 * before_m / 150.0
        low = line_m > height_m + obstacles.CLEARANCE_M
        below = blockage.screen_loss_db(before_m, 150.0 - before_m, 0.0, width_m, height_m, HEIGHTS_M, WAVE_M)[low]
        assert beside.max() < 1 / 3
        assert below.max() < 1 / 3


def test_the_users_body_hides_the_cell_behind() -> None:
    """Going east: the cell behind loses, the one in front does not."""
    place_m = np.stack((np.arange(5) * 0.02, np.zeros(5)), axis=1)
    own = Screens(*obstacles.bodies(1).sizes, 0.0)
    site_m = np.array([[80.0, 0.0], [-80.0, 0.0]])
    taken = obstacles.screens_loss_db(place_m, site_m, obstacles.own_body(place_m), own, HEIGHTS_M, WAVE_M)
    assert not taken[:, 0].any()
    assert (taken[:, 1] > 3.0).all()


def test_traffic_keeps_its_lane_and_speed_and_parks_where_it_should() -> None:
    geometry, rng = Geometry("crossing", 300.0, 200.0, 3.0, 1.0), np.random.default_rng(0)
    streets = geometry.axes, geometry.arm_m
    at_m = obstacles.moving(*streets, 3.0, 20.0, (8.0, 14.0, True), 0.02, 100, rng)
    assert at_m.shape[1] == pytest.approx(20 * 0.6 * 4, abs=25)
    assert np.isclose(np.abs(at_m), 3.0).any(axis=2).all()
    step_m = np.hypot(*np.moveaxis(np.diff(at_m, axis=0), -1, 0))
    step_m = step_m[step_m < 100.0]  # who leaves enters at the other end
    assert step_m.min() >= 8.0 * 0.02 - 1e-9
    assert step_m.max() <= 14.0 * 0.02 + 1e-9
    assert len(np.unique(step_m.round(9))) <= 4
    place_m, screens = obstacles.parked(*streets, 1.0, rng)
    assert (np.abs(place_m).min(axis=1) == obstacles.PARKED_M).all()
    assert len(place_m) == len(screens.width_m) > 250
    assert (screens.height_m == obstacles.TALL_M[1]).mean() == pytest.approx(0.2, abs=0.06)


def test_obstacles_only_take_and_no_more_than_the_direct_path_has() -> None:
    """The same drives with more and more in the way: reflected paths are what is left."""
    drawn = []
    for keywords in (EMPTY, {**EMPTY, "vehicles_per_km": 60.0}):
        scenario: Any = make_scenario("street", duration_s=10.0, **keywords)
        drawn.append(scenario.draw([EpisodeRng(EpisodeKey(seed)) for seed in range(4)]))
    empty, full = (episodes.rsrp_dbm for episodes in drawn)
    assert (full <= empty + 1e-3).all()
    assert (full < empty - 3.0).mean() > 0.005
    np.testing.assert_array_equal(drawn[0].place_m, drawn[1].place_m)


def test_a_world_without_obstacles_is_its_map() -> None:
    scenario: Any = make_scenario("street", duration_s=2.0, street="canyon", **EMPTY)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(1))])
    here = street_map(scenario.geometry, 1, 28.0)
    lanes_m = here.geometry.lanes_m()
    lane, point = np.unravel_index(
        np.hypot(*(lanes_m - episodes.place_m[0, 0]).transpose(2, 0, 1)).argmin(), lanes_m.shape[:2]
    )
    assert episodes.rsrp_dbm[0, 0] == pytest.approx(130.0 - 78.0 - here.loss_db[lane, point], abs=2.0)


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"sight": "blind"}, "sight must be one of 'statistical', 'geometry', got 'blind'"),
        ({"parked_share": 1.5}, "parked_share must be between 0"),
        ({"vehicles_per_km": -1.0}, "vehicles_per_km must be between 0"),
        ({"bodies_per_km": 1e4}, "bodies_per_km must be between 0"),
    ],
)
def test_bad_keywords(keywords: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make_scenario("street", **keywords)
