"""How fast association steps, builds its worlds and explores."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.measure import Row, seconds
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

MANY = 64


def association_epochs(quick: bool) -> list[Row]:
    """Decisions of one world and of a batch, each with its observation and mask; absolute numbers."""
    rows, steps = [], 20
    for num_envs in (1, MANY):
        batch = Batch(make_scenario("association", num_ues=512), num_envs, draws_ahead=False)
        batch.reset([EpisodeKey(seed) for seed in range(num_envs)])
        actions = np.random.default_rng(0).integers(0, 2, (64, num_envs, 1))

        def play(batch: Batch = batch, actions: Any = actions) -> None:
            for t in range(steps):
                batch.step(actions[t % 64])
                batch.observe()
                batch.action_mask()

        cost = min(seconds(play) for _ in range(50 if quick else 200)) / (steps * num_envs)
        rows.append(
            Row(
                f"association, epochs/s of {'one world' if num_envs == 1 else f'{num_envs} worlds'}",
                1.0 / cost,
                ">= 5000" if num_envs == 1 else ">= 40000",
                f"512 UEs, paper geometry, one core: {1e6 * cost:.1f} us an epoch with observation and mask",
            )
        )
    return rows


def association_worlds(quick: bool) -> list[Row]:
    """Building a world of 100 s: routes, visits, epochs, what is foreseen."""
    rows = []
    for num_ues, goal in ((2048, "<= 0.5"), (10_000, "<= 3")):
        scenario = make_scenario("association", num_ues=num_ues, geometry="blocked")

        def build(scenario: Any = scenario) -> None:
            scenario.draw([EpisodeRng(EpisodeKey(0))])

        cost = min(seconds(build) for _ in range(1 if quick else 4))
        setup = f"blocked geometry, {scenario.config.duration_s:g} s, one core"
        rows.append(Row(f"association, seconds for a world of {num_ues:,} UEs", cost, goal, setup))
    return rows


def sqa_speed(quick: bool) -> Row:
    """The exploration of the paper's planner, compiled."""
    what, goal, num_ues = "SQA, million exploration steps/s", ">= 10", 2048
    try:
        from mmwave_baselines.association.sqa_cost import sqa_cost
    except ImportError as error:
        return Row(what, None, goal, f"not measured: {error}")
    cost = sqa_cost(num_ues, planned=5 if quick else 30)
    setup = (
        f"{num_ues} UEs, {cost.iterations} times {cost.depth_epochs} epochs: {cost.epoch_ms:.1f} ms a decision, "
        f"one every {cost.gap_ms:.1f} ms"
    )
    return Row(what, 1e3 / cost.step_ns, goal, setup)
