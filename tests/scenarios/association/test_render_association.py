"""The scene of association says what the environment says, in every size and mode."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.association.scene import Record

SMALL: dict[str, Any] = {"num_ues": 6, "crossings": (3, 3), "duration_s": 40.0, "settle_s": 5.0, "geometry": "blocked"}


def association(mode: str = "rgb_array", **keywords: Any) -> gym.Env[Any, Any]:
    return gym.make("MmwaveAssociation-v0", render_mode=mode, **{**SMALL, **keywords})


def test_the_record_has_the_environment_s_numbers() -> None:
    batch = Batch(make_scenario("association", **SMALL), 1)
    batch.reset([EpisodeKey(4)])
    record = Record(batch)
    mbit = seconds = 0.0
    for _ in range(30):
        assert record.deciding == batch.agent_ids()[0, 0]
        assert len(record.candidates) == max(int(batch.action_mask()[0, 0].sum()), 1)  # type: ignore[index]
        fields = record.fields
        assert [int(record.load[bs]) for bs in record.candidates] == [
            int(load + serves) for load, serves in zip(fields["load"], fields["serving"], strict=True)
        ][: len(record.candidates)]
        outcome = batch.step(np.zeros((1, 1), np.int64))
        record.add(outcome)
        mbit += outcome.metrics["network_rate_mbps"][0]
        seconds += outcome.elapsed_s[0]
    assert record.mean_mbps == pytest.approx(mbit / seconds)
    assert record.load.sum() == 6
    assert np.abs(record.place_m).max() <= 400.0
    assert record.present.all()
    assert len(record.buildings_m) == 4


def test_text_tells_loads_and_the_decision() -> None:
    env = association("ansi")
    env.reset(seed=1)
    text = env.render()
    rows = [line[1:41] for line in text.splitlines() if line.startswith("|")]
    loads = [int(word) for row in rows for word in row.split() if word.isdigit()]
    assert "decides" in text
    assert text.count("@") == 2  # on the map and in the legend
    assert 0 < sum(loads) <= 6  # @ may stand on a number


def test_polygons_and_attribution_of_a_city_are_drawn() -> None:
    env = association()
    env.reset(seed=2)
    streets = env.render()
    world = env.unwrapped.scenario.world  # type: ignore[attr-defined]
    triangle = np.array(((20.0, 20.0), (180.0, 30.0), (100.0, 150.0)))
    world.city = SimpleNamespace(buildings=[triangle], attribution="© somebody", source="a city")
    env.reset(seed=2)
    city = env.render()
    assert (city != streets).any(axis=-1)[56:692, 20:656].mean() > 0.3  # the blocks have gone
    assert (city[695:, 700:] != streets[695:, 700:]).any()  # there the name stands
