"""FLOC: by hand, against the protocol without delays written as a loop, and what holds for every network and delay."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from mmwave_gym.scenarios.power_allocation.clustering import HEAD, IDLE, INBOUND, OUTBOUND, Clusters, floc

UNIT_M = 100.0
DELAYS_S = (0.0, 1e-15, 0.01, 0.3, 5.0)  # 1e-15 s: most sums with it are rounded away


def uniform(nodes: int, seed: int, per_km2: float = 120.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random((nodes, 2)) * 1000.0 * np.sqrt(nodes / per_km2)


def on_a_line(*east_m: float) -> NDArray[np.float64]:
    return np.array([(x, 0.0) for x in east_m])


def rng_by_timers(*order: int) -> np.random.Generator:
    """One whose first numbers, the nodes' timers, are in this order."""
    for seed in range(1000):
        if np.argsort(np.random.default_rng(seed).random(len(order))).tolist() == list(order):
            return np.random.default_rng(seed)
    raise AssertionError(order)


def distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))


def assert_valid(place: NDArray[np.float64], there: NDArray[np.bool_], clusters: Clusters) -> None:
    status, head = clusters.status, clusters.head
    assert (status[~there] == IDLE).all()
    assert (head[~there] == -1).all()
    assert (clusters.number[~there] == -1).all()
    assert np.isin(status[there], (HEAD, INBOUND, OUTBOUND)).all()
    assert there[head[there]].all()
    assert (status[head[there]] == HEAD).all()
    heads = np.flatnonzero(status == HEAD)
    assert (head[heads] == heads).all()
    assert (heads[clusters.number[there]] == head[there]).all()
    apart = np.where(head >= 0, np.hypot(*(place - place[head]).T), 0.0)
    assert (apart[status == INBOUND] <= UNIT_M).all()
    assert (apart[status == OUTBOUND] > UNIT_M).all()
    assert (apart[status == OUTBOUND] <= 2 * UNIT_M * (1 + 1e-12)).all()
    assert (distances(place[heads], place[heads]) + np.diag([np.inf] * len(heads)) > UNIT_M).all()


def same(one: Clusters, other: Clusters) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(other), strict=True))


# By hand


def test_the_first_of_four_on_a_line_takes_all_in_reach() -> None:
    rng = rng_by_timers(1, 0, 3, 2)
    at_s = 10 * rng_by_timers(1, 0, 3, 2).random(4)[1]
    clusters = floc(on_a_line(0, 80, 160, 240), rng, delay_s=0.0)
    assert clusters.status.tolist() == [INBOUND, HEAD, INBOUND, OUTBOUND]
    assert clusters.head.tolist() == [1, 1, 1, 1]
    assert clusters.number.tolist() == [0, 0, 0, 0]
    assert clusters.messages == 2  # candidacy and news
    assert clusters.settled_s == at_s


def test_a_second_head_takes_over_the_outbound_node_within_a_unit() -> None:
    """Node 0 is head of those at 80 m and at 160 m; 240 m is out of its reach."""
    at_s = 10 * rng_by_timers(0, 3, 1, 2).random(4)[3]
    clusters = floc(on_a_line(0, 80, 160, 240), rng_by_timers(0, 3, 1, 2), delay_s=0.0)
    assert clusters.status.tolist() == [HEAD, INBOUND, INBOUND, HEAD]
    assert clusters.head.tolist() == [0, 0, 3, 3]
    assert clusters.number.tolist() == [0, 0, 1, 1]
    assert clusters.messages == 4
    assert clusters.settled_s == at_s


def test_reach_includes_its_border() -> None:
    clusters = floc(on_a_line(0, 100, 200, 200.001), rng_by_timers(0, 3, 1, 2), delay_s=0.0)
    assert clusters.head.tolist() == [0, 0, 3, 3]
    clusters = floc(on_a_line(0, 100, 200), rng_by_timers(0, 1, 2), delay_s=0.0)
    assert clusters.status.tolist() == [HEAD, INBOUND, OUTBOUND]


def test_of_two_candidates_at_once_the_later_one_stops() -> None:
    """Both timers end long before any message comes, so both are candidates."""
    rng = rng_by_timers(0, 1)
    first_s, _ = 1e-6 * rng.random(2)
    assert min(rng.random(2)) > 1e-6, "neither candidacy arrives before both timers have ended"
    clusters = floc(on_a_line(0, 50), rng_by_timers(0, 1), idle_s=1e-6, delay_s=1.0)
    assert clusters.status.tolist() == [HEAD, INBOUND]
    assert clusters.messages == 3, "two candidacies and the news of one head"
    assert clusters.settled_s == pytest.approx(first_s + 2.0 + rng.random())


