"""The scene of cell selection says what the environment says, in every size and mode."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mmwave_gym import cli
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.cell_selection.config import CellSelectionConfig
from mmwave_gym.scenarios.cell_selection.game import CellSelection
from mmwave_gym.scenarios.cell_selection.scene import Record

PRINTED = ((0.55, 0.30, 0.15), (0.01, 0.80, 0.19), (0.38, 0.40, 0.22))


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
