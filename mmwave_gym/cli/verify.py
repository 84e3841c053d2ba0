"""`mmwave-gym verify`: play published rows again, in other ways and in hidden episodes, and say what holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.agents.supervised import USUAL, Limits
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.evaluation import BLOCK
from mmwave_gym.benchmark.jobs import Done
from mmwave_gym.benchmark.leaderboard import RowsError
from mmwave_gym.benchmark.verification import Asked, Verdict, found_at, note, verify_all
from mmwave_gym.cli.options import Jobs, LimitMemory, LimitStep, LimitTotal, Nodes, Ray, TaskNames, everywhere
from mmwave_gym.cli.output import out, progress
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.files import try_place
from mmwave_gym.core.shown import visible

LONGEST = 2000
"""Characters of a line about a run."""


def verify(
    place: Annotated[Path, typer.Argument(metavar="ROWS|BOARD", help="a row file, a folder of rows or packs, a board")],
    key: Annotated[
        str, typer.Option(help="also play hidden episodes under this secret; - asks for it, so that no agent sees it")
    ] = "",
    rows: Annotated[int, typer.Option(min=1, help="rows of each run that are played again")] = BLOCK,
    hidden: Annotated[int, typer.Option(min=2, help="hidden episodes of each run")] = 32,
    task: TaskNames = None,
    agent: Annotated[list[str] | None, typer.Option(help="only these agents")] = None,
    most_s: Annotated[
        float | None, typer.Option(min=0.0, help="leave out runs whose rows took more seconds of processor time")
    ] = None,
    seed: Annotated[str, typer.Option(help="draws which rows are played again, and their order")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    record: Annotated[bool, typer.Option(help="keep what passed beside the rows, for the board")] = True,
    jobs: Jobs = 0,
    ray: Ray = None,
    limit_step_s: LimitStep = USUAL.step_s,
    limit_s: LimitTotal = USUAL.total_s,
    limit_memory_gib: LimitMemory = USUAL.memory_gib,
) -> None:
    """Play published rows again and say, for each run, whether it passed. Exit code 1: something failed."""
    everything = found_at(place)
    for what, wanted in (("task", task), ("agent", agent)):
        known = sorted({str(run.header[what]["name"]) for run in everything})
        if missing := [name for name in wanted or () if name not in known]:
            raise RowsError(f"none of the {len(everything)} runs in {place} is it: {unknown(what, missing[0], known)}")
    chosen = [
        run
        for run in everything
        if (not task or run.task["name"] in task)
        and (not agent or run.agent["name"] in agent)
        and (most_s is None or (run.processor_s is not None and run.processor_s <= most_s))
    ]
    if not chosen:
        raise RowsError(f"none of the {len(everything)} runs in {place} was chosen by --task, --agent and --most-s.")
    if record:
        for path in dict.fromkeys(run.path for run in chosen if run.path is not None):
            try_place(path)
    limits = Limits(step_s=limit_step_s, total_s=limit_s, memory_gib=limit_memory_gib)
    secret = _secret() if key == "-" else key
    tests = sum(bool(run.episodes) and not run.failed for run in chosen)
    asked = Asked(rows=rows, secret=secret, hidden=hidden, seed=seed, limits=limits, tests=max(tests, 1))
    names = sorted({str(run.task["name"]) for run in chosen})
    context = [*everything, *(committed_runs(names) if secret else ())]
    with progress() as shown:
        bar, nodes = shown.add_task("verifying", total=len(chosen)), Nodes()

        def take(verdict: Verdict, done: Done) -> None:
            shown.update(bar, advance=1, description=nodes.description(_name(verdict.run.identity), done))
            if not as_json:
                _tell(verdict)
            if record:
                note([verdict])

        found = verify_all(chosen, context, asked, everywhere(jobs, ray), take)
    counts = {status: sum(v.status == status for v in found) for status in ("passed", "failed", "not checked")}
    if as_json:
        print(json.dumps({"counts": counts, "runs": [verdict.as_json() for verdict in found]}))
    else:
        out.print(", ".join(f"{count} {status}" for status, count in counts.items()) + ".", highlight=False)
    if counts["failed"]:
        raise typer.Exit(1)


def _tell(verdict: Verdict) -> None:
    text = f"{verdict.status}: {_name(verdict.run.identity)}: {verdict.reason.rstrip('.')}."
    out.print(visible(text)[:LONGEST], markup=False, highlight=False, soft_wrap=True)


def _name(identity: tuple[str, str, int | None]) -> str:
    task, agent, seed = identity
    return f"{task} {agent}{'' if seed is None else f'@{seed}'}"


def _secret() -> str:
    """The key, typed unseen or as the first line of standard input."""
    typed = typer.prompt("key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    return str(typed).strip()
