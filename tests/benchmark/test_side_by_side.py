"""Replays: the episode that the board scores, in a file that says what it leaves out and stays small."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest

from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.side_by_side import Recording, recorded, replay_page
from mmwave_gym.benchmark.side_by_side.packing import MOST_BYTES, packed, parting
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli import main
from mmwave_gym.rendering.stage import Moment, Stage

TASKS = {
    "handover": ("MmwaveHandover-v0", {"horizon": 60, "num_ues": 3}, ("a3", "strongest")),
    "street": ("MmwaveStreet-v0", {"duration_s": 12.0}, ("a3", "strongest")),
    "association": ("MmwaveAssociation-v0", {"num_ues": 12, "duration_s": 30.0, "settle_s": 2.0}, ("msr", "sbh")),
    "cell_selection": ("MmwaveCellSelection-v0", {"num_ues": 3, "horizon": 50}, ("rate-stay", "random")),
    "power_allocation": ("MmwavePowerAllocation-v0", {"horizon": 30}, ("full-power", "random")),
}


def task(scenario: str, **changes: Any) -> Task:
    env_id, kwargs, _ = TASKS[scenario]
    return Task(**{"env_id": env_id, "kwargs": kwargs, "name": f"{scenario}/small", "episodes": 4, **changes})


def contents(content: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Header and arrays (frame, column) of a file, read as `player.js` reads it."""
    raw = zlib.decompress(content)
    length = int.from_bytes(raw[:4], "little")
    head, at, arrays = json.loads(raw[4 : 4 + length]), 4 + length, []
    for about in head["arrays"]:
        count = about["f"] * about["n"]
        low = np.frombuffer(raw, np.uint8, count, at).astype(np.uint16)
        if about["narrow"]:
            changes, at = low.astype(np.uint8).view(np.int8).astype(np.int64), at + count
        else:
            high = np.frombuffer(raw, np.uint8, count, at + count).astype(np.uint16)
            changes, at = (low | high << 8).view(np.int16).astype(np.int64), at + 2 * count
        values = np.cumsum(changes.reshape(about["n"], about["f"]), axis=1)
        arrays.append(((values + 32768) % 65536 - 32768).T)
    assert at == len(raw)
    return head, arrays


@pytest.mark.parametrize("scenario", TASKS)
def test_a_recording_is_the_episode_that_rows_are_made_of(scenario: str) -> None:
    one = task(scenario, warmup_steps=5)
    for agent in TASKS[scenario][2]:
        recording = recorded(agent, one, 2)
        (row,) = evaluate(agent, one, episodes=3, skip=frozenset({0, 1}))
        assert recording.row == pytest.approx({name: row[name] for name in recording.row}, rel=1e-9)
        assert recording.stage is not None
        assert recording.moments[0].time_s == 0.0
        times = [m.time_s for m in recording.moments]
        assert times == sorted(times)
        assert times[-1] <= recording.time_s[-1] + 1e-9
        assert recording.scored_s == pytest.approx(recording.time_s[5])


@pytest.mark.parametrize("scenario", TASKS)
def test_the_file_holds_who_serves_and_where_everybody_is(scenario: str) -> None:
    recordings = [recorded(agent, task(scenario), 1) for agent in TASKS[scenario][2]]
    content, notes = packed(recordings)
    head, arrays = contents(content)
    assert content == packed(recordings)[0]
    assert len(content) < 30_000
    assert notes
    clock_s = np.linspace(0.0, head["seconds"], head["frames"])
    for told, recording in zip(head["agents"], recordings, strict=True):
        times = np.array([m.time_s for m in recording.moments])
        at = np.maximum(np.searchsorted(times, clock_s + 1e-9 * max(head["seconds"], 1.0), "right") - 1, 0)
        shown = [recording.moments[i] for i in at]
        np.testing.assert_array_equal(arrays[told["serving"]], np.stack([m.serving for m in shown]))
        assert arrays[told["reward"]][-1, 0] * told["scale"] == pytest.approx(recording.reward.sum(), rel=1e-3)
        if "place" in told:
            place = arrays[told["place"]][0].reshape(-1, 2) * told["step"] + told["corner"]
            there = shown[0].present & np.isfinite(shown[0].place_m).all(axis=1)
            np.testing.assert_allclose(place[there], shown[0].place_m[there], atol=told["step"])
    shared = "place" if "place" in head["agents"][0] else "level"
    assert head["agents"][0][shared] == head["agents"][1][shared], "the world is stored once"


