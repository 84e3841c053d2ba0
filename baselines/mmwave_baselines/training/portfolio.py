"""Tunes every rule of tasks with one budget: python -m mmwave_baselines.training.portfolio --suite v1

A rule is a shipped agent that declares parameters. What was tuned with this budget for the task of today stays, so that
an interrupted run goes on. Least squares is fitted first. Tasks that are marked as expensive are played where named.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from mmwave_baselines.forecast import LeastSquares, place
from mmwave_baselines.training import least_squares
from mmwave_baselines.training.recipes import recipe
from mmwave_gym.agents.loading import find
from mmwave_gym.agents.registry import agents, is_shipped
from mmwave_gym.agents.tuned import BUDGET, EPISODES, declares, file_of, stored
from mmwave_gym.benchmark.suite import all_tasks, task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli import main as command


def rules(scenario: str) -> Iterator[str]:
    """Names of a scenario's shipped agents that declare parameters."""
    for name in agents(scenario):
        if is_shipped(name, scenario) and declares(find(name, scenario)):
            yield name


def is_tuned(name: str, task: Task, budget: int, episodes: int) -> bool:
    """Was a rule tuned with this budget for the task of today?"""
    kind = find(name, task.scenario_name)
    entry = stored(file_of(kind)).get(kind.__name__, {}).get(task.name, {})
    asked = {"settings_tried": budget, "training_episodes": episodes}.items()
    return entry.get("task_hash") == task.hash and asked <= entry["tuned_by"].items()


def _episodes(task: Task) -> int:
    """Training episodes that a setting plays: fewer where the scenario's recipe says so."""
    return recipe(task.scenario_name).tuning_episodes.get(task.name, EPISODES)


def tune_all(task: Task, names: Sequence[str], budget: int, episodes: int) -> None:
    """Tune rules for a task, those that are not tuned yet."""
    for name in names:
        if is_tuned(name, task, budget, episodes):
            continue
        kind = find(name, task.scenario_name)
        if issubclass(kind, LeastSquares) and not place(kind, task.name).exists():
            least_squares.run(["--task", task.name, "--episodes", str(2 * episodes)])
        try:
            command(["tune", name, "--task", task.name, "--budget", str(budget), "--episodes", str(episodes)])
        except SystemExit as ended:
            if ended.code not in (0, None, 2):  # 2: the rule has no business in the task, and has said why
                raise


def main(argv: Sequence[str] | None = None) -> None:
    """Tune, task by task."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", action="append", help="default: every task that is not expensive and can run here")
    parser.add_argument("--suite", action="append", help="of all tasks, those of this suite")
    parser.add_argument("--rule", action="append", help="default: all of the task's scenario")
    parser.add_argument("--budget", type=int, default=BUDGET, help="settings tried of each rule")
    parser.add_argument("--episodes", type=int, help=f"training episodes of each; default {EPISODES}, or the recipe's")
    args = parser.parse_args(argv)
    default = [task for task in all_tasks(suites=args.suite) if not (task.expensive or task.missing_data)]
    for task in [find_task(name) for name in args.task] if args.task else default:
        known, episodes = list(rules(task.scenario_name)), args.episodes or _episodes(task)
        tune_all(task, [name for name in known if not args.rule or name in args.rule], args.budget, episodes)


if __name__ == "__main__":
    main()
