"""The scene of cell selection says what the environment says, in every size and mode."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mmwave_gym import cell_selection_v0, cli
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.rendering.canvas import FRAME_SIZE
from mmwave_gym.scenarios.cell_selection.game import CellSelection, CellSelectionConfig
from mmwave_gym.scenarios.cell_selection.scene import PAGE_SLOTS, Record

HEIGHT_WIDTH_3 = (FRAME_SIZE[1], FRAME_SIZE[0], 3)
PRINTED = ((0.55, 0.30, 0.15), (0.01, 0.80, 0.19), (0.38, 0.40, 0.22))


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def cell_selection(mode: str = "rgb_array", **keywords: Any) -> gym.Env[Any, Any]:
    return gym.make("MmwaveCellSelection-v0", render_mode=mode, **keywords)


@pytest.mark.parametrize("load", ["present", "previous", "served"])
def test_the_record_has_the_environment_s_rates_handovers_and_outages(load: str) -> None:
    batch = Batch(CellSelection(CellSelectionConfig(num_ues=5, load=load, handover_cost=0.3)), 1)
    batch.reset([EpisodeKey(4)])
    record, rng = Record(batch), np.random.default_rng(0)
    own, handovers, outages = np.zeros(5), 0.0, np.zeros(5)
    for _ in range(80):
        outcome = batch.step(rng.integers(0, 3, (1, 5)))
        record.add()
        np.testing.assert_array_equal(record.now.received_bps_hz, outcome.metrics["own_efficiency_bps_hz"][0])
        own += outcome.metrics["own_efficiency_bps_hz"][0]
        handovers += outcome.metrics["handovers_per_slot"][0]
        outages += outcome.metrics["outage_fraction"][0]
    np.testing.assert_allclose(record.received_sum, own)
    assert record.handovers.sum() == handovers
    np.testing.assert_array_equal(record.outages, outages)
    np.testing.assert_array_equal(record.load, batch.state.load[0])


@pytest.mark.parametrize(
    "keywords",
    [
        {"num_ues": 1, "num_cells": 1, "horizon": 1},
        {"num_ues": 15, "num_cells": 8},
        {"num_ues": 70, "num_cells": 30},
        {"transition": "drive_test"},
        {"transition": ((0.9, 0.1), (0.2, 0.8)), "rate_bps_hz": (1.0, 0.0)},
        {"transition": np.full((6, 6), 1 / 6), "rate_bps_hz": (0.0,) * 6},
        {"control": "all"},
    ],
    ids=lambda keywords: ",".join(keywords),
)
@pytest.mark.parametrize("mode", ["human", "rgb_array", "ansi"])
def test_any_world_renders(mode: str, keywords: dict[str, Any]) -> None:
    env = cell_selection(mode, **keywords)
    env.reset(seed=5)
    frames = [env.render()]
    env.action_space.seed(0)
    for _ in range(min(PAGE_SLOTS + 2, keywords.get("horizon", 1000))):
        env.step(env.action_space.sample())
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


def test_text_shows_serving_links_handovers_and_loads() -> None:
    env = cell_selection("ansi", num_ues=2, start=(0, 1), others="stay", transition=PRINTED)
    env.reset(seed=1)
    env.step(2)
    channel = env.unwrapped.view("central").look()["channel"][0]  # type: ignore[attr-defined]
    first, second = (line for line in env.render().splitlines() if line.startswith("UE"))
    signs = ["Ln."[state] for state in channel.ravel()]
    assert first[7:16] == f" {signs[0]}  {signs[1]} >{signs[2]}<"
    assert second[7:16] == f" {signs[3]} [{signs[4]}] {signs[5]} "
    assert "  load  0  1  1 " in env.render()
    env.step(2)
    assert f"[{'Ln.'[env.unwrapped.view('central').look()['channel'][0, 0, 2]]}]" in env.render()  # type: ignore[attr-defined]


def test_the_picture_depends_on_the_present_not_on_when_one_looked() -> None:
    often, once = cell_selection(), cell_selection()
    for env in (often, once):
        env.reset(seed=4)
    for slot in range(PAGE_SLOTS + 40):
        for env in (often, once):
            env.step(slot // 5 % 3)
        often.render()
    np.testing.assert_array_equal(often.render(), once.render())


def test_a_new_episode_begins_empty() -> None:
    env = cell_selection()
    env.reset(seed=2)
    first = env.render()
    for _ in range(10):
        env.step(1)
        env.render()
    env.reset(seed=2)
    np.testing.assert_array_equal(env.render(), first)


def test_pettingzoo_renders() -> None:
    env = cell_selection_v0.parallel_env(num_ues=6, render_mode="rgb_array")
    env.reset(seed=3)
    env.step(dict.fromkeys(env.agents, 1))
    assert env.render().shape == HEIGHT_WIDTH_3


def test_the_command_line_s_animation_shows_every_slot_slowly_and_everybody_plays_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs the extra [report]")
    words = ["render", "MmwaveCellSelection-v0", "--steps", "6", "--set", "start=spread", "--out"]
    monkeypatch.setattr(sys, "argv", ["mmwave-gym", *words, str(tmp_path / "stay.gif"), "--agent", "stay"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    with image.open(tmp_path / "stay.gif") as film:
        assert film.n_frames == 6
        assert film.info["duration"] == 200  # milliseconds; in real time it would be an eighth of one
        film.seek(5)
        shown = np.array(film.convert("RGB"))
    env = cell_selection(others="stay", start="spread")
    env.reset(seed=0)
    for _ in range(6):
        env.step(0)
    assert np.abs(shown.astype(int) - env.render()).mean() < 1.0  # a palette of 256 colours
