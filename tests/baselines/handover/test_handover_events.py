"""Events on filtered RSRQ in UDN handover, on made-up observations by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmwave_baselines.handover.events import A2, A5, A3Filtered, A3Offsets
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.tuned import parameters
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.core.scenario import ObservationField, ObservationFields


def chosen(agent: Any, rsrq_db: Any, mask: Any = None) -> list[int]:
    """Cells that one UE chooses, served by cell 0 at first; -40 dB are not heard."""
    rsrq_db = np.asarray(rsrq_db, float)
    cells = rsrq_db.shape[1]
    fields = ObservationFields(
        [
            ObservationField("rsrq_db", cells, -40.0, 0.0, "dB", ""),
            ObservationField("serving", cells, 0.0, 1.0, "1", ""),
        ]
    )
    view: Any = SimpleNamespace(
        fields=fields, num_rows=1, constants={}, action_mask=lambda: None if mask is None else np.array([mask])
    )
    memory, serving, found = agent.begin(view), 0, []
    for t, level_db in enumerate(rsrq_db):
        observation = np.concatenate((level_db, np.eye(cells)[serving])).astype(np.float32)[None]
        action, memory = agent.predict(observation, memory, np.array([t == 0]))
        serving = int(action[0])
        found.append(serving)
    return found


def test_a3_filtered_by_hand() -> None:
    assert chosen(A3Filtered(hysteresis_db=3.0), [[-6.0, -4.0], [-8.0, -4.0]]) == [0, 1]
    # The difference is 0, then half of 8 dB, then 6 of 8 dB.
    assert chosen(A3Filtered(hysteresis_db=5.0, past=0.5), [[-6.0, -6.0], [-12.0, -4.0], [-12.0, -4.0]]) == [0, 0, 1]
    # -4 dB after -6: with a trend of 1 another 2 dB are still to come, and the serving cell falls as much.
    rising = [[-4.0, -6.0], [-5.0, -4.0]]
    assert chosen(A3Filtered(hysteresis_db=3.0), rising) == [0, 0]
    assert chosen(A3Filtered(hysteresis_db=3.0, trend=1.0), rising) == [0, 1]
    assert chosen(A3Filtered(hysteresis_db=3.0, gate_db=-10.0), [[-9.0, -1.0], [-11.0, -1.0]]) == [0, 1]


def test_offsets_thresholds_and_lost_cells_by_hand() -> None:
    assert chosen(A3Offsets(hysteresis_db=3.0, offset_db=(0.0, 2.0, 0.0)), [[-6.0, -4.5, -4.0]]) == [1]
    assert chosen(A3Offsets(hysteresis_db=3.0, offset_db=(0.0, 0.0, 0.0)), [[-6.0, -4.5, -2.5]]) == [2]
    assert chosen(A5(serving_db=-10.0, neighbour_db=-5.0), [[-9.0, -2.0], [-11.0, -6.0], [-11.0, -4.0]]) == [0, 0, 1]
    assert chosen(A2(serving_db=-10.0), [[-9.0, -2.0], [-11.0, -12.0]]) == [0, 1]
    assert chosen(A2(serving_db=-39.0), [[-40.0, -30.0]]) == [1], "a cell that is not heard is left"
    assert chosen(A2(serving_db=-10.0), [[-20.0, -40.0]]) == [0], "there is nowhere to go"
    assert chosen(A2(serving_db=-39.0), [[-10.0, -12.0, -11.0]], mask=[False, True, True]) == [2], (
        "who may not stay goes"
    )
    with pytest.raises(AgentError, match="offset_db must have 3 numbers, one a cell, got 2"):
        chosen(A3Offsets(offset_db=(0.0, 1.0)), [[-6.0, -4.0, -1.0]])


def test_offsets_are_searched_only_where_the_cells_stay() -> None:
    assert "offset_db" not in parameters(A3Offsets, find_task("handover/a3-beta25"))
