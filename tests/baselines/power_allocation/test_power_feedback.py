"""Back-off, Foschini-Miljanic by feedback and the linear rule, by hand and against the exact least powers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmwave_baselines.power_allocation.feedback import BackOff, Feedback, FoschiniMiljanicFeedback, Linear
from mmwave_baselines.power_allocation.planners import FoschiniMiljanic
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.agents.rule import Seen
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

LOCAL = {"levels": None, "observation": "local", "horizon": 80, "ue_radius_m": 30.0, "feasible": "only"}


def batch_of(**keywords: Any) -> Batch:
    batch = Batch(make_scenario("power_allocation", **{**LOCAL, **keywords}), 3, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "test") for n in range(3)])
    return batch


def change_db(agent: Feedback, **reports: float) -> float:
    """What one base station changes when its UE reports these."""
    batch = batch_of()
    view = View(batch, "local")
    observation = np.zeros((view.num_rows, view.fields.size), np.float32)
    for name, value in reports.items():
        view.fields.split(observation)[name][:] = value
    return float(agent.change_db(Seen(view, None, observation, np.ones(view.num_rows, bool)))[0])


def test_changes_by_hand() -> None:
    fm = FoschiniMiljanicFeedback(target_db=1.0, step=0.5)
    assert change_db(fm, margin_db=5.0) == pytest.approx(-2.0)
    assert change_db(fm, margin_db=-3.0) == pytest.approx(2.0)
    linear = Linear(constant=0.5, margin=-0.1, balance=0.25, pressure=2.0)
    assert change_db(linear, margin_db=10.0, balance_db=-4.0, pressure=1.5) == pytest.approx(0.5 - 1.0 - 1.0 + 3.0)
    assert change_db(linear, margin_db=100.0, balance_db=-50.0) == pytest.approx(0.5 - 2.0 - 5.0)  # up to 20 dB count


def test_back_off_is_below_the_greatest_power() -> None:
    batch = batch_of()
    Rollout.of(BackOff(7.0), batch).step()
    power_dbm = 10.0 * np.log10(batch.state.power_mw[batch.state.present])
    assert power_dbm == pytest.approx(batch.scenario.constants()["power_dbm"][1] - 7.0, abs=1e-4)
    Rollout.of(BackOff(1000.0), batch).step()
    power_dbm = 10.0 * np.log10(batch.state.power_mw[batch.state.present])
    assert power_dbm == pytest.approx(batch.scenario.constants()["power_dbm"][0], abs=1e-4)


def test_feedback_finds_the_least_powers_that_satisfy_all() -> None:
    """By reports of margins alone, slot by slot, what the planner computes from all gains."""
    exact, told = batch_of(), batch_of()
    Rollout.of(FoschiniMiljanic(), exact).step()
    rollout = Rollout.of(FoschiniMiljanicFeedback(target_db=0.0, step=1.0), told)
    for _ in range(70):
        rollout.step()
    least = 10.0 * np.log10(exact.state.power_mw[exact.state.present])
    assert 10.0 * np.log10(told.state.power_mw[told.state.present]) == pytest.approx(least, abs=0.2)


def test_feedback_needs_the_reports() -> None:
    batch = batch_of(observation="ring")
    with pytest.raises(NotApplicable, match="needs the field margin_db: a task with observation='local'"):
        FoschiniMiljanicFeedback().begin(View(batch, "local"))
