"""Each shipped city leaves something to learn: a conditional handover tuned on it is at least 5 % below the oracle."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmwave_baselines.street.conditional import ChoA3
from mmwave_gym import Task, evaluate
from mmwave_gym.sources import cities

EPISODES = 64
LEAST = 0.05


@pytest.mark.long
@pytest.mark.parametrize("name", cities.names())
def test_a_tuned_rule_leaves_at_least_five_per_cent_to_walkers(name: str) -> None:
    words = {"channel": f"city:{name}", "users": "pedestrian", "handover": "conditional"}
    task = Task(name="street/city", env_id="MmwaveStreet-v1", kwargs=words, episodes=EPISODES)
    rules = [
        ChoA3(hysteresis_db=hysteresis_db, decisions=decisions)
        for hysteresis_db, decisions in itertools.product((1.0, 2.0, 3.0, 5.0, 7.0, 9.0), (1, 2, 4))
    ]

    def rate(agent: object, split: str) -> float:
        rows = evaluate(agent, task, episodes=EPISODES, split=split, trusted=True)
        return float(np.mean([row["rate_bps_hz"] for row in rows]))

    tuned = max(rules, key=lambda rule: rate(rule, "train"))
    assert rate("oracle", "test") / rate(tuned, "test") - 1.0 >= LEAST, f"{tuned.config}"
