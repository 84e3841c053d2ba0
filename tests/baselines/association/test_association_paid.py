"""What the metric counts is the true integral of the efficiencies by which UEs are paid: to the last digits."""

from __future__ import annotations

import numpy as np
import pytest

from mmwave_baselines.association.bounds import relaxation
from mmwave_baselines.association.paid import Paid, payments
from mmwave_baselines.association.world import known_worlds
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

BUSY = {"num_ues": 40, "crossings": (3, 3), "duration_s": 29.0, "settle_s": 5.0}
QUIET = {"num_ues": 3, "crossings": (2, 3), "duration_s": 29.0, "settle_s": 5.0}


@pytest.mark.parametrize("geometry", ["blocked", "paper"])
@pytest.mark.parametrize("size", [BUSY, QUIET], ids=["busy", "quiet"])
def test_the_metric_is_the_integral_of_what_is_paid(geometry, size):
    """Of plans at random, in whole episodes; and no more than that after a warm-up."""
    rng = np.random.default_rng(0)
    for number in range(3):
        batch = Batch(make_scenario("association", geometry=geometry, **size), 1)
        batch.reset([EpisodeKey(1, number, "test")])
        view = View(batch, "hindsight")
        (world,) = known_worlds(view)
        mbit, rank = [], rng.integers(0, np.maximum((world.candidate >= 0).sum(axis=1), 1))
        for choice in rank:
            mbit.append(float(batch.step(np.array([[choice]])).metrics["network_rate_mbps"][0]))
        paid = Paid(world, size["settle_s"])
        for first in (0, len(world.ue) // 3):
            begin_s = paid.payments.before(world.time_s[first])
            problem = relaxation(world, begin_s, world.time_s[-1], paid)
            # A job that runs at the beginning is where it was put before, or at its only base station.
            put = np.where(problem.epoch >= 0, rank[problem.epoch], 0)
            on = problem.rank == put[problem.job]
            load = np.bincount(problem.pieces_cell, on[problem.link], len(problem.leave))
            bits = np.bincount(problem.pieces_cell, on[problem.link] * problem.bits, len(problem.leave))
            found = 10.0 * float((bits / np.maximum(load, 1.0)).sum())
            if first == 0:
                assert sum(mbit) == pytest.approx(found, rel=1e-9)
            assert sum(mbit[first:]) <= found * (1.0 + 1e-9)
            assert sum(mbit[first:]) == pytest.approx(found, rel=0.01)


def test_payments_are_a_tick_apart_or_longer_with_more_nodes():
    found = payments(np.array([1.0, 1.04, 1.12, 1.14, 1.5, 1.55, 1.59]), 1.13)
    np.testing.assert_allclose(found.time_s, [1.0, 1.12, 1.14, 1.5, 1.59])
    assert found.ticks.tolist() == [1, 2, 1, 4, 1]
    assert found.late.tolist() == [0.0, 0.0, 0.0, 0.0, 0.0]
    assert found.before(1.13) == 1.12
    long_step = payments(np.array([1.0, 1.05, 1.5, 1.6]), 0.0)
    assert long_step.time_s.tolist() == [1.0, 1.05, 1.5, 1.6]
    assert long_step.late.tolist() == [0.0, 1.0, 0.0, 0.0]
