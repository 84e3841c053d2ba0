"""Clusters of UEs that move alike: against scikit-learn, against the paper's distance, and over time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import calinski_harabasz_score

from mmwave_baselines.handover.mobility_clusters import MobilityClusters, calinski_harabasz, features, observe
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng


def areas(ues=4, seed=0):
    return np.concatenate([observe(area, ues, seed=seed) for area in ("A1", "A2", "A3")])


def test_the_index_is_that_of_scikit_learn():
    vectors = features(areas(6))
    for count in (2, 3, 5):
        labels = KMeans(count, n_init=2, random_state=0).fit_predict(vectors)
        assert calinski_harabasz(vectors, labels) == pytest.approx(calinski_harabasz_score(vectors, labels), rel=1e-12)


def test_the_distance_is_that_of_the_paper():
    """tau * (squared distances of places) + (1 - tau) * (squared differences of speeds), summed over slots."""
    one, other = observe("A1", 2, seed=3)
    place, speed = ((one - other) ** 2)[:, :2].sum(), ((one - other) ** 2)[:, 2].sum()
    for tau in (0.0, 0.3, 1.0):
        a, b = features(np.stack((one, other)), tau)
        assert ((a - b) ** 2).sum() == pytest.approx(tau * place + (1.0 - tau) * speed, rel=1e-12)


def test_walks_are_those_of_the_environment_with_the_speed_that_it_drew():
    seen = observe("A3", 5, seed=7, slots=40)
    scenario = make_scenario("handover", mobility="A3", num_ues=5, horizon=40, step_s=0.12, boundary="stay")
    drawn = scenario.draw([EpisodeRng(EpisodeKey(7, stream="observation A3"))])
    np.testing.assert_array_equal(seen[..., :2], drawn.position_m[0, 1:].swapaxes(0, 1))
    assert (seen[..., :2] <= 16.0).all()
    speed = seen[:, 0, 2]
    assert (seen[..., 2] == speed[:, None]).all(), "one speed a UE"
    assert ((speed > 1.0 - 1e-4) & (speed < 3.0 + 1e-4)).all()
    # Where no wall is near, a step is as long as the speed says.
    first = np.hypot(*(seen[:, 0, :2] - 8.0).T) / 0.12
    np.testing.assert_allclose(first, speed, rtol=1e-4)


def test_two_clusters_are_found_as_in_table_i():
    """12 UEs, mean over 100 runs: 31.97 and 26.09 in the paper; 20 runs have an error of about 3 %."""
    index = [MobilityClusters.fit(areas(4, seed), seed=seed).index for seed in range(20)]
    two, three = (np.mean([i[h] for i in index]) for h in (2, 3))
    assert two == pytest.approx(31.97, rel=0.08)
    assert three == pytest.approx(26.09, rel=0.08)
    assert two > three


def test_new_ues_join_those_who_move_like_them():
    clusters = MobilityClusters.fit(areas(20), seed=0)
    assert clusters.count == 2
    strolling = clusters.of_group(np.arange(60) < 20)
    assert clusters.of_group((np.arange(60) >= 20) & (np.arange(60) < 40)) == strolling, "A1 and A2 are one cluster"
    new = np.concatenate((observe("A2", 20, seed=50), observe("A3", 20, seed=50)))
    right = np.array([strolling] * 20 + [1 - strolling] * 20)
    assert (clusters.assign(new) == right).mean() > 0.95
    np.testing.assert_array_equal(clusters.assign(areas(20)), clusters.labels)


def test_a_given_number_of_clusters_is_kept_and_tau_matters():
    walks = areas(8)
    assert MobilityClusters.fit(walks, count=3).count == 3
    # By speed alone the areas are alike, so clusters split them.
    by_speed = MobilityClusters.fit(walks, tau=0.0, count=2)
    one, other = (walks[by_speed.labels == h, 0, 2] for h in (0, 1))
    assert one.max() < other.min() or other.max() < one.min()


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (lambda: MobilityClusters.fit(observe("A1", 3)), "more than 3 UEs must be observed, got 3"),
        (lambda: MobilityClusters.fit(areas(), most=1), "most must be at least 2, got 1"),
        (lambda: features(observe("A1", 2), 1.5), "tau must be between 0 and 1, got 1.5"),
        (lambda: MobilityClusters.fit(areas()).assign(observe("A1", 1, slots=10)), "must last 150 slots"),
        (lambda: calinski_harabasz(np.eye(3), np.zeros(3)), "between 2 and 2 clusters"),
        (lambda: observe("A1", 0), "ues must be at least 1, got 0"),
        (lambda: MobilityClusters.fit(areas()).of_group([False] * 12), "none of the observed UEs"),
    ],
)
def test_bad_input_is_named(wrong, fault):
    with pytest.raises(ValueError, match=fault):
        wrong()
