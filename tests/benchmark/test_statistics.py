"""Intervals cover, pairs are compared as pairs, and the score is that of task means."""

from __future__ import annotations

import numpy as np
import pytest
from made_rows import suite
from scipy import stats

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard import summarise


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (5, 1.0)])
def test_intervals_cover(seeds, spread):
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        values = rng.normal(0, 1, (seeds, 60)) + rng.normal(0, spread, (seeds, 1)) + rng.normal(0, 0.5, 60)
        interval = statistics.mean_interval(values)
        hits += interval.low <= 0 <= interval.high
    assert 0.90 <= hits / 300 <= 0.99


def test_hierarchical_interval_is_wider_when_seeds_differ():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (5, 100)) + np.array([[-2], [-1], [0], [1], [2]])
    nested = statistics.mean_interval(values)
    pooled = statistics.mean_interval(values.reshape(1, -1))
    assert nested.mean == pytest.approx(pooled.mean)
    assert nested.high - nested.low > 4 * (pooled.high - pooled.low)


def test_paired_difference_is_far_tighter_than_unpaired():
    rng = np.random.default_rng(2)
    world = rng.normal(0, 10, 100)
    ours, theirs = (np.atleast_2d(world + rng.normal(shift, 0.1, 100)) for shift in (0.2, 0.0))
    paired = statistics.difference_interval(ours, theirs)
    plain = statistics.mean_interval(ours)
    assert paired.mean == pytest.approx(ours.mean() - theirs.mean())
    assert (paired.high - paired.low) * 30 < plain.high - plain.low
    assert paired.excludes_zero


def test_interval_of_one_episode_has_no_ends_and_of_constants_no_width():
    assert statistics.mean_interval(np.array([[3.0]])) == statistics.Interval(3.0, None, None)
    constant = statistics.mean_interval(np.full((1, 10), 0.1))
    assert constant.low == constant.high == constant.mean


def test_floor_scores_0_and_ceiling_1_and_lower_can_be_better():
    rng = np.random.default_rng(3)
    for sign in (1.0, -1.0):
        floor = sign * rng.normal(0, 3, (1, 50))
        ceiling = floor + sign * rng.uniform(1, 5, (1, 50))
        middle = (floor + ceiling) / 2
        scores = [statistics.score_interval(x, floor, ceiling) for x in (floor, middle, ceiling)]
        assert [s.mean for s in scores] == pytest.approx([0, 0.5, 1])
        assert scores[0].low == scores[0].high == pytest.approx(0)
        assert scores[2].low == pytest.approx(1)


def test_score_uses_task_means_not_ratios_per_episode():
    floor, ceiling = np.array([[0.0, 0.0]]), np.array([[1.0, 9.0]])
    agent = np.array([[1.0, 0.0]])  # the ratios' mean would be 0.5
    assert statistics.score_interval(agent, floor, ceiling).mean == pytest.approx(0.1)


def test_iqm_agrees_with_scipy_on_the_board():
    runs = suite(np.random.default_rng(4))
    values = {r.agent["name"]: np.array([row["reward"] for row in r.episodes]) for r in runs}
    scores = (values["ucb"] - values["random"]) / (values["oracle"].mean() - values["random"].mean())
    entry = summarise(runs).tasks[0].entry("ucb")
    assert entry.iqm == pytest.approx(stats.trim_mean(scores, 0.25))
    assert entry.score.mean == pytest.approx(scores.mean())
    assert entry.score.low < scores.mean() < entry.score.high


def test_groups_of_one_episode_change_nothing_and_groups_of_copies_count_once():
    rng = np.random.default_rng(12)
    values, other = rng.normal(0, 1, (5, 24)), rng.normal(0, 1, (1, 24))
    alone = np.arange(24)
    for plain, grouped in (
        (statistics.difference_interval(values, other), statistics.difference_interval(values, other, alone)),
        (
            statistics.score_interval(values, other - 9, other + 9),
            statistics.score_interval(values, other - 9, other + 9, alone),
        ),
    ):
        assert (grouped.mean, grouped.low, grouped.high) == pytest.approx((plain.mean, plain.low, plain.high))
    few = rng.normal(0, 1, (1, 8))
    copies = statistics.mean_interval(np.repeat(few, 3, axis=1), np.repeat(np.arange(8), 3))
    once = statistics.mean_interval(few)
    assert (copies.mean, copies.low, copies.high) == pytest.approx((once.mean, once.low, once.high))
    assert statistics.mean_interval(values, np.zeros(24, np.int64)).low is None  # one map says nothing of others


def test_the_groups_of_a_sample_are_those_of_its_episodes():
    sample = statistics.Sample.of([{0: 1.0, 3: 2.0, 5: 3.0}], (7, 7, 7, 2))
    assert sample.groups is not None
    assert sample.groups[:2].tolist() == [7, 2]
    assert sample.groups[2] not in (7, 2)  # an episode that the task says nothing of
    other = statistics.Sample.of([{3: 1.0, 4: 1.0, 0: 0.0}], (7, 7, 7, 2))
    assert statistics.shared_groups(sample, other).tolist() == [7, 2]
    assert statistics.shared_groups(statistics.Sample.of([{0: 1.0}])) is None
