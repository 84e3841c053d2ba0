"""The agents of association: on paper where it fits there, and each against something slower and more obvious."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import mmwave_gym
from mmwave_baselines.association.lbh import Lbh, alone
from mmwave_baselines.association.rollout import LongRollout, Rollout
from mmwave_baselines.association.rules import Cover, Msr, Price, RandomCandidate, Rbh, RbhNetwork, Sbh, vertex_cover
from mmwave_baselines.association.scored import CoverScore, Score
from mmwave_baselines.association.smart import Smart
from mmwave_baselines.association.sqa import Sqa, SqaBest
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError, NotInstalled, RowRng
from mmwave_gym.agents.registry import agents
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

pytest.importorskip("numba", reason="planners need the extra [baselines]")
from mmwave_baselines.association import kernels

ENV = "MmwaveAssociation-v0"
RULES = (RandomCandidate, Sbh, Rbh, RbhNetwork, Msr, Price, Cover, Score, CoverScore)
CAUSAL = (*RULES, Smart)
FORESEEING = (Lbh, Rollout, LongRollout, lambda: Sqa(iterations=5), lambda: SqaBest(iterations=5))
EVERYBODY = (*CAUSAL, *FORESEEING)
SMALL = {"num_ues": 6, "crossings": (3, 3), "duration_s": 40.0, "settle_s": 1.0}
BLOCKED = {**SMALL, "geometry": "blocked"}


def batch_of(numbers, **keywords):
    batch = Batch(make_scenario("association", **keywords), len(numbers), draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "test") for n in numbers])
    return batch


def play(agent, batch, numbers, steps, watch=lambda batch: None):
    """Actions (step, env), and what `watch` saw before each step."""
    rng = RowRng([np.random.default_rng(n) for n in numbers])
    memory = agent.begin(View(batch, agent.access), rng)
    started = np.ones(len(numbers), bool)
    actions, seen = [], []
    for _ in range(steps):
        mask = batch.action_mask()[:, 0]
        action, memory = agent.predict(batch.observe()[:, 0], memory, started)
        assert action.shape == started.shape
        assert mask[np.arange(len(numbers)), action].all()
        seen.append(watch(batch))
        started = batch.step(action[:, None]).truncated
        actions.append(action)
    return np.array(actions), seen


def epochs_of(batch, env=0):
    return int((batch.episodes.ue[batch.episodes.row[env]] >= 0).sum())


# ---------------------------------------------------------------------- on paper


def on_paper(now, mean, load, cell_mean, serving=0, offered=(0, 1)):
    """A view of one UE between two base stations that share a road, and its observation."""
    fields = make_scenario("association", num_ues=9, crossings=(1, 2), settle_s=1.0).fields
    parts = {"efficiency": now, "mean_efficiency": mean, "load": load, "cell_efficiency": cell_mean}
    observation = np.zeros((1, fields.size), np.float32)
    for name, values in parts.items():
        fields.split(observation)[name][0] = values
    fields.split(observation)["serving"][0, serving] = 1.0
    view = SimpleNamespace(
        fields=fields,
        action_mask=lambda: np.ones((1, 2), bool),
        constants={"bs_m": ((0.0, 0.0), (200.0, 0.0)), "roads": ((0, 1),)},
        look=lambda *names: {"offered": np.array([offered])},
        num_rows=1,
    )
    return view, observation


def choice(agent, *numbers, **keywords):
    view, observation = on_paper(*numbers, **keywords)
    return int(agent.predict(observation, agent.begin(view, RowRng.from_seed(0, 1)))[0][0])


def test_rules_on_paper():
    # Strong but crowded against weak and empty: own rates 2/4 and 1/1; the network gains (0.5 - 1)/4 or 3.
    world = (2.0, 1.0), (0.5, 3.0), (3, 0), (1.0, 0.0)
    assert choice(Sbh(), *world) == 0
    assert choice(Rbh(), *world) == 1
    assert choice(Msr(), *world) == 1
    assert choice(Price(), *world) == 1  # -0.125 - 3/20 against 3 - 3/2
    # A weak link for whom an empty cell is open: the network gains -0.1 or 0.6, but 3/2 is charged for the opening.
    world = (2.0, 1.0), (0.6, 0.6), (3, 0), (1.0, 0.0)
    assert choice(Msr(), *world) == 1
    assert choice(Price(), *world) == 0
    assert choice(Price(kappa_bps_hz=0.0), *world) == 1
    # Ties go to the strongest.
    world = (2.0, 1.0), (1.0, 1.0), (2, 2), (1.0, 1.0)
    assert {choice(agent, *world) for agent in (Sbh(), Rbh(), Msr(), Price())} == {0}


def test_cover_on_paper():
    cover = vertex_cover(2, ((0, 1),))
    assert cover.sum() == 1
    dump, free = int(cover.argmax()), int((~cover).argmax())
    for order in ((dump, free), (free, dump)):
        weak = (2.0, 1.0), (1.9, 1.9), (0, 0), (0.0, 0.0)
        assert order[choice(Cover(), *weak, offered=order)] == dump
        assert choice(Cover(threshold_bps_hz=1.5), *weak, offered=order) == 0  # strong enough: MSR's tie
        # Into the free cell the strong link adds 2.1, into the other (2.1 - 5)/3.
        crowded = ((2, 0), (5.0, 0.0)) if order[0] == dump else ((0, 2), (0.0, 5.0))
        assert order[choice(Cover(), (2.0, 1.0), (2.1, 2.1), *crowded, offered=order)] == free
    # Between two free cells MSR decides: who must, may.
    assert choice(Cover(), (2.0, 1.0), (0.5, 0.6), (1, 0), (1.0, 0.0), offered=(free, free)) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Price(-1.0), "kappa_bps_hz"),
        (lambda: Cover(float("nan")), "threshold_bps_hz"),
        (lambda: Lbh(-1.0), "handover_cost"),
        (lambda: Smart(delta=-1.0), "delta"),
        (lambda: Rollout(0), "depth_epochs"),
        (lambda: Sqa(alpha=0.0), "alpha"),
        (lambda: Sqa(gamma=1.1), "gamma"),
        (lambda: Sqa(beta=0.5), "beta"),
        (lambda: Sqa(iterations=0), "iterations"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------------- vertex covers


def brute_cover(nodes, edges):
    for size in range(nodes + 1):
        for chosen in itertools.combinations(range(nodes), size):
            if all(a in chosen or b in chosen for a, b in edges):
                return size
    raise AssertionError


def petersen():
    return (
        [(i, (i + 1) % 5) for i in range(5)]
        + [(i, i + 5) for i in range(5)]
        + [(5 + i, 5 + (i + 2) % 5) for i in range(5)]
    )


@pytest.mark.parametrize(
    ("nodes", "edges", "size"),
    [
        (3, [], 0),
        (4, [(0, 1), (1, 2), (2, 3)], 2),
        (5, [(4, i) for i in range(4)], 1),
        (3, [(0, 1), (1, 2), (2, 0)], 2),
        (5, [(i, (i + 1) % 5) for i in range(5)], 3),
        (6, list(itertools.product(range(3), range(3, 6))), 3),
        (10, petersen(), 6),
    ],
)
def test_vertex_covers_of_known_graphs(nodes, edges, size):
    cover = vertex_cover(nodes, edges)
    assert cover.sum() == size == brute_cover(nodes, edges)
    assert all(cover[a] or cover[b] for a, b in edges)
    assert (vertex_cover(nodes, edges) == cover).all()


def test_vertex_covers_of_random_graphs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        edges = [e for e in itertools.combinations(range(9), 2) if rng.random() < 0.3]
        cover = vertex_cover(9, edges)
        assert cover.sum() == brute_cover(9, edges)
        assert all(cover[a] or cover[b] for a, b in edges)


def test_the_paper_s_grid_has_a_checkerboard():
    cover = vertex_cover(64, make_scenario("association").constants()["roads"]).reshape(8, 8)
    assert cover.sum() == 32
    assert (cover[:, 1:] != cover[:, :-1]).all()
    assert (cover[1:] != cover[:-1]).all()


# ---------------------------------------------------------------------- rules against recounts


def recount(links):
    """The network's rate by the bandwidth, from {ue: (cell, efficiency)}."""
    cells = {}
    for cell, efficiency in links.values():
        cells.setdefault(cell, []).append(efficiency)
    return sum(sum(e) / len(e) for e in cells.values())


