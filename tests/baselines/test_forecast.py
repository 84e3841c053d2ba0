"""Least squares: the fit is that of plain linear algebra, forecasts are of the world, and margins decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmwave_gym
from mmwave_baselines import forecast
from mmwave_baselines.forecast import Ridge
from mmwave_baselines.handover.least_squares import HandoverLeastSquares
from mmwave_baselines.street.least_squares import StreetLeastSquares
from mmwave_baselines.training import least_squares
from mmwave_gym.agents.protocol import NotApplicable, RowRng
from mmwave_gym.agents.rule import Seen
from mmwave_gym.benchmark.suite import all_tasks, task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

SHORT = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 60, "beta": 5.0}, name="handover/short", episodes=8)


def test_ridge_is_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(3.0, 2.0, (500, 4)), rng.normal(0.0, 0.1, (500, 2))
    x[:, 3] = 7.0  # what never changes has no weight
    y = x[:, :3] @ np.array([[1.0, 0.0], [-2.0, 0.5], [0.0, 3.0]]) + np.array([4.0, -1.0]) + noise
    ridge = Ridge(4, 2)
    for part in np.array_split(np.arange(500), 7):
        ridge.add(x[part], y[part])
    exact = np.linalg.lstsq(np.c_[x[:, :3], np.ones(500)], y, rcond=None)[0]
    found = ridge.solved()
    assert found[[0, 1, 2, 4]] == pytest.approx(exact, abs=0.02)
    assert found[3] == pytest.approx(0.0)


def test_a_street_s_answers_are_the_rates_of_the_drive_itself() -> None:
    batch = Batch(make_scenario("street"), 2, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "train") for n in range(2)])
    answers, view = StreetLeastSquares.answers(View(batch, "hindsight")), View(batch, "local")
    for _ in range(5):
        batch.step(batch.state.serving[:, None])
    observation = batch.observe()[:, 0]
    seen = Seen(view, None, observation, np.zeros(2, bool))
    features, rate = answers(seen, StreetLeastSquares().features(seen), "1")
    ticks = slice(25, 75)  # a second from the fifth decision on
    truth = batch.scenario.rate_bps_hz(batch.episodes.sinr_db[batch.episodes.row, ticks]).mean(axis=1)
    np.testing.assert_allclose(rate, truth, rtol=1e-5)
    assert features.shape[0] == 2


def test_handover_answers_are_the_gains_of_the_walk_itself() -> None:
    batch = Batch(make_scenario("handover", horizon=40), 2, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "train") for n in range(2)])
    agent = HandoverLeastSquares()
    answers, memory = agent.answers(View(batch, "hindsight")), agent.remember(View(batch, "local"))
    for _ in range(3):
        seen = Seen(View(batch, "local"), memory, batch.observe()[:, 0], np.zeros(2, bool))
        features = agent.features(seen)
        before = batch.state.serving[:, 0].copy()
        x, y = answers(seen, features, "0.5")
        batch.step(before[:, None])
    rate = batch.episodes.efficiency_bps_hz[batch.episodes.row][:, 2:12, 0].mean(axis=1)  # the third slot and nine more
    np.testing.assert_allclose(y.reshape(2, -1), rate - rate[np.arange(2), before][:, None], rtol=1e-5, atol=1e-5)
    assert x.shape == (12, 8)
    own = features[np.arange(2), before]
    assert own[:, :4] == pytest.approx(0.0), "the serving cell does not differ from itself"


def test_margins_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forecast that is the level itself, so that the rule is to hand over where a cell is so much better."""
    weights = np.zeros((9, 1))
    weights[0] = 1.0  # the difference of RSRQ of now, in bit/s/Hz
    monkeypatch.setattr(HandoverLeastSquares, "weights", lambda self: weights)
    batch = Batch(make_scenario("handover", horizon=40), 6, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "train") for n in range(6)])
    parts = batch.scenario.fields.split(batch.observe()[:, 0])
    serving, level = parts["serving"].argmax(axis=1), parts["rsrq_db"].astype(float) / (10.0 * np.log10(2.0))
    best = level.argmax(axis=1)
    gain = level.max(axis=1) - level[np.arange(6), serving]
    for margin in (0.0, float(np.median(gain)), 100.0):
        agent = HandoverLeastSquares(margin_bps_hz=margin)
        memory = agent.begin(View(batch, "local"), RowRng.from_seed(0, 6))
        action, _ = agent.predict(batch.observe()[:, 0], memory, np.ones(6, bool))
        np.testing.assert_array_equal(action, np.where(gain > margin, best, serving))


def test_a_fit_plays_training_episodes_alone_and_the_agent_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits: list[str] = []
    keys = Task.keys
    monkeypatch.setattr(Task, "keys", lambda self, e, split="test": splits.append(split) or keys(self, e, split))
    for module in (forecast, least_squares):
        monkeypatch.setattr(module, "place", lambda kind, name: tmp_path / f"{name.partition('/')[2]}.npz")
    path = tmp_path / "short.npz"
    least_squares.fit(HandoverLeastSquares, SHORT, 4, 2, 1, path)
    assert set(splits) == {"train"}
    agent = HandoverLeastSquares(fitted_on="handover/short", margin_bps_hz=-100.0)
    assert agent.weights().shape == (9, 1)
    rows = mmwave_gym.evaluate(agent, SHORT, episodes=4)
    assert sum(row["handovers_per_s"] for row in rows) > 0.0


def test_without_a_fit_it_says_how_to_make_one() -> None:
    with pytest.raises(NotApplicable, match="mmwave-gym train least-squares --task TASK"):
        mmwave_gym.evaluate(HandoverLeastSquares(), SHORT, episodes=1)
    with pytest.raises(NotApplicable, match="street/nowhere"):
        StreetLeastSquares(fitted_on="street/nowhere").weights()


@pytest.mark.parametrize("kind", [StreetLeastSquares, HandoverLeastSquares])
def test_what_is_shipped_fits_its_tasks(kind: Any) -> None:
    scenario = kind.__module__.split(".")[1]
    for task in all_tasks(scenario):
        if (path := forecast.place(kind, task.name)).exists():
            held = forecast.matrices(path)
            assert set(held) == set(kind.windows)
            assert all(np.isfinite(m).all() for m in held.values())
            if scenario == "street":
                assert held["1"].shape[1] == find_task(task.name).scenario().num_cells
