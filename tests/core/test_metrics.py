"""Rows, episode infos, TensorBoard's numbers and pictures say of every metric what a slow plain sum says."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium import spaces

from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.metrics import Condenser, RunningCondenser
from mmwave_gym.core.scenario import EpisodeKey, Metric, Outcome
from mmwave_gym.rendering.totals import Totals

NUM_ENVS = 2
SHORT: dict[str, dict[str, Any]] = {
    "association": {"num_ues": 8, "duration_s": 60.0},
    "cell_selection": {"horizon": 12},
    "handover": {"horizon": 24},
    "power_allocation": {"horizon": 8},
    "shared_street": {"horizon": 24, "num_cars": 4, "num_pedestrians": 2, "arm_m": 60.0, "isd_m": 60.0},
    "street": {},
}
"""Keywords that make a scenario's episodes short; a task that has a city keeps its UEs and time."""


class Step(NamedTuple):
    """What one environment met in one step, as plain Python numbers."""

    values: dict[str, float | list[float]]  # a list where it is of agents
    present: list[bool]
    elapsed_s: float


class Watcher:
    """A policy without chance: its action is a function of the observation."""

    def __init__(self, space: spaces.Space[Any]):
        self._space = space

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        odd = np.abs(observation.astype(np.float64)).sum(axis=1) * 97.0
        if isinstance(self._space, spaces.Box):
            share = (odd % 1.0).reshape(-1, *(1,) * len(self._space.shape))
            return self._space.low + share * (self._space.high - self._space.low), state
        assert isinstance(self._space, spaces.Discrete)
        return odd.astype(np.int64) % int(self._space.n), state


@dataclasses.dataclass(frozen=True, kw_only=True)
class SameWorlds(Task):
    """A task whose episode e is the first one of environment e of training seed 0."""

    def keys(self, episodes: list[int], split: str = "test") -> list[EpisodeKey]:
        return [EpisodeKey(e) for e in episodes]


def shortened(task: Task) -> Task:
    short = {k: v for k, v in SHORT[task.scenario_name].items() if "city" not in task.kwargs}
    if task.kwargs.get("changes"):
        short["horizon"] = 30
    if "side_m" in task.kwargs:
        short["side_m"] = 700.0
    return SameWorlds(
        env_id=task.env_id,
        kwargs={**task.kwargs, **short},
        name=task.name,
        episodes=NUM_ENVS,
        needs_data=task.needs_data,
    )


def noted(outcome: Outcome, present: np.ndarray, env: int) -> Step:
    values = {name: value[env].tolist() for name, value in (("reward", outcome.reward), *outcome.metrics.items())}
    return Step(values, present[env].tolist(), float(outcome.elapsed_s[env]))


def plain(metric: Metric, steps: Iterable[Step], slot: int | None = None) -> float:
    """The metric over these steps; of one agent slot only, or of all."""
    total, lived, seconds = 0.0, 0, 0.0
    for step in steps:
        value = step.values[metric.name]
        for a, here in enumerate(step.present):
            if not isinstance(value, list):
                break
            if here and slot in (None, a):
                total, lived, seconds = total + value[a], lived + 1, seconds + step.elapsed_s
        if not isinstance(value, list):
            total, lived, seconds = total + value, lived + 1, seconds + step.elapsed_s
    if not lived:
        return math.nan
    return total / {"step": lived, "second": seconds, "all": 1.0}[metric.per]


def plain_window(metric: Metric, steps: list[Step], ended: list[list[Step]]) -> float:
    if metric.per != "all":
        return plain(metric, steps)
    return sum(plain(metric, episode) for episode in ended) / len(ended) if ended else math.nan


def same(value: float | None, expected: float) -> bool:
    return value == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.sample(by=lambda name: (name.partition("/")[0],))
@pytest.mark.parametrize("name", [task.name for task in all_tasks()])
def test_rows_infos_tensorboard_and_pictures_agree(name: str) -> None:
    sb3 = pytest.importorskip("mmwave_gym.api.sb3", reason="needs the extra [train]")
    task = shortened(next(t for t in all_tasks() if t.name == name))
    if task.missing_data:
        pytest.skip(task.missing_data)
    scenario = task.scenario()
    watcher = Watcher(scenario.action_space)
    metrics = (Metric("reward", "", "step", ""), *scenario.metrics)

    venv = sb3.ScenarioVecEnv(scenario, NUM_ENVS, 0)
    venv.reset()
    batch, slots = venv.batch, scenario.num_agents
    episodes: list[list[Step]] = [[] for _ in range(NUM_ENVS)]  # running, by environment
    firsts: dict[int, list[Step]] = {}  # environment: its first episode
    lives: list[list[Step]] = [[] for _ in range(NUM_ENVS * slots)]
    window: list[Step] = []
    ended: list[list[Step]] = []
    asked = infos_seen = 0
    while len(firsts) < NUM_ENVS or asked < 2:
        present = batch.agent_ids() >= 0 if slots > 1 else np.ones((NUM_ENVS, 1), bool)
        action, _ = watcher.predict(venv.raw_observation())
        *_, dones, infos = venv.step(action)
        for env in range(NUM_ENVS):
            step = noted(venv.outcome, present, env)
            window.append(step)
            episodes[env].append(step)
            for slot in np.flatnonzero(present[env]):
                lives[env * slots + slot].append(step)
        for i in np.flatnonzero(dones):
            env, slot = divmod(int(i), slots)
            if present[env, slot]:
                infos_seen += 1
                episode = infos[i]["episode"]
                assert episode["l"] == len(lives[i])
                assert same(episode["r"], sum(step.values["reward"][slot] for step in lives[i]))
                for metric in scenario.metrics:
                    assert same(episode[metric.name], plain(metric, lives[i], slot)), (metric, episode)
            lives[i] = []
        for env in range(NUM_ENVS):
            if bool(venv.outcome.truncated[env]) or dones.reshape(NUM_ENVS, slots)[env].all():
                ended.append(episodes[env])
                firsts.setdefault(env, episodes[env])
                episodes[env] = []
        if (len(window) >= NUM_ENVS * 5 and asked == 0) or len(firsts) == NUM_ENVS:
            asked += 1
            recent = venv.recent_metrics()
            assert set(recent) == {m.name for m in metrics}
            for metric in metrics:
                assert same(recent[metric.name], plain_window(metric, window, ended)), (metric, recent)
            window, ended = [], []
    assert infos_seen >= NUM_ENVS

    rows = evaluate(watcher, task)
    for env, row in enumerate(rows):
        assert row["scored_steps"] == len(firsts[env])
        for metric in metrics:
            assert same(row[metric.name], plain(metric, firsts[env])), (metric, row)

    drawn = Batch(scenario, 1)
    drawn.reset(task.keys([0]))
    totals, rollout = Totals(scenario.metrics, slots), Rollout.of(watcher, drawn)
    for step in firsts[0]:
        totals.add(rollout.step(), np.array(step.present))
    for metric in metrics:
        assert same(totals.condensed(metric), rows[0][metric.name]), metric
        for slot in {0, slots - 1}:
            shown = plain(metric, firsts[0], slot)
            assert same(totals.condensed(metric, slot), 0.0 if math.isnan(shown) else shown), (metric, slot)