def test_between_two_heads_the_first_news_counts() -> None:
    """The ends do not hear each other and are candidates at once; the middle stays with whom it heard of first."""
    joined = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        timer_s, way_s = 1e-6 * rng.random(3), rng.random(8)
        if np.argsort(timer_s).tolist() != [0, 2, 1] or way_s.min() < 1e-5:
            continue
        clusters = floc(on_a_line(0, 80, 160), np.random.default_rng(seed), idle_s=1e-6, delay_s=1.0)
        # Ways 0 to 3 are those of candidacies; then of node 0's news to 80 m and 160 m, of node 2's to 0 m and 80 m.
        news_s = {0: timer_s[0] + 2.0 + way_s[4], 2: timer_s[2] + 2.0 + way_s[7]}
        joined.append(min(news_s, key=news_s.__getitem__))
        assert clusters.status.tolist() == [HEAD, INBOUND, HEAD]
        assert clusters.head.tolist() == [0, joined[-1], 2]
        assert clusters.settled_s == pytest.approx(min(news_s.values()))
    assert set(joined) == {0, 2}


def healed(
    place: NDArray[np.float64], status: list[int], head: list[int], there: list[bool], **kwargs: Any
) -> Clusters:
    before = Clusters(np.array(status, np.int8), np.array(head), 10, 0.0)
    return floc(place, np.random.default_rng(0), before=before, present=np.array(there), **kwargs)


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_a_newcomer_joins_the_nearest_head(delay_s: float) -> None:
    status, head = [HEAD, HEAD, IDLE], [0, 1, -1]
    clusters = healed(on_a_line(0, 150, 80), status, head, [True] * 3, delay_s=delay_s)
    assert clusters.status.tolist() == [HEAD, HEAD, INBOUND]
    assert clusters.head.tolist() == [0, 1, 1]
    assert clusters.messages == 10 + 3, "candidacy, two answers"
    assert clusters.settled_s == pytest.approx(10 * np.random.default_rng(0).random() + 2 * delay_s)


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_a_newcomer_is_outbound_where_an_inbound_node_objects(delay_s: float) -> None:
    status, head = [HEAD, INBOUND, IDLE], [0, 0, -1]
    clusters = healed(on_a_line(0, 80, 160), status, head, [True] * 3, delay_s=delay_s)
    assert clusters.status.tolist() == [HEAD, INBOUND, OUTBOUND]
    assert clusters.messages == 10 + 2


def test_a_head_weighs_more_than_a_nearer_conflict() -> None:
    status, head = [HEAD, INBOUND, HEAD, IDLE], [0, 0, 2, -1]
    clusters = healed(on_a_line(0, 80, 190, 105), status, head, [True] * 4)
    assert clusters.head.tolist() == [0, 0, 2, 2]


def test_an_outbound_node_does_not_object() -> None:
    status, head = [HEAD, OUTBOUND, IDLE], [0, 0, -1]
    clusters = healed(on_a_line(0, 150, 230), status, head, [True] * 3)
    assert clusters.status.tolist() == [HEAD, INBOUND, HEAD]
    assert clusters.head.tolist() == [0, 2, 2]


def test_a_member_that_leaves_changes_nobody() -> None:
    status, head = [HEAD, INBOUND, OUTBOUND], [0, 0, 0]
    clusters = healed(on_a_line(0, 80, 160), status, head, [True, False, True])
    assert clusters.status.tolist() == [HEAD, IDLE, OUTBOUND]
    assert clusters.head.tolist() == [0, -1, 0]
    assert clusters.messages == 10
    assert clusters.settled_s == 0.0


def test_when_a_head_leaves_its_members_cluster_anew_and_the_other_cluster_stays() -> None:
    status, head = [HEAD, INBOUND, OUTBOUND, INBOUND, HEAD], [0, 0, 0, 4, 4]
    clusters = healed(on_a_line(0, 80, 160, 300, 390), status, head, [False, True, True, True, True])
    assert clusters.head[0] == -1
    assert clusters.head[1] == clusters.head[2]
    assert clusters.head[1] in (1, 2)
    assert clusters.head[3:].tolist() == [4, 4]


# Without delays the protocol is a loop over the timers


