"""Ceilings of association: the optimum against brute force and a MILP, everybody under it, and the bound above it."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

import mmwave_gym
from mmwave_baselines.association import bounds
from mmwave_baselines.association.optimum import Optimum, best_plan
from mmwave_baselines.association.world import KnownWorld, known_worlds
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.registry import agents
from mmwave_gym.benchmark.bounds import bounds as registered, compute
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.association.routes import LinkBudget, Routes

ENV = "MmwaveAssociation-v0"
SMALL = {"num_ues": 4, "crossings": (2, 3), "duration_s": 29.0, "settle_s": 5.0}
TICKS = 2e-3
"""The metric takes efficiencies at the middle of ticks: relative error of an episode's rate, at most (measured)."""
INTEGRALS = 1e-6
"""Relative error of a link's integral, which depends a little on how its time is cut."""


def worlds_of(numbers, **keywords):
    batch = Batch(make_scenario("association", **{**SMALL, **keywords}), len(numbers))
    batch.reset([EpisodeKey(1, n, "test") for n in numbers])
    return known_worlds(View(batch, "hindsight"))


def shortened(world, epochs):
    """The world ends with its epoch number `epochs`."""
    parts = world.time_s[: epochs + 1], world.ue[:epochs], world.candidate[:epochs], world.serving
    return KnownWorld(*parts, world.routes, world.bs_m, world.budget)


def value(world, rank, first=0, last=None):
    """What a plan brings, in bit/Hz: gap by gap and UE by UE."""
    serving, links = world.serving.tolist(), []
    for k, (ue, choice) in enumerate(zip(world.ue.tolist(), rank, strict=True)):
        serving[ue] = int(world.candidate[k, choice])
        if first <= k and (last is None or k < last):
            links += [(u, b, k, serving.count(b)) for u, b in enumerate(serving)]
    u, b, k, load = np.array(links).T
    return float((world.bits_per_hz(u, b, world.time_s[k], world.time_s[k + 1]) / load).sum())


@pytest.mark.parametrize("geometry", ["blocked", "paper"])
@pytest.mark.parametrize("scored", [(0, None), (2, 4)])
def test_the_optimum_is_that_of_brute_force(geometry, scored):
    for world in worlds_of([0, 1, 2], geometry=geometry):
        many = np.maximum((world.candidate >= 0).sum(axis=1), 1)
        world = shortened(world, int((many.cumprod(dtype=float) <= 300).sum()))
        choices = [range(n) for n in many[: len(world.ue)]]
        best = max(value(world, plan, *scored) for plan in itertools.product(*choices))
        assert value(world, best_plan(world, *scored), *scored) == pytest.approx(best, rel=1e-12)


def test_the_optimum_is_that_of_a_milp():
    """A binary for each interval and candidate, one for each gap, base station and load, and their products."""
    for world in worlds_of([3, 4], geometry="blocked", num_ues=3):
        world = shortened(world, 24)
        assert value(world, best_plan(world)) == pytest.approx(milp_optimum(world), rel=1e-6)


def milp_optimum(world):
    cost, upper, integral, rows = [], [], [], []

    def variable(gain=0.0, binary=True):
        cost.append(-gain)
        upper.append(1.0)
        integral.append(int(binary))
        return len(cost) - 1

    def constrain(entries, low, high):
        rows.append((entries, low, high))

    chosen = {(("first", u), int(b)): variable() for u, b in enumerate(world.serving)}
    for k, row in enumerate(world.candidate):
        for b in row[row >= 0]:
            chosen[k, int(b)] = variable()
    for key in {key for key, _ in chosen}:
        constrain({v: 1.0 for (other, _), v in chosen.items() if other == key}, 1.0, 1.0)
    held = [("first", u) for u in range(len(world.serving))]
    for k, ue in enumerate(world.ue.tolist()):
        held[ue] = k
        for b in range(len(world.bs_m)):
            here = [(u, chosen[key, b]) for u, key in enumerate(held) if (key, b) in chosen]
            level = {n: variable() for n in range(1, len(here) + 1)}
            constrain(dict.fromkeys(level.values(), 1.0), 0.0, 1.0)
            shares = {}
            for u, x in here:
                bits = world.bits_per_hz(np.array([u]), np.array([b]), world.time_s[[k]], world.time_s[[k + 1]])[0]
                mine = {n: variable(bits / n, binary=False) for n in level}
                constrain({x: 1.0, **dict.fromkeys(mine.values(), -1.0)}, 0.0, 0.0)
                for n, y in level.items():
                    shares.setdefault(n, {y: -float(n)})[mine[n]] = 1.0
            for entries in shares.values():  # so many UEs as the level says
                constrain(entries, 0.0, 0.0)
    matrix = np.zeros((len(rows), len(cost)))
    for i, (entries, _, _) in enumerate(rows):
        matrix[i, list(entries)] = list(entries.values())
    limits = LinearConstraint(matrix, [low for _, low, _ in rows], [high for _, _, high in rows])
    solved = milp(cost, constraints=limits, bounds=Bounds(0.0, upper), integrality=integral)
    assert solved.success
    return -solved.fun


