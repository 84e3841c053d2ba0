"""Sweeps: many trainings of one algorithm with other settings, proposed by Optuna, judged on the training split.

The journal is a file of Optuna's. It holds every trial with its settings and evaluations, so a sweep that was stopped
goes on where it was. A training is stopped early where its best evaluation so far is below the median of the finished
trials at the same step (Golovin et al. 2017, Google Vizier, section 3.2.2: the median stopping rule).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from mmwave_gym.benchmark.jobs import Done, Job, Keep, run_all
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.files import try_place

Space = Mapping[str, BaseDistribution]
"""Option of the training, without hyphens before it, -> what values it may have."""

NAME, JOURNAL = "sweep", "journal.log"
EVALUATIONS = 5
"""Of a training: ours."""
MOST_STARTED = 4
"""So many trials finish before one is stopped early: ours."""
FIRST_SEED = 1000
"""Trial i trains with the seed 1000 + i: what is found does not suit one seed, nor one that is shipped."""
_TOLD = re.compile(r"^([\d,]+) of [\d,]+ steps\b(.*)$")
_NUMBER = re.compile(r"\b(\w+) (-?[\d.]+(?:e-?\d+)?)")


class TrialFailed(ValueError):
    """A training ended with an error."""


@dataclass(frozen=True)
class Sweep:
    """What is asked for: an algorithm, the words of its command, how many trials, and the space."""

    algorithm: str
    words: tuple[str, ...]
    trials: int
    space: Space
    metric: str = "score"
    """The number that is maximised: "score" where the task has a floor and a ceiling."""
    steps: int = 0
    """Decisions of a training, for when it is evaluated; 0 for none but the last."""
    seed: int = 0
    prune: bool = True

    def __post_init__(self) -> None:
        at_least("trials", self.trials, 1, integer=True)
        at_least("seed", self.seed, 0, integer=True)
        if not self.space:
            raise ValueError("a sweep needs at least one option to vary.")

    def about(self) -> dict[str, Any]:
        """What must be the same where a journal is taken up again."""
        named = {name: optuna.distributions.distribution_to_json(d) for name, d in self.space.items()}
        return {"algorithm": self.algorithm, "words": list(self.words), "space": named, "metric": self.metric}


@dataclass(frozen=True)
class Trial:
    """One training as a job; `prepared` gives it its settings when it is sent."""

    sweep: Sweep
    index: int
    settings: dict[str, Any] = field(default_factory=dict)
    number: int = -1
    bars: dict[int, float] = field(default_factory=dict)
    """Step -> the least evaluation with which the training goes on."""

    @property
    def label(self) -> str:
        return f"trial {self.number if self.number >= 0 else self.index}"

    def work(self, keep: Keep) -> bytes:
        """Train; each evaluation is sent home. The result says how it ended, in JSON."""
        with tempfile.TemporaryDirectory() as place:
            values: list[tuple[int, float]] = []
            stopped, printed = False, ""
            with _training(self._words(place)) as lines:
                for line in lines:
                    printed = line or printed
                    if (told := _evaluation(line, self.sweep.metric)) and (not values or told[0] > values[-1][0]):
                        values.append(told)
                        keep(json.dumps({"trial": self.number, "step": told[0], "value": told[1]}).encode())
                        if max(v for _, v in values) < self._bar(told[0]):
                            stopped = True
                            break
            if stopped:
                return self._told("pruned", values[-1][1])
            policy = Path(place) / "run" / "policy.json"
            if not policy.exists():
                return self._told("failed", None, printed[-300:])
            results = json.loads(policy.read_text("utf-8"))["results"]
            if self.sweep.metric not in results:
                return self._told("failed", None, f"its results have no {self.sweep.metric}")
            return self._told("complete", float(results[self.sweep.metric]))

    def _told(self, state: str, value: float | None, reason: str = "") -> bytes:
        return json.dumps({"trial": self.number, "state": state, "value": value, "reason": reason}).encode()

    def _bar(self, step: int) -> float:
        """The bar at this step: that of the last step at which finished trials were evaluated."""
        return next((bar for at, bar in sorted(self.bars.items(), reverse=True) if at <= step), -float("inf"))

    def _words(self, place: str) -> list[str]:
        own = [word for name, value in self.settings.items() for word in (f"--{name}", str(value))]
        every = max(self.sweep.steps // EVALUATIONS, 1) if self.sweep.steps else 0
        evaluated = [] if "--eval-every" in self.sweep.words else ["--eval-every", str(every)]
        where = ["--out", str(Path(place) / "run"), "--seed", str(FIRST_SEED + self.number)]
        return [self.sweep.algorithm, *self.sweep.words, *own, *evaluated, *where]


@contextlib.contextmanager
def _training(words: Sequence[str]) -> Iterator[Iterator[str]]:
    """The lines that a training prints; it is ended with the block. It ends with this process, however that ends."""
    start = (
        "import sys; from mmwave_gym.core.processes import end_with_parent; end_with_parent(int(sys.argv.pop(1))); "
        "from mmwave_gym.cli import main; sys.argv[0] = 'mmwave-gym'; main()"
    )
    command = [sys.executable, "-u", "-c", start, str(os.getpid()), "train", *words]
    wide = {**os.environ, "COLUMNS": "300"}  # a line that is told stays one
    ran = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=wide
    )
    try:
        assert ran.stdout is not None
        yield (line.strip() for line in ran.stdout)
    finally:
        ran.terminate()
        try:
            ran.wait(20)
        except subprocess.TimeoutExpired:
            ran.kill()
            ran.wait()
        if ran.stdout is not None:
            ran.stdout.close()


def _evaluation(line: str, metric: str) -> tuple[int, float] | None:
    """Step and value of a line of progress that tells the metric."""
    found = _TOLD.match(line)
    numbers = dict(_NUMBER.findall(found[2])) if found else {}
    return (int(found[1].replace(",", "")), float(numbers[metric])) if found and metric in numbers else None


class Journal:
    """The trials of a sweep in a file. Raises ValueError where the file holds another sweep."""

    def __init__(self, path: Path, sweep: Sweep):
        try_place(path)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            storage = JournalStorage(JournalFileBackend(str(path)))
            self.study = optuna.create_study(
                storage=storage,
                direction="maximize",
                study_name=NAME,
                load_if_exists=True,
                pruner=optuna.pruners.NopPruner(),
            )
        except (KeyError, ValueError) as error:  # Optuna's, of a line that is none
            raise ValueError(f"{path} is no journal of a sweep: {error}. Name another --out.") from error
        before, about = self.study.user_attrs.get("about"), sweep.about()
        if before is None:
            self.study.set_user_attr("about", about)
        elif differing := [key for key in about if before.get(key) != about[key]]:
            key = differing[0]
            raise ValueError(
                f"{path} holds another sweep: its {key} is {str(before.get(key))[:200]}, asked for is "
                f"{str(about[key])[:200]}. Name another --out."
            )
        for trial in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):  # their process has ended
            self.study.tell(trial.number, state=TrialState.FAIL)
        self._sweep = sweep
        self.study.sampler = optuna.samplers.TPESampler(seed=sweep.seed + len(self.study.trials))

    @property
    def finished(self) -> list[FrozenTrial]:
        """Trials that ran to their end or were stopped early."""
        return self.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])

    def ask(self, index: int) -> Trial:
        """The next trial, by all that is known now."""
        trial = self.study.ask(dict(self._sweep.space))
        bars = self.bars() if self._sweep.prune else {}
        return Trial(self._sweep, index, dict(trial.params), trial.number, bars)

    def bars(self) -> dict[int, float]:
        """Step -> the median of what finished trials had there; {} while few are finished."""
        done = [t for t in self.study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
        if len(done) < MOST_STARTED:
            return {}
        steps = sorted({step for trial in done for step in trial.intermediate_values})
        return {
            step: statistics.median([t.intermediate_values[step] for t in done if step in t.intermediate_values])
            for step in steps
        }

    def report(self, told: Mapping[str, Any]) -> None:
        """Keep an evaluation."""
        storage, trial = self.study._storage, self._id(told["trial"])
        storage.set_trial_intermediate_value(trial, told["step"], told["value"])

    def tell(self, told: Mapping[str, Any]) -> None:
        """Keep how a trial ended."""
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        number, state = told["trial"], states[told["state"]]
        if told.get("reason"):
            self.study._storage.set_trial_user_attr(self._id(number), "reason", told["reason"])
        self.study.tell(number, told["value"] if state == TrialState.COMPLETE else None, state=state)

    def _id(self, number: int) -> int:
        return int(self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number))


def run(
    sweep: Sweep,
    out: Path,
    run_jobs: Callable[..., None] = run_all,
    on_trial: Callable[[str], None] = lambda text: None,
) -> Journal:
    """Do the trials of a sweep that its journal in the folder `out` lacks, and return the journal.

    run_jobs: `run_all` with the words that say where. on_trial: called with a line about each trial that ended. Raises
    TrialFailed where the first trials all fail, ValueError as `Journal`.
    """
    journal = Journal(out / JOURNAL, sweep)
    left = sweep.trials - len(journal.finished)
    asked: dict[int, Trial] = {}

    def prepared(job: Any) -> Any:
        if job.index in asked:  # its process was lost: the settings stay
            return replace(asked[job.index], bars=journal.bars() if sweep.prune else {})
        asked[job.index] = journal.ask(job.index)
        return asked[job.index]

    def done(job: Any, end: Done) -> None:
        told = json.loads(end.result)
        journal.tell(told)
        if told["state"] == "failed" and not journal.finished:
            raise TrialFailed(f"the first trial failed: {told['reason']}")
        value = "" if told["value"] is None else f" {sweep.metric} {told['value']:.4f}"
        on_trial(f"trial {told['trial']}: {told['state']}{value}{' ' + told['reason'] if told['reason'] else ''}")

    def lost(job: Any, reason: str) -> None:
        journal.tell({"trial": asked[job.index].number, "state": "failed", "value": None, "reason": reason})
        on_trial(f"{job.label}: lost, {reason}")

    jobs: list[Job] = [Trial(sweep, index) for index in range(max(left, 0))]
    run_jobs(
        jobs, prepared=prepared, on_part=lambda job, part: journal.report(json.loads(part)), on_done=done, on_lost=lost
    )
    return journal


def best(journal: Journal) -> FrozenTrial | None:
    """The finished trial with the largest value, None where none is finished."""
    done = [t for t in journal.finished if t.state == TrialState.COMPLETE]
    return max(done, key=lambda t: t.value or -float("inf"), default=None)


def distribution(text: str) -> BaseDistribution:
    """What values an option may have, from words: "1e-4..1e-2" or "1e-4..1e-2,log" or "2..8" or "32,64,128".

    Raises ValueError for other words.
    """
    numbers = re.fullmatch(r"([^.,]+(?:\.\d+)?(?:e-?\d+)?)\.\.([^,]+?)(,log)?", text)
    if numbers is None:
        values = [_value(word) for word in text.split(",")]
        if len(set(values)) < len(values) or "" in values:
            raise ValueError(f"values are written as 32,64 or 1e-4..1e-2,log, each value once, got {text!r}.")
        return CategoricalDistribution(values)
    low, high = _value(numbers[1]), _value(numbers[2])
    if isinstance(low, int) and isinstance(high, int) and low < high:
        return IntDistribution(low, high, log=bool(numbers[3]))
    if isinstance(low, str) or isinstance(high, str) or not low < high:
        raise ValueError(f"a range is written as LOW..HIGH with numbers, the lower first, got {text!r}.")
    return FloatDistribution(float(low), float(high), log=bool(numbers[3]))


def _value(word: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    return word
