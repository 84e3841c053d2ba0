"""A `Leaderboard` as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from mmwave_gym.benchmark.leaderboard.classes import classes
from mmwave_gym.benchmark.leaderboard.deciding import decide, reason
from mmwave_gym.benchmark.leaderboard.digits import ends, number, with_unit
from mmwave_gym.benchmark.leaderboard.entries import Entry, Leaderboard, Overall, TaskBoard
from mmwave_gym.benchmark.leaderboard.evidence import lacks
from mmwave_gym.benchmark.leaderboard.sentences import about_suite, ceilings, headline, limits
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.shown import spreadsheet_safe, visible

TRAINING = ("decisions", "processor time (s)", "teacher", "oracle regrets", "trained on")
"""Columns of the table of trained agents."""


def training(entry: Entry, board: TaskBoard) -> list[str]:
    """Return a trained agent's cells of the columns `TRAINING`, numbers as means over its seeds."""
    recorded = entry.training or {}
    unknown = "not recorded"
    decisions, seconds, teacher = recorded.get("decisions"), recorded.get("processor_s"), recorded.get("teacher")
    regrets, place = recorded.get("oracle_regrets"), recorded.get("trained_on")
    return [
        unknown if decisions is None else f"{round(decisions):,}",
        unknown if seconds is None else f"{round(seconds):,}",
        unknown if teacher is None else str(teacher) or "none",
        unknown if regrets is None else "yes" if regrets else "no",
        unknown if place is None else "here" if place == board.name else f"carried over from {place}",
    ]


def markdown(leaderboard: Leaderboard) -> str:
    """Return the Markdown form: per suite the overall tables, then one table per task."""
    lines = ["# mmwave-gym leaderboard", ""]
    lines += ["Score: 0 is the floor, 1 the ceiling of the agent's access level. Brackets are 95 % intervals.", ""]
    for suite in leaderboard.suites:
        lines += [f"## Suite {_md(suite)}", "", _md(about_suite(suite)), ""]
        for overall in (o for o in leaderboard.overall if o.suite == suite):
            lines += _markdown_overall(overall, leaderboard)
        for board in (b for b in leaderboard.tasks if b.suite == suite):
            lines += _markdown_task(board)
    return "\n".join(lines).rstrip() + "\n"


def _markdown_overall(overall: Overall, leaderboard: Leaderboard) -> list[str]:
    names = [task.partition("/")[2] for task in overall.tasks]
    lines = [f"### {_md(overall.scenario)}: all {len(overall.tasks)} tasks", ""]
    lines.append("| agent | access | mean score | IQM | " + " | ".join(map(_md, names)) + " |")
    lines.append("|---|---|---:|---:|" + "---:|" * len(names))
    for row in overall.rows:
        means = ["–" if value is None else f"{value:.3f}" for value in (row.mean, row.iqm)]
        cells = [why if score is None else f"{score:.3f}" for score, why in zip(row.scores, row.empty, strict=True)]
        lines.append("| " + " | ".join([_md(row.label), row.entry.access, *means, *cells]) + " |")
    return [*lines, ""]


def _markdown_task(board: TaskBoard) -> list[str]:
    task, primary = board.task, str(board.task["primary"])
    lines = [
        f"### {_md(board.name)}",
        "",
        _md(str(task.get("description") or "")),
        "",
        *(f"- **{_md(who)}** {_md(text)}" for who, text in headline(board)),
        "",
        _md(reason(board)),
        "",
        *([_md(limits(board)), ""] if limits(board) else []),
    ]
    lines += [*(f"- Ceiling {_md(text)}" for text in ceilings(board)), ""] if board.ceilings else []
    lines += [f"> Too little evidence: {_md(text)}\n" for text in lacks(board)]
    lines += [f"> Warning: {_md(text)}\n" for text in board.warnings]
    if board.no_score:
        lines += [f"> {_md(board.no_score)}", ""]
    heads = [
        "rank",
        "agent",
        "access",
        "class",
        "score",
        "IQM",
        with_unit(board, primary),
        "difference to reference",
        "less best rule",
        "episodes",
        "seeds",
        "rows",
        "verified",
    ]
    lines += [
        "| " + " | ".join(map(_md, heads)) + " |",
        "|---:|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|---|",
    ]
    for e in board.entries:
        told = ", ".join(classes(e, board))
        if e.status != "scored" or e.mean is None:
            why = f"{e.status}: {' '.join(e.notes)}"
            cells = ["–", e.label, e.access, told, why, *[""] * 6, e.created[:10], ""]
            lines.append("| " + " | ".join(map(_md, cells)) + " |")
            continue
        cells = [
            "–" if e.rank is None else f"{e.rank}{' ≈' if e.tied else ''}",
            e.label + "".join(f" ({role})" for role in e.roles),
            e.access,
            told,
            f"{number(e.score.mean, e.score)} {ends(e.score)}" if e.score else "–",
            number(e.iqm, e.score),
            f"{number(e.mean.mean, e.mean)} {ends(e.mean)}",
            _judged(e.difference, e.verdict),
            _judged(e.gain, e.gain_verdict),
            episodes_of(e),
            str(e.seeds or "–"),
            e.created[:10] + (" (committed)" if e.committed else ""),
            e.verified or "–",
        ]
        lines.append("| " + " | ".join(map(_md, cells)) + " |")
    lines += [
        "",
        *(f"- {_md(e.label)}: {_md(' '.join(e.notes))}" for e in board.entries if e.notes and e.status == "scored"),
    ]
    lines += ["", "≈: not distinguishable from the rank above.", "", *_trained(board), *_all_metrics(board)]
    return lines


