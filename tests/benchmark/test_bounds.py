"""Bounds: how ceilings are computed, kept and found stale, and that no agent of the committed rows is above one."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from mmwave_gym.benchmark.bounds import Bound, bounds, compute, first_episodes, made_for, record, stored_ceilings
from mmwave_gym.benchmark.committed import committed_runs, folders
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.jobs import run_all
from mmwave_gym.benchmark.leaderboard import read_ceilings, summarise, write_ceilings
from mmwave_gym.benchmark.leaderboard.ceilings import BEST_KNOWN, KINDS, SUFFIX
from mmwave_gym.benchmark.leaderboard.packs import RUNS, pack_path
from mmwave_gym.benchmark.leaderboard.warnings import warnings_of
from mmwave_gym.benchmark.suite import all_tasks, task as find_task
from mmwave_gym.core.suites import DEFAULT

TASK = "handover/a3-beta25"
HERE = [t for t in all_tasks() if not t.missing_data]
PLAYED = [t.name for t in HERE if any(pack_path(place, t.name, RUNS).exists() for place in folders())]
"""Tasks that have committed rows."""


def _cheap():
    """Names of tasks and of cheap bounds whose ceilings are stored."""
    for task in HERE:
        paths = [pack_path(place, task.name, SUFFIX) for place in folders()]
        kept = {c.name for path in paths if path.exists() for c in read_ceilings(path)}
        yield from ((task.name, b.name) for b in bounds(task) if b.cheap and b.name in kept)


def _oracle(task):
    (found,) = (b for b in bounds(task) if b.name == "oracle")
    return found


def test_an_agents_bound_is_what_its_rows_say_and_half_done_work_goes_on(tmp_path):
    task, progress = find_task(TASK), tmp_path / "pieces" / "a3.json"
    rows = [row["reward"] for row in evaluate("oracle", task, episodes=70)]
    steps = []

    class Stopped(Exception):
        pass

    def stop(done, of):
        steps.append((done, of))
        if done == 1:
            raise Stopped

    with pytest.raises(Stopped):
        compute(task, _oracle(task), 70, progress=progress, on_piece=stop)
    assert steps == [(0, 2), (1, 2)]
    assert len(json.loads(progress.read_text())["pieces"]) == 1
    steps.clear()
    found = compute(task, _oracle(task), 70, progress=progress, on_piece=lambda done, of: steps.append((done, of)))
    assert steps == [(1, 2), (2, 2)]
    assert not progress.exists()
    np.testing.assert_array_equal(found.sample.values[0], rows)
    assert (found.level, found.kind, found.agents) == ("hindsight", "hindsight-exact", ("oracle",))
    assert found.command == f"mmwave-gym bound {TASK} --level hindsight"


def test_processes_that_share_the_pieces_find_the_same():
    task = find_task(TASK)
    alone, shared = (compute(task, _oracle(task), 70, partial(run_all, workers=n)) for n in (1, 2))
    np.testing.assert_array_equal(alone.sample.values, shared.sample.values)


def test_of_an_expensive_bound_the_first_episodes_are_solved():
    made = first_episodes(3, {"relay/large": 1})
    task, large = find_task(TASK), dataclasses.replace(find_task(TASK), name="relay/large")
    assert made["pieces"](task, range(5)) == [0, 1, 2]
    assert made["pieces"](large, range(5)) == [0]
    assert made["combine"](task, range(5), [7.0, 8.0, 9.0]) == [7.0, 8.0, 9.0, None, None]
    assert made["pieces"](task, range(2)) == [0, 1]


def test_a_ceiling_is_stale_where_its_task_its_bound_or_the_physics_changed(tmp_path):
    task = find_task(TASK)
    found = compute(task, _oracle(task), 4)
    write_ceilings([found], tmp_path)

    def why(task=task, **changed):
        write_ceilings([dataclasses.replace(found, made_for={**found.made_for, **changed})], tmp_path)
        (kept,) = stored_ceilings([task], tmp_path)
        return kept.stale

    assert why() == ""
    assert "another version of the task" in why(dataclasses.replace(task, kwargs={**task.kwargs, "beta": 20.0}))
    assert "another version of the bound (0, not 1)" in why(version=0)
    physics = found.made_for["physics"]
    assert why(physics={**physics, "code": "of yesterday"}) == ""  # the golden sums are the same
    sums = {**physics["sums"], "reward": physics["sums"]["reward"] * 1.01}
    assert "answers otherwise" in why(physics={"code": "of yesterday", "sums": sums})
    assert f"mmwave-gym bound {TASK}" in why(version=0)


def test_the_best_known_is_the_maximum_over_agents_and_planners():
    task = find_task(TASK)
    runs = [run for run in committed_runs([TASK]) if run.episodes]
    current = {run.agent["name"] for run in runs if run.task["hash"] == made_for(task, golden=False)["task"]}
    best = record(task, [], runs)
    by_agent = {run.identity: [row["reward"] for row in run.episodes] for run in runs if run.agent["name"] in current}
    np.testing.assert_array_equal(best.sample.values[0], np.max(list(by_agent.values()), axis=0))
    more = best.sample.values + (np.arange(best.sample.episodes.size) < 5)
    planner = dataclasses.replace(best, name="planner", sample=dataclasses.replace(best.sample, values=more), agents=())
    better = record(task, [planner], runs)
    assert "planner" in better.agents
    np.testing.assert_array_equal(better.sample.values, more)


@pytest.mark.parametrize(("field", "value"), [("level", "root"), ("kind", "certain")])
def test_a_bound_of_no_level_or_kind_is_refused(field, value):
    told = {"name": "x", "level": "local", "kind": "proven bound", "what": "", "solve": lambda task, piece: 0.0}
    with pytest.raises(ValueError, match=f"{field} must be one of .*, got '{value}'"):
        Bound(**{**told, field: value})


def _command(*words):
    words = [sys.executable, "-m", "mmwave_gym.cli", "bound", *words]
    return subprocess.run(words, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})


def test_the_command_prints_and_packs_and_refuses_what_cannot_be(tmp_path):
    done = _command(TASK, "--name", "oracle", "--episodes", "8", "--jobs", "1", "--work", str(tmp_path / "work"))
    assert done.returncode == 0, done.stderr
    assert "hindsight-exact" in done.stdout
    for words, says in (
        (("handover/a9",), "handover/a9"),
        ((TASK, "--level", "root"), "level must be one of local, central, trajectory, hindsight, got 'root'"),
        ((TASK, "--episodes", "2", "--pack", str(tmp_path)), "--episodes and --pack exclude each other"),
    ):
        refused = _command(*words)
        assert refused.returncode == 2
        assert says in refused.stderr


@pytest.mark.parametrize("name", PLAYED)
def test_every_task_has_a_ceiling_and_no_agent_is_above_one_unannounced(name):
    """Every level that is ranked has a ceiling of a stated kind, and no committed row contradicts what is proven."""
    task = find_task(name)
    stored = [dataclasses.replace(c, stale="") for c in stored_ceilings([task])]
    (board,) = summarise(committed_runs([name]), {name: task.describe()}, stored).tasks
    assert all(board.ceiling(level) is not None for level in board.levels)
    assert any(c.kind == "best known" for c in stored)
    told = [w for w in board.warnings if "one of them is wrong" in w or "the ceiling or the rows are wrong" in w]
    assert told == []
    for entry in board.entries:
        if entry.score is not None and entry.score.mean > 1.0 + 1e-6:
            assert any(entry.agent in w for w in board.warnings), entry.agent


@pytest.mark.parametrize("task", [t for t in HERE if t.suite == DEFAULT], ids=lambda task: task.name)
def test_what_is_stored_of_suite_v1_holds_and_says_how_it_is_known(task):
    """Every task is played, so that the test above sees it, and no stored ceiling is one of yesterday."""
    assert task.name in PLAYED
    kept = stored_ceilings([task])
    assert {c.name: c.stale for c in kept if c.stale} == {}
    registered = {b.name: b for b in bounds(task)}
    for ceiling in kept:
        if (way := registered.get(ceiling.name)) is not None:
            assert (ceiling.kind, ceiling.level, ceiling.per_episode) == (way.kind, way.level, way.per_episode)
        else:
            assert ceiling.name == ceiling.kind == BEST_KNOWN


@pytest.mark.parametrize("task", [t for t in HERE if t.suite == DEFAULT], ids=lambda task: task.name)
def test_every_ranked_level_of_suite_v1_has_a_ceiling_and_agents_below_it(task):
    """The lowest proven one where there is one; whoever is above the best known is it."""
    (board,) = summarise(committed_runs([task.name]), {task.name: task.describe()}, stored_ceilings([task])).tasks
    assert board.levels
    for level in board.levels:
        ceiling = board.ceiling(level)
        assert ceiling is not None, level
        assert ceiling.kind in KINDS
        assert ceiling.holds_for(level)
        if any(c.proven and c.holds_for(level) for c in board.ceilings):
            assert ceiling.proven


@pytest.mark.parametrize(("name", "bound"), list(_cheap()))
def test_cheap_ceilings_are_computed_again_as_they_are_stored(name, bound):
    task = find_task(name)
    (way,) = (b for b in bounds(task) if b.name == bound)
    (kept,) = (c for c in stored_ceilings([task]) if c.name == bound)
    assert kept.stale == ""
    again = compute(task, way, 2)
    shared = [kept.sample.episodes.tolist().index(e) for e in again.sample.episodes]
    np.testing.assert_allclose(kept.sample.values[0][shared], again.sample.values[0], rtol=way.rounding)


def test_a_stored_ceiling_of_an_unknown_bound_is_stale(tmp_path):
    task = find_task(TASK)
    found = dataclasses.replace(compute(task, _oracle(task), 2), name="nobody's")
    (path,) = write_ceilings([found], tmp_path)
    assert [c.name for c in read_ceilings(path)] == ["nobody's"]
    (kept,) = stored_ceilings([task], tmp_path)
    assert "another version of the bound" in kept.stale
    assert warnings_of(task.describe(), [], {}, [kept])[0].startswith("The ceiling nobody's (hindsight-exact) is not")