def in_turn(place: NDArray[np.float64], timer_s: dict[int, float], status: list[int], head: list[int]) -> list[int]:
    """Heads when every message arrives at once: an independent reading of rules 1 to 4."""
    apart = distances(place, place)
    for v in sorted(timer_s, key=timer_s.__getitem__):
        if status[v] != IDLE:
            continue
        replies = [
            (status[u] != HEAD, apart[v, u], head[u])
            for u in range(len(place))
            if apart[v, u] <= UNIT_M and status[u] in (HEAD, INBOUND)
        ]
        if replies:
            conflict, _, head[v] = min(replies)
            status[v] = OUTBOUND if conflict else INBOUND
            continue
        status[v], head[v] = HEAD, v
        for u in range(len(place)):
            near = apart[v, u] <= UNIT_M
            if u != v and (
                (near and status[u] in (IDLE, OUTBOUND)) or (apart[v, u] <= 2 * UNIT_M and status[u] == IDLE)
            ):
                status[u], head[u] = INBOUND if near else OUTBOUND, v
    return head


@pytest.mark.parametrize("seed", range(10))
def test_without_delays_it_is_a_loop_over_the_timers(seed: int) -> None:
    """Also when healing; nodes are absent in the reference by standing alone, far away."""
    place, chance = uniform(90, seed), np.random.default_rng(100 + seed)
    clusters, status, head = None, [IDLE] * 90, [-1] * 90
    for round_ in range(4):
        there = chance.random(90) < 0.8
        clusters = floc(place, np.random.default_rng(round_), delay_s=0.0, before=clusters, present=there)
        for v in range(90):
            if not there[v] or (head[v] >= 0 and not there[head[v]]):
                status[v] = IDLE
        head = [head[v] if status[v] != IDLE else -1 for v in range(90)]
        idle = [v for v in range(90) if there[v] and status[v] == IDLE]
        timer_s = dict(zip(idle, 10 * np.random.default_rng(round_).random(len(idle)), strict=True))
        alone = np.where(there[:, None], place, 1e6 * (1 + np.arange(90))[:, None])
        head = in_turn(alone, timer_s, status, head)
        assert clusters.head.tolist() == head
        assert clusters.status.tolist() == status


# What holds for every network and every delay

lattice = st.tuples(st.integers(0, 16), st.integers(0, 16)).map(lambda cell: (25.0 * cell[0], 25.0 * cell[1]))
anywhere = st.tuples(st.floats(0, 500), st.floats(0, 500))


@st.composite
def networks(draw: st.DrawFn) -> tuple[NDArray[np.float64], list[NDArray[np.bool_]]]:
    """Places, also coincident ones and ones at a border of reach, and who is there in each of three rounds."""
    nodes = draw(st.integers(0, 20))
    place = draw(st.lists(st.one_of(lattice, anywhere), min_size=nodes, max_size=nodes))
    masks = st.lists(st.booleans(), min_size=nodes, max_size=nodes)
    return np.array(place).reshape(-1, 2), [np.array(draw(masks), bool) for _ in range(3)]


@settings(max_examples=120, deadline=None)
@given(network=networks(), seed=st.integers(0, 2**32), delay_s=st.sampled_from(DELAYS_S))
def test_every_network_is_clustered_and_healed_near_by(network, seed, delay_s) -> None:
    place, rounds = network
    before, was = None, np.zeros(len(place), bool)
    for there in rounds:
        old = None if before is None else Clusters(before.status.copy(), before.head.copy(), *astuple(before)[2:])
        given_twice = {"delay_s": delay_s, "before": before, "present": there}
        clusters = floc(place, np.random.default_rng(seed), **given_twice)
        assert_valid(place, there, clusters)
        assert same(clusters, floc(place, np.random.default_rng(seed), **given_twice)), "input and rng decide"
        if before is None:
            to_heads = distances(place[clusters.status == OUTBOUND], place[clusters.status == HEAD])
            assert (to_heads > UNIT_M).all(), "after a first run who could be inbound is"
        if before is not None and old is not None:
            assert same(before, old), "what was before is not written to"
            moved = place[was != there]
            stayed = was & there & ((clusters.head != before.head) | (clusters.status != before.status))
            assert not stayed.any() or len(moved), "nobody changes if nobody came or went"
            if stayed.any():
                assert distances(place[stayed], moved).min(axis=1).max() <= 3 * UNIT_M * (1 + 1e-12)
        before, was = clusters, there


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_crowded_networks_with_delays(delay_s: float) -> None:
    """Many candidates at once: forty nodes where there is room for about four heads."""
    for seed in range(40):
        clusters = floc(uniform(40, seed, 600.0), np.random.default_rng(seed), idle_s=1.0, delay_s=delay_s)
        assert_valid(uniform(40, seed, 600.0), np.ones(40, bool), clusters)


# Sizes, messages, time, locality: measured values


