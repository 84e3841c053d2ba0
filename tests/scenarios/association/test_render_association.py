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
from mmwave_gym.rendering.canvas import FRAME_SIZE
from mmwave_gym.scenarios.association.scene import Record

HEIGHT_WIDTH_3 = (FRAME_SIZE[1], FRAME_SIZE[0], 3)
SMALL: dict[str, Any] = {"num_ues": 6, "crossings": (3, 3), "duration_s": 40.0, "settle_s": 5.0, "geometry": "blocked"}


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


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


@pytest.mark.parametrize(
    "keywords",
    [
        {"num_ues": 1, "crossings": (1, 2), "geometry": "paper"},
        {"num_ues": 300, "crossings": (8, 8), "geometry": "paper"},
        {"crossings": (20, 20), "num_ues": 50},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["human", "rgb_array", "ansi"])
def test_any_world_renders(mode: str, keywords: dict[str, Any]) -> None:
    env = association(mode, **keywords)
    env.reset(seed=5)
    frames = [env.render()]
    for _ in range(12):
        if any(env.step(0)[2:4]):
            break
    frames.append(env.render())
    env.close()
    if mode == "human":
        assert frames == [None, None]
    elif mode == "ansi":
        assert all(text.isascii() and {len(line) for line in text.splitlines()} == {79} for text in frames)
        assert len(frames[0].splitlines()) == len(frames[1].splitlines())
    else:
        assert all(f.dtype == np.uint8 and f.shape == HEIGHT_WIDTH_3 for f in frames)
        assert (frames[0] != frames[1]).any()


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_the_picture_depends_on_the_present_not_on_when_one_looked(mode: str) -> None:
    """Up to the last frame, at which nobody decides; a new episode begins empty."""
    often, once = association(mode), association(mode)
    first = []
    for env in (often, once):
        env.reset(seed=4)
        first.append(env.render())
    over = False
    while not over:
        over = any(once.step(0)[2:4])
        often.step(0)
        often.render()
    np.testing.assert_array_equal(often.render(), once.render())
    once.reset(seed=4)
    np.testing.assert_array_equal(once.render(), first[0])


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
