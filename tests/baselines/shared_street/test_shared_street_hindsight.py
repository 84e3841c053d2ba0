"""What decisions are worth in hindsight, against all sequences of decisions of a small world."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from shared_street_worlds import TINY, PlainUe, PlainWorld

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

pytest.importorskip("numba")

from mmwave_baselines.shared_street.ascent import Ascent
from mmwave_baselines.shared_street.features import record, records, scaled
from mmwave_baselines.shared_street.hindsight import Episode, Recursion, plan, regrets
from mmwave_baselines.shared_street.rules import A3
from mmwave_gym.agents.rollout import Rollout


def small(seed: int, horizon: int, **keywords: Any) -> Batch:
    keywords = {**TINY, "num_cars": 2, "num_pedestrians": 1, "link_budget_db": 100.0, "horizon": horizon, **keywords}
    batch = Batch(make_scenario("shared_street", **keywords), 1, draws_ahead=False)
    batch.reset([EpisodeKey(seed)])
    return batch


class Search:
    """All sequences of decisions of one UE, one after the other; the others stay on their cells."""

    def __init__(self, batch: Batch, ue: int, others: Any, weight: float, conditional: bool):
        self.world, self.ue, self.others, self.weight = PlainWorld.of(batch), ue, others, weight
        self.conditional, self.end = conditional, batch.scenario.horizon
        self.back = round(self.world.config.reestablishment_s / 0.1)

    def slot(self, t: int, cell: int, kind: str) -> float:
        """What a slot on a cell is worth."""
        w = self.world
        if not (w.active[t, self.ue] and w.present[t, self.ue]):
            return 0.0
        level = float(w.sinr_db[t, self.ue, cell]) - (w.config.refinement_db if kind == "wide" else 0.0)
        rate = 0.0 if level < w.config.out_db else min(math.log2(1.0 + 10.0 ** (level / 10.0)), w.config.most_bps_hz)
        m = sum(
            int(self.others[t, o] == cell and w.active[t, o] and w.present[t, o])
            for o in range(self.others.shape[1])
            if o != self.ue
        )
        price = self.weight * m * math.log((m + 1) / m) if m else 0.0
        return math.log(rate / (m + 1) + 0.01) - price - {"silent": 1.0, "command": 0.4}.get(kind, 0.0)

    def best(self, t: int, ue: PlainUe) -> float:
        """The most that can follow from slot t on; the slot has not begun."""
        if t >= self.end:
            return 0.0
        ue = ue.copy()
        was_here = ue.doing != "away"
        ue.begin(t)
        if ue.doing == "away":
            return 0.0 if was_here else self.best(t + 1, ue)
        choices = ue.choices(t)
        if not self.conditional and not ue.measures(t):
            choices = []
        return max(self.after(t, ue, cell) for cell in [-1, *choices])

    def after(self, t: int, ue: PlainUe, cell: int) -> float:
        """What a decision in slot t brings and what can follow; the slot has begun."""
        ue = ue.copy()
        ue.decide(t, cell)
        if ue.doing == "lost":
            back = t + ue.left
            strongest = int(self.world.rsrp_dbm[min(back, self.end), self.ue].argmax())
            value = self.slot(t, strongest, "silent")
        elif ue.doing == "moving" and ue.left == 4:
            value = self.slot(t, ue.serving, "command")
        elif ue.doing == "moving":
            value = self.slot(t, ue.target, "wide" if ue.wide else "silent")
        else:
            value = self.slot(t, ue.serving, "fine")
        ue.end(t)
        leaves = t + 1 < self.end and not self.world.present[t + 1, self.ue]
        return value + (0.0 if leaves else self.best(t + 1, ue))


@pytest.mark.parametrize("handover", ["both", "command", "conditional"])
@pytest.mark.parametrize("seed", range(8))
def test_the_best_is_that_of_all_sequences(handover: str, seed: int) -> None:
    horizon = 17 if handover == "command" else 12
    batch = small(seed, horizon, handover=handover, t310_s=0.4)
    others = np.random.default_rng(seed).integers(-1, 4, (horizon, 3))
    world = PlainWorld.of(batch)
    for ue in range(3):
        search = Search(batch, ue, others, 0.5, True)
        episode = Episode.of(batch.scenario, batch.episodes, 0)
        recursion = Recursion(episode, 0.5)
        others[:, ue] = -1
        recursion.solve(ue, others, recursion.load(others))
        if not world.present[0, ue]:
            continue
        first = PlainUe(world, ue)
        first.begin(0)
        ready = int(bool(first.prepared))
        # T310 counts as if a cell had served since long before: the first cell may begin below `in_db`.
        if world.sinr_db[0, ue, first.serving] <= world.config.in_db:
            continue
        found = recursion.best[0, first.serving, ready]
        assert found == pytest.approx(search.best(0, PlainUe(world, ue)), abs=1e-5)


@pytest.mark.parametrize("handover", ["both", "command", "conditional"])
def test_a_plan_that_is_played_has_its_cells(handover: str) -> None:
    batch = small(3, 200, num_cars=6, num_pedestrians=3, handover=handover, t310_s=0.4, isd_m=40.0)
    decisions, cell = plan(Episode.of(batch.scenario, batch.episodes, 0), 2)
    scenario: Any = batch.scenario
    for t in range(200):
        candidate = batch.state.candidate[0]
        at = np.array([np.flatnonzero(candidate[u] == c)[0] if c >= 0 else 0 for u, c in enumerate(decisions[t])])
        wanted = decisions[t] >= 0
        assert scenario.allowed(batch.state)[0][np.arange(9), at][wanted].all(), (
            "a plan goes only where the mask allows it"
        )
        batch.step(at[None])
        assert batch.state.cell[0].tolist() == cell[t].tolist(), t


def test_sweeps_improve_the_score() -> None:
    scores = []
    for sweeps in (1, 3):
        batch = small(5, 300, num_cars=8, num_pedestrians=6, link_budget_db=120.0)
        last = None
        for outcome, _ in Rollout.of(Ascent(sweeps), batch).first_episodes():
            last = outcome
        assert last is not None
        scores.append(float(last.metrics["utility"][0]))
    assert scores[1] >= scores[0] - 0.01
    batch = small(5, 300, num_cars=8, num_pedestrians=6, link_budget_db=120.0)
    for outcome, _ in Rollout.of(Stays(), batch).first_episodes():
        last = outcome
    assert last is not None
    assert scores[1] > float(last.metrics["utility"][0]) + 0.01


class Stays:
    """Never hands over."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        return np.zeros(len(observation), np.int64), state