def links_of(batch, efficiency):
    nobody = batch.scenario.num_bs
    return {
        u: (int(c), float(e))
        for u, (c, e) in enumerate(zip(batch.state.serving[0], efficiency, strict=True))
        if c != nobody
    }


@pytest.mark.parametrize("keywords", [SMALL, BLOCKED], ids=["paper", "blocked"])
def test_msr_and_rbh_network_find_the_best_recount(keywords):
    def watch(batch):
        known = View(batch, "trajectory").look()
        k = known["epoch"][0]
        ue, offered = int(known["ue"][0, k]), known["candidate"][0, k]
        values = []
        for links, column in (
            (links_of(batch, known["planned"][0]), 1),
            (links_of(batch, known["efficiency_now"][0]), 0),
        ):
            options = {}
            for rank, cell in enumerate(offered[offered >= 0]):
                options[rank] = recount({**links, ue: (int(cell), float(known["foreseen"][0, k, rank, column]))})
            values.append(options)
        return values

    for agent, which in ((Msr(), 0), (RbhNetwork(), 1)):
        batch = batch_of([3], **keywords)
        steps = epochs_of(batch)
        actions, seen = play(agent, batch, [3], steps, watch)
        chosen = [
            (options[which][int(a)], max(options[which].values()))
            for a, options in zip(actions[:, 0], seen, strict=True)
            if options[which]
        ]
        got, best = np.array(chosen).T
        np.testing.assert_allclose(got, best, rtol=1e-5)


