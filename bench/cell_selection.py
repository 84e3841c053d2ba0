"""How fast cell selection steps."""

from __future__ import annotations

import time

import numpy as np

from bench.measure import NUM_ENVS, Row
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

NUM_UES = 6


def cell_selection_rate(quick: bool) -> Row:
    """Whole episodes of many UEs, so that each slot has paid for the draws of a later one; the goal is an absolute."""
    horizon, rounds = 1000, 2 if quick else 8
    batch = Batch(make_scenario("cell_selection", num_ues=NUM_UES, horizon=horizon), NUM_ENVS)
    batch.reset([EpisodeKey(seed) for seed in range(NUM_ENVS)])
    actions = np.random.default_rng(0).integers(0, 3, (64, NUM_ENVS, NUM_UES))

    # The least time of each part counts: what else the machine does seldom lets a whole episode alone.
    slots, parts = 20, horizon // 20
    spent = {observed: np.full(parts, np.inf) for observed in (False, True)}

    def play(observed: bool) -> None:
        for part in range(parts):
            start = time.process_time()
            for t in range(part * slots, (part + 1) * slots):
                batch.step(actions[t % 64])
                if observed:
                    batch.observe()
            if part == parts - 1:
                batch.restart(np.arange(NUM_ENVS))
            spent[observed][part] = min(spent[observed][part], time.process_time() - start)

    for _ in range(rounds):
        for observed in spent:
            play(observed)
    cost = {name: spent[observed].sum() / horizon for name, observed in (("stepped", False), ("observed", True))}
    million = {name: NUM_ENVS * NUM_UES / cost[name] / 1e6 for name in cost}
    return Row(
        "cell selection, million UE-slots/s on one core",
        million["stepped"],
        ">= 12",
        f"{NUM_ENVS} environments of {NUM_UES} UEs, episodes of {horizon} slots with their keyed draws: "
        f"{cost['stepped'] * 1e6:.0f} us a slot; {million['observed']:.1f} million with everybody's observation",
    )
