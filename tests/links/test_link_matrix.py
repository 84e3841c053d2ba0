"""Episodes on link matrices: worlds small enough for pencil and paper, and the statistics of long walks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from link_worlds import LINE, NAN, QUANTILES, TIME, line, measured, rng

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.links.checks import neighbours
from mmwave_gym.links.files import LinkMatrix
from mmwave_gym.links.matrix import correlated_normals


def square_grid(columns, rows, side_m=50.0, cells=2):
    x, y = np.meshgrid(np.arange(columns) * side_m, np.arange(rows) * side_m)
    place = np.stack((x.ravel(), y.ravel()), axis=1)
    return LinkMatrix(
        rsrp_dbm=np.full((len(place), cells), -90.0), noise_dbm=-110.0, cells=("a", "b"), position_m=place
    )


def test_rsrp_on_a_line_is_what_pencil_and_paper_say():
    drawn = line().draw(rng(), horizon=400, step_s=0.1, speed_mps=(1.0, 1.0))
    x_m = drawn.position_m[0, 0]
    a, b = drawn.of_all_cells(2)[0].T
    # a: -80 to -90 over the first ten metres, then its last value up to the middle of the next edge, then nothing.
    np.testing.assert_allclose(a[x_m <= 10], -80 - x_m[x_m <= 10])
    np.testing.assert_allclose(a[(x_m >= 10) & (x_m < 14.999)], -90)
    assert np.isnan(a[x_m > 15.001]).all()
    # b: nothing up to the middle of the first edge, then -100, then 3 dB a metre.
    assert np.isnan(b[x_m < 4.999]).all()
    np.testing.assert_allclose(b[(x_m > 5.001) & (x_m <= 10)], -100)
    np.testing.assert_allclose(b[x_m >= 10], -100 + 3 * (x_m[x_m >= 10] - 10))
    assert x_m.min() < 0.1
    assert x_m.max() > 19.9  # it went from end to end and turned round only there
    turns = np.flatnonzero(np.diff(np.sign(np.diff(x_m))) != 0)
    assert ((x_m[turns + 1] < 0.2) | (x_m[turns + 1] > 19.8)).all()


def test_a_ue_walks_at_its_speed_and_only_on_edges():
    grid = square_grid(5, 4)
    assert len(grid.edges) == 4 * 4 + 5 * 3  # sides, no diagonals
    drawn = grid.draw(rng(1), horizon=2000, step_s=0.5, num_ues=3, speed_mps=(1.0, 3.0))
    x_m, y_m = drawn.position_m
    assert x_m.shape == (3, 2001)
    assert (np.minimum(np.abs(x_m % 50 - 50 * (x_m % 50 > 25)), np.abs(y_m % 50 - 50 * (y_m % 50 > 25))) < 1e-9).all()
    stride_m = np.abs(np.diff(x_m)) + np.abs(np.diff(y_m))  # along the streets, also round a corner
    for ue in range(3):
        assert 0.5 <= stride_m[ue, 0] <= 1.5
        np.testing.assert_allclose(stride_m[ue], stride_m[ue, 0], atol=1e-9)
    headings = np.sign(np.diff(x_m)), np.sign(np.diff(y_m))
    for heading in headings:  # there is no dead end in this grid, so nobody turns round
        assert (heading[:, 1:] * heading[:, :-1] >= 0).all()
    visited = {(round(x / 50), round(y / 50)) for x, y in drawn.position_m.reshape(2, -1).T.tolist()}
    assert len(visited) == 20


def test_given_edges_are_walked_and_no_others():
    corner = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    rsrp_dbm = np.full((4, 2), -90.0)
    ring = LinkMatrix(rsrp_dbm=rsrp_dbm, noise_dbm=-110, cells=("a", "b"), position_m=corner)
    assert ring.edges.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    open_ring = LinkMatrix(
        rsrp_dbm=rsrp_dbm,
        noise_dbm=-110,
        cells=("a", "b"),
        position_m=corner,
        edges=np.array([[1, 0], [2, 1], [1, 2], [3, 2]]),
    )
    assert open_ring.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    x_m, y_m = open_ring.draw(rng(), horizon=3000, step_s=0.1).position_m[:, 0]
    assert not ((x_m < 1e-9) & (y_m > 1e-9) & (y_m < 10 - 1e-9)).any()  # the missing side


def test_starts_are_uniform_along_the_streets():
    starts = line().draw(rng(), horizon=1, step_s=0.1, num_ues=4000).position_m[0, :, 0]
    assert np.mean(starts) == pytest.approx(10.0, abs=0.5)  # 4 standard errors
    assert np.std(starts) == pytest.approx(20 / math.sqrt(12), rel=0.06)


def test_recordings_are_played_back_in_time():
    recording = LinkMatrix(**TIME)
    assert recording.kind == "time"
    assert recording.duration_s == 2.0
    whole = recording.draw(rng(), horizon=8, step_s=0.25)
    a, b = whole.of_all_cells(2)[0].T
    np.testing.assert_allclose(a, [-80, -82.5, -85, -87.5, -90, -88.5, -87, -85.5, -84])
    np.testing.assert_allclose(b, [-100, -100, -100, NAN, NAN, NAN, NAN, -70, -70])
    assert np.isnan(whole.position_m).all()
    firsts = [recording.draw(rng(s), horizon=1, step_s=0.1).of_all_cells(2)[0, 0, 0] for s in range(50)]
    assert np.std(firsts) > 1.0
    with pytest.raises(ChannelError, match=r"lasts 2 s and an episode 2\.5 s"):
        recording.draw(rng(), horizon=10, step_s=0.25)


def test_percentiles_come_back_as_statistics():
    drawn = measured(cells=50).draw(rng(), horizon=20_000, step_s=1.0, speed_mps=(3.0, 3.0))
    seen = drawn.rsrp_dbm.ravel()
    assert seen.min() >= -110
    assert seen.max() <= -60
    for q, value in ((10, -100), (30, -95), (50, -90), (90, -85)):  # 30 %: halfway between those of 10 and 50
        assert (seen < value).mean() * 100 == pytest.approx(q, abs=0.5)


def test_the_correlation_distance_is_the_one_that_is_said():
    z = correlated_normals(np.random.default_rng(0), np.array([0.05, 0.2]), 40_000, 8)
    for ue, stride in enumerate((0.05, 0.2)):
        for lag in (1, 5, 20):
            expected = math.exp(-lag * stride)
            found = np.mean([np.corrcoef(z[ue, :-lag, c], z[ue, lag:, c])[0, 1] for c in range(8)])
            assert found == pytest.approx(expected, abs=0.03)
        assert z[ue].std() == pytest.approx(1.0, abs=0.03)
    first = np.array([correlated_normals(np.random.default_rng(s), np.array([0.1]), 2, 1)[0, 0, 0] for s in range(500)])
    assert first.std() == pytest.approx(1.0, abs=0.1)  # stationary from the first slot on
    between = np.corrcoef(z[0, ::200].T)[np.triu_indices(8, 1)]
    assert np.abs(between).max() < 0.3  # cells are independent
    still = correlated_normals(np.random.default_rng(0), np.zeros(1), 100, 2)
    assert (still == still[:, :1]).all()


def test_a_longer_correlation_distance_changes_more_slowly():
    change_db = [
        np.abs(np.diff(measured(correlation_m=d).draw(rng(), horizon=2000, step_s=0.1).rsrp_dbm, axis=1)).mean()
        for d in (3.0, 30.0)
    ]
    assert change_db[0] > 2 * change_db[1]


def test_percentiles_and_plain_numbers_agree_where_all_percentiles_are_equal():
    flat = line(rsrp_dbm=np.repeat(LINE["rsrp_dbm"][..., None], 5, axis=2), percentiles=QUANTILES)
    one = line().draw(rng(4), horizon=300, step_s=0.1).of_all_cells(2)
    other = flat.draw(rng(4), horizon=300, step_s=0.1).of_all_cells(2)
    np.testing.assert_allclose(one, other)


def test_an_episode_is_its_key():
    matrix = measured(places=3)
    draws = [matrix.draw(rng(s), horizon=50, step_s=0.05, num_ues=2) for s in (7, 7, 8)]
    for one, same, other in zip(*draws, strict=True):
        assert np.array_equal(one, same)
        assert one.shape == other.shape
    assert not np.array_equal(draws[0].rsrp_dbm, draws[2].rsrp_dbm)


def test_speeds_that_would_walk_for_ever_are_refused():
    with pytest.raises(ChannelError, match="lower speed_mps"):
        line().draw(rng(), horizon=1000, step_s=1.0, speed_mps=(1.0, 1e6))


def test_neighbours_of_a_winding_route_are_its_order():
    angle = np.linspace(0, 1.5 * np.pi, 20)
    bend = 100 * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    assert neighbours(bend).tolist() == [[i, i + 1] for i in range(19)]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_heard_cells_are_heard_near_places_that_hear_them(data):
    heard = np.array(data.draw(st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=3, max_size=3)))
    if not heard.any():
        return
    matrix = line(rsrp_dbm=np.where(heard, -90.0, NAN))
    drawn = matrix.draw(rng(data.draw(st.integers(0, 99))), horizon=100, step_s=0.3)
    x_m = drawn.position_m[0, 0]
    sure = np.abs(x_m % 10 - 5) > 1e-6
    nearest = np.round(x_m / 10).astype(int)
    assert (~np.isnan(drawn.of_all_cells(2)[0]) == heard[nearest])[sure].all()