# ---------------------------------------------------------------------- LBH


def test_lbh_is_the_best_sequence_of_each_ue():
    rng = np.random.default_rng(5)
    for cost in (0.0, 0.3, 2.0):
        ue = rng.integers(0, 2, 11)
        candidate = np.array([rng.permutation(4)[:3] for _ in ue])
        candidate[rng.random(candidate.shape) < 0.3] = -1
        candidate = -np.sort(-candidate, axis=1)
        mean, interval_s = rng.random(candidate.shape) * (candidate >= 0), rng.random(len(ue)) * 3.0
        value = alone(
            np.append(ue, -1),
            np.append(interval_s, 0.0),
            np.vstack((candidate, [-1] * 3)),
            np.vstack((mean, [0.0] * 3)),
            cost,
        )
        for u in (0, 1):
            own = np.flatnonzero(ue == u)
            first = own[0]
            for start in range(3):
                if candidate[first, start] < 0 and start:
                    continue
                best = -np.inf
                ranks = [[r for r in range(3) if candidate[k, r] >= 0] or [0] for k in own[1:]]
                for series in itertools.product([start], *ranks):
                    names = [candidate[k, r] for k, r in zip(own, series, strict=True)]
                    total = sum(mean[k, r] * interval_s[k] for k, r in zip(own, series, strict=True))
                    best = max(best, total - cost * sum(a != b for a, b in itertools.pairwise(names)))
                assert value[first, start] == pytest.approx(best)


def test_a_dearer_handover_makes_fewer():
    task = Task(env_id=ENV, kwargs={**BLOCKED, "duration_s": 60.0}, episodes=4)
    rates = [np.mean([r["handovers_per_ue_s"] for r in mmwave_gym.evaluate(Lbh(c), task)]) for c in (0.0, 1.0, 1e3)]
    assert rates[0] >= rates[1] > rates[2]


# ---------------------------------------------------------------------- SMART


def test_smart_is_the_scalar_smart():
    batch = batch_of([2], **{**BLOCKED, "num_ues": 30})
    means, plays, playing = {}, {}, {}
    agreed = []

    def watch(batch):
        known = View(batch, "trajectory").look()
        k = known["epoch"][0]
        ue = int(known["ue"][0, k])
        if arm := playing.pop(ue, None):
            plays[arm] += 1
            means[arm] += (known["planned"][0, ue] - means[arm]) / plays[arm]
        cells = [int(c) for c in known["candidate"][0, k] if c >= 0]
        if not cells:
            return 0
        context = (tuple(cells[:2]), len(cells))
        for rank, cell in enumerate(cells):
            if (context, cell) not in means:
                means[context, cell], plays[context, cell] = float(known["foreseen"][0, k, rank, 0]), 1
        links = links_of(batch, known["efficiency_now"][0])
        before = links.pop(ue, (-1, 0.0))[0]
        added, index = [], []
        for cell in cells:
            others = [e for c, e in links.values() if c == cell]
            n = len(others)
            added.append((means[context, cell] - (sum(others) / n if n else 0.0)) / (n + 1))
            bonus = np.sqrt(np.log(sum(plays[context, c] for c in cells)) / plays[context, cell])
            index.append(added[-1] + 0.2 * bonus / (n + 1))
        best = int(np.argmax(index))
        if before in cells and index[best] - added[cells.index(before)] < 0.02:
            best = cells.index(before)
        playing[ue] = (context, cells[best])
        return best

    steps = epochs_of(batch)
    actions, expected = play(Smart(), batch, [2], steps, watch)
    agreed = actions[:, 0] == np.array(expected)
    assert agreed.all(), f"first at epoch {np.argmin(agreed)} of {steps}"


