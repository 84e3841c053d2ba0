"""Worlds of cell selection that a pencil solves: one UE, two cells. The agents must earn what the formulas say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mmwave_gym
from mmwave_gym.benchmark.evaluation import Task

PRINTED = np.array(((0.55, 0.30, 0.15), (0.01, 0.80, 0.19), (0.38, 0.40, 0.22)))  # LOS, NLOS, outage
RATES = np.array((1.0, 0.161, 0.0))


def means(agent: str, **keywords: Any) -> dict[str, tuple[float, float]]:
    """Mean and standard error of reward and handovers a slot over 64 episodes of 1,000 slots."""
    world = {"num_ues": 1, "num_cells": 2, **keywords}
    rows = mmwave_gym.evaluate(agent, Task(env_id="MmwaveCellSelection-v0", kwargs=world), episodes=64, num_envs=64)
    names = ("reward", "handovers_per_slot")
    values = {name: np.array([row[name] for row in rows]) for name in names}
    return {name: (float(v.mean()), float(v.std(ddof=1)) / 8) for name, v in values.items()}


def agrees(found: tuple[float, float], expected: float) -> bool:
    return abs(found[0] - expected) < 4 * found[1] + 1e-9


def law(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.matrix_power(matrix, 200)[0]


@pytest.mark.parametrize("agent", ["mdp", "mdp-next", "optimum", "myopic"])
def test_without_cost_the_best_next_rate_is_earned(agent: str) -> None:
    """Links flip alike whatever one does, so the optimum is the sum of pi_i pi_j max(r_i, r_j), r = P R."""
    pi, following = law(PRINTED), PRINTED @ RATES
    best = pi @ np.maximum(following[:, None], following) @ pi
    assert agrees(means(agent, handover_cost=0.0, rate_bps_hz=tuple(RATES))["reward"], best)


def test_without_cost_the_best_present_link_earns_less() -> None:
    """Channel takes the better state of now, but a link in outage is the better one a slot later than one in NLOS."""
    pi, following = law(PRINTED), PRINTED @ RATES
    better = following[np.minimum(*np.indices((3, 3)))]  # states are numbered from the best
    found = means("channel", handover_cost=0.0, rate_bps_hz=tuple(RATES))["reward"]
    assert agrees(found, pi @ better @ pi)
    assert not agrees(found, pi @ np.maximum(following[:, None], following) @ pi)


@pytest.mark.parametrize("agent", ["mdp", "optimum", "channel-stay"])
@pytest.mark.parametrize(("p", "cost"), [(0.9, 0.3), (0.7, 0.1)])
def test_links_that_are_good_or_bad(agent: str, p: float, cost: float) -> None:
    """A link stays good (rate 1) or bad (rate 0) with probability p. Who leaves bad for good, and only then, has

    handovers (1 - p) / 2 a slot, because the chosen link turns bad and the other is good, and earns 3/4 p + (1 - p) / 4
    (good next unless both were bad), less the cost times p for each handover.
    """
    found = means(agent, transition=((p, 1 - p), (1 - p, p)), rate_bps_hz=(1.0, 0.0), handover_cost=cost)
    assert agrees(found["handovers_per_slot"], (1 - p) / 2)
    assert agrees(found["reward"], 0.75 * p + 0.25 * (1 - p) - cost * p * (1 - p) / 2)


@pytest.mark.parametrize("agent", ["mdp", "optimum"])
def test_who_cannot_know_what_comes_stays(agent: str) -> None:
    """Links without memory: every cell promises the same, and moving costs."""
    pi = law(PRINTED)
    found = means(agent, transition=np.tile(pi, (3, 1)), rate_bps_hz=tuple(RATES), handover_cost=0.1)
    assert found["handovers_per_slot"][0] == 0.0
    assert agrees(found["reward"], float(pi @ RATES))
