"""The causal bound of UDN handover against brute force over all that can happen in tiny worlds."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache

import numpy as np
import pytest

from mmwave_baselines.handover import causal_kernel as kernel
from mmwave_baselines.handover.causal import Found, applies, causal
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import all_tasks, task as find_task
from mmwave_gym.benchmark.task import Task

SIDE, STEP, SLOTS, CELLS = 4.0, 1.0, 3, 2
CHANCES = np.array([0.4, 0.3, 0.1, 0.2])
FADING = np.array(list(itertools.product((0.2, 1.8), repeat=CELLS)))  # all four are equally likely
HEADINGS = list(zip(kernel.HEADINGS_X, kernel.HEADINGS_Y, strict=True))


def _snr(place):
    x, y = place
    return np.array([40.0 / (0.3 + x + y / 2), 40.0 / (0.3 + (SIDE - x) + y / 3)])


class Tiny:
    """A UE on a lattice, that walls hold or that leaves, and all that may happen to it in `SLOTS` slots."""

    def __init__(self, leaves: bool, price: float, kept: float, start=(2.0, 2.0)):
        self.leaves, self.price, self.kept, self.start = leaves, price, kept, start
        axis = np.linspace(0.0, SIDE, 5)
        snr = np.array([[_snr((x, y)) for y in axis] for x in axis])
        self.grid = kernel.worth(snr, FADING, CHANCES, price, kept, 30, leaves)

    def after(self, place, heading):
        """The place after a step, None where the UE has left."""
        x, y = place[0] + STEP * heading[0], place[1] + STEP * heading[1]
        if self.leaves:
            return (x, y) if min(x, y) >= 0.0 and max(x, y) <= SIDE else None
        return min(max(x, 0.0), SIDE), min(max(y, 0.0), SIDE)

    def paths(self):
        """All walks with their probabilities; a walk ends where the UE leaves."""
        open_, ended = [((self.start,), 1.0)], []
        for _ in range(SLOTS):
            following = []
            for walk, chance in open_:
                for heading, p in zip(HEADINGS, CHANCES, strict=True):
                    place = self.after(walk[-1], heading)
                    if place is None:
                        ended.append(((*walk, None), chance * p))
                    else:
                        following.append(((*walk, place), chance * p))
            open_ = following
        return ended + open_

    @cache  # noqa: B019, lives as long as the world
    def weight(self, walk):
        """E[1 / T | the walk so far]: what a reward counts."""
        if walk[-1] is None:
            return 1.0 / (len(walk) - 1)
        if len(walk) == SLOTS + 1 or not self.leaves:
            return 1.0 / SLOTS
        steps = zip(HEADINGS, CHANCES, strict=True)
        return sum(p * self.weight((*walk, self.after(walk[-1], h))) for h, p in steps)

    @cache  # noqa: B019, lives as long as the world
    def optimum(self, walk, serving):
        """The most a causal agent has from here on, before it sees this slot's fading."""
        if walk[-1] is None or len(walk) > SLOTS:
            return 0.0
        steps = [(self.after(walk[-1], h), p) for h, p in zip(HEADINGS, CHANCES, strict=True)]
        ahead = np.array([sum(p * self.optimum((*walk, x), a) for x, p in steps) for a in range(CELLS)])
        total = 0.0
        for factor in FADING:
            rate = np.log2(1.0 + _snr(walk[-1]) * factor)
            share = np.where(np.arange(CELLS) == serving, 1.0, self.kept)
            cost = np.where(np.arange(CELLS) == serving, 0.0, self.price)
            total += (self.weight(walk) * (share * rate - cost) + ahead).max() / len(FADING)
        return total

    def bounds(self, walk, factors):
        """B, the optimum in hindsight, and the penalties (slot, cell) of one episode, beginning with cell 0."""
        slots = len(factors)
        place = np.array([*walk[:slots], walk[slots] or walk[slots - 1]], float)
        rate = np.array([np.log2(1.0 + _snr(x) * f) for x, f in zip(place[:-1], factors, strict=True)])
        near = [[self.after(x, h) for h in HEADINGS] for x in walk[:slots]]
        inside = np.array([[x is not None for x in row] for row in near])
        near_snr = np.array([[_snr(x or (0.0, 0.0)) for x in row] for row in near])
        weight = np.array([self.weight(walk[: t + 1]) for t in range(slots)]) * (np.arange(slots) < SLOTS - 1)
        fading = np.broadcast_to(FADING, (slots, 4, *FADING.shape)).astype(np.float32)
        setting = np.array([STEP, self.price, self.kept, *CHANCES, 0.0 if self.leaves else SIDE])
        penalty = kernel.penalties(rate, place, near_snr, inside, self.grid, SIDE, setting, weight, fading)
        value = np.empty((2, CELLS))
        for row, paid in zip(value, (penalty, 0.0 * penalty), strict=True):
            kernel.viterbi(rate, paid, self.price, self.kept, 1.0 / slots, row)
        return value[0, 0], value[1, 0], penalty


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize(("price", "kept"), [(2.0, 1.0), (0.7, 0.5)])
def test_the_bound_lies_between_the_causal_optimum_and_hindsight_in_the_mean(leaves, price, kept):
    """Over all walks and all fading of a tiny world: what is in expectation is exact here, nothing is sampled."""
    tiny = Tiny(leaves, price, kept, start=(3.0, 2.0) if leaves else (2.0, 2.0))
    mean = np.zeros(3)
    for walk, chance in tiny.paths():
        slots = len(walk) - 1
        for factors in itertools.product(FADING, repeat=slots):
            bound, hindsight, penalty = tiny.bounds(walk, factors)
            share = chance / len(FADING) ** slots
            mean += share * np.array([bound, hindsight, penalty[:, 0].sum()])
    optimum = tiny.optimum((tiny.start,), 0)
    bound, hindsight, of_staying = mean
    assert of_staying == pytest.approx(0.0, abs=1e-6)  # float32 fading
    assert optimum <= bound + 1e-6
    assert bound < hindsight
    assert bound - optimum < 0.5 * (hindsight - optimum)