# ---------------------------------------------------------------------- planners


class SlowWorld:
    """What planners know, in plain Python: epochs as lists, the network recounted after every decision."""

    def __init__(self, batch):
        known = View(batch, "trajectory").look()
        last = int((known["ue"][0] >= 0).sum())
        self.ue = known["ue"][0, :last].tolist()
        self.cells = [[int(c) for c in row if c >= 0] for row in known["candidate"][0, :last]]
        self.now = known["foreseen"][0, :last, :, 0].astype(float)
        self.mean = known["foreseen"][0, :last, :, 1].astype(float)
        self.gap_s = np.diff(known["time_s"][0, : last + 1])

    def links(self, batch):
        return links_of(batch, batch.state.planned[0])

    def after(self, links, k, rank):
        if not self.cells[k]:
            return {u: link for u, link in links.items() if u != self.ue[k]}
        return {**links, self.ue[k]: (self.cells[k][rank], self.mean[k][rank])}

    def msr(self, links, k):
        values = [recount(self.after(links, k, rank)) for rank in range(len(self.cells[k]))]
        return int(np.argmax(np.round(values, 9))) if values else 0

    def rollout(self, links, k, depth):
        values = []
        for rank in range(len(self.cells[k])):
            now, value, b = links, 0.0, rank
            for later in range(k, min(k + depth, len(self.ue))):
                b = rank if later == k else self.msr(now, later)
                now = self.after(now, later, b)
                value += recount(now) * self.gap_s[later]
            values.append(value)
        return values


@pytest.mark.parametrize("keywords", [SMALL, BLOCKED], ids=["paper", "blocked"])
def test_a_rollout_is_that_of_plain_python(keywords):
    batch = batch_of([4], **keywords)
    world, k = SlowWorld(batch), itertools.count()
    depth, steps = 7, epochs_of(batch)
    actions, values = play(Rollout(depth), batch, [4], steps, lambda b: world.rollout(world.links(b), next(k), depth))
    for a, value in zip(actions[:, 0], values, strict=True):
        assert not value or value[a] == pytest.approx(max(value), rel=1e-9)


def test_a_rollout_of_one_epoch_is_msr():
    numbers = [0, 1, 2]
    steps = min(epochs_of(batch_of(numbers, **BLOCKED), i) for i in range(3))
    msr, _ = play(Msr(), batch_of(numbers, **BLOCKED), numbers, steps)
    one, _ = play(Rollout(1), batch_of(numbers, **BLOCKED), numbers, steps)
    assert (msr == one).mean() > 0.995  # observations are of single precision


class SlowSqa:
    """SQA as its text says, with SplitMix64 in integers of Python."""

    def __init__(self, world, seed, alpha, gamma, beta, iterations, depth):
        self.world, self.random = world, seed
        self.alpha, self.gamma, self.beta, self.iterations, self.depth = alpha, gamma, beta, iterations, depth
        self.table = None

    def uniform(self):
        mask = 2**64 - 1
        self.random = (self.random + 0x9E3779B97F4A7C15) & mask
        z = self.random
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return ((z ^ (z >> 31)) >> 11) / 2**53

    def start(self, links, first):
        w = self.world
        horizon = sum(self.gamma**i for i in range(self.depth))
        self.table = [[0.0] * len(cells) for cells in w.cells]
        for k in range(first, len(w.ue)):
            own = []
            for rank, cell in enumerate(w.cells[k]):
                self.table[k][rank] = recount(w.after(links, k, rank)) * horizon * w.gap_s.mean()
                others = sum(c == cell for u, (c, _) in links.items() if u != w.ue[k])
                own.append(w.now[k][rank] / (others + 1))
            links = w.after(links, k, int(np.argmax(own)) if own else 0)

    def draw(self, q):
        weights = [self.beta ** sum(other < value for other in q) for value in q]
        x = self.uniform() * sum(weights)
        for rank, weight in enumerate(weights[:-1]):
            x -= weight
            if x < 0:
                return rank
        return len(q) - 1

    def decide(self, links, k):
        w = self.world
        if len(w.cells[k]) < 2:
            return 0
        if self.table is None:
            self.start(links, k)
        for _ in range(self.iterations):
            now, series = links, []
            for at in range(k, min(k + self.depth, len(w.ue))):
                rank = self.draw(self.table[at]) if len(w.cells[at]) > 1 else 0
                now = w.after(now, at, rank)
                series.append((at, rank, recount(now) * w.gap_s[at]))
            to_come = 0.0
            for at, rank, reward in reversed(series):
                to_come = reward + self.gamma * to_come
                if w.cells[at]:
                    self.table[at][rank] += self.alpha * (to_come - self.table[at][rank])
        return int(np.argmax(self.table[k]))


