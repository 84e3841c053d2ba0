"""How fast shared streets step."""

from __future__ import annotations

import time

import numpy as np

from bench.compiled import numba
from bench.measure import Row
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

COPIES = 64


def shared_street_rate(quick: bool) -> Row:
    """Steps with everybody's observation and mask, and with the draws of later episodes; the goal is an absolute."""
    slots, rounds = 20, 8 if quick else 30
    with numba(True):
        batch = Batch(make_scenario("shared_street", maps=tuple(range(1, 9))), COPIES)
        batch.reset([EpisodeKey(seed) for seed in range(COPIES)])
        ues = batch.scenario.num_agents
        chance = np.random.default_rng(0)
        actions = np.where(chance.random((64, COPIES, ues)) < 0.03, chance.integers(0, 6, (64, COPIES, ues)), 0)
        spent = {"step": np.inf, "observe": np.inf, "mask": np.inf}
        works = {"step": lambda t: batch.step(actions[t % 64]), "observe": lambda t: batch.observe()}
        works["mask"] = lambda t: batch.action_mask()
        for part in range(rounds):  # the least time of each part: what else the machine does only adds to it
            took = dict.fromkeys(spent, 0.0)
            for t in range(part * slots, (part + 1) * slots):
                for name, work in works.items():
                    start = time.process_time()
                    work(t)
                    took[name] += time.process_time() - start
            spent = {name: min(spent[name], took[name] / slots) for name in spent}
    all_s = sum(spent.values())
    each = ", ".join(f"{name} {1e6 * cost:,.0f} us" for name, cost in spent.items())
    return Row(
        "shared street, million UE-decisions/s on one core",
        COPIES * ues / all_s / 1e6,
        ">= 1",
        f"{COPIES} environments of {ues} UEs, each of which decides in every slot, a fourth of them by command; {each}",
    )
