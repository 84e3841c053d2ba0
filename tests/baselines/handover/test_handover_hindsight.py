"""Compiled hindsight of UDN handover: the readable recursions' values and plans, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmwave_baselines.handover.oracle import best_changes
from mmwave_baselines.handover.training.shaping import hindsight_values
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

WORLDS: dict[str, dict[str, Any]] = {
    "default": {},
    "several UEs": {"num_ues": 3},
    "nobody leaves": {"boundary": "stay"},
}
LAWS = {"free": (0.0, 1.0), "dear": (7.5, 1.0), "interrupted": (3.0, 0.7)}
WAITS = (1, 4)


def drawn(horizon: int, **keywords: Any) -> tuple[Any, Any]:
    """Rates (episode, slot, ue, cell) in bit/s/Hz and departures (episode, ue) of four episodes."""
    scenario = make_scenario("handover", horizon=horizon, **keywords)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(seed)) for seed in range(4)])
    return episodes.efficiency_bps_hz[:, :horizon], episodes.departure


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("world", WORLDS)
def test_compiled_and_readable_values_are_equal(
    world: str, law: str, wait: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, solved = (*drawn(150, **WORLDS[world]), *LAWS[law], wait), []
    for choice in "01":
        monkeypatch.setenv("MMWAVE_NUMBA", choice)
        solved.append(hindsight_values(*known))
    np.testing.assert_array_equal(*solved)
    assert solved[0].any()


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("begin", "slots"), [(0, range(150)), (40, range(39, 120)), (40, range(120))])
def test_compiled_and_readable_plans_are_equal(
    begin: int, slots: range, masked: bool, law: str, wait: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate, departure = drawn(150, num_ues=2)
    rate = np.maximum(rate - 15.0, 0.0)  # some cells have no rate
    rate[::2, ::3] = np.round(rate[::2, ::3])  # and some equal ones
    assert (rate == 0.0).any()
    plans = []
    for choice in "01":
        monkeypatch.setenv("MMWAVE_NUMBA", choice)
        plans.append(best_changes(rate, departure, *LAWS[law], masked, begin, slots, wait))
    for readable, ours in zip(*plans, strict=True):
        np.testing.assert_array_equal(ours, readable)
        assert ours.any()
