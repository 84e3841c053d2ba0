"""The one loop: who is asked what, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.rollout import Player, Rollout
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey


def a_batch(num_envs: int, **keywords: Any) -> Batch:
    batch = Batch(make_scenario("cell_selection", **{"num_ues": 2, "horizon": 6, **keywords}), num_envs)
    batch.reset([EpisodeKey(3 + i) for i in range(num_envs)])
    return batch


class Clerk:
    """Notes what it is shown; chooses cell 1."""

    def __init__(self) -> None:
        self.shown: list[tuple[Any, ...]] = []
        self.learned: list[tuple[Any, ...]] = []

    def begin(self, view: Any, rng: Any) -> list[int]:
        self.rows = view.num_rows
        return [0]

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        self.shown.append((observation, list(state), episode_start, deterministic))
        return np.ones(len(observation), np.int64), [state[0] + 1]

    def learn(
        self, state: Any, observation: Any, action: Any, reward: Any, following: Any, done: Any, info: Any
    ) -> list[int]:
        self.learned.append((observation, action, reward, following, done, info))
        return [state[0] + 100]


def test_begin_predict_step_learn() -> None:
    batch, clerk = a_batch(3), Clerk()
    rollout = Rollout.of(clerk, batch)
    seen = batch.observe()
    for t in range(6):
        outcome = rollout.step()
        observation, memory, started, deterministic = clerk.shown[t]
        np.testing.assert_array_equal(observation, seen.reshape(6, -1))
        assert memory == [101 * t]
        assert started.tolist() == [t == 0] * 6
        assert deterministic
        before, action, reward, following, done, info = clerk.learned[t]
        np.testing.assert_array_equal(before, observation)
        np.testing.assert_array_equal(reward, outcome.reward.ravel())
        np.testing.assert_array_equal(following, batch.observe().reshape(6, -1))
        assert action.tolist() == [1] * 6
        assert done.tolist() == [t == 5] * 6, "the horizon ends everybody's episode"
        assert info["elapsed_s"].shape == (6,)
        seen = batch.observe()
    assert clerk.rows == 6


def test_blocks_and_neighbours_change_nothing() -> None:
    """An agent that draws lots, in one block, in two, and beside another agent."""

    def played(blocks: list[tuple[str, slice]]) -> np.ndarray:
        batch = a_batch(4)
        players = []
        for name, envs in blocks:
            keys = ((7, env, ue) for env in range(4)[envs] for ue in range(2))
            players.append(Player(load_agent(name, "cell_selection"), batch, keys, envs))
        rollout = Rollout(batch, players)
        return np.stack([rollout.step().reward for _ in range(6)])

    together = played([("random", slice(0, 4))])
    np.testing.assert_array_equal(played([("random", slice(0, 2)), ("random", slice(2, 4))]), together)
    mixed = played([("random", slice(0, 3)), ("stay", slice(3, 4))])
    np.testing.assert_array_equal(mixed[:, :3], together[:, :3])
    assert (mixed[:, 3] != together[:, 3]).any()


def test_first_episodes_end_each_copy_once() -> None:
    batch = Batch(make_scenario("street", users="car", cells="sparse"), 3)
    batch.reset([EpisodeKey(i) for i in range(3)])
    alone = []
    for i in range(3):
        one = Batch(batch.scenario, 1)
        one.reset([EpisodeKey(i)])
        rewards = [float(o.reward[0, 0]) for o, _ in Rollout.of(load_agent("a3", "street"), one).first_episodes()]
        alone.append((len(rewards), sum(rewards)))
    steps, total = np.zeros(3, int), np.zeros(3)
    for outcome, playing in Rollout.of(load_agent("a3", "street"), batch).first_episodes():
        steps += playing
        total += outcome.reward[:, 0] * playing
    assert steps.tolist() == [n for n, _ in alone]
    assert len(set(steps.tolist())) > 1, "they end at different steps"
    np.testing.assert_allclose(total, [r for _, r in alone], rtol=1e-12)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.ones(4, np.int64), "must return .action, state."),
        ((np.ones(3, np.int64), None), r"shape \(4,\), got \(3,\)"),
        ((np.ones(4), None), "integers, got dtype float64"),
        ((np.full(4, 99), None), "outside Discrete"),
    ],
)
def test_wrong_answers_are_named(answer: Any, said: str) -> None:
    class Wrong:
        def predict(self, *args: Any, **keywords: Any) -> Any:
            return answer

    with pytest.raises(AgentError, match=said):
        Rollout.of(Wrong(), a_batch(2)).act()


def test_an_agent_cannot_write_to_the_reward_that_is_counted() -> None:
    class Generous(Clerk):
        def learn(self, state, observation, action, reward, following, done, info):  # type: ignore[no-untyped-def]
            reward += 100.0
            return state

    task = Task(env_id="MmwaveCellSelection-v0", kwargs={"num_ues": 1, "horizon": 6}, episodes=2)
    honest, generous = evaluate(Clerk(), task), evaluate(Generous(), task)
    assert [row["reward"] for row in generous] == [row["reward"] for row in honest]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("random", "KeyError: 'serving'"),
        ("rate", "KeyError: 'serving'"),
        (Clerk(), r"predict must return actions of shape (3, 2), got (3,)"),
    ],
)
def test_an_agent_for_one_slot_is_told_what_the_centralised_view_is(name: Any, reason: str) -> None:
    batch = Batch(make_scenario("cell_selection", num_ues=2, control="all"), 3)
    batch.reset([EpisodeKey(i) for i in range(3)])
    with pytest.raises(AgentError, match="cannot play control='all', where one agent chooses for all 2 ues") as error:
        Rollout.of(load_agent(name, "cell_selection"), batch).step()
    assert str(error.value).endswith(f"Leave control out, and it plays for each ue ({reason}).")
