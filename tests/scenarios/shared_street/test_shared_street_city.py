"""Shared streets in traced cities, against a small raster worked by hand."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.links.files import write_channel
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.scenarios.shared_street.city import UNHEARD_DB, city_of, open_city
from mmwave_gym.scenarios.shared_street.scene import Record

STEP_M = 5.0
PLACES = [(0, 0), (1, 0), (2, 0), (3, 0), (2, 1), (2, 2)]
"""A street to the east, and one from its third place to the north: an L with a dead end at each end."""
EDGES = [(0, 1), (1, 2), (2, 3), (2, 4), (4, 5)]
SNR_DB = np.array([[30.0, np.nan], [25.0, 0.0], [20.0, 5.0], [15.0, 10.0], [10.0, 20.0], [np.nan, 30.0]])


@pytest.fixture
def town(tmp_path: Path) -> str:
    """A file of two cells, whose noise is -84 dBm."""
    path = tmp_path / "town.npz"
    write_channel(path, _matrix(STEP_M))
    return str(path)


def _matrix(step_m: float) -> LinkMatrix:
    return LinkMatrix(
        rsrp_dbm=SNR_DB - 84.0,
        noise_dbm=-84.0,
        cells=("a", "b"),
        position_m=step_m * np.array(PLACES, float) + 1000.0,
        edges=np.array(EDGES),
        site_m=np.array([[1000.0, 1004.0], [1012.0, 1010.0]]),
    )


def test_lanes_are_straight_runs_of_places_each_way(town: str) -> None:
    city = city_of(town)
    assert city.lanes == 4
    lanes = {tuple(heading.astype(int)): lane for lane, (heading, _) in enumerate(city.lane_axes)}
    assert city.points.tolist() == [4, 3, 4, 3]
    # The middle of all places is (1007.5, 1005).
    assert city.lane_axes[lanes[1, 0]][1].tolist() == [-7.5, -5.0]
    assert city.lane_axes[lanes[-1, 0]][1].tolist() == [7.5, -5.0]
    assert city.lane_axes[lanes[0, -1]][1].tolist() == [2.5, 5.0]
    assert city.site_m.tolist() == [[-7.5, -1.0], [4.5, 5.0]]
    assert city.snr_db[lanes[1, 0], :, 0].tolist() == [30.0, 25.0, 20.0, 15.0, 15.0]
    assert city.snr_db[lanes[0, -1], :3, 1].tolist() == [30.0, 20.0, 5.0]
    assert city.snr_db[lanes[1, 0], 0, 1] == UNHEARD_DB
    assert (city.step_m, city.length_m, city.half_m) == (5.0, 15.0, 7.5)


def test_links_are_the_matrixs_between_places(town: str) -> None:
    keywords = {"num_cars": 4, "num_pedestrians": 2, "horizon": 200, "car_mps": (2.0, 9.0), "blockage_db": 0.0}
    scenario = make_scenario("shared_street", maps=town, **keywords)
    assert scenario.num_cells == 2
    e = scenario.draw([EpisodeRng(EpisodeKey(3))])
    city = city_of(town)
    for t in range(0, 201, 7):
        for ue in range(6):
            lane, along = int(e.lane[0, t, ue]), float(e.along_m[0, t, ue]) / STEP_M
            at = min(int(along), int(city.points[lane]) - 2)
            snr = (1.0 - along + at) * city.snr_db[lane, at] + (along - at) * city.snr_db[lane, at + 1]
            assert e.rsrp_dbm[0, t, ue] == pytest.approx(snr - 78.0, abs=1e-3)


def test_ues_follow_the_streets_at_their_speeds(town: str) -> None:
    keywords = {"num_cars": 6, "num_pedestrians": 4, "horizon": 600, "car_mps": (2.0, 9.0), "clustered_share": 0.5}
    scenario = make_scenario("shared_street", maps=town, **keywords)
    e = scenario.draw([EpisodeRng(EpisodeKey(i)) for i in range(3)])
    for i in range(3):
        place_m = scenario.world.place_m(e.lane[i], e.along_m[i])
        step_m = np.abs(np.diff(place_m, axis=0)).sum(axis=2)
        assert e.present[i].all()
        assert step_m[:, :6].max() < 0.9 + 1e-4
        assert step_m[:, :6].mean() > 0.15, "they never stand, but for a turn round within a slot"
        on_east = np.isclose(place_m[..., 1], -5.0, atol=1e-3) & (np.abs(place_m[..., 0]) <= 7.5 + 1e-3)
        on_north = np.isclose(place_m[..., 0], 2.5, atol=1e-3) & (np.abs(place_m[..., 1]) <= 5.0 + 1e-3)
        assert (on_east | on_north).all()
        assert on_east[:, 0].any()
        assert on_north[:, :6].any()


def test_cars_turn_once_in_eighty_metres() -> None:
    scenario = make_scenario("shared_street", maps="san_francisco", num_cars=100, num_pedestrians=0, horizon=600)
    e = scenario.draw([EpisodeRng(EpisodeKey(2))])
    turns = (np.diff(e.lane[0], axis=0) != 0).sum()
    driven_m = np.abs(np.diff(scenario.world.place_m(e.lane[0], e.along_m[0]), axis=0)).sum()
    # Of a turn's ways one is often straight on; walls ask for turns beside.
    assert 30.0 < driven_m / turns < 120.0


@pytest.mark.parametrize("name", ["munich", "city:helsinki"])
def test_shipped_cities_are_played(name: str) -> None:
    scenario = make_scenario("shared_street", maps=name, num_cars=5, num_pedestrians=3, horizon=40)
    batch = Batch(scenario, 2)
    batch.reset([EpisodeKey(0), EpisodeKey(1)])
    last: Any = None
    for _ in range(40):
        last = batch.step(np.zeros((2, 8), np.int64))
    assert (last.metrics["utility"] > -4.0).all()
    constants = scenario.constants()
    assert constants["maps"] == name
    assert constants["city"] == city_of(name).fingerprint
    assert not {"arm_m", "isd_m", "blocks", "turning", "lights"} & set(constants)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"maps": "atlantis"}, "maps='atlantis' is no city that can be read (atlantis: a channel file ends in .npz"),
        ({"maps": "atlantis"}, "Give one of 'munich', 'san_francisco', "),
        ({"maps": ""}, "maps must be seeds, a city's name or a file of one, got ''"),
        ({"maps": b"munich"}, "A city is one text: its name, such as 'munich', or its file."),
        ({"maps": "munich", "arm_m": 100.0}, "arm_m belongs to a drawn map and means nothing in a city (maps="),
        ({"maps": "munich", "turning": 0.5}, "turning belongs to a drawn map and means nothing in a city"),
        ({"maps": ("munich", "florence")}, "maps must be 1 to 4096 integers"),
    ],
)
def test_bad_keywords_are_refused_with_what_is_allowed(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make_scenario("shared_street", **keywords)


def test_a_path_is_a_file(town: str) -> None:
    constants = make_scenario("shared_street", maps=Path(town)).constants()
    assert constants == make_scenario("shared_street", maps=town).constants()


def test_a_file_that_was_written_anew_is_read_anew(town: str) -> None:
    before = city_of(town)
    assert city_of(town) is before
    matrix = open_city(town)
    write_channel(Path(town), dataclasses.replace(matrix, rsrp_dbm=matrix.rsrp_dbm - 3.0))
    assert city_of(town).snr_db[0, 0, 0] == before.snr_db[0, 0, 0] - 3.0


def test_a_way_ends_with_its_last_leg_whatever_rounds(tmp_path: Path) -> None:
    # 4.1 m/s over steps of 3 m: slot 600 is at leg 82 - 1e-14 by one sum, and at leg 82 by the other.
    path = tmp_path / "rounds.npz"
    write_channel(path, dataclasses.replace(_matrix(3.0), site_m=None))
    keywords = {"num_cars": 1, "num_pedestrians": 0, "horizon": 600, "car_mps": (4.1, 4.1)}
    scenario = make_scenario("shared_street", maps=str(path), **keywords)
    e = scenario.draw([EpisodeRng(EpisodeKey(0))])
    place_m = scenario.world.place_m(e.lane[0], e.along_m[0])
    assert np.abs(np.diff(place_m, axis=0)).sum(axis=2).max() < 0.41 + 1e-4


def test_no_more_of_the_radio_map_is_known_than_lies_on_lanes(town: str) -> None:
    # Places are reported 8 m wrong: also on the longest lane's bins behind the end of a shorter one.
    keywords = {"num_cars": 8, "num_pedestrians": 8, "horizon": 300, "position_error_m": 8.0}
    batch = Batch(make_scenario("shared_street", maps=town, **keywords), 1)
    batch.reset([EpisodeKey(0)])
    for _ in range(299):
        batch.step(np.zeros((1, 16), np.int64))
    assert batch.scenario.world.bins_a_lane.tolist() == [4, 3, 4, 3]
    assert (batch.state.map_count[0, 1::2, 3] > 0.0).any(), "a report behind the end of a lane"
    assert Record(batch).mapped_share() == 1.0


def test_pictures_name_a_citys_file_without_its_folder(town: str) -> None:
    batch = Batch(make_scenario("shared_street", maps=town, num_cars=1, num_pedestrians=0, horizon=1), 1)
    batch.reset([EpisodeKey(0)])
    assert Record(batch).map_name == "town.npz"


def test_places_off_the_raster_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "slanted.npz"
    places = np.array([[0.0, 0.0], [5.0, 0.0], [8.0, 4.0]])
    matrix = LinkMatrix(
        rsrp_dbm=np.full((3, 2), -70.0),
        noise_dbm=-84.0,
        cells=("a", "b"),
        position_m=places,
        edges=np.array([(0, 1), (1, 2)]),
    )
    write_channel(path, matrix)
    with pytest.raises(ValueError, match="must have its places on a raster"):
        make_scenario("shared_street", maps=str(path))
