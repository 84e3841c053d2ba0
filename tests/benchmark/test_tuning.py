"""Tuning: it repeats, goes on where it stopped, plays training episodes alone, and takes a stranger's rule too."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_baselines.handover.rules import Stay
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.tuned import FILE, parameters
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.jobs import run_all
from mmwave_gym.benchmark.suite import all_tasks, task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli import main
from mmwave_gym.core.ranges import Count, Flag, Many, Probabilities, Range, Words

TINY = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 40}, name="handover/tiny")
PATIENT = """
from mmwave_baselines.handover.rules import read
from mmwave_gym.agents.rule import Rule
from mmwave_gym.core.ranges import Count, Flag, Many, Range, Words


class Patient(Rule):
    label = "patient"
    tunable = {
        "margin_db": Range(0.0, 10.0, "dB"),
        "wait": Count(0, 3),
        "brisk": Flag(),
        "tie": Words("stay", "go"),
        "made_for": Words("anybody"),
        "offset_db": Many(Range(-3.0, 3.0, "dB"), 6, 6),
    }

    def __init__(self, margin_db=9.0, wait=3, brisk=False, tie="stay", offset_db=(), made_for=""):
        if margin_db < 0.1:
            raise ValueError("margin_db is too small.")
        self.margin_db = margin_db
        self.config = {"margin_db": margin_db, "wait": wait, "brisk": brisk, "tie": tie, "offset_db": list(offset_db)}
        self.config["made_for"] = made_for

    def act(self, seen, rng):
        now = read(seen)
        strongest = now.strongest(now.candidate)
        gain = now.of(now.rsrq_db, strongest) - now.of(now.rsrq_db, now.serving)
        return strongest if self.margin_db < gain.min() else now.serving
"""


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A rule of somebody else's in a file of its own: its name for the command line."""
    (tmp_path / "patient_rule.py").write_text(PATIENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "patient_rule", raising=False)
    return "patient_rule.py:Patient"


def plan_of(agent: str, **keywords: Any) -> Any:
    pytest.importorskip("optuna", reason="the extra tune is not installed")
    from mmwave_gym.benchmark.tuning import Plan

    return Plan(**{"agent": agent, "task": TINY, "budget": 9, "episodes": 2, "seed": 3, **keywords})


def tuned(plan: Any, journal: Path, **keywords: Any) -> Any:
    from mmwave_gym.benchmark.tuning import tune

    return tune(plan, journal, **keywords)


def told(result: Any) -> dict[str, Any]:
    """What a tuning found, but for the time that it took."""
    config = {name: value for name, value in result.config.items() if name != "processor_s"}
    return {"config": config, "parameters": result.parameters, "gain": result.gain, "gap": result.gap}


# ---------------------------------------------------------------------- the search


def test_an_interrupted_tuning_goes_on_to_the_identical_result(patient: str, tmp_path: Path) -> None:
    plan, whole, cut = plan_of(patient), tmp_path / "whole", tmp_path / "cut"
    played: list[str] = []
    straight = tuned(plan, whole, on_played=lambda job, done: played.append(job.label))

    def stop(job: Any, done: Any) -> None:
        stopped.append(job.label)
        if len(stopped) == 6:
            raise KeyboardInterrupt

    stopped: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        tuned(plan, cut, on_played=stop)
    with cut.open("ab") as file:
        file.write(b'{"op_code":4,"wor')  # a kill in the midst of a line
    after: list[str] = []
    again = tuned(plan, cut, on_played=lambda job, done: after.append(job.label))
    assert told(again) == told(straight)
    assert len(after) == len(played) - 6, "what was played stays"
    finished: list[str] = []
    assert told(tuned(plan, whole, on_played=lambda job, done: finished.append(job.label))) == told(straight)
    assert len(finished) == len(played) - plan.budget, "of what is finished only the choice is played again"


