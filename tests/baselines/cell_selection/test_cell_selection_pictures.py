"""The picture of the policies shows what the agents do."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario


@pytest.fixture(scope="module")
def picture() -> Any:
    pytest.importorskip("matplotlib", reason="needs the extra [report]")
    pytest.importorskip("pygame", reason="needs the extra [render]")
    pytest.importorskip("PIL", reason="needs the extra [report]")
    return importlib.import_module("mmwave_baselines.cell_selection.pictures")


@pytest.mark.parametrize(("agent", "panel"), [("mdp", 0), ("team", 1)])
def test_every_tile_is_what_the_agent_does(picture: Any, agent: str, panel: int) -> None:
    states = list(itertools.product(range(3), picture.PAIRS, picture.LOADS))
    observation = np.zeros((len(states), 15), np.float32)
    for row, (serving, pair, others) in zip(observation, states, strict=True):
        links = (serving, *pair)
        row[[3 * state + cell for cell, state in enumerate(links)]] = 1.0
        row[9] = 1.0  # served by cell 0
        row[12:] = others
    player = load_agent(agent, "cell_selection")
    batch = Batch(make_scenario("cell_selection", handover_cost=picture.HANDOVER_COST), len(states) // 3)
    memory = player.begin(View(batch, "local"), RowRng.from_seed(0, len(states)))
    action, _ = player.predict(observation, state=memory, episode_start=np.ones(len(states), bool))
    shown = picture.destinations()[panel].ravel()
    for (serving, pair, _), cell, state in zip(states, action, shown, strict=True):
        assert state == (-1 if cell == 0 else pair[cell - 1]), (serving, pair)


def test_the_picture_is_drawn(picture: Any, tmp_path: Path) -> None:
    picture.policies(tmp_path / "policy.png")
    assert (tmp_path / "policy.png").read_bytes()[:4] == b"\x89PNG"