def test_a_pencil_and_paper_world():
    """Two base stations, two UEs that stand between them: alone each serves its own, so both are used."""
    knots = np.array([[[10.0, 0.0], [10.0, 0.0]], [[30.0, 0.0], [30.0, 0.0]]])
    world = KnownWorld(
        time_s=np.array([0.0, 0.0, 8.0]),
        ue=np.array([0, 1]),
        candidate=np.array([[0, 1], [1, 0]]),
        serving=np.array([2, 2]),
        routes=Routes(np.zeros(2), 100.0, knots),
        bs_m=np.array([[0.0, 0.0], [100.0, 0.0]]),
        budget=LinkBudget(1e6, 3.0),
    )
    near, far, middle = (np.log2(1 + 1e6 * d**-3.0) for d in (10.0, 30.0, 70.0))
    rank = best_plan(world)
    assert rank.tolist() == [0, 0]
    assert value(world, rank) == pytest.approx(8.0 * (near + middle), rel=1e-5)
    # Only one base station: nothing to choose, half of each.
    alone = KnownWorld(world.time_s, world.ue, np.array([[0], [0]]), *list(vars(world).values())[3:])
    assert value(alone, best_plan(alone)) == pytest.approx(8.0 * (near + far) / 2.0, rel=1e-5)


class Anybody:
    """Any candidate, by chance."""

    def begin(self, view, rng):
        self.view = view
        return rng

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return state.choice(self.view.action_mask()), state


@pytest.mark.parametrize("geometry", ["blocked", "paper"])
def test_nobody_does_better_on_any_episode(geometry):
    task = Task(env_id=ENV, kwargs={**SMALL, "geometry": geometry}, episodes=12, primary="network_rate_mbps")
    best = rates("optimum", task)
    for name in agents("association"):
        try:
            agent = load_agent(name, "association", task)
        except NotApplicable:
            continue
        assert (rates(agent, task) <= best * (1.0 + TICKS)).all(), name
    assert (rates(Anybody(), task) < best).all()


def rates(agent, task):
    return np.array([row["network_rate_mbps"] for row in mmwave_gym.evaluate(agent, task)])


def test_the_optimum_plays_what_it_planned():
    """The metric is the plan's value up to ticks, in every copy; with a warm-up, that of the steps that count."""
    numbers, keywords = [5, 6, 7], {"geometry": "blocked"}
    for first, last in ((0, None), (6, 30)):
        agent = Optimum(first, None if last is None else last - first)
        batch = Batch(make_scenario("association", **{**SMALL, **keywords}), len(numbers))
        batch.reset([EpisodeKey(1, n, "test") for n in numbers])
        worlds = known_worlds(View(batch, "hindsight"))
        state = agent.begin(View(batch, agent.access), RowRng.from_seed(0, len(numbers)))
        mbit, actions, running = np.zeros(len(numbers)), [], np.ones(len(numbers), bool)
        for step in range(max(len(world.ue) for world in worlds)):
            action, state = agent.predict(batch.observe()[:, 0], state)
            outcome = batch.step(action[:, None])
            counts = running & (step >= first) & (last is None or step < last)
            mbit += outcome.metrics["network_rate_mbps"] * counts
            actions.append(action)
            running &= ~outcome.truncated
            if outcome.truncated.any():  # it plays on from its start, uncounted
                batch.rewind(np.flatnonzero(outcome.truncated))
                state.memory.epoch[outcome.truncated] = 0
        for i, world in enumerate(worlds):
            rank = np.array(actions)[: len(world.ue), i]
            assert mbit[i] == pytest.approx(10.0 * value(world, rank, first, last), rel=0.02 if first else TICKS)


def test_a_new_episode_gets_a_plan_of_its_own():
    batch = Batch(make_scenario("association", **SMALL), 2)
    batch.reset([EpisodeKey(1, n, "test") for n in (0, 1)])
    agent = Optimum()
    state = agent.begin(View(batch, "hindsight"))
    before = state.memory.rank.copy()
    agent.predict(batch.observe()[:, 0], state)
    batch.reset([EpisodeKey(1, n, "test") for n in (0, 2)])
    agent.predict(batch.observe()[:, 0], state, np.ones(2, bool))
    assert (state.memory.rank[0] == before[0]).all()
    assert (state.memory.rank[1] != before[1]).any()