@pytest.mark.parametrize(("gamma", "beta"), [(1.0, 10.0), (0.9, 3.0)])
@pytest.mark.parametrize("keywords", [SMALL, BLOCKED], ids=["paper", "blocked"])
def test_sqa_is_that_of_plain_python(keywords, gamma, beta):
    """Same random numbers, same decisions."""
    batch = batch_of([4], **keywords)
    seed = int(RowRng([np.random.default_rng(4)]).random()[0] * 2.0**53)
    slow = SlowSqa(SlowWorld(batch), seed, 0.1, gamma, beta, iterations=8, depth=6)
    k = itertools.count()
    agent = Sqa(0.1, gamma, beta, iterations=8, depth_epochs=6)
    actions, expected = play(
        agent, batch, [4], min(epochs_of(batch), 60), lambda b: slow.decide(slow.world.links(b), next(k))
    )
    assert actions[:, 0].tolist() == expected


def test_draws_by_rank():
    value, weights, random = np.array([5.0, 1.0, 3.0]), 3.0 ** np.arange(3), np.array([7], np.uint64)
    share = np.empty(3)
    drawn = [kernels.by_rank(value, 3, weights, kernels.uniform(random), share) for _ in range(20000)]
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), np.array([9.0, 1.0, 3.0]) / 13.0, atol=0.02)
    assert kernels.by_rank(np.zeros(3), 3, weights, 0.99, share) == 2  # equal values share alike


def test_incremental_sums_are_recounts():
    rng = np.random.default_rng(0)
    network = kernels.network_of(rng.integers(0, 5, 12), rng.random(12), 6)
    rate = kernels.rate_of(network)
    for _ in range(500):
        ue, cell = int(rng.integers(12)), int(rng.integers(5))
        rate += kernels.leave(network, ue)
        rate += kernels.join(network, ue, cell, float(rng.random()))
        again = kernels.network_of(network.serving, network.planned, 6)
        assert rate == pytest.approx(kernels.rate_of(again))
        np.testing.assert_array_equal(again.load, network.load)


def test_without_numba_planners_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in ("sqa", "sqa-best", "rollout", "rollout-long"):
        with pytest.raises(NotInstalled, match=r"pip install 'mmwave-gym\[baselines\]'"):
            load_agent(name, "association")


def test_sqa_is_expensive_where_it_takes_minutes():
    tasks = [t for t in all_tasks() if t.env_id == ENV]
    expensive = {t.name: load_agent("sqa", "association", t).expensive for t in tasks}
    few = next(dataclasses.replace(t, episodes=8) for t in tasks if t.name == "association/paper-512")
    assert not load_agent("sqa", "association", few).expensive
    assert expensive["association/paper-2048"]
    assert expensive["association/blocked-2048"]


# ---------------------------------------------------------------------- all of them


@pytest.mark.parametrize("make", EVERYBODY, ids=lambda make: make().label)
def test_rows_are_independent(make):
    numbers, steps = [4, 0, 7, 2], 25
    together, _ = play(make(), batch_of(numbers, **BLOCKED), numbers, steps)
    for i, n in enumerate(numbers):
        alone_, _ = play(make(), batch_of([n], **BLOCKED), [n], steps)
        assert (alone_[:, 0] == together[:, i]).all()
    other = [numbers[i] for i in (2, 0, 3, 1)]
    permuted, _ = play(make(), batch_of(other, **BLOCKED), other, steps)
    assert (permuted == together[:, [2, 0, 3, 1]]).all()


def another_future(batch, after):
    """After epoch `after` candidates exchange their efficiencies, and these are much larger."""
    e = batch.episodes
    for i in e.row:
        count = (e.candidate[i, after + 1 :] >= 0).sum(axis=1)
        for k in np.flatnonzero(count > 1):
            n = count[k]
            e.foreseen[i, after + 1 + k, :n, :3] = e.foreseen[i, after + 1 + k, :n, :3][::-1] * 50.0
    return batch


