"""Sweeps: what is proposed, what the journal holds, when a training stops early, and what the report says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

from mmwave_gym.benchmark import sweep_report, sweeps  # noqa: E402
from mmwave_gym.benchmark.jobs import Done  # noqa: E402
from mmwave_gym.cli import main  # noqa: E402

SPACE = {"learning-rate": sweeps.distribution("1e-4..1e-1,log"), "hidden": sweeps.distribution("16,32")}
SWEEP = sweeps.Sweep(algorithm="ppo", words=("--task", "handover/a3-beta25"), trials=6, space=SPACE, steps=1000)


def executor(value: Any, fail: Any = lambda settings: "", stop_after: int = 10**9) -> Any:
    """Does the jobs of a sweep here: a training is a function of its settings that is evaluated twice."""

    def run_jobs(jobs: Any, *, prepared: Any, on_part: Any, on_done: Any, on_lost: Any) -> None:
        for count, job in enumerate(jobs):
            if count == stop_after:
                raise KeyboardInterrupt
            sent = prepared(job)
            reached = value(sent.settings)
            told = {"trial": sent.number, "state": "complete", "value": reached, "reason": ""}
            for step in (500, 1000):
                part = {"trial": sent.number, "step": step, "value": reached * step / 1000}
                on_part(job, json.dumps(part).encode())
                if part["value"] < sent._bar(step):
                    told = {**told, "state": "pruned"}
                    break
            if reason := fail(sent.settings):
                told = {**told, "state": "failed", "value": None, "reason": reason}
            on_done(job, Done(json.dumps(told).encode()))

    return run_jobs


def by_rate(settings: dict[str, Any]) -> float:
    return 1.0 - abs(settings["learning-rate"] - 0.01) * 10


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1e-4..1e-2,log", optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)),
        ("0.8..1.0", optuna.distributions.FloatDistribution(0.8, 1.0)),
        ("1..8", optuna.distributions.IntDistribution(1, 8)),
        ("16,32", optuna.distributions.CategoricalDistribution([16, 32])),
        ("set,mlp", optuna.distributions.CategoricalDistribution(["set", "mlp"])),
    ],
)
def test_values_are_written_in_words(text: str, wanted: Any) -> None:
    assert sweeps.distribution(text) == wanted


@pytest.mark.parametrize("text", ["", "1,1", "8..1", "a..b", "1,,2"])
def test_wrong_values_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="written as"):
        sweeps.distribution(text)


def test_a_stopped_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sweeps.run(SWEEP, tmp_path, executor(by_rate, stop_after=2))
    before = sweeps.Journal(tmp_path / sweeps.JOURNAL, SWEEP).finished
    assert len(before) == 2
    journal = sweeps.run(SWEEP, tmp_path, executor(by_rate))
    assert [t.params for t in journal.finished[:2]] == [t.params for t in before], "they are kept"
    assert len(journal.finished) == 6
    again: list[str] = []
    sweeps.run(SWEEP, tmp_path, executor(by_rate), again.append)
    assert again == [], "nothing is left to do"
    more = sweeps.run(dataclasses.replace(SWEEP, trials=7), tmp_path, executor(by_rate), again.append)
    assert (len(more.finished), len(again)) == (7, 1)


def test_another_sweep_is_refused(tmp_path: Path) -> None:
    sweeps.run(SWEEP, tmp_path, executor(by_rate))
    other = dataclasses.replace(SWEEP, words=("--task", "handover/a1-beta5"))
    with pytest.raises(ValueError, match=r"holds another sweep: its words is .*a3-beta25.*asked for is .*a1-beta5"):
        sweeps.Journal(tmp_path / sweeps.JOURNAL, other)
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(ValueError, match="is no journal of a sweep"):
        sweeps.Journal(tmp_path / "text", SWEEP)


def test_a_process_that_was_killed_leaves_its_trial_failed(tmp_path: Path) -> None:
    journal = sweeps.Journal(tmp_path / sweeps.JOURNAL, SWEEP)
    journal.ask(0)
    again = sweeps.Journal(tmp_path / sweeps.JOURNAL, SWEEP)
    assert [t.state for t in again.study.trials] == [optuna.trial.TrialState.FAIL]
    assert again.finished == []


def test_what_is_below_the_median_stops_early(tmp_path: Path) -> None:
    journal = sweeps.run(dataclasses.replace(SWEEP, trials=24), tmp_path, executor(by_rate))
    complete, pruned = (
        [t for t in journal.finished if t.state == state]
        for state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    )
    assert pruned
    assert min(t.number for t in pruned) >= sweeps.MOST_STARTED, "the first run to their end"
    assert all(list(t.intermediate_values) in ([500], [500, 1000]) for t in pruned)
    found = sweeps.best(journal)
    assert found is not None
    assert found.value == max(by_rate(t.params) for t in complete)
    free = sweeps.run(dataclasses.replace(SWEEP, trials=24, prune=False), tmp_path / "free", executor(by_rate))
    assert all(t.state == optuna.trial.TrialState.COMPLETE for t in free.finished)


def test_a_failed_trial_is_told_and_a_first_one_stops_the_sweep(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(sweeps.TrialFailed, match="the first trial failed: no such option"):
        sweeps.run(SWEEP, tmp_path / "a", executor(by_rate, lambda s: "no such option"))
    runs = iter(["", "", "it fell over", "", "", ""])
    sweeps.run(SWEEP, tmp_path / "b", executor(by_rate, lambda s: next(runs)), told.append)
    assert told[2] == "trial 2: failed it fell over"


def test_progress_is_read_from_what_a_training_prints() -> None:
    line = "819,200 of 3,000,000 steps reward 25.312, reference_reward 25.844, score 0.981"
    assert sweeps._evaluation(line, "score") == (819200, 0.981)
    assert sweeps._evaluation(line, "reward") == (819200, 25.312)
    assert sweeps._evaluation("819,200 of 3,000,000 steps ", "score") is None
    assert sweeps._evaluation("resuming runs/x at 8,192 steps", "score") is None


def test_the_report_says_how_to_train_with_the_best(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    journal = sweeps.run(SWEEP, tmp_path, executor(by_rate))
    report, trials, *plots = sweep_report.write(journal, SWEEP, tmp_path)
    found = sweeps.best(journal)
    assert found is not None
    text = report.read_text()
    assert f"trial {found.number}, score {found.value:.4f}" in text
    assert f"--learning-rate {found.params['learning-rate']}" in text
    assert "--seeds 0-4" in text
    kept = json.loads(trials.read_text())
    assert [t["value"] for t in kept["trials"]] == [t.value for t in journal.study.trials]
    assert [plot.name for plot in plots] == ["order.png", "curves.png", "options.png"]
    assert all(plot.read_bytes()[:4] == b"\x89PNG" and plot.name in text for plot in plots)


def run(words: list[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["ppo", "--task", "handover/a3-beta25", "--seed", "1"], "--seed is not for sweeps"),
        (["ppo", "--task", "handover/a3-beta26"], "a3-beta25"),
        (["ppo2", "--task", "handover/a3-beta25"], "unknown algorithm 'ppo2'"),
        (["turns", "--task", "association/small"], "turns has no space of its own"),
        (["ppo", "--task", "handover/a3-beta25", "--over", "gamma=1,1"], "each value once"),
        (["ppo", "--task", "handover/a3-beta25", "--trials", "0"], "trials must be at least 1"),
    ],
)
def test_wrong_words_are_said_before_any_work(words: list[str], wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", *words]) == 2
    assert wrong in capsys.readouterr().err


@pytest.mark.slow
def test_two_trainings_of_ppo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("stable_baselines3")
    words = ["sweep", "ppo", "--task", "handover/a3-beta25", "--trials", "2", "--steps", "2048", "--n-envs", "16"]
    words += ["--eval-episodes", "2", "--frame-stack", "1", "--over", "gamma=0.9..0.99", "--jobs", "1"]
    assert run([*words, "--out", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "mmwave-gym train ppo --task handover/a3-beta25 --steps 2048" in told.out
    assert told.err.count(": complete score") == 2
    journal = json.loads((tmp_path / sweep_report.TRIALS).read_text())
    assert all(0.9 <= trial["settings"]["gamma"] <= 0.99 for trial in journal["trials"])