def crowd(agent: str, ues: int, seed: int, moves: float) -> Recording:
    """An episode that nobody played: UEs that drive, turn and change their cells more than any scenario's do."""
    world, own = np.random.default_rng(1), np.random.default_rng(seed)
    steps, cells = 600, 64
    heading = np.repeat(world.normal(0.0, 1.5, (steps // 60, ues, 2)), 60, axis=0)
    place_m = np.cumsum(heading, axis=0) + world.uniform(0.0, 900.0, (ues, 2))
    serving = own.integers(cells, size=(steps, ues))
    kept = np.maximum.accumulate(np.where(own.random((steps, ues)) < moves, np.arange(steps)[:, None], 0), axis=0)
    rate = np.take_along_axis(own.gamma(1.0, 20.0, (steps, ues)), kept // 4 * 4, axis=0)
    serving = np.take_along_axis(serving, kept, axis=0)
    recording = Recording(task("association"), 0, agent, agent)
    recording.stage = Stage("crowd", ues, cells, ("rate", "Mbit/s"), world.uniform(0.0, 900.0, (cells, 2)))
    there = np.ones(ues, bool)
    recording.moments = [
        Moment(0.1 * t, there, serving[t], rate[t], rate[t] < 1.0, place_m[t]) for t in range(steps)
    ]  # fmt: skip
    recording.time_s, recording.reward = 0.1 * np.arange(steps + 1), rate.sum(axis=1)
    return recording


def test_a_crowd_is_thinned_out_until_the_file_is_small_and_the_page_says_so() -> None:
    recordings = [crowd(name, 512, seed, 0.02) for seed, name in enumerate(("a", "b", "c"))]
    page, notes = replay_page(recordings)
    assert len(zlib.compress(page.encode(), 9)) < 150_000
    assert any("rounded to" in note for note in notes)
    assert any("Places every" in note for note in notes)
    head, _ = contents(base64.b64decode(re.search(r'id="data">([^<]*)<', page).group(1)))
    assert head["notes"] == list(notes)
    assert head["agents"][0]["dropped"] > 1500


def test_a_stranger_without_a_scene_is_replayed_by_its_text(small_scenarios: Any) -> None:
    class First:
        label = "<first>"

        def predict(self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True):
            return np.zeros(len(observation), np.int64), state

    one = Task(env_id=small_scenarios.ROOMS[0].entries[0].id, name="shared_cells/small", episodes=2)
    recording = recorded(First(), one, 1)
    assert recording.stage is None
    assert len(recording.texts) == len(recording.time_s)
    page, _ = replay_page([recording])
    assert "<first>" not in page
    head, arrays = contents(base64.b64decode(re.search(r'id="data">([^<]*)<', page).group(1)))
    lines = [head["agents"][0]["lines"][i] for i in arrays[head["agents"][0]["text"]][-1]]
    assert "\n".join(lines) == recording.texts[-1][1]


def test_where_rewards_part() -> None:
    even, late = np.arange(100.0), np.arange(100.0)
    late = late + np.concatenate((np.zeros(70), np.linspace(0.0, 9.0, 5), np.full(25, 9.0)))
    assert parting(np.array([even, even])) == {"first": None, "part": None}
    found = parting(np.array([even, late]))
    assert found["first"] == 71
    assert 66 <= found["part"] <= 72
    assert parting(np.array([even, 2.0 * even])) == {"first": 1, "part": 1}, "evenly from the first frame on"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--agents", "a3,nobody"], "nobody"),
        (["--agents", "a3", "--out", "x.gif"], "--out must end in .html, got 'x.gif'."),
        (["--agents", ",", "--out", "x.html"], "--agents must name one to 6 agents between commas, got ','."),
        (["--agents", "a3", "--episode", "99999"], "has the test episodes 0 to"),
    ],
)
def test_wrong_words_are_one_clear_line(
    words: list[str], says: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["replay", "handover/a1-beta25", *words])
    assert end.value.code == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "agents"),
    [
        ("association/blocked-512", ("msr", "sbh", "price")),
        ("power_allocation/network-1000", ("full-power", "random", "max-min")),
        ("handover/a1-beta25", ("a3", "ppo", "oracle")),
        ("street/car-sparse-v1", ("a3", "ppo", "oracle")),
        ("cell_selection/n6-cost30", ("expected-load", "ppo", "random")),
    ],
)
def test_the_largest_tasks_make_small_pages(name: str, agents: tuple[str, ...]) -> None:
    page, _ = replay_page([recorded(agent, name, 3) for agent in agents])
    assert len(zlib.compress(page.encode(), 9)) < 150_000
    assert MOST_BYTES < 150_000
