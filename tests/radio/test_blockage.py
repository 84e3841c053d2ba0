"""Screens of TR 38.901, 7.6.4.2, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmwave_gym.radio import blockage

WAVE_M = 0.01  # 29.98 GHz


def test_a_screen_in_the_middle_worked_out_by_hand() -> None:
    """10 m before and behind, both antennas 1.5 m high, 2 m wide, 3 m high: the line meets its very middle.

    Seen from above each edge is 1 m aside: D1 = D2 = sqrt(101) = 10.0498756, the detour .0997512 m, pi / wavelength
    times it 31.337776, its root 5.598016, times pi / 2 8.793343, atan 1.457561, F = .463957. Seen from the side both
    edges are 1.5 m off: sqrt(102.25) = 10.1118742, .2237484, 70.292634, 8.384070, 13.169666, 1.495009, .475876.
    L = -20 log10(1 - .927914 x .951752) = -20 log10(.116856) = 18.647 dB.
    """
    found = blockage.screen_loss_db(10.0, 10.0, 0.0, 2.0, 3.0, (1.5, 1.5), WAVE_M)
    assert found == pytest.approx(18.647, abs=2e-3)


def test_beside_the_line_the_nearer_edge_has_minus() -> None:
    """The same screen 1.5 m aside: edges at .5 and 2.5 m, F_w = .495... - .428....

    .5 m: sqrt(100.25) = 10.0124922, .0249844, 7.849081, 2.801621, 4.400776, 1.347349, F .428874.
    2.5 m: sqrt(106.25) = 10.3077641, .6155281, 193.373864, 13.905893, 21.843326, 1.525048, F .485438.
    L = -20 log10(1 - .056564 x .951752) = .4807 dB.
    """
    for aside_m in (1.5, -1.5):
        found = blockage.screen_loss_db(10.0, 10.0, aside_m, 2.0, 3.0, (1.5, 1.5), WAVE_M)
        assert found == pytest.approx(0.4807, abs=2e-3)


def test_a_line_that_rises_is_measured_along_its_slope() -> None:
    """Straight through a point 1 m above the screen's edge, from 1.5 m to 10 m over 40 m, 10 m behind the first end.

    At the screen the line is at 3.625 m, the edge at 2.625 m: D1 = sqrt(100 + 1.125^2) = 10.063083, D2 = sqrt(900 +
    7.375^2) = 30.893213, r = sqrt(1600 + 8.5^2) = 40.893154: detour .063142 m. An F of 1 / pi atan(pi / 2 sqrt(100 pi
    .063142)) = 1 / pi atan(6.996) = .454814.
    """
    assert blockage.edge(10.0, 30.0, -1.0, 8.5, WAVE_M) == pytest.approx(0.454814, abs=1e-5)


def test_a_grazed_corner_takes_half_of_the_field_and_a_hidden_one_ever_more() -> None:
    aside_m = np.array([0.0, 0.1, 0.3, 1.0, 3.0, 10.0])
    hidden, beside = (
        blockage.corner_loss_db(50.0, 50.0, aside_m, np.full(6, behind), WAVE_M) for behind in (True, False)
    )
    assert hidden[0] == beside[0] == pytest.approx(20.0 * math.log10(2.0))
    assert (np.diff(hidden) > 0.0).all()
    assert (np.diff(beside) < 0.0).all()
    assert beside[-1] < 0.1
    assert hidden[-1] > 35.0


def test_a_screen_far_away_takes_nothing() -> None:
    far = blockage.screen_loss_db(10.0, 60.0, np.array([100.0, -100.0]), 4.8, 3.0, (1.5, 10.0), WAVE_M)
    assert (far < 1e-3).all()
    assert blockage.screen_loss_db(10.0, 60.0, 0.0, 4.8, 0.01, (1.5, 10.0), WAVE_M) < 0.5  # a kerb


def test_the_wavelength_of_28_ghz() -> None:
    assert blockage.wavelength_m(28.0) == pytest.approx(0.0107069, abs=1e-7)