def test_what_the_optimum_cannot_do_it_says():
    with pytest.raises(NotApplicable, match="512 UEs have too many joint associations"):
        Optimum.for_task(Task(env_id=ENV, name="association/large"))
    with pytest.raises(NotApplicable, match="ranks by jain_index"):
        Optimum.for_task(Task(env_id=ENV, kwargs=SMALL, primary="jain_index"))
    with pytest.raises(AgentError, match="has no training seeds"):
        Optimum.for_task(None, 3)
    with pytest.raises(AgentError, match="must begin before it predicts"):
        Optimum().predict(np.zeros((1, 8)))
    with pytest.raises(ValueError, match="scored_steps must be at least 1"):
        Optimum(scored_steps=0)
    (world,) = worlds_of([0], num_ues=24, geometry="blocked")
    with pytest.raises(NotApplicable, match=r"24 UEs have [0-9]+ joint associations, more than 500000"):
        best_plan(world)


# ---------------------------------------------------------------------- the bound


@pytest.mark.parametrize("geometry", ["blocked", "paper"])
@pytest.mark.parametrize("first", [0, 8])
def test_no_price_makes_the_bound_wrong(geometry, first):
    """Prices at random, of any size: the bound stays above the optimum of what is scored."""
    rng = np.random.default_rng(0)
    for world in worlds_of(range(4), geometry=geometry):
        best = value(world, best_plan(world, first), first)
        problem = bounds.relaxation(world, world.time_s[first], world.time_s[-1])
        taken = np.empty(len(problem.link), bool)
        for size in (0.0, 0.1, 1.0, 10.0):
            price = size * rng.standard_normal(len(problem.link))
            assert bounds.bound_bits_per_hz(problem, price, taken) >= best * (1.0 - INTEGRALS)


@pytest.mark.parametrize(("geometry", "tightness"), [("blocked", 1.03), ("paper", 1.001)])
def test_the_bound_is_above_the_optimum_on_every_episode_and_close(geometry, tightness):
    """True integrals on both sides, so that ticks do not matter."""
    ratios = []
    for world in worlds_of(range(12), geometry=geometry, num_ues=6):
        seconds = world.time_s[-1] - world.time_s[0]
        bound = bounds.upper_bound(bounds.relaxation(world, world.time_s[0], world.time_s[-1]), (bounds.Stage(1, 300),))
        ratios.append(bound * seconds / value(world, best_plan(world)))
    assert min(ratios) >= 1.0 - INTEGRALS
    assert np.mean(ratios) < tightness


def test_the_jobs_of_a_pencil_and_paper_world():
    """Two UEs at two base stations: the first alone in its only cell, the second once forced and once free."""
    knots = np.array([[[10.0, 0.0], [10.0, 0.0]], [[30.0, 0.0], [30.0, 0.0]]])
    world = KnownWorld(
        time_s=np.array([0.0, 3.0, 8.0]),
        ue=np.array([0, 1]),
        candidate=np.array([[0, -1], [1, 0]]),
        serving=np.array([2, 0]),
        routes=Routes(np.zeros(2), 100.0, knots),
        bs_m=np.array([[0.0, 0.0], [100.0, 0.0]]),
        budget=LinkBudget(1e6, 3.0),
    )
    near, far, middle = (np.log2(1 + 1e6 * d**-3.0) for d in (10.0, 30.0, 70.0))
    problem = bounds.relaxation(world, 0.0, 8.0)
    assert sorted(problem.job_s.tolist()) == [3.0, 5.0, 8.0]
    assert problem.forced.sum() == 3  # UE 0 in two cells, UE 1 in the first
    bound = bounds.upper_bound(problem, (bounds.Stage(1, 400),)) * 8.0
    best = 3.0 * (near + far) / 2.0 + 5.0 * (near + middle)
    assert value(world, best_plan(world)) == pytest.approx(best, rel=1e-5)
    assert bound == pytest.approx(best, rel=1e-3)


def test_the_relaxation_is_registered_and_bounds_the_optimum_of_the_suites_task():
    task = dataclasses.replace(find_task("association/small"), episodes=2)
    (relaxation,) = (b for b in registered(task) if b.name == "relaxation")
    found = compute(task, relaxation)
    assert (found.level, found.kind, found.per_episode) == ("hindsight", "proven bound", True)
    best = rates("optimum", task)
    assert (best <= found.sample.values[0]).all()
    assert (found.sample.values[0] < 1.05 * best).all()
