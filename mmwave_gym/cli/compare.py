"""`mmwave-gym compare`: two agents on the same episodes."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any

import typer

from mmwave_gym.agents.formats import refuse_what_lacks
from mmwave_gym.agents.supervised import USUAL, Limits
from mmwave_gym.benchmark.jobs import Done
from mmwave_gym.benchmark.leaderboard.differences import rough_episodes, what_settles, words
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.verdict import Comparison, compare as compared
from mmwave_gym.cli import completion
from mmwave_gym.cli.options import (
    WHO,
    EnvName,
    Jobs,
    LimitMemory,
    LimitStep,
    LimitTotal,
    Nodes,
    Ray,
    Settings,
    TaskName,
    Trusted,
    chosen_task,
    everywhere,
)
from mmwave_gym.cli.output import print_table, progress, say, say_what_is_trusted

Who = Annotated[str, typer.Argument(help=WHO, autocompletion=completion.agents)]


def compare(
    first: Who,
    second: Who,
    task: TaskName = None,
    env: EnvName = None,
    episodes: Annotated[
        int | None, typer.Option(min=2, help="test episodes; those that committed rows lack are played")
    ] = None,
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    jobs: Jobs = 1,
    ray: Ray = None,
    trusted: Trusted = False,
    limit_step_s: LimitStep = USUAL.step_s,
    limit_s: LimitTotal = USUAL.total_s,
    limit_memory_gib: LimitMemory = USUAL.memory_gib,
) -> None:
    """Compare two agents on the same episodes, in every metric. Committed rows are read, everything else is played."""
    found = chosen_task(task, env, settings)
    for agent in (first, second):
        refuse_what_lacks(agent)
        say_what_is_trusted(agent)
    with progress() as shown:
        bar, nodes = shown.add_task("committed rows", total=None), Nodes()

        def done(job: Any, end: Done) -> None:
            shown.update(bar, advance=1, description=nodes.description(f"{job.spec} in {found.name}", end))

        result = compared(
            first,
            second,
            found,
            episodes=episodes,
            trusted=trusted,
            limits=Limits(step_s=limit_step_s, total_s=limit_s, memory_gib=limit_memory_gib),
            where=everywhere(jobs, ray),
            on_plan=lambda runs: shown.update(bar, total=runs, description=f"playing in {found.name}"),
            on_done=done,
        )
    if as_json:
        print(json.dumps(result.as_json()))
        return
    title = f"{first} less {second} in {found.name}, {result.primary.episodes:,} episodes"
    heads = ("metric", first, second, "difference", "95 %", "unit", "")
    print_table(title, heads, [_line(result, i) for i in range(len(result.differences))])
    say(f"Verdict: {first} is {words(result.primary)} ({found.primary}).")
    if settles := what_settles(result.primary):
        place = ["--task", task] if task else ["--env", str(env)]
        place += [word for setting in settings or () for word in ("--set", setting)]
        say(settles + _command(result, place))
    say(f"Played now: {', '.join(result.played)}." if result.played else "All rows are committed ones.")


def _line(result: Comparison, i: int) -> tuple[str, ...]:
    one, (own, other) = result.differences[i], result.means[i]
    return (
        one.metric,
        number(own.mean, own),
        number(other.mean, other),
        number(one.value.mean, one.value, True),
        ends(one.value, True),
        one.unit,
        one.verdict,
    )


def _command(result: Comparison, place: list[str]) -> str:
    """The command that plays as many episodes as are wanted, in the same place; nothing where no number is known."""
    if result.primary.more is None:
        return ""
    words = shlex.join([result.first, result.second, *place])
    return f" mmwave-gym compare {words} --episodes {rough_episodes(result.primary)}"