def test_cluster_sizes_at_the_papers_density() -> None:
    """Mean 7.3 nodes, 91 % of the clusters of 2 to 14: the paper's figures."""
    sizes: list[int] = []
    for seed in range(60):
        nodes = np.random.default_rng(seed).poisson(120)
        clusters = floc(uniform(nodes, 100 + seed, nodes), np.random.default_rng(seed))
        sizes += np.bincount(clusters.number).tolist()
    assert 7.0 < np.mean(sizes) < 7.6
    assert np.mean([2 <= size <= 14 for size in sizes]) > 0.88


@pytest.mark.parametrize(("nodes", "per_node"), [(120, 0.28), (1_000, 0.24), (10_000, 0.235)])
def test_messages_per_node_do_not_grow_with_the_network(nodes: int, per_node: float) -> None:
    """At the border there are more heads per node, so small networks send a little more."""
    runs = [floc(uniform(nodes, seed), np.random.default_rng(seed)) for seed in range(max(1, 3_000 // nodes))]
    assert np.mean([run.messages for run in runs]) / nodes == pytest.approx(per_node, rel=0.05)
    assert max(run.settled_s for run in runs) < 10.0 + 8 * 0.01


def test_healing_changes_few_and_only_near_by() -> None:
    changed: dict[bool, list[int]] = {True: [], False: []}
    farthest_m = {True: 0.0, False: 0.0}
    for seed in range(10):
        rng, place = np.random.default_rng(seed), uniform(480, seed)
        there = rng.random(480) < 0.9
        clusters = floc(place, rng, present=there)
        for v in rng.permutation(480)[:40]:
            present = there.copy()
            present[v] ^= True
            after = floc(place, rng, before=clusters, present=present)
            others = np.arange(480) != v
            stayed = others & ((after.head != clusters.head) | (after.status != clusters.status))
            came = bool(present[v])
            changed[came].append(int(stayed.sum()))
            farthest_m[came] = max(farthest_m[came], distances(place[stayed], place[v : v + 1]).max(initial=0.0))
    assert np.mean(changed[False]) < 2.0
    assert np.mean(changed[True]) < 2.0
    assert 2 * UNIT_M < farthest_m[False] <= 3 * UNIT_M, "beyond the head's own members, never beyond three units"
    assert 0 < farthest_m[True] <= UNIT_M, "a newcomer takes over outbound nodes within a unit at most"


# Odd input


def test_few_nodes_and_nobody() -> None:
    rng = np.random.default_rng(0)
    nobody = floc(np.empty((0, 2)), rng)
    assert (len(nobody.status), len(nobody.number), nobody.messages, nobody.settled_s) == (0, 0, 0, 0.0)
    assert floc(on_a_line(5), rng).head.tolist() == [0]
    absent = floc(on_a_line(0, 50), rng, present=np.zeros(2, bool))
    assert (absent.head.tolist(), absent.number.tolist(), absent.messages) == ([-1, -1], [-1, -1], 0)


def test_nodes_at_one_place_are_one_cluster() -> None:
    clusters = floc(np.full((3_000, 2), 7.0), np.random.default_rng(0))
    assert (clusters.status == HEAD).sum() == 1
    assert (clusters.status == INBOUND).sum() == 2_999


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"place_m": np.zeros(4)}, r"shape \(nodes, 2\), got \(4,\)"),
        ({"place_m": np.zeros((4, 3))}, r"shape \(nodes, 2\), got \(4, 3\)"),
        ({"place_m": np.array([(0.0, 0.0), (1.0, np.nan)])}, "finite.* for node 1"),
        ({"place_m": np.array([(0.0, 0.0), (np.inf, 1.0)])}, "finite.* for node 1"),
        ({"unit_m": 0.0}, "unit_m must be above 0, got 0.0"),
        ({"unit_m": np.nan}, "unit_m must be above 0, got nan"),
        ({"idle_s": -1.0}, "idle_s must be above 0"),
        ({"idle_s": np.inf}, "idle_s must be above 0"),
        ({"delay_s": -0.1}, "delay_s must be at least 0"),
        ({"delay_s": np.nan}, "delay_s must be at least 0"),
        ({"present": np.ones(3, bool)}, r"present must be 2 booleans, got bool of shape \(3,\)"),
        ({"present": np.array([0, 1])}, "present must be 2 booleans, got int64"),
        (
            {"before": Clusters(np.zeros(1, np.int8), np.zeros(1, int), 0, 0.0)},
            "before must have the same 2 nodes, got 1",
        ),
    ],
)
def test_wrong_input_is_named(change: dict[str, Any], words: str) -> None:
    arguments = {"place_m": on_a_line(0, 50), "rng": np.random.default_rng(0), **change}
    with pytest.raises(ValueError, match=words):
        floc(**arguments)
