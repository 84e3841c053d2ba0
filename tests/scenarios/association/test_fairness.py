"""Fairness of made-up services, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmwave_gym.scenarios.association.fairness import LEAST_RATE_MBPS, fairness


def test_rates_of_who_was_there_for_long():
    """10 and 30 Mbit/s count, 99 Mbit in a second do not; Jain's index is 40^2 / (2 * 1000)."""
    low, jain, logarithm = fairness(np.array([100.0, 300.0, 99.0]), np.array([10.0, 10.0, 1.0]), 60.0)
    assert low == pytest.approx(11.0)
    assert jain == pytest.approx(0.8)
    assert logarithm == pytest.approx(np.log2([10.0, 30.0]).mean())


def test_who_received_nothing_counts_as_the_least_rate():
    assert fairness(np.zeros(1), np.full(1, 9.0), 60.0) == (0.0, 0.0, pytest.approx(np.log2(LEAST_RATE_MBPS)))


@pytest.mark.parametrize("counted_s", [0.0, -1194.6])
def test_an_episode_that_ends_before_anything_counts_has_none(counted_s):
    """`settle_s` may lie behind the episode's end: nobody was there then, and 0 / 0 is no rate."""
    assert fairness(np.zeros(2), np.zeros(2), counted_s) == (0.0, 0.0, 0.0)