@pytest.mark.parametrize("make", EVERYBODY, ids=lambda make: make().label)
def test_who_may_not_foresee_does_not(make):
    numbers, after = list(range(8)), 60
    world = {**BLOCKED, "num_ues": 12}
    base, _ = play(make(), batch_of(numbers, **world), numbers, after + 1)
    changed, _ = play(make(), another_future(batch_of(numbers, **world), after), numbers, after + 1)
    if make().access == "trajectory":
        assert (base != changed).any()
    else:
        assert (base == changed).all()


@pytest.mark.parametrize("make", [Sbh, Rbh, Msr, Price, Score, RandomCandidate])
def test_who_is_local_acts_on_observations_alone(make):
    batch = batch_of([0, 1], **BLOCKED)
    agent = make()
    assert agent.access == "local"
    assert View(batch, "local").look() == {}
    first, _ = agent.predict(batch.observe()[:, 0], agent.begin(View(batch, "local"), RowRng.from_seed(0, 2)))
    observation = batch.observe()[:, 0]
    batch.state.serving[:] = 0
    batch.state.planned[:] = 99.0
    again, _ = agent.predict(observation, agent.begin(View(batch, "local"), RowRng.from_seed(0, 2)))
    assert (first == again).all()


def next_of(number):
    """The episode that follows another in a chain."""
    batch = batch_of([number], **BLOCKED)
    batch.restart(np.array([0]))
    return batch


@pytest.mark.parametrize("make", [Cover, CoverScore, *FORESEEING], ids=lambda make: make().label)
def test_a_new_episode_is_heeded(make):
    """Who goes on to another episode plays it as one who begins with it; chance and what SMART has learnt go on."""
    agent, batch = make(), batch_of([0, 1], **BLOCKED)
    state = agent.begin(View(batch, agent.access), RowRng.from_seed(0, 2))
    for _ in range(20):
        action, state = agent.predict(batch.observe()[:, 0], state, np.zeros(2, bool))
        batch.step(action[:, None])
    if isinstance(agent, Sqa):
        state.memory[1].random[0] = int(np.random.default_rng(2).random() * 2.0**53)
    batch.restart(np.array([1]))
    started = np.array([False, True])
    onwards = []
    for _ in range(10):
        action, state = agent.predict(batch.observe()[:, 0], state, started)
        batch.step(action[:, None])
        started[:] = False
        onwards.append(action[1])
    fresh, _ = play(make(), next_of(1), [2], 10)
    assert onwards == fresh[:, 0].tolist()


@pytest.mark.parametrize("make", EVERYBODY, ids=lambda make: make().label)
def test_an_agent_that_was_not_begun_says_so(make):
    with pytest.raises(AgentError, match=r"must begin before it predicts"):
        make().predict(np.zeros((1, 36), np.float32))


def test_every_agent_found_plays_a_small_task():
    task = Task(env_id=ENV, kwargs=BLOCKED, warmup_steps=10)
    found = agents("association")
    named = "random", "sbh", "rbh", "rbh-network", "msr", "price", "cover", "lbh", "smart", "sqa", "sqa-best", "rollout"
    assert set(named) <= set(found)
    for name in named:
        agent = load_agent(name, "association", task)
        rows = mmwave_gym.evaluate(agent, task, episodes=2)
        assert all(row["network_rate_mbps"] > 0 for row in rows), name
        assert agent.kind in ("rule", "paper", "floor")
        json.dumps(agent.config)


def test_the_order_of_rules_in_blocked_streets():
    """Keeping cells free pays more than joining them."""
    kwargs = {"geometry": "blocked", "num_ues": 128, "crossings": (4, 4), "duration_s": 50.0}
    task = Task(env_id=ENV, kwargs=kwargs, episodes=3, warmup_steps=900)
    rate = {
        a.label: np.array([r["network_rate_mbps"] for r in mmwave_gym.evaluate(a, task)])
        for a in (Sbh(), Msr(), Price(), Cover(), LongRollout())
    }
    sbh, msr, price, cover, rollout = (r.mean() for r in rate.values())
    assert cover > 1.1 * price
    assert price > 1.2 * msr
    assert rollout > 1.1 * msr
    assert msr > 1.05 * sbh
