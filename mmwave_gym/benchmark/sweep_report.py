"""The report of a sweep: trials as a table, plots, and the command that trains with the best settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from mmwave_gym.benchmark.sweeps import Journal, Sweep, best
from mmwave_gym.core.files import replacing, write as write_file

REPORT, TRIALS = "report.md", "trials.json"
SHOWN = 20
"""Rows of the table: ours."""


def write(journal: Journal, sweep: Sweep, out: Path) -> list[Path]:
    """Write report, trials and plots into a folder, and return their paths. Plots need Matplotlib; none without it."""
    trials = journal.study.get_trials(deepcopy=False)
    plots = [] if find_spec("matplotlib") is None or not journal.finished else _plots(journal, sweep, out)
    values = [_as_json(trial) for trial in trials]
    write_file(out / TRIALS, json.dumps({**sweep.about(), "trials": values}, indent=1) + "\n")
    write_file(out / REPORT, _text(journal, sweep, plots))
    return [out / REPORT, out / TRIALS, *plots]


def command(trial: FrozenTrial, sweep: Sweep, seeds: str = "0-4") -> str:
    """The command that trains five seeds with a trial's settings."""
    own = [word for name, value in trial.params.items() for word in (f"--{name}", str(value))]
    return shlex.join(["mmwave-gym", "train", sweep.algorithm, *sweep.words, *own, "--seeds", seeds])


def _as_json(trial: FrozenTrial) -> dict[str, Any]:
    seconds = trial.duration.total_seconds() if trial.duration else None
    evaluations = {str(step): value for step, value in sorted(trial.intermediate_values.items())}
    ended = {"state": trial.state.name.lower(), "value": trial.value, "reason": trial.user_attrs.get("reason", "")}
    return {"number": trial.number, **ended, "settings": trial.params, "evaluations": evaluations, "seconds": seconds}


def _text(journal: Journal, sweep: Sweep, plots: Sequence[Path]) -> str:
    trials = journal.study.get_trials(deepcopy=False)
    counts = {state: sum(t.state == state for t in trials) for state in TrialState}
    found = best(journal)
    lines = [f"# Sweep of {sweep.algorithm}", ""]
    lines += [f"`{shlex.join(['mmwave-gym', 'sweep', sweep.algorithm, *sweep.words])}`", ""]
    lines += [
        f"{counts[TrialState.COMPLETE]} trials ran to their end, {counts[TrialState.PRUNED]} were stopped early, "
        f"{counts[TrialState.FAIL]} failed. One training seed each, judged by `{sweep.metric}` on the training split.",
        "",
    ]
    if found is None:
        return "\n".join([*lines, "No trial ran to its end."]) + "\n"
    lines += [
        f"Best: trial {found.number}, {sweep.metric} {found.value:.4f}. It is the best of many trials of one seed,",
        "so it promises too much: train it anew with several seeds.",
        "",
        "```",
        command(found, sweep),
        "```",
        "",
    ]
    lines += [f"![{plot.stem}]({plot.name})" for plot in plots]
    names = list(sweep.space)
    lines += ["", f"| trial | {sweep.metric} | {' | '.join(names)} |", f"|{'---|' * (len(names) + 2)}"]
    done = sorted(
        (t for t in trials if t.state == TrialState.COMPLETE), key=lambda t: t.value or -float("inf"), reverse=True
    )
    for trial in done[:SHOWN]:
        settings = " | ".join(_short(trial.params.get(name)) for name in names)
        lines.append(f"| {trial.number} | {trial.value:.4f} | {settings} |")
    return "\n".join(lines) + "\n"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plots(journal: Journal, sweep: Sweep, out: Path) -> list[Path]:
    """Three pictures: values in their order, evaluations within trainings, and each option against the value."""
    from matplotlib.figure import Figure

    done = [t for t in journal.finished if t.state == TrialState.COMPLETE]
    every = journal.finished
    order = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = order.subplots()
    numbers, values = [t.number for t in done], [t.value or 0.0 for t in done]
    axes.plot(numbers, values, "o", label="a trial")
    axes.step(numbers, [max(values[: i + 1]) for i in range(len(values))], where="post", label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(sweep.metric)
    if done:
        axes.legend()
    curves = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = curves.subplots()
    for trial in every:
        steps = sorted(trial.intermediate_values)
        stopped = trial.state == TrialState.PRUNED
        axes.plot(steps, [trial.intermediate_values[s] for s in steps], color="0.7" if stopped else "C0", lw=1)
    axes.set_xlabel("decisions (grey: stopped early)")
    axes.set_ylabel(sweep.metric)
    slices = Figure(figsize=(3.2 * min(3, len(sweep.space)), 2.6 * -(-len(sweep.space) // 3)), layout="constrained")
    grid = slices.subplots(-(-len(sweep.space) // 3), min(3, len(sweep.space)), squeeze=False)
    for axes, (name, of) in zip(grid.ravel(), sweep.space.items(), strict=False):
        ranged = isinstance(of, FloatDistribution | IntDistribution)
        axes.plot([t.params[name] if ranged else str(t.params[name]) for t in done], values, "o")
        axes.set_xlabel(name)
        axes.set_ylabel(sweep.metric)
        if isinstance(of, FloatDistribution | IntDistribution) and of.log:
            axes.set_xscale("log")
    for axes in grid.ravel()[len(sweep.space) :]:
        axes.set_axis_off()
    paths = []
    for name, figure in (("order", order), ("curves", curves), ("options", slices)):
        paths.append(out / f"{name}.png")
        with replacing(paths[-1], ".png") as draft:
            figure.savefig(draft, dpi=120)
    return paths
