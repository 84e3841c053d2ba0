"""`mmwave-gym audit`: what decides each task, by its rows, and which tasks have too little evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.leaderboard import RowsError, TaskBoard, read_rows, summarise
from mmwave_gym.benchmark.leaderboard.deciding import contradiction, decide
from mmwave_gym.benchmark.leaderboard.evidence import evidence, lacks
from mmwave_gym.cli.options import TaskNames, chosen_tasks
from mmwave_gym.cli.output import out, print_table

COLUMNS = ("task", "suite", "best rule", "learned", "episodes", "width")


def audit(
    task: TaskNames = None,
    suites: Annotated[
        list[str] | None, typer.Option("--suite", help="only the tasks of this suite (v1, papers); may be repeated")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(help="the rows of a board of yours, DIR/rows, instead of the committed ones")
    ] = None,
) -> None:
    """Say what decides each task, from rows: the best rule's share of what its level allows, the learned agents'
    shares, how many of them are told apart from the rule, and whether there are enough episodes. Plays nothing. Exit
    code 1: a task is not in the suite that its rows ask for, and does not state why."""
    chosen = chosen_tasks(task, suites)
    names = [t.name for t in chosen]
    runs = committed_runs(names) if rows is None else [r for r in read_rows(rows) if r.task["name"] in names]
    if not runs:
        raise RowsError("there are no rows of these tasks: play them with `mmwave-gym leaderboard`, or name --rows.")
    boards = summarise(runs, {t.name: t.describe() for t in suite.all_tasks()}, stored_ceilings(chosen)).tasks
    print_table("What decides a task", COLUMNS, [_row(board) for board in boards])
    for board in boards:
        for sentence in lacks(board):
            _say(f"{board.name}: {sentence}")
    wrong = [sentence for board in boards if (sentence := contradiction(board))]
    for sentence in wrong:
        _say(sentence)
    if wrong:
        raise typer.Exit(1)


def _row(board: TaskBoard) -> tuple[str, ...]:
    found, looked = decide(board), evidence(board)
    learned = list((found.learned or {}).values())
    spread = " to ".join(f"{share:.3f}" for share in sorted({learned[0], learned[-1]})) if learned else "–"
    widths = [one.width for one in looked if one.width is not None]
    by_rows = "" if found.suite == board.suite else f", by rows {found.suite or 'undecided'}"
    return (
        board.name,
        board.suite + by_rows,
        f"{found.rule} {found.rule_share:.3f}" if found.rule_share is not None else "–",
        f"{spread}, {len(found.apart)} of {len(learned)} apart" if learned else "–",
        f"{min(one.episodes for one in looked)} of {board.task.get('episodes')}" if looked else "–",
        f"{max(widths):.1%}" if widths else "–",
    )


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
