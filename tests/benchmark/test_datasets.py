"""Recorded play, and the Minari data sets made of it, with Minari itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.agents import AgentError, load_agent
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.recording import Life, lives
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli import main

WALK = Task(env_id="MmwaveHandover-v0", kwargs={"num_ues": 3, "horizon": 60}, name="handover/walk", episodes=4)
CELLS = Task(env_id="MmwaveCellSelection-v0", kwargs={"num_ues": 3, "horizon": 30}, name="cell_selection/short")
TURNS = Task(env_id="MmwaveAssociation-v0", kwargs={"num_ues": 4, "duration_s": 60.0}, name="association/few")
POWER = Task(
    env_id="MmwavePowerAllocation-v0", kwargs={"levels": None, "horizon": 12}, name="power_allocation/short",
    warmup_steps=2, scored_steps=8,
)  # fmt: skip


def recorded(task: Task, agent: str = "random", episodes: int = 3) -> list[Life]:
    return list(lives(load_agent(agent, task.scenario_name, task), task, episodes))


@pytest.mark.parametrize("task", [WALK, CELLS, TURNS, POWER], ids=lambda t: t.name)
def test_lives_hold_what_an_evaluation_scores(task: Task) -> None:
    """Rewards over the scored steps sum to the row's, for every episode."""
    found, rows = recorded(task), evaluate("random", task, episodes=3, split="train")
    assert {life.episode for life in found} == {0, 1, 2}
    for row in rows:
        own = [life for life in found if life.episode == row["episode"]]
        rewards = np.concatenate([life.rewards[task.warmup_steps :] for life in own])

        assert rewards.mean() == pytest.approx(row["reward"], rel=1e-12)


@pytest.mark.parametrize("task", [WALK, CELLS, TURNS, POWER], ids=lambda t: t.name)
def test_a_life_is_whole(task: Task) -> None:
    space = task.scenario().action_space
    for life in recorded(task):
        steps = len(life.rewards)
        assert life.observations.shape == (steps + 1, task.scenario().fields.size)
        assert {len(values) for values in life.infos.values()} == {steps + 1}
        assert not life.terminations[:-1].any()
        assert not life.truncations[:-1].any()
        assert life.terminations[-1] != life.truncations[-1]
        assert all(life.infos[name][0] == 0.0 for name in life.infos if name != "action_mask")
        assert life.actions.shape[1:] == (space.shape or ((1,) if task is POWER else ()))
        if "action_mask" in life.infos:
            assert life.infos["action_mask"][np.arange(steps), life.actions].all(), "what was done was allowed"


def test_those_who_leave_end_by_termination() -> None:
    found = recorded(dataclasses.replace(WALK, kwargs={"mobility": "A3", "num_ues": 3, "horizon": 400}))
    assert any(life.terminations[-1] for life in found)
    assert all(life.truncations[-1] for life in recorded(CELLS)), "nobody leaves before the horizon there"


def test_a_life_is_what_gymnasium_shows() -> None:
    """The same actions in `gymnasium.make` on the same episode give the same observations, rewards and infos."""
    from mmwave_gym.agents.others import batch_of

    task = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 40, "boundary": "stay"}, name="handover/one")
    (life,) = recorded(task, episodes=1)
    batch = batch_of(task.scenario(), 1)
    batch.reset(task.keys([0], "train"))
    for t, action in enumerate(life.actions):
        assert np.array_equal(batch.observe()[0, 0], life.observations[t])
        outcome = batch.step(action.reshape(1, 1))
        assert outcome.reward.item() == life.rewards[t]
        assert {n: v.item() for n, v in outcome.metrics.items()} == {n: life.infos[n][t + 1] for n in outcome.metrics}


def test_a_memory_over_episodes_has_no_data() -> None:
    task = Task(env_id="MmwaveHandover-v0", name="handover/carried", carry=2)
    with pytest.raises(AgentError, match="keep their memory over 2 episodes"):
        recorded(task)


# ------------------------------------------------------------------------------------------------------------ Minari


@pytest.fixture
def minari(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    pytest.importorskip("h5py")
    found = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return found


@pytest.mark.parametrize("name", ["cell_selection/n3-cost10", "handover/a3-beta25", "power_allocation/hard-14"])
def test_the_recovered_environment_gives_the_same_rows(minari: Any, name: str) -> None:
    from mmwave_gym.datasets import export, task_of, told_of

    task = suite.task(name)
    made = export("random", task, 2, "mmwave/mine-v0")
    data = minari.load_dataset("mmwave/mine-v0")
    assert data.total_episodes == made.total_episodes
    again = task_of(data)
    assert (again.hash, again.env_id, again.primary) == (task.hash, task.env_id, task.primary)
    assert told_of(data)["rows"] == evaluate("random", again, episodes=2, split="train")
    recovered = data.recover_environment()
    assert recovered.observation_space == data.observation_space
    assert recovered.action_space == data.action_space
    recovered.reset(seed=0)
    played = recorded(task, episodes=2)
    for life, episode in zip(played, data.iterate_episodes(), strict=True):
        assert np.array_equal(life.observations, episode.observations)
        assert np.array_equal(life.actions, episode.actions)
        assert np.array_equal(life.rewards, episode.rewards)
        assert {name: values.tolist() for name, values in life.infos.items()} == {
            name: np.asarray(values).tolist() for name, values in episode.infos.items()
        }
    about = [(m["task_episode"], m["slot"]) for m in data.storage.get_episode_metadata(range(len(played)))]
    assert about == [(life.episode, life.slot) for life in played]


def test_many_lives_are_written_in_parts(minari: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmwave_gym.benchmark import datasets

    monkeypatch.setattr(datasets, "AT_ONCE", 2)
    data = datasets.export("random", CELLS, 3, "parts-v0")
    assert [len(e.rewards) for e in data.iterate_episodes()] == [30] * 9
    assert [m["task_episode"] for m in data.storage.get_episode_metadata(range(9))] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_the_command_line(minari: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "a3", "--task", "handover/a3-beta25", "--episodes", "2", "--minari", "mine/a3-v0"]
    assert run(words) == 0
    assert "mine/a3-v0: a3 in handover/a3-beta25, 2 episodes of agents" in capsys.readouterr().out
    assert run(words) == 2
    assert "there is a data set mine/a3-v0 already: --replace" in capsys.readouterr().err.replace("\n", " ")
    assert run([*words, "--replace"]) == 0
    assert run(["export", "a3", "--task", "handover/a3-beta25", "--minari", "mine"]) == 2
    assert "try mine-v0" in capsys.readouterr().err
    assert run(["export", "--all", "--minari", "x-v0"]) == 2
    assert run(["export", "a3", "--task", "handover/a3-beta25"]) == 2


def run(words: list[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_every_environment_has_sets_of_the_four_kinds_of_play(minari: Any) -> None:
    from mmwave_gym.datasets import sets

    plays = sets(suite.all_tasks())
    by_id: dict[str, list[str]] = {}
    for play in plays:
        by_id.setdefault(play.task.env_id, []).append(play.role)
    ids = {t.env_id for t in suite.all_tasks()}
    assert by_id.keys() == ids
    kinds = ["random", "rule", "learned", "oracle"]
    assert all(found in (kinds, ["random", "rule", "oracle"]) for found in by_id.values()), "where weights are shipped"
    assert list(by_id.values()).count(kinds) >= 5
    assert len({play.name for play in plays}) == len(plays)