def _trained(board: TaskBoard) -> list[str]:
    """How each trained agent was trained."""
    found = [e for e in board.entries if e.status == "scored" and e.training is not None]
    if not found:
        return []
    lines = ["<details><summary>Training</summary>", "", "| agent | " + " | ".join(TRAINING) + " |"]
    lines.append("|---|---:|---:|---|---|---|")
    lines += [f"| {_md(e.label)} | {' | '.join(map(_md, training(e, board)))} |" for e in found]
    return [*lines, "", "</details>", ""]


def _all_metrics(board: TaskBoard) -> list[str]:
    """The other metrics of every scored agent: what a high score was bought with."""
    names = [name for name in board.units if name != board.task["primary"]]
    lines = ["<details><summary>All metrics</summary>", "", "| agent | " + " | ".join(map(_md, names)) + " |"]
    lines.append("|---|" + "---:|" * len(names))
    for e in board.entries:
        if e.status == "scored":
            values = (e.metrics.get(name) for name in names)
            shown = " | ".join("–" if value is None else number(value.mean, value) for value in values)
            lines.append(f"| {_md(e.label)} | {shown} |")
    return [*lines, "", "</details>", ""]


def _judged(difference: Interval | None, verdict: str) -> str:
    """A difference with its interval, and its verdict below."""
    if difference is None:
        return verdict or "–"
    shown = f"{number(difference.mean, difference, True)} {ends(difference, True)}".rstrip()
    return f"{shown}, {verdict}" if verdict else shown


def episodes_of(entry: Entry) -> str:
    """How many episodes an agent has, of how many the task asks for."""
    text = str(entry.episodes)
    if entry.episodes + entry.left_out < entry.planned:
        text += f" of {entry.planned} episodes"
    return text + (f" ({entry.left_out} left out)" if entry.left_out else "")


def _md(text: str) -> str:
    """Escape what Markdown or the HTML inside it would read as markup."""
    text = visible(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", text)


def table(leaderboard: Leaderboard) -> str:
    """Return the CSV form: one line per task and agent, all digits, metrics as columns ``mean_<metric>``."""
    metrics = list(dict.fromkeys(m for board in leaderboard.tasks for m in board.units))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    fixed = (
        "task,suite,suite_by_rows,task_version,task_hash,access,group,rank,tied,agent,label,kind,class,status,reason"
    )
    fixed += ",episodes,episodes_left_out,training_seeds,primary,unit"
    for name in ("mean", "score", "difference", "gain", "headroom", "left"):
        fixed += f",{name},{name}_low,{name}_high"
    fixed += ",ceiling,ceiling_kind,ceiling_mean"
    fixed += (
        ",best_rule,gain_verdict,reference_share,headroom_share,score_iqm,verdict,committed,verified,created,command"
    )
    writer.writerow([*fixed.split(","), *_TRAINED, *(f"mean_{m}" for m in metrics)])
    for board in leaderboard.tasks:
        by_rows = decide(board).suite
        for e in board.entries:
            row: list[Any] = [
                board.name,
                board.suite,
                by_rows,
                board.task.get("version"),
                board.task["hash"],
                e.access,
                e.group,
                e.rank,
                e.tied,
                e.agent,
                e.label,
                e.kind,
                "; ".join(classes(e, board)),
            ]
            primary = board.task["primary"]
            row += [e.status, " ".join(e.notes), e.episodes, e.left_out, e.seeds, primary, board.units[primary]]
            for interval in (e.mean, e.score, e.difference, e.gain, e.headroom, e.left):
                row += [interval.mean, interval.low, interval.high] if interval else [None] * 3
            limit = board.ceiling(e.access)
            row += [limit.name, limit.kind, limit.mean.mean] if limit else [None] * 3
            row += [
                e.best_rule,
                e.gain_verdict,
                e.share_of_reference,
                e.share,
                e.iqm,
                e.verdict,
                e.committed,
                e.verified,
                e.created,
                "; ".join(e.commands),
            ]
            row += [(e.training or {}).get(name.removeprefix("training_")) for name in _TRAINED]
            means = dict(e.metrics)
            if e.mean is not None:
                means[str(primary)] = e.mean
            row += [means[m].mean if m in means else None for m in metrics]
            writer.writerow([_cell(value) for value in row])
    return stream.getvalue()


_TRAINED = tuple(f"training_{n}" for n in ("decisions", "processor_s", "teacher", "oracle_regrets", "trained_on"))


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.10g}"
    return spreadsheet_safe(visible(value)) if isinstance(value, str) else value
