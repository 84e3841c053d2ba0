"""A sample of what `python -m bench.configurations` and `python -m bench.endurance` play in full."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import configurations, endurance
from bench.watched import Fault, Watched
from mmwave_gym.core import rooms
from mmwave_gym.core.registration import make_scenario

OURS = [name for name, room in rooms.rooms().items() if room.package.startswith("mmwave_gym.")]


@pytest.mark.parametrize("scenario", OURS)
def test_drawn_configurations_work_or_are_refused(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configurations, "MOST_MIB", 8.0)
    seen, faults = configurations.draw(scenario, 8, seed=3)
    assert faults == {}
    assert sum(seen.values()) >= 8
    assert seen["played"] + seen["played after refusals"] >= 1


@pytest.mark.parametrize("world", endurance.WORLDS)
def test_some_steps_of_every_world_are_checked(world: str) -> None:
    env_id, keywords, num_envs = endurance.WORLDS[world]
    endurance.WORLDS[world], before = (env_id, keywords, min(num_envs, 8)), endurance.WORLDS[world]
    try:
        assert endurance.chunk(world, 0, most=200.0) >= 200
    finally:
        endurance.WORLDS[world] = before


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan", "a reward is not finite"),
        ("outside", "feature 0 is"),
        ("late", "longer than the horizon|goes on at the horizon"),
        ("gone", "who left is not who was terminated"),
    ],
)
def test_a_fault_is_seen(what: str, message: str) -> None:
    scenario: Any = make_scenario("handover", horizon=5, boundary="stay", num_ues=2)
    step, observe = scenario.step, scenario.observe

    def broken(episodes: Any, state: Any, action: Any) -> Any:
        outcome = step(episodes, state, action)
        if what == "nan":
            outcome.reward[1] = np.nan
        if what == "late":
            outcome.truncated[:] = False
            state.slot[:] = 1
        if what == "gone":
            outcome.terminated[0, 1] = True
        return outcome

    scenario.step = broken
    if what == "outside":
        scenario.observe = lambda *a: observe(*a) + np.float32(1.0)
    with pytest.raises(Fault, match=message):
        steps(scenario, 7)


def steps(scenario: Any, count: int) -> None:
    watched = Watched(scenario, 3, 0)
    for _ in range(count):
        watched.step()


def test_the_long_play_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(endurance, "SECONDS", 0.0)
    monkeypatch.setattr(endurance, "WORLDS", {k: (*v[:2], 4) for k, v in list(endurance.WORLDS.items())[:2]})
    monkeypatch.setattr(endurance, "chunk", lambda name, number: 10 * (number + 1))
    out = tmp_path / "played.json"
    monkeypatch.setattr(sys, "argv", ["endurance", "--steps", "25", "--out", str(out)])
    assert endurance.main() == 0
    assert sorted(json.loads(out.read_text()).values()) == [[1, 10], [2, 30]]
    assert "40 agent-steps in all, every one checked, of 25 wanted" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["endurance", "--steps", "100", "--minutes", "0", "--out", str(out)])
    assert endurance.main() == 3, "the time is over before the count"