METRICS = (Metric("rate", "1", "step", ""), Metric("load", "1", "second", ""), Metric("fairness", "1", "all", ""))


def an_outcome(rate: Any, load: Any, fairness: Any, elapsed_s: Any) -> Outcome:
    rate = np.array(rate, float)
    return Outcome(
        reward=rate,
        terminated=np.zeros(rate.shape, bool),
        truncated=np.zeros(len(rate), bool),
        elapsed_s=np.array(elapsed_s, float),
        metrics={"rate": rate, "load": np.array(load, float), "fairness": np.array(fairness, float)},
    )


def test_a_window_by_hand() -> None:
    """Two environments of two agents: a rate of agents, a load of the environment, a fairness told at the end."""
    running = RunningCondenser(METRICS, 2, 2)
    assert all(map(math.isnan, running.window().values()))
    running.add(an_outcome([[1, 3], [5, 0]], [4, 8], [0, 0], [0.5, 1.0]), np.array([[True, True], [True, False]]))
    first = running.window()
    assert first["rate"] == pytest.approx(3.0)  # 9 over 3 agent-steps
    assert first["load"] == pytest.approx(8.0)  # 12 over 1.5 s of the environment
    assert math.isnan(first["fairness"])  # no episode has ended
    running.add(an_outcome([[1, 1], [1, 1]], [1, 1], [0.9, 0], [1.0, 1.0]))
    running.restart(np.array([0]))
    running.add(an_outcome([[2, 2], [1, 1]], [2, 1], [0, 0.5], [1.0, 1.0]))
    running.restart(np.array([1]))
    second = running.window()
    assert second["rate"] == pytest.approx(10 / 8)
    assert second["load"] == pytest.approx(5 / 4)
    assert second["fairness"] == pytest.approx(0.7)  # of two episodes, and not of eight agents' steps
    running.add(an_outcome([[2, 2], [1, 1]], [2, 1], [0.3, 0.3], [1.0, 1.0]))
    running.restart(np.array([0, 1]), ended=False)  # broken off: its steps count, its sum does not
    third = running.window()
    assert third["rate"] == pytest.approx(1.5)
    assert math.isnan(third["fairness"])


def test_an_agent_s_episode_by_hand() -> None:
    """The second agent comes a step later: metrics of the environment count from then on."""
    running = RunningCondenser(METRICS, 1, 2)
    running.add(an_outcome([[1, 0]], [9], [0], [1.0]), np.array([[True, False]]))
    running.begin_agents(np.array([[False, True]]))
    running.add(an_outcome([[1, 4]], [1], [0.5], [2.0]), np.array([[True, True]]))
    steps, returns, condensed = running.agent_episodes(np.array([0, 0]), np.array([0, 1]))
    assert steps.tolist() == [2, 1]
    assert returns.tolist() == [2, 4]
    assert condensed["rate"].tolist() == [1, 4]
    assert condensed["load"].tolist() == [10 / 3, 0.5]
    assert condensed["fairness"].tolist() == [0.5, 0.5]


def test_a_row_by_hand() -> None:
    condenser = Condenser(METRICS, 3)
    outcome = an_outcome([[1, 3], [5, 7]], [4, 8], [1, 1], [0.5, 1.0])
    condenser.add(outcome, np.array([[True, False], [True, True]]), np.array([True, True]), np.array([0, 2]))
    condenser.add(outcome, counted=np.array([False, True]), at=np.array([0, 2]))
    found = condenser.episodes()
    np.testing.assert_allclose(found["rate"], [1.0, np.nan, 6.0])
    np.testing.assert_allclose(found["load"], [8.0, np.nan, 8.0])
    np.testing.assert_allclose(found["fairness"], [1.0, np.nan, 2.0])
    assert condenser.steps.tolist() == [1, 0, 2]
    with pytest.raises(KeyError, match="rate"):
        Condenser(METRICS, 2).add(dataclasses.replace(outcome, metrics={}))
