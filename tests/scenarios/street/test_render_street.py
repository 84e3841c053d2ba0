"""The scene of a street says what the environment says, in every mode and world."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.radio.street_maps import routes, street_map
from mmwave_gym.rendering.colours import INK, series_colour
from mmwave_gym.scenarios.street import scene as scene
from mmwave_gym.scenarios.street.scene import Record

SMALL: dict[str, Any] = {"arm_m": 60.0, "isd_m": 50.0, "duration_s": 3.0}
WEAK: dict[str, Any] = {**SMALL, "link_budget_db": 100.0, "t310_s": 0.2}
WORLDS: dict[str, dict[str, Any]] = {
    "cars": {},
    "weak": WEAK,
    "pedestrians": {"users": "pedestrian", "decision_s": 0.4, "duration_s": 10.0},
    "canyon": {**SMALL, "street": "canyon"},
    "one cell a street": {"street": "canyon", "arm_m": 60.0, "isd_m": 60.0, "duration_s": 1.0},
    "middle lanes": {**SMALL, "lane_m": 0.0, "interference_db": None, "maps": (4, 5)},
    "instant handovers": {**SMALL, "preparation_s": 0.0, "interruption_s": 0.0, "refinement_s": 0.0},
    "v1, weak": {**WEAK, "lost_command": "stays"},
    "conditional, weak": {**WEAK, "handover": "conditional"},
    "geometry": {**SMALL, "sight": "geometry", "vehicles_per_km": 80.0},
}


def street(mode: str = "rgb_array", **keywords: Any) -> gym.Env[Any, Any]:
    return gym.make("MmwaveStreet-v0", render_mode=mode, **keywords)


def play(batch: Batch, seed: int, often: float = 0.15) -> tuple[Record, dict[str, float]]:
    """A record of a random policy's episode, and the environment's own sums."""
    batch.reset([EpisodeKey(seed)])
    record, rng = Record(batch), np.random.default_rng(seed)
    record.restart()
    sums: dict[str, float] = {"reward": 0.0}
    over = False
    while not over:
        cell = int(batch.state.serving[0])
        if rng.random() < often:
            cell = int(rng.integers(batch.scenario.action_space.n))
        outcome = batch.step(np.array([[cell]]))
        record.add(outcome)
        sums["reward"] += float(outcome.reward[0, 0])
        for name, value in outcome.metrics.items():
            sums[name] = sums.get(name, 0.0) + float(value[0])
        over = bool(outcome.truncated[0])
    return record, sums


@pytest.mark.parametrize("world", WORLDS)
def test_the_timeline_holds_what_the_environment_gave(world: str) -> None:
    batch = Batch(make_scenario("street", **WORLDS[world]), 1)
    failures: set[str] = set()
    for seed in range(8):
        record, sums = play(batch, seed)
        line, scenario = record.line, record.scenario
        assert line.rate_bps_hz.sum() / scenario.decision_ticks == pytest.approx(sums["reward"], abs=1e-3)
        assert 0.02 * (line.rate_bps_hz == 0.0).sum() == pytest.approx(sums["no_data_fraction"], abs=1e-6)
        what = [event.what for event in line.events]
        assert what.count("handover") == sums["handovers_per_s"]
        lost = [event for event in line.events if event.what != "handover"]
        assert 60.0 * len(lost) == sums["failures_per_min"]
        assert (line.phase >= 0).all()
        np.testing.assert_array_equal(line.cell < 0, np.isin(line.phase, (scene.INTERRUPTED, scene.LOST)))
        failures |= {event.what for event in lost}
    if world == "weak":
        assert failures == {scene.COMMAND, scene.ACCESS, scene.TIMER}


def test_sight_is_the_map_s_and_blocked_links_lack_what_bodies_take() -> None:
    batch = Batch(make_scenario("street", users="pedestrian", cells="dense", decision_s=0.4), 1)
    blocked, checked = 0, 0
    for seed in range(3):
        batch.reset([EpisodeKey(seed)])
        record = Record(batch)
        record.restart()
        scenario: Any = batch.scenario
        ways, _ = routes(scenario.geometry)
        here = street_map(scenario.geometry, 1, 28.0)
        for _ in range(40):
            record.add(batch.step(batch.state.serving[:, None]))
            place_m, sight = record.line.place_m[record.now], record.sight()
            on = [w for w in ways if np.hypot(*(w.place_m - place_m).T).min() < 0.5]
            nearest = [int(np.hypot(*(w.place_m - place_m).T).argmin()) for w in on]
            los = [here.los[w.lane[i], w.point[i]] for w, i in zip(on, nearest, strict=True)]
            clear = sight != 2
            checked += clear.sum()
            assert (np.array(los)[:, clear] == (sight[clear] == 0)).any(axis=0).all()
            blocked += int((sight == 2).sum())
    assert blocked / (checked + blocked) == pytest.approx(0.28 / 2.28, abs=0.05)


def test_a_long_episode_turns_its_page() -> None:
    env = street(users="pedestrian", duration_s=100.0, decision_s=10.0)
    env.reset(seed=1)
    serving = env.unwrapped.batch.state.serving  # type: ignore[attr-defined]
    strips = []
    for _ in range(10):
        env.step(int(serving[0]))
        strip = env.render()[484 + 181 : 484 + 189, 78:914]
        strips.append(float((strip != 255).any(axis=-1).mean()))
    assert strips[4] < strips[5]
    assert strips[6] < strips[5]  # the first half of the page is gone


def test_the_picture_shows_who_serves_and_what_failed() -> None:
    env = street(link_budget_db=60.0)  # so weak that every command is lost
    env.reset(seed=3)
    batch = env.unwrapped.batch  # type: ignore[attr-defined]
    serving = int(batch.state.serving[0])
    before = env.render()
    assert not (before[484 + 13 : 484 + 170, 78:914] == np.array((250, 217, 208))).all(axis=-1).any()
    env.step((serving + 1) % 6)
    frame = env.render()
    assert (frame[484 + 13 : 484 + 170, 78:914] == np.array((250, 217, 208))).all(axis=-1).any()
    good = street()
    good.reset(seed=3)
    serving = int(good.unwrapped.batch.state.serving[0])  # type: ignore[attr-defined]
    good.step(serving)
    strip = good.render()[484 + 181 : 484 + 189, 78:914]
    assert (strip == np.array(series_colour(serving), np.uint8)).all(axis=-1).any()
    assert (good.render() == np.array(INK, np.uint8)).all(axis=-1).any()


def test_the_text_tells_failures_and_counts() -> None:
    env = street("ansi", link_budget_db=60.0)
    env.reset(seed=3)
    serving = int(env.unwrapped.batch.state.serving[0])  # type: ignore[attr-defined]
    assert f"served by cell {serving}" in env.render().splitlines()[0]
    env.step((serving + 1) % 6)
    text = env.render()
    assert "COMMAND LOST" in text.splitlines()[0]
    assert "handovers    1" in text
    assert "lost links    1" in text
    assert "energy    0.3 J" in text


def test_a_handover_environment_with_a_street_draws_the_street() -> None:
    texts = []
    for name, keywords in (("MmwaveHandover-v0", {"street": "canyon"}), ("MmwaveStreet-v0", {"street": "canyon"})):
        env = gym.make(name, render_mode="ansi", **keywords)
        env.reset(seed=6)
        env.step(1)
        texts.append(env.render())
    assert texts[0] == texts[1]
