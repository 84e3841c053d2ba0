"""Rate and channel with hysteresis and expected load, on observations by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmwave_baselines.cell_selection.expected import ChannelHysteresis, ExpectedLoad, RateHysteresis
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reading import Reading

GAME = Game.of(((0.5, 0.5), (0.0, 1.0)), (8.0, 2.0), num_ues=4, num_cells=3, handover_cost=0.1)
"""A link in state 0 brings 8 now and 5 expected in the next slot, in state 1 it brings 2 for ever."""


def scores(rule: Any, channel: list[int], others: list[int]) -> list[float]:
    """The scores of three cells for a UE that is at cell 0."""
    seen = Reading(np.array([channel]), np.array([0]), np.array([others]))
    return rule.score(GAME, seen)[0].tolist()


def test_scores_by_hand() -> None:
    now = RateHysteresis(margin_bps_hz=0.5, ahead=0.0)
    assert scores(now, [1, 0, 0], [0, 0, 1]) == pytest.approx([2.0, 0.9 * 8.0 - 0.5, 0.9 * 4.0 - 0.5])
    later = RateHysteresis(margin_bps_hz=0.0)
    assert scores(later, [0, 0, 1], [1, 0, 0]) == pytest.approx([2.5, 0.9 * 5.0, 0.9 * 2.0])
    alone = ChannelHysteresis(margin_bps_hz=1.0, ahead=0.5)
    assert scores(alone, [0, 0, 1], [3, 0, 0]) == pytest.approx([6.5, 0.9 * 6.5 - 1.0, 0.9 * 2.0 - 1.0])
    mean = ExpectedLoad(ahead=0.0, present=0.5)  # three others on three cells: one at each, on average
    assert scores(mean, [0, 0, 1], [3, 0, 0]) == pytest.approx([8.0 / 3.0, 0.9 * 8.0 / 1.5, 0.9 * 2.0 / 1.5])


def test_config_tells_what_can_be_tuned() -> None:
    assert ChannelHysteresis(1.0, 0.5).config == {"margin_bps_hz": 1.0, "ahead": 0.5}
    assert ExpectedLoad(present=0.25).config == {"margin_bps_hz": 0.0, "ahead": 1.0, "present": 0.25}
