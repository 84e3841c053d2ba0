"""City files and the worlds drawn from them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from city_worlds import BS_X_M, RANGE_M, small_city

import mmwave_gym  # noqa: F401  (registers the ids)
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.scenarios.association.city import FIELDS, City, read_city, write_city
from mmwave_gym.scenarios.association.game import Association, AssociationConfig
from mmwave_gym.scenarios.association.routes import epochs
from mmwave_gym.scenarios.association.world import CityWorld


def draw(world, seed=0):
    return world.draw(EpisodeRng(EpisodeKey(seed)))


# ---------------------------------------------------------------------- files


def assert_same(city, other):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(city, name), getattr(other, name), err_msg=name)


def test_a_file_keeps_everything(tmp_path):
    city = small_city(notes="ours", licence="MIT")
    write_city(tmp_path / "a.npz", city)
    assert_same(read_city(tmp_path / "a.npz"), city)


def test_files_of_this_version_stay_readable():
    assert_same(read_city(Path(__file__).parents[2] / "data" / "small_city.npz"), small_city())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sites": ("a",)}, "sites has 1 rows where the other arrays ask for 3"),
        ({"bs_m": np.zeros((3, 3))}, r"bs_m must have shape \(rows, 2\), got \(3, 3\)"),
        ({"bs_m": np.full((3, 2), np.nan)}, r"bs_m\[0, 0\] is nan"),
        ({"knots_m": 20.0 * small_city().knots_m}, r"knots_m\[1\]: the vehicle 'tram 0' moves at 200 m/s"),
        ({"visit_bs": np.full(36, 3)}, r"visit_bs\[0\] must be between 0 and 2, got 3"),
        ({"visit_bs": np.zeros(36)}, "visit_bs must be integers"),
        ({"first_knot": np.full(12, 1000)}, r"present_s\[0\] is .* within its knots"),
        ({"present_s": np.tile((0.0, 70.0), (12, 1))}, r"present_s\[1\] is .* within its knots"),
        (
            {"visit_s": np.tile((8.0, 7.0), (36, 1))},
            r"visit_s\[0\] is \[8.0, 7.0\]: it must be a start and a later end",
        ),
        ({"knot_s": 0.0}, "knot_s must be a number between 0.1 and 10"),
        ({"corners": np.array((3,))}, "corner_m has 4 rows where the other arrays ask for 3"),
        (
            {"visit_bs": np.zeros(0, int), "visit_vehicle": np.zeros(0, int), "visit_s": np.zeros((0, 2))},
            "no vehicle ever has a base station",
        ),
    ],
)
def test_what_is_wrong_is_named(changes, message):
    with pytest.raises(CityError, match=message):
        small_city(**changes)


def test_files_from_strangers_are_refused(tmp_path):
    file = tmp_path / "a.npz"
    write_city(file, small_city())
    arrays = dict(np.load(file))
    for changed, message in (
        ({**arrays, "version": np.array(2)}, "version 2; this package reads city files of version 1"),
        ({k: v for k, v in arrays.items() if k != "bs_m"}, "'bs_m' is missing"),
        ({**arrays, "extra": np.zeros(1)}, "'extra' is unknown"),
        ({**arrays, "sites": np.array(["a", "b", object()], dtype=object)}, "pickled"),
        ({**arrays, "notes": np.zeros(3)}, "notes must be a string"),
    ):
        np.savez(file, allow_pickle=True, **changed)
        with pytest.raises(CityError, match=message) as caught:
            read_city(file)
        assert str(caught.value).startswith(str(file))
    with pytest.raises(CityError, match="there is no such file"):
        read_city(tmp_path / "b.npz")
    with pytest.raises(CityError, match=r"ends in \.npz"):
        write_city(tmp_path / "a.csv", small_city())


def test_shares_by_pencil_and_paper():
    city = small_city()
    assert city.blocked_share == pytest.approx(0.3)
    # Of each way from -50 to 650 m only 330 to 470 m is a hole.
    assert city.covered_share == pytest.approx(560.0 / 700.0)


# ---------------------------------------------------------------------- worlds


def test_two_vehicles_never_change_at_one_instant():
    visit_s = np.round(small_city().visit_s)  # whole seconds: many coincide
    city = small_city(visit_s=visit_s)
    assert len(np.unique(visit_s)) < visit_s.size
    instants = {}
    for vehicle, times in zip(np.tile(city.visit_vehicle, 2), city.distinct_s.T.ravel(), strict=True):
        instants.setdefault(float(times), set()).add(int(vehicle))
    assert all(len(vehicles) == 1 for vehicles in instants.values())
    np.testing.assert_allclose(city.distinct_s, visit_s, atol=1e-4)
    time_s = epochs(*draw(CityWorld(city, 60.0))[:2], city.bs_m, CityWorld(city, 60.0).budget, 60.0, 3).time_s
    assert (np.diff(time_s) > 0.0).all()


def test_an_episode_is_a_window():
    city = small_city()
    world = CityWorld(city, 30.0)
    begins = set()
    for seed in range(20):
        routes, visits, buildings = draw(world, seed)
        assert buildings.shape == (0, 4)
        there = routes.present_s[:, 1] > routes.present_s[:, 0]
        # Which window: UEs keep their ways, so the first one's place tells.
        ue = int(np.flatnonzero(there)[0])
        for u in np.flatnonzero(there):
            low, high = routes.present_s[u]
            x = routes.at(np.full(2, u), np.array((low, high)))[:, 0]
            assert abs(x[1] - x[0]) == pytest.approx(10.0 * (high - low))
        for u, bs, start, end in zip(visits.ue, visits.bs, visits.start_s, visits.end_s, strict=True):
            assert 0.0 <= start < end <= 60.0
            assert routes.present_s[u, 0] - 1e-3 <= start
            x = routes.at(np.full(2, u), np.array((start, end)))[:, 0]
            assert (np.abs(x - BS_X_M[bs]) <= RANGE_M + 0.1).all()
        assert set(visits.ue) <= set(np.flatnonzero(there))
        begins.add(round(float(routes.at(np.array([ue]), np.zeros(1))[0, 0])))
    assert len(begins) > 5
    assert world.num_ues >= there.sum()


def test_what_is_counted_is_enough_and_needed():
    """The horizon, the UEs and the candidates are the largest that any window has."""
    city = small_city()
    world = CityWorld(city, 30.0)
    counted, ues, candidates = [], [], []
    for seed in range(200):
        routes, visits, _ = draw(world, seed)
        found = epochs(routes, visits, world.bs_m, world.budget, 30.0, 3)
        counted.append(len(found.time_s))
        ues.append(int((routes.present_s[:, 1] > routes.present_s[:, 0]).sum()))
        candidates.append(int((found.candidate >= 0).sum(axis=1).max()))
    assert (max(counted), max(ues), max(candidates)) == (world.most_epochs, world.num_ues, world.most_candidates)
    assert min(counted) >= 1


def test_base_stations_are_joined_where_they_are_candidates_together():
    assert CityWorld(small_city(), 30.0).roads.tolist() == [[0, 1]]  # the third is beyond the hole


def test_fewer_ues_are_those_that_decide():
    world = CityWorld(small_city(), 30.0, num_ues=2)
    for seed in range(50):
        routes, visits, _ = draw(world, seed)
        assert len(epochs(routes, visits, world.bs_m, world.budget, 30.0, 3).time_s) >= 1


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_ues": 13}, "num_ues must be at most .*, the most vehicles in one window; got 13"),
        ({"duration_s": 121.0}, "duration_s must be at most 120: the city tells of 150 s"),
        ({"radius_m": 100.0}, r"radius_m belongs to the street grid .* \(got radius_m=100.0\)"),
        ({"crossings": (3, 3)}, "crossings belongs to the street grid"),
        ({"bandwidth_hz": 1e6}, "bandwidth_hz belongs to the street grid"),
        ({"bandwidth_hz": 10e6}, r"bandwidth_hz belongs to the street grid and means nothing in a city \(city=<City "),
        ({"settle_s": 200.0}, "settle_s must be below duration_s"),
        ({"city": 7}, "city must be a city file, a source such as 'gtfs:helsinki', or a City, got 7"),
        ({"city": "gtfs:atlantis"}, "the known cities are gtfs:helsinki"),
        ({"city": "nowhere.npz"}, "nowhere.npz: there is no such file"),
    ],
)
def test_keywords_that_do_not_fit_a_city(keywords, message):
    with pytest.raises(ValueError, match=message):
        Association(AssociationConfig(**{"city": small_city(), "duration_s": 60.0, **keywords}))


# ---------------------------------------------------------------------- the environment


def play(city, choose=lambda mask: int(np.flatnonzero(mask)[0]), seed=3, **keywords):
    env = gym.make("MmwaveAssociation-v0", city=city, **{"duration_s": 60.0, "settle_s": 10.0, **keywords})
    env.reset(seed=seed)
    infos = []
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(choose(env.unwrapped.action_masks()))
        infos.append(info)
        over = terminated or truncated
    return env, infos


def test_nobody_serves_a_ue_in_a_hole():
    city = small_city()
    env, infos = play(city)
    batch = env.unwrapped.batch
    episodes, horizon = batch.episodes, len(infos)
    candidates = (episodes.candidate[0, :horizon] >= 0).sum(axis=1)
    assert (candidates == 0).any()  # a UE drove into the hole or off the map
    assert all(info["elapsed_s"] > 0.0 for info in infos)


def test_fairness_counts_the_time_of_presence():
    """Alone in range of a base station all the time it is there, a UE has the same mean rate however short it stays."""
    whole = small_city()
    alone = dataclasses.replace(
        whole,
        vehicles=("tram 0",),
        first_knot=whole.first_knot[:1],
        num_knots=whole.num_knots[:1],
        knots_m=np.tile((3.0, 0.0), (71, 1)),  # it stands at the first base station
        present_s=np.array(((0.0, 35.0),)),
        visit_vehicle=np.zeros(2, int),
        visit_bs=np.array((0, 1)),
        visit_s=np.array(((0.0, 35.0), (20.0, 34.0))),
        in_range_s=100.0,
    )
    rates = []
    for seed in range(6):
        env, infos = play(alone, seed=seed, settle_s=0.0)
        distance_m = np.hypot(np.hypot(3.0, 5.0), 8.5)
        rate_mbps = 1e3 * np.log2(1.0 + 10**6.6 * distance_m**-2.1)
        episodes = env.unwrapped.batch.episodes  # which count from the first epoch on
        present_s = np.ptp(np.maximum(episodes.present_s[0, 0], episodes.time_s[0, 0]))
        if present_s < 5.0:
            continue
        rates.append(infos[-1]["p5_rate_mbps"] / rate_mbps)
        assert sum(i["network_rate_mbps"] for i in infos) == pytest.approx(rate_mbps * present_s, rel=1e-3)
    assert rates == pytest.approx([1.0] * len(rates), rel=1e-3)
    assert rates


def test_the_path_loss_is_that_of_the_standard():
    """3GPP TR 38.901, table 7.4.1-1, UMi street canyon in line of sight, at 28 GHz and 100 m on the map."""
    from mmwave_gym.scenarios.association import city_builder

    path_loss_db = 32.4 + 21.0 * np.log10(np.hypot(100.0, 8.5)) + 20.0 * np.log10(28.0)
    noise_dbm = -174.0 + 90.0 + 7.0
    snr_db = 30.0 + 10 * np.log10(64) + 10 * np.log10(16) - 9.0 - path_loss_db - noise_dbm
    city = small_city(snr_1m_db=city_builder.snr_1m_db())
    budget = CityWorld(city, 60.0).budget
    assert budget.efficiency_bps_hz(np.array(1e4)) == pytest.approx(np.log2(1.0 + 10 ** (snr_db / 10.0)))
    assert city_builder.range_m(snr_db) == pytest.approx(100.0)
    assert pytest.approx(1681.0, rel=1e-3) == city_builder.BREAKPOINT_M


def test_a_city_is_described():
    text = small_city().describe()
    assert "12 vehicles" in text
    assert "07:00 to 07:02" in text
    assert "30.0 % of their time blocked" in text
    assert isinstance(small_city(), City)
