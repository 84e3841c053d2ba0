"""Suites: what a task says, what its rows say, and that ours do not contradict each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_rows import header, run, save

import mmwave_gym
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.leaderboard import Ceiling, Run, TaskBoard, summarise
from mmwave_gym.benchmark.leaderboard.classes import CLASSES, classes
from mmwave_gym.benchmark.leaderboard.deciding import contradiction, decide, reason
from mmwave_gym.benchmark.leaderboard.evidence import evidence, lacks
from mmwave_gym.benchmark.leaderboard.overall import why_empty
from mmwave_gym.benchmark.leaderboard.tables import markdown
from mmwave_gym.benchmark.statistics import Sample
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli import main
from mmwave_gym.core.suites import DEFAULT, RECORD

EPISODES = 64


def board(rule: float, learned: Mapping[str, float], bound: tuple[str, float] | None = None, **task: Any) -> TaskBoard:
    """A task whose floor is at 0 and whose ceiling is at 10, with noise that all agents share and a little that not."""
    rng = np.random.default_rng(5)
    world = rng.normal(0, 1, EPISODES)
    world -= world.mean()

    def of(agent: str, mean: float, **changes: Any) -> Run:
        made = run(agent, world + mean + rng.normal(0, 0.02, EPISODES), **changes)
        made.header["task"].update({"suite": "v1", "episodes": EPISODES, **task})
        return made

    runs = [of("random", 100.0), of("oracle", 110.0), of("a3", 100.0 + rule)]
    runs += [of(name, 100.0 + mean, seed=0) for name, mean in learned.items()]
    exact = Sample.of([{row["episode"]: float(row["reward"]) for row in runs[1].episodes}])
    stored = [Ceiling("handover/a1", "oracle", "hindsight", "hindsight-exact", True, exact, ("oracle",))]
    if bound is not None:
        values = Sample(exact.episodes, np.full((1, EPISODES), bound[1]))
        stored.append(Ceiling("handover/a1", "proof", bound[0], "proven bound", False, values))
    (made,) = summarise(runs, {}, stored).tasks
    return made


@pytest.mark.parametrize(
    ("rule", "learned", "where", "because"),
    [
        (8.0, {"ppo": 9.0, "dqn": 6.0}, "v1", "learned agents: from 0.600 to 0.900, 2 of 2 told apart"),
        (8.0, {}, "v1", "no learned agent has been scored"),
        (8.8, {"ppo": 9.2}, "papers", "more than 0.85"),
        (9.9, {"ppo": 9.2}, "papers", "saturated (0.985 or more)"),
        (5.0, {"ppo": 9.95}, "papers", "ppo is at 0.99 or more"),
        (8.0, {"ppo": 8.0}, "papers", "do not differ"),
    ],
)
def test_the_best_rule_and_the_learned_agents_decide_the_suite(rule, learned, where, because):
    made = board(rule, learned)
    found = decide(made)
    assert found.suite == where
    assert because in found.because
    assert found.rule_share == pytest.approx(rule / 10, abs=0.01)
    assert bool(contradiction(made)) == (where != "v1")
    assert because in reason(made)
    assert not contradiction(board(rule, learned, why="it is the only one of its kind"))
    assert not contradiction(board(rule, learned, suite="relays"))


def test_a_share_is_of_the_level_s_own_ceiling():
    assert decide(board(8.0, {"ppo": 9.0})).rule_share == pytest.approx(0.8, abs=0.01)
    tight = decide(board(8.0, {"ppo": 8.5}, ("local", 109.0)))
    assert tight.rule_share == pytest.approx(8 / 9, abs=0.01)
    assert (tight.suite, "the ceiling of local agents, proof (proven bound)" in tight.because) == ("papers", True)
    assert decide(board(8.0, {"ppo": 9.0}, ("central", 111.0))).rule_share == pytest.approx(0.8, abs=0.01)


def test_without_scores_rows_decide_nothing():
    made = board(8.0, {"ppo": 9.0}, floor=None)
    assert decide(made).suite == ""
    assert "undecided" in contradiction(made)


def test_evidence_names_who_lacks_episodes_and_about_how_many_would_do():
    made = board(8.0, {"ppo": 9.0})
    assert lacks(made) == []
    assert [(one.role, one.agent) for one in evidence(made)] == [
        ("reference", "a3"), ("leader", "ppo"), ("ceiling", "oracle")
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    values = rng.normal(10, 2, 16)
    few = [run(name, values + shift) for name, shift in (("random", -5.0), ("a3", 0.0), ("oracle", 1.0))]
    (poor,) = summarise(few).tasks
    said = lacks(poor)
    assert "reference a3: 16 episodes, 32 are asked, 95 % width" in said[0]
    (a3, *_) = evidence(poor)
    many = rng.normal(10, 2, a3.wanted)
    (rich,) = summarise([run(name, many + shift) for name, shift in (("random", -5.0), ("a3", 0.0))]).tasks
    assert 0.02 < evidence(rich)[0].width < 0.04


def test_maps_are_counted_where_episodes_share_them():
    groups = [e % 8 for e in range(EPISODES)]
    assert lacks(board(8.0, {"ppo": 9.0}, groups=groups))[-1] == "Its episodes are on 8 maps, 64 are asked."
    assert lacks(board(8.0, {"ppo": 9.0}, groups=list(range(EPISODES)))) == []


@pytest.mark.parametrize(("unit", "floor"), [("bit/s/Hz", -9.0), ("log2(Mbit/s)", 9.0)], ids=["negative", "logarithms"])
def test_a_width_of_a_metric_without_zero_is_relative_to_floor_and_ceiling(unit, floor):
    """The mean itself may be near 0: the interval of some 0.15 is compared with the 20 from floor to ceiling."""
    runs = [
        run(name, np.linspace(-0.5, 0.5, 64) + mean)
        for name, mean in (("random", floor), ("a3", 0.01), ("oracle", floor + 20.0))
    ]
    for one in runs:
        one.header["metrics"] = {"reward": unit}
    (made,) = summarise(runs).tasks
    (a3, *_) = evidence(made)
    assert (a3.agent, a3.whole) == ("a3", "floor to ceiling")
    assert 0.005 < a3.width < 0.01


def test_episodes_of_floor_and_reference_alone_are_no_record():
    """Without this the ceiling would fall, and every score rise, with each episode that only they play."""
    few = [run(name, np.arange(8.0) + more) for name, more in (("random", -9.0), ("a3", 0.0), ("ppo", 5.0))]
    many = [*(run(r.agent["name"], np.arange(16.0) + m) for r, m in zip(few[:2], (-9.0, 0.0), strict=True)), few[2]]
    for runs, episodes in ((few, 8), (many, 8), (many[:2], 16)):
        (made,) = summarise(runs).tasks
        best = made.ceiling("local")
        assert (best.kind, best.sample.episodes.size) == ("best known", episodes)


def test_rows_of_a_task_that_asks_for_more_say_how_many_of_how_many():
    made = run("a3", np.arange(8.0))
    (one,) = summarise([made], {"handover/a1": {**made.task, "episodes": 32}}).tasks[0].entries
    assert (one.episodes, one.planned) == (8, 32)
    assert "8 of 32 episodes" in markdown(summarise([made], {"handover/a1": {**made.task, "episodes": 32}}))


TRAININGS = [
    ({"teacher": "", "oracle_regrets": False, "trained_on": "handover/a1"}, ("rewards only",)),
    ({"teacher": "a3", "oracle_regrets": False, "trained_on": "handover/a1"}, ("with imitation",)),
    (
        {"teacher": "a3", "oracle_regrets": True, "trained_on": "handover/a2"},
        ("with imitation", "with regrets", "transferred"),
    ),
    ({"teacher": "", "oracle_regrets": False, "trained_on": "handover/a2"}, ("rewards only", "transferred")),
    ({"trained_on": "handover/a1"}, ("training unknown",)),
    (None, ("training unknown",)),
]


@pytest.mark.parametrize(("training", "wanted"), TRAININGS)
def test_classes_of_learned_agents_come_from_how_they_were_trained(training, wanted):
    learned = run("ppo", np.arange(8.0), seed=0)
    learned.header["agent"]["training"] = training
    (made,) = summarise([learned, run("random", np.zeros(8)), run("a3", np.arange(8.0))]).tasks
    assert classes(made.entry("ppo"), made) == wanted
    assert classes(made.entry("a3"), made) == ("rule",)
    assert classes(made.entry("random"), made) == ("bound",)
    assert set(wanted) <= set(CLASSES)


def test_an_empty_cell_says_why():
    played = [run(name, np.arange(8.0) + shift) for name, shift in (("random", -9.0), ("a3", 0.0), ("oracle", 1.0))]
    learned = run("ppo", np.arange(8.0), seed=0)
    learned.header["agent"]["training"] = {"trained_on": "handover/a2"}
    other = [Run({**r.header, "task": {**r.task, "name": "handover/a2"}}, r.episodes) for r in (*played, learned)]
    planner = [Run({**header("best"), "task": {**header("best")["task"], "name": "handover/a2"}}, learned.episodes)]
    skipped = [Run(header("ppo"), (), skipped="no weights"), Run(header("best"), (), skipped="another metric")]
    failed = [Run(header("broken"), (), failed="it raised")]
    here, there = summarise([*played, *skipped, *failed, *other, *planner]).tasks
    known = {e.agent: [e] for e in there.entries}
    assert why_empty(here, "ppo", known["ppo"]) == "not trained here"
    assert why_empty(here, "best", known["best"]) == "cannot play here"
    assert why_empty(here, "broken", ()) == "it failed here"
    assert why_empty(here, "a3", known["a3"]) == ""
    assert why_empty(here, "unknown", ()) == "not played here"
    assert (
        why_empty(dataclasses.replace(here, task={**here.task, "needs_data": True}), "x", ()) == "needs measured data"
    )
    assert why_empty(dataclasses.replace(here, task={**here.task, "expensive": True}), "x", ()) == "too slow here"
    assert why_empty(dataclasses.replace(here, outdated=("x",)), "x", ()) == "rows are outdated"


def test_tasks_are_in_suites_and_a_suite_changes_no_hash():
    v1, papers = mmwave_gym.tasks(suite="v1"), mmwave_gym.tasks(suite="papers")
    assert "cell_selection/n3-cost10" in v1
    assert "handover/a1-beta25" in papers
    assert not set(v1) & set(papers)
    assert set(v1) | set(papers) <= set(mmwave_gym.tasks())
    assert mmwave_gym.tasks("cell_selection", suite="papers") == []
    with pytest.raises(ValueError, match="unknown suite 'v9'"):
        mmwave_gym.tasks(suite="v9")
    own = Task(env_id="MmwaveHandover-v0")
    assert own.suite == "own"
    assert dataclasses.replace(own, suite="v1", why="so", episodes=7).hash == own.hash
    with pytest.raises(ValueError, match="suite must be a name"):
        Task(env_id="MmwaveHandover-v0", suite="V 1")


def test_our_tasks_are_in_the_suite_that_their_committed_rows_ask_for():
    tasks = {t.name: t for t in suite.all_tasks(suites=[DEFAULT, RECORD])}
    known = {name: t.describe() for name, t in tasks.items()}
    found = summarise(committed_runs(tasks), known, stored_ceilings(tasks.values()))
    wrong = [sentence for one in found.tasks if (sentence := contradiction(one))]
    assert wrong == [], "move the task (`Task.suite`) or state why it is there (`Task.why`)"
    assert len(found.tasks) > 30


def test_the_command_says_what_decides_and_exits_1_where_a_task_is_in_the_wrong_suite(tmp_path: Path, capsys: Any):
    rng = np.random.default_rng(1)
    world = rng.normal(16, 0.1, EPISODES)
    for agent, mean in (("random", 0.0), ("a3", 3.0), ("oracle", 10.0)):
        save(tmp_path / "rows", agent, world + mean + rng.normal(0, 0.02, EPISODES), task="handover/a1-beta25")
    with pytest.raises(SystemExit) as stopped:
        main(["audit", "--task", "handover/a1-beta25", "--rows", str(tmp_path / "rows")])
    said = capsys.readouterr().out
    assert stopped.value.code == 1
    assert "handover/a1-beta25 is in suite papers, by its rows it is in suite v1" in said
    with pytest.raises(SystemExit) as stopped:
        main(["audit", "--task", "handover/a1-beta25", "--suite", "v1"])
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "envs", "--suite", "v1"], "--suite chooses tasks, not envs"),
        (["list", "--suite", "v9"], "unknown suite 'v9'"),
        (["leaderboard", "--suite", "v1", "--task", "handover/a1-beta25", "--out", "x"], "both choose tasks"),
        (["audit", "--suite", "v9"], "unknown suite 'v9'"),
    ],
)
def test_a_suite_that_cannot_be_meant_is_one_line(words: list[str], said: str, capsys: Any, monkeypatch: Any, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_list_shows_one_suite(capsys: Any):
    with pytest.raises(SystemExit):
        main(["list", "tasks", "--suite", "papers"])
    shown = capsys.readouterr().out
    assert "handover/a1-beta25" in shown
    assert "cell_selection/n3-cost10" not in shown