def test_processes_find_what_one_finds(patient: str, tmp_path: Path) -> None:
    plan = plan_of(patient, budget=5)
    alone = tuned(plan, tmp_path / "one")
    together = tuned(plan, tmp_path / "two", run=lambda jobs, **more: run_all(jobs, workers=2, **more))
    assert told(together) == told(alone)


def test_settings_lie_in_their_ranges_and_the_best_is_chosen(
    patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On made-up merits: 5 dB is best, refused settings are no answer, and offsets are moved one by one."""
    plan = plan_of(patient, budget=60)
    from mmwave_gym.benchmark import tuning

    played = []

    def rows(player: Any, world: Task, episodes: int, split: str, skip: frozenset[int]) -> list[dict[str, float]]:
        its = player.config
        played.append(its)
        merit = -abs(its["margin_db"] - 5.0) + 0.5 * sum(its["offset_db"][:1]) + its["brisk"]
        return [{"reward": merit + 0.01 * e} for e in range(episodes) if e not in skip]

    monkeypatch.setattr(tuning, "evaluate", rows)
    found = tuned(plan, tmp_path / "journal")
    space = parameters(plan.kind, TINY)
    for settings in played[:60]:
        for name, allowed in space.items():
            if name != "offset_db" or settings[name]:
                allowed.check(name, settings[name])
    assert played[0] == {
        "margin_db": 9.0,
        "wait": 3,
        "brisk": False,
        "tie": "stay",
        "offset_db": [],
        "made_for": "anybody",
    }, "first as it is"
    assert abs(found.parameters["margin_db"] - 5.0) < 0.5
    assert found.parameters["brisk"]
    assert found.parameters["offset_db"][0] > 0.0
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    assert found.config["validation_gain"] == pytest.approx(found.config["training_gain"], rel=1e-5)


def test_what_is_no_better_in_validation_stays_as_it_was(
    patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(patient, budget=8)
    from mmwave_gym.benchmark import tuning

    def rows(player: Any, world: Task, episodes: int, split: str, skip: frozenset[int]) -> list[dict[str, float]]:
        sign = 1.0 if len(skip) < 4 else -1.0  # what helps in training harms in validation
        return [{"reward": -sign * player.config["margin_db"]} for e in range(episodes) if e not in skip]

    monkeypatch.setattr(tuning, "evaluate", rows)
    found = tuned(plan, tmp_path / "journal")
    assert found.parameters == {"made_for": "anybody"}, "what can be nothing else is said"
    assert found.gain.mean == 0.0
    assert found.validation == found.default_validation == 9.0


def test_what_was_tuned_before_is_tried_first_and_stays_unless_something_is_better(
    patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmwave_gym.benchmark import tuning

    before = {"margin_db": 5.125, "wait": 2, "offset_db": [1.5, 0, 0, 0, 0, 0]}
    odd = {"margin_db": 11.0}
    held = {"handover/tiny": before, "handover/other": {"margin_db": 4.5}, "handover/odd": odd}
    (tmp_path / FILE).write_text(json.dumps({"Patient": {name: {"parameters": own} for name, own in held.items()}}))
    played = []

    def rows(player: Any, world: Task, episodes: int, split: str, skip: frozenset[int]) -> list[dict[str, float]]:
        played.append(player.config)
        off = abs(player.config["margin_db"] - 5.125) + (player.config["offset_db"][:1] != [1.5])
        return [{"reward": -off} for e in range(episodes) if e not in skip]

    monkeypatch.setattr(tuning, "evaluate", rows)
    found = tuned(plan_of(patient, budget=12), tmp_path / "journal")
    first = {"margin_db": 9.0, "wait": 3, "brisk": False, "tie": "stay", "made_for": "anybody"}
    assert found.parameters == {**first, **before}
    assert found.config["began_with"] == ["handover/tiny", "handover/other"], "its own first; of odd ones none"
    assert [its["margin_db"] for its in played[:3]] == [9.0, 5.125, 4.5]
    (tmp_path / FILE).write_text(json.dumps({"Patient": {"handover/tiny": {"parameters": {"margin_db": 8.0}}}}))
    again = tuned(plan_of(patient, budget=12), tmp_path / "journal")
    assert told(again) == told(found), "a journal keeps what it began with"
    short = tuned(plan_of(patient, budget=4), tmp_path / "short")
    assert short.config["began_with"] == ["handover/tiny"], "however small the budget is"


def test_only_training_episodes_are_played_and_never_the_maps_of_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = find_task("street/car-unseen")
    plan = plan_of("a3", task=task, budget=4)
    from mmwave_gym.benchmark import tuning

    seen: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []

    def rows(player: Any, world: Task, episodes: int, split: str, skip: frozenset[int]) -> list[dict[str, float]]:
        own = tuple(e for e in range(episodes) if e not in skip)
        seen.append((split, world.kwargs["maps"], own))
        return [{"rate_bps_hz": player.hysteresis_db + e} for e in own]

    monkeypatch.setattr(tuning, "evaluate", rows)
    found = tuned(plan, tmp_path / "journal")
    assert {split for split, _, _ in seen} == {"train"}
    assert not {m for _, maps, _ in seen for m in maps} & set(task.kwargs["maps"])
    parts = list(dict.fromkeys(own for _, _, own in seen))
    assert parts == [(0, 1), tuple(range(2, 10)), tuple(range(10, 18))], "to try, to choose, to validate"
    assert found.config["training"]["maps"][0] == 1001


def test_a_journal_of_another_tuning_is_refused(patient: str, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    tuned(plan_of(patient, budget=2), journal)
    with pytest.raises(ValueError, match="journal of another tuning: its training_episodes is 2, and 3 is asked for"):
        tuned(plan_of(patient, budget=2, episodes=3), journal)
    journal.write_text("no\njournal")
    with pytest.raises(ValueError, match="is no journal of a tuning"):
        tuned(plan_of(patient, budget=2), journal)
    assert journal.read_text() == "no\njournal", "somebody's file stays as it was"


# ---------------------------------------------------------------------- where one trains


@pytest.mark.parametrize(
    "more", [{"groups": (0, 1)}, {"kwargs": {"channel": "mssn:V-R10/2071667#north"}}], ids=["maps", "region"]
)
def test_a_task_for_testing_only_must_say_where_one_trains(more: dict[str, Any]) -> None:
    task = Task(env_id="MmwaveHandover-v0", **more)
    with pytest.raises(ValueError, match=r"is for testing only .* must say where one trains"):
        task.for_training()
    given = Task(env_id="MmwaveHandover-v0", **more, training={"beta": 1.0})
    assert given.for_training().kwargs["beta"] == 1.0
    assert given.hash == task.hash, "no row depends on it"


def test_every_task_of_the_suite_can_be_trained_for() -> None:
    for task in all_tasks():
        world = task.for_training()
        if task.groups and task.name != "shared_street/seen":  # it asks what learning maps by heart is worth
            assert not set(world.kwargs["maps"]) & set(task.kwargs["maps"])
        part = str(task.kwargs.get("channel", ""))
        assert "#" not in part or world.kwargs["channel"] != part


# ---------------------------------------------------------------------- what is declared


class _Odd(Stay):
    def __init__(self, margin_db: float = 1.0, shares: Any = ()) -> None: ...


@pytest.mark.parametrize(
    ("tunable", "fault"),
    [
        ({}, "must say what each parameter may be"),
        ({"reach_m": Range(0.0, 1.0)}, "names 'reach_m': the constructor must take it, with a default"),
        ({"shares": Probabilities(3)}, "must be a Range, Count, Flag, Words, or Many of one length"),
        ({"shares": Many(Range(0.0, 1.0), 1, 3)}, "or Many of one length"),
    ],
)
def test_a_wrong_declaration_is_named(tunable: Any, fault: str) -> None:
    kind = type("Odd", (_Odd,), {"tunable": tunable})
    with pytest.raises(AgentError, match=fault):
        parameters(kind, TINY)


def test_an_agent_that_declares_nothing_is_refused_before_any_work() -> None:
    with pytest.raises(AgentError, match="Stay declares no parameters: give the class `tunable`"):
        parameters(Stay, TINY)


def test_a_declaration_may_depend_on_the_task() -> None:
    kind = type(
        "Odd", (_Odd,), {"tunable": classmethod(lambda cls, task: {"margin_db": Range(0.0, task.kwargs["horizon"])})}
    )
    assert parameters(kind, TINY) == {"margin_db": Range(0.0, 40)}
    assert parameters(type("Odd", (_Odd,), {"tunable": {"shares": Many(Count(0, 1), 2, 2)}}), TINY)
    assert parameters(type("Odd", (_Odd,), {"tunable": {"shares": Flag(), "margin_db": Words("a")}}), TINY)


# ---------------------------------------------------------------------- the command


def words(agent: str, *more: str) -> list[str]:
    world = ["--env", "MmwaveHandover-v0", "--set", "horizon=40"]
    return ["tune", agent, *world, "--budget", "6", "--episodes", "2", *more]


def test_a_stranger_s_rule_is_tuned_and_plays_as_it_was_tuned(
    patient: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna", reason="the extra tune is not installed")
    task = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 40}, name="handover/custom")
    assert load_agent(patient, "handover", task).config["tuned_on"] is None
    with pytest.raises(SystemExit) as ended:
        main(words(patient))
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert "6 settings tried" in printed
    assert "gap" in printed
    assert (tmp_path / "runs" / "tune").is_dir()
    stored = json.loads((tmp_path / FILE).read_text())["Patient"]["handover/custom"]
    made = load_agent(patient, "handover", task)
    assert made.config["tuned_by"]["settings_tried"] == 6
    assert made.config["tuned_by"]["processor_s"] >= 0.0
    assert made.config["tuned_on"] == f"the training split of handover/custom, task hash {task.hash}"
    assert {name: made.config[name] for name in stored["parameters"]} == stored["parameters"]
    assert len(evaluate(patient, task, episodes=2)) == 2, "in a process of its own, too"
    other = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 41}, name="handover/custom")
    assert load_agent(patient, "handover", other).config["tuned_on"] is None, "another world of that name"


def test_without_the_extra_the_command_says_how_to_get_it(
    patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SystemExit) as ended:
        main(words(patient))
    assert ended.value.code == 2
    assert "tuning needs optuna: pip install 'mmwave-gym[tune]'" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"patient_rule.py"}


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (("nobody.py:Patient",), "there is no file nobody.py"),
        (("stay",), "Stay declares no parameters"),
        (("patient_rule.py:Patient", "--set", "channel=x#north"), "is for testing only"),
        (("patient_rule.py:Patient", "--out", "."), "cannot be used"),
    ],
)
def test_bad_words_end_before_any_work(
    patient: str, more: tuple[str, ...], fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna", reason="the extra tune is not installed")
    with pytest.raises(SystemExit) as ended:
        main(words(*more))
    assert ended.value.code == 2
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_broken_file_of_tuned_parameters_is_named(patient: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(AgentError, match=r"tuned_rules.json cannot be read"):
        load_agent(patient, "handover", TINY)
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(AgentError, match="must hold an object of objects"):
        load_agent(patient, "handover", TINY)


def test_two_files_of_one_name_do_not_stand_in_for_each_other(patient: str, tmp_path: Path) -> None:
    load_agent(patient, "handover")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "patient_rule.py").write_text(PATIENT.replace('"patient"', '"another"'))
    with pytest.raises(AgentError, match="a module 'patient_rule' is loaded already"):
        load_agent("other/patient_rule.py:Patient", "handover")
    assert np.isfinite(load_agent(patient, "handover").margin_db)