def test_w_only_decides_how_tight_it_is():
    """With any other W the bound holds as well; without a penalty it is the optimum in hindsight."""
    tiny = Tiny(False, 2.0, 1.0)
    optimum = tiny.optimum((tiny.start,), 0)
    tiny.grid = np.random.default_rng(0).normal(0.0, 3.0, tiny.grid.shape)
    mean = hindsight = 0.0
    for walk, chance in tiny.paths():
        for factors in itertools.product(FADING, repeat=SLOTS):
            found = tiny.bounds(walk, factors)
            mean += chance / len(FADING) ** SLOTS * found[0]
            hindsight += chance / len(FADING) ** SLOTS * found[1]
    assert optimum <= mean + 1e-6
    assert mean != pytest.approx(hindsight, abs=1e-3)


def test_it_applies_to_the_papers_room_only():
    assert [t.name for t in all_tasks("handover") if not t.missing_data and applies(t)] == [
        "handover/a1-beta5",
        "handover/a1-beta25",
        "handover/a3-beta25",
    ]
    for keywords in ({"fading": "averaged"}, {"num_ues": 2}, {"speed_drawn_per": "slot"}, {"boundary": "open"}):
        assert not applies(Task(env_id="MmwaveHandover-v0", kwargs=keywords))


def test_its_optimum_in_hindsight_is_the_oracles_and_its_policy_plays_what_the_environment_pays():
    task = dataclasses.replace(find_task("handover/a3-beta25"), episodes=3)
    found = [causal(task, episode) for episode in range(3)]
    oracle = [row["reward"] for row in evaluate("oracle", task)]
    np.testing.assert_allclose([f.hindsight for f in found], oracle, rtol=1e-6)
    for one, best in zip(found, oracle, strict=True):
        assert isinstance(one, Found)
        assert one.policy <= best + 1e-6
        assert abs(one.causal - best) < 1.0
    again = causal(task, 1)
    assert again == found[1]