def test_regrets_tell_what_a_decision_changes() -> None:
    """The difference of two Qs is that of what follows, the best decisions coming after, with the others held."""
    batch = small(11, 40, num_cars=3, num_pedestrians=0, handover="command", link_budget_db=110.0)
    trace = record(batch, Stays())
    assert trace.cell.shape == (40, 3)
    assert (trace.candidate[..., 0] >= 0).sum() == trace.observation.shape[0]
    q, v = regrets(Episode.of(batch.scenario, trace.episodes, 0), trace.cell, trace.candidate, trace.prepared, 1.0)
    decided = trace.candidate[..., 0] >= 0
    assert (v[decided] + 1e-9 >= np.where(np.isfinite(q[decided]), q[decided], -np.inf).max(axis=1)).all()
    world = PlainWorld.of(batch)
    checked = 0
    for t, ue in zip(*np.nonzero(decided), strict=True):
        if t < 26:
            continue  # the search is long
        search = Search(batch, int(ue), trace.cell, 1.0, False)
        plain = PlainUe(world, int(ue))
        for earlier in range(t):
            plain.begin(earlier)
            plain.decide(earlier, -1)
            plain.end(earlier)
        plain.begin(t)
        if plain.t310 or plain.doing != "free":
            continue
        for k in range(4):
            to = int(trace.candidate[t, ue, k]) if k else -1
            expected = search.after(int(t), plain, to)
            if k and world.sinr_db[t, ue, plain.serving] < world.config.out_db:
                expected -= 0.01
            assert q[t, ue, k] == pytest.approx(expected, abs=1e-5)
            checked += 1
    assert checked > 10


def test_features_have_the_scales_of_their_recipe() -> None:
    batch = small(2, 30, num_cars=4, link_budget_db=120.0)
    for _ in range(21):
        batch.step(np.zeros((1, 5), np.int64))
    seen = batch.observe()[0]
    parts = batch.scenario.fields.split(seen)
    x = scaled(batch.scenario.fields, seen)
    assert x.shape == (5, 6, 28)
    assert x.dtype == np.float32
    ue = int(np.flatnonzero(batch.agent_ids()[0] >= 0)[0])
    efficiency, sharing = parts["efficiency_bps_hz"][ue], parts["sharing"][ue]
    assert x[ue, :4, 0] == pytest.approx((parts["rsrp_0_dbm"][ue, :4] + 78.0) / 20.0, rel=1e-5)
    assert x[ue, 1, 4] == pytest.approx(efficiency[1] / 4.0)
    assert x[ue, :, 5].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    value = [math.log(efficiency[k] / sharing[k] + 0.01) for k in range(2)]
    assert x[ue, 1, 7] == pytest.approx(value[1] - value[0], rel=1e-4)
    assert x[ue, 1, 21] == pytest.approx(math.log(parts["ahead_800ms_bps_hz"][ue, 1] + 0.05) / 2.0, rel=1e-4)
    assert (x[ue, 4:] == 0.0).all(), "there are four cells"


def test_traces_of_a_batch_are_those_of_single_environments() -> None:
    keywords = {**TINY, "num_cars": 4, "num_pedestrians": 2, "maps": (1, 2), "horizon": 60}
    scenario = make_scenario("shared_street", **keywords)
    many = Batch(scenario, 3, draws_ahead=False)
    many.reset([EpisodeKey(seed) for seed in range(3)])
    together = records(many, A3(2.0))
    for seed, trace in enumerate(together):
        one = Batch(scenario, 1, draws_ahead=False)
        one.reset([EpisodeKey(seed)])
        alone = record(one, A3(2.0))
        for name in ("cell", "candidate", "prepared", "observation", "action"):
            assert np.array_equal(getattr(trace, name), getattr(alone, name)), name
        assert trace.utility == alone.utility
        q, v = (regrets(Episode.of(scenario, t.episodes, 0), t.cell, t.candidate, t.prepared) for t in (trace, alone))
        assert np.array_equal(q[0], v[0])
