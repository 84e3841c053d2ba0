"""`mmwave-gym tune`: choose the parameters that an agent declares, on a task's training split."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmwave_gym.agents.loading import find
from mmwave_gym.agents.tuned import BUDGET, EPISODES, FILE, file_of, parameters, stored
from mmwave_gym.benchmark.evaluation import metric_units
from mmwave_gym.benchmark.jobs import Done
from mmwave_gym.benchmark.leaderboard.digits import number
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli.options import EnvName, Nodes, Ray, Settings, TaskName, chosen_task, everywhere
from mmwave_gym.cli.output import out, print_table, progress
from mmwave_gym.core.errors import require
from mmwave_gym.core.files import try_place, write

if TYPE_CHECKING:
    from mmwave_gym.benchmark.tuning import Tuning

Tuned = Annotated[str, typer.Argument(help="a name (a3), package.module:Class, or file.py:Class")]


def tune(
    agent: Tuned,
    task: TaskName = None,
    env: EnvName = None,
    settings: Settings = None,
    budget: Annotated[int, typer.Option(min=1, help="settings tried")] = BUDGET,
    episodes: Annotated[int, typer.Option(min=1, help="training episodes that each of them plays")] = EPISODES,
    seed: Annotated[int, typer.Option(min=0, help="of the settings proposed")] = 0,
    jobs: Annotated[int, typer.Option("--jobs", min=0, help="processes; 0 is one a core")] = 1,
    ray: Ray = None,
    journal: Annotated[
        Path | None, typer.Option(help="where it goes on if interrupted; default runs/tune/AGENT-TASK.journal")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help=f"where the result goes; default {FILE} beside the agent's module")
    ] = None,
) -> None:
    """Tune an agent that declares its parameters, on the task's training split. docs/tuning.md says how."""
    require("tuning", "optuna")
    found = chosen_task(task, env, settings)
    if reason := found.missing_data:
        raise ValueError(f"{found.name}: {reason}.")
    found.for_training()  # fails before any work
    kind = find(agent, found.scenario_name)
    parameters(kind, found)
    path = out_file or file_of(kind)
    try_place(path)
    stored(path)
    from mmwave_gym.benchmark.tuning import Plan, tune as search

    plan = Plan(agent=agent, task=found, budget=budget, episodes=episodes, seed=seed)
    kept = journal or Path("runs/tune") / f"{_plain(agent)}-{_plain(found.name)}.journal"
    with progress() as shown:
        bar, nodes = shown.add_task(f"tuning {agent} in {found.name}", total=None), Nodes()

        def played(job: Any, done: Done) -> None:
            shown.update(bar, advance=1, description=nodes.description(f"{agent}: {job.label}", done))

        result = search(plan, kept, everywhere(jobs, ray), played)
    _store(path, kind.__name__, found, result)
    _show(agent, found, result, path)


def _store(path: Path, name: str, task: Task, result: Tuning) -> None:
    """Add to the file; what it holds of other classes and tasks stays."""
    held = stored(path)
    held.setdefault(name, {})[task.name] = {
        "parameters": result.parameters,
        "task_hash": task.hash,
        "tuned_by": result.config,
    }
    write(path, json.dumps(held, indent=1, sort_keys=True) + "\n")


def _show(agent: str, task: Task, result: Tuning, path: Path) -> None:
    tried, unit = result.config, metric_units(task.scenario())[task.primary]
    title = f"{agent} in {task.name}: {tried['settings_tried']} settings tried, {task.primary} in {unit}"
    here, there = result.training - result.default_training, result.validation - result.default_validation
    lines = [
        ("defaults", number(result.default_training), number(result.default_validation), ""),
        ("tuned", number(result.training), number(result.validation), ""),
        ("difference", number(here, signed=True), number(there, signed=True), number(result.gap, signed=True)),
    ]
    print_table(title, ("", "training", "validation", "gap"), lines)
    gain = result.gain
    says = [
        f"Gain over the defaults in validation: {gain.mean:.4g} [{gain.low:.4g}, {gain.high:.4g}], paired, 95 %."
        if gain.mean > 0.0
        else "The defaults are as good in validation: they stay.",
        *(f"{name} = {value}" for name, value in sorted(result.parameters.items())),
        f"{tried['processor_s']:g} s of processor time. Written to {path}.",
    ]
    for text in says:
        out.print(text, markup=False, highlight=False, soft_wrap=True)


def _plain(text: str) -> str:
    """A text as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.@=,_-]+", "-", text)
