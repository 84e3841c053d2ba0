"""The scene of a shared street says what the environment says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from shared_street_worlds import by_hand, play

from mmwave_gym import shared_street_v0
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.shared_street.scene import Record, SharedStreetScene

SMALL: dict[str, Any] = {"arm_m": 60.0, "isd_m": 60.0, "num_cars": 6, "num_pedestrians": 3, "maps": 3, "horizon": 60}


def test_a_record_counts_what_the_environment_gave() -> None:
    batch = Batch(make_scenario("shared_street", **SMALL, link_budget_db=105.0, t310_s=0.3), 1, draws_ahead=False)
    batch.reset([EpisodeKey(4)])
    record, chance = Record(batch), np.random.default_rng(0)
    record.restart()
    handovers = failures = 0.0
    last: Any = None
    for _ in range(60):
        last = batch.step(np.where(chance.random((1, 9)) < 0.2, chance.integers(0, 6, (1, 9)), 0))
        record.add(last)
        handovers += last.metrics["handovers_per_s"].sum()
        failures += last.metrics["failures_per_min"].sum()
        on = record.serving[record.active & (record.serving >= 0)]
        assert record.load.tolist() == [int((on == cell).sum()) for cell in range(4)]
        assert (np.abs(record.place_m[record.present]).min(axis=1) <= 8.0 + 1e-6).all(), "on a lane of one street"
    assert record.counted("handovers_per_s") == handovers > 0.0
    assert record.counted("failures_per_min") == failures > 0.0
    assert record.scores() == pytest.approx({name: last.metrics[name][0] for name in record.scores()}, rel=1e-6)


def test_the_text_shows_ues_by_their_cells() -> None:
    links = np.array([[10.0, 5.0, 0.0, -20.0], [5.0, 10.0, 0.0, -20.0]])
    batch = by_hand(links, horizon=20)
    batch.episodes.along_m[:] = (10.0, 70.0)
    batch.episodes.lane[:] = (0, 2)
    scene = SharedStreetScene(batch)
    scene.record(None)
    for outcome in play(batch, {}, 12):
        scene.record(outcome)
    text = scene.text()
    rows = text.splitlines()
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == 25
    # UE 0 drives to the east, 30 m west of the middle, on cell 0; UE 1 to the north, 30 m north of it, on cell 1.
    grid = [row[1:44] for row in rows[2:23]]
    assert any("0" in row[:12] for row in grid)
    assert any("1" in row[19:26] for row in grid[:6])
    assert "  0    1 ############" in text


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_every_mode_draws_whole_episodes(mode: str) -> None:
    if mode == "rgb_array":
        pytest.importorskip("pygame")
    env = shared_street_v0.parallel_env(**{**SMALL, "horizon": 25, "shared_map": mode == "ansi"}, render_mode=mode)
    env.reset(seed=1)
    seen = []
    while env.agents:
        env.step(dict.fromkeys(env.agents, 0))
        seen.append(env.render())
    assert len({str(np.shape(frame)) if mode == "rgb_array" else len(frame) for frame in seen}) == 1
    assert any(not np.array_equal(np.asarray(seen[0]), np.asarray(frame)) for frame in seen)
    env.close()
