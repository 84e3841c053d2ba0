"""The base of rules: what it does for a rule that is one method."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import mmwave_gym
from mmwave_gym.agents import AgentError, RowRng, Rule, check_agent, rule
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

ENV = "MmwaveHandover-v0"


class Counts(Rule):
    """Acts by how many decisions a row has lived."""

    label = "counts"

    @dataclass
    class Memory:
        age: Any  # (rows,)
        seen: Any  # (rows, cells)
        unit: int = 1

    def remember(self, view):
        return self.Memory(np.zeros(view.num_rows, np.int64), np.zeros((view.num_rows, 6), np.float32))

    def act(self, seen, rng):
        seen.memory.seen = seen["rsrq_db"]  # part of the observation
        seen.memory.age = seen.memory.age + seen.memory.unit
        return seen.memory.age % 6


def view_of(name: str, num_envs: int, **keywords: Any) -> tuple[Batch, View]:
    batch = Batch(make_scenario(name, **keywords), num_envs)
    batch.reset([EpisodeKey(n) for n in range(num_envs)])
    return batch, View(batch, "local")


def rows_of(batch: Batch) -> Any:
    return batch.observe().reshape(batch.num_envs * batch.scenario.num_agents, -1)


def test_episode_start_resets_the_rows_it_marks_and_writes_to_nothing() -> None:
    batch, view = view_of("handover", 4)
    rows, agent = rows_of(batch), Counts()
    state = agent.begin(view)
    lived = []
    for start in (True, False, [False, True, False, False], False):
        before = rows.copy()
        action, state = agent.predict(rows, state, np.broadcast_to(start, 4))
        np.testing.assert_array_equal(rows, before)
        lived.append(action.tolist())
    assert lived == [[1] * 4, [2] * 4, [3, 1, 3, 3], [4, 2, 4, 4]]


def test_a_memory_that_carries_is_kept() -> None:
    batch, view = view_of("handover", 2)
    agent = type("Keeps", (Counts,), {"carries": True})()
    state = agent.begin(view)
    for expected in (1, 2, 3):
        action, state = agent.predict(rows_of(batch), state, np.ones(2, bool))
        assert action.tolist() == [expected] * 2


def test_started_is_told_once_even_without_episode_start() -> None:
    class Starts(Rule):
        def act(self, seen, rng):
            return seen.started.astype(np.int64)

    batch, view = view_of("handover", 2)
    state = Starts().begin(view)
    actions = [Starts().predict(rows_of(batch), state)[0].tolist() for _ in range(2)]
    assert actions == [[1, 1], [0, 0]]


def test_one_observation_needs_no_row_axis() -> None:
    env = gymnasium.make(ENV)
    observation, _ = env.reset(seed=3)
    agent = Counts()
    state = agent.begin(env.unwrapped.view(agent.access))  # type: ignore[attr-defined]
    for expected in (1, 2, 3):
        action, state = agent.predict(observation, state, np.array(False))
        assert np.ndim(action) == 0
        assert action == expected
        observation, *_ = env.step(action)
    action, _ = agent.predict(observation, state, True)  # type: ignore[arg-type]
    assert action == 1


def test_a_rule_says_what_it_needs() -> None:
    batch, view = view_of("handover", 3)
    with pytest.raises(AgentError, match="Counts must begin before it predicts"):
        Counts().predict(rows_of(batch))
    with pytest.raises(AgentError, match="state is that of 3 rows, got observations of 2"):
        Counts().predict(rows_of(batch)[:2], Counts().begin(view))


def test_seen_knows_slots_empty_ones_and_masks(small_scenarios: Any) -> None:
    caught = []

    class Looks(Rule):
        def act(self, seen, rng):
            caught.append(seen)
            return rng.choice(seen.allowed)

    batch, view = view_of("handover", 5, num_ues=3, area_side_m=2.0, boundary="leave", horizon=60)
    state, gone = Looks().begin(view), False
    for _ in range(60):
        action, state = Looks().predict(rows_of(batch), state)
        present = batch.agent_ids() >= 0
        np.testing.assert_array_equal(caught[-1].present.reshape(5, 3), present)
        gone |= not present.all()
        batch.step(action.reshape(5, 3))
    assert gone, "somebody has left"
    assert caught[-1].slot.tolist() == [0, 1, 2] * 5
    assert caught[-1].mask is None
    assert caught[-1].allowed.all()
    batch, view = view_of("ring_road", 4)
    action, _ = Looks().predict(rows_of(batch), Looks().begin(view))
    np.testing.assert_array_equal(caught[-1].allowed, batch.action_mask()[:, 0])  # type: ignore[index]
    assert caught[-1].allowed[np.arange(4), action].all()


def test_the_best_are_allowed_and_ties_are_marked() -> None:
    class View3:
        @staticmethod
        def action_mask():
            return np.array([[True, True, True], [False, True, True]])

    seen = rule.Seen(View3(), None, np.zeros((2, 1)), np.ones(2, bool))  # type: ignore[arg-type]
    score = np.array([[3.0, 1.0, 3.0], [9.0, 1.0, 1.1]])
    assert seen.best(score).tolist() == [[True, False, True], [False, False, True]]
    assert seen.best(score, 0.2).tolist() == [[True, False, True], [False, True, True]]
    draws = np.stack([RowRng.from_seed(s, 2).choice(seen.best(score, 0.2)) for s in range(60)])
    assert [set(column) for column in draws.T.tolist()] == [{0, 2}, {1, 2}]


def test_the_example_of_the_documentation_keeps_the_contract() -> None:
    """Written for RSRP, as in a street of its own; here on its newest measurement."""
    text = re.search(r"```python\n(.*?)```", rule.__doc__ or "", re.DOTALL)
    assert text is not None
    assert text[1] in Path(rule.__file__).read_text().replace('\\"', '"')
    names = {"Rule": Rule, "dataclass": dataclass, "np": np, "View": View, "Seen": rule.Seen, "RowRng": RowRng}
    from numpy.typing import NDArray

    exec(text[1].replace("rsrp_dbm", "rsrp_0_dbm"), {**names, "NDArray": NDArray, "__name__": __name__}, names)
    patient: Any = names["Patient"]
    check_agent(patient(), "street/car-sparse")
    rows = mmwave_gym.evaluate(patient(), "street/car-sparse", episodes=2)
    assert all(row["reward"] > 0 for row in rows)
