"""From runs to a `Leaderboard`: which rows count, what is compared with what, and who ranks where.

Everything the page shows is decided here, reasons included: a run that failed, was skipped, is of another
version of the task or has no scored episode stays on the board with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.ceilings import Ceiling, best_known, ceiling_of
from mmwave_gym.benchmark.leaderboard.entries import Entry, Leaderboard, TaskBoard, sign_of
from mmwave_gym.benchmark.leaderboard.keys import DEFINITION, JUDGEMENT
from mmwave_gym.benchmark.leaderboard.leading import against_rules, merits, paired, verdict
from mmwave_gym.benchmark.leaderboard.overall import overall_tables
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.leaderboard.warnings import warnings_of
from mmwave_gym.benchmark.statistics import Sample
from mmwave_gym.core.access import ACCESS_LEVELS, KINDS
from mmwave_gym.core.suites import suite_order

USUAL_SEEDS = 5  # ours: with fewer an interval says little about the luck of training
SAME_STEPS = 0.01
"""Seeds whose numbers of training steps are this close, relative to the most, had the same training; ours."""


Definitions = Mapping[str, Mapping[str, Any]]


def summarise(
    runs: Iterable[Run], tasks: Definitions = MappingProxyType({}), ceilings: Iterable[Ceiling] = ()
) -> Leaderboard:
    """Return the leaderboard of ``runs``: a pure function, the same for the same rows in any order.

    tasks: by name, what the suite says of a task (``Task.describe``). It counts before what the headers of rows tell of
    its floor and what is scored; without it committed rows are believed first, then the newest.
    ceilings: those that are stored, of any tasks; the best known is found among the rows, too.
    """
    by_task: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_task[str(run.task["name"])].append(run)
    stored = defaultdict(list)
    for ceiling in ceilings:
        stored[ceiling.task].append(ceiling)
    boards = [_task_board(by_task[name], tasks.get(name), stored[name]) for name in sorted(by_task)]
    boards.sort(key=lambda board: suite_order(board.suite))
    return Leaderboard(tuple(boards), overall_tables(boards))


def _seed_order(run: Run) -> tuple[str, bool, int]:
    seed = run.agent["training_seed"]
    return (run.agent["name"], seed is not None, seed or 0)


def _task_board(runs: list[Run], known: Mapping[str, Any] | None, stored: list[Ceiling]) -> TaskBoard:
    newest = max(
        runs, key=lambda run: (not run.stale, not run.committed, run.created, run.task["hash"], _seed_order(run))
    )
    believed = [run.task for run in runs if run.committed and run.task["hash"] == newest.task["hash"]]
    says = known or (believed or [newest.task])[0]
    task = {**newest.task, **_definition(says), **{name: says.get(name) for name in JUDGEMENT}}
    current = sorted((r for r in runs if r.task["hash"] == task["hash"] and not r.stale), key=_seed_order)
    stale = sorted((r for r in runs if r.task["hash"] != task["hash"] or r.stale), key=_seed_order)
    by_agent: dict[str, list[Run]] = defaultdict(list)
    for run in current:
        by_agent[run.agent["name"]].append(run)
    samples: dict[str, Sample] = {}
    exact = {agent for c in stored if c.proven and not c.stale for agent in c.agents}
    entries = [_entry(group, task, samples, exact) for group in by_agent.values()]
    holding = [c for c in stored if c.proven and not c.stale]
    if (known_best := best_known(task, samples, stored)) is not None:
        holding.append(known_best)
    no_score = _why_no_score(task, entries, samples)
    entries = [_compared(e, task, samples, holding, no_score) if e.status == "scored" else e for e in entries]
    left_out: dict[tuple[str, str], str] = {}
    for run in stale:  # one warning for all training seeds of an agent
        named = (run.agent["name"], _why_left_out(run, task))
        left_out[named] = (f"{left_out[named]}, " if named in left_out else named[0]) + _at(run)
    warnings = [f"{who} is left out: {why}" for (_, why), who in left_out.items()]
    warnings += [
        f"The rows of {run.agent['name']}{_at(run)} tell another {name} of this task, {repr(told)[:100]}; it is "
        f"{task[name]!r}: that is for the task to say."
        for run in current
        for name, told in _definition(run.task).items()
        if not run.committed and (told or None) != (task[name] or None)
    ]
    warnings += warnings_of(task, entries, samples, stored)
    if len({(e.episodes, e.left_out) for e in entries if e.status == "scored"}) > 1:
        warnings.append(
            "The agents have different numbers of episodes: differences, scores and ranks compare on the "
            "episodes that both have; the plain means are over each agent's own."
        )
    units: dict[str, str] = {task["primary"]: ""}
    for run in current:
        for metric, unit in run.header["metrics"].items():
            units[metric] = units.get(metric) or str(unit)  # a run that failed early may not know its units
    ranked = tuple(_ranked(against_rules(task, entries, samples, holding), task, samples))
    outdated = tuple(sorted({run.agent["name"] for run in stale} - set(by_agent)))
    return TaskBoard(task, ranked, units, no_score, tuple(warnings), tuple(holding), outdated)


def _definition(task: Mapping[str, Any]) -> dict[str, Any]:
    """What the board needs of a task, and no row depends on."""
    return {name: task.get(name) for name in DEFINITION}


def _why_left_out(run: Run, task: Mapping[str, Any]) -> str:
    if run.stale:
        return f"its committed rows no longer hold, {run.stale}. Evaluate it again."
    return (
        f"its rows are of another version of this task (hash {run.task['hash']}, the board's is {task['hash']}). "
        "Evaluate it again."
    )


def _at(run: Run) -> str:
    seed = run.agent["training_seed"]
    return "" if seed is None else f"@{seed}"


def _entry(runs: list[Run], task: Mapping[str, Any], samples: dict[str, Sample], exact: Container[str]) -> Entry:
    """One agent's own numbers; its values of the primary metric go into ``samples``. exact: whose rows are ceilings."""
    runs = _without_superseded(runs)
    agent = next((run.agent for run in runs if run.episodes), runs[0].agent)  # what did not play says little of itself
    name = str(agent["name"])
    ended = [run for run in runs if run.failed is None and run.skipped is None]
    whole = [run for run in ended if run.episodes]
    roles = tuple(role for role in ("floor", "reference") if task.get(role) == name)
    roles += ("ceiling",) if name in exact else ()
    group = "bound" if "floor" in roles or agent["access"] == "hindsight" else str(agent["access"])
    notes = [f"{name}{_at(r)} failed: {r.failed}" for r in runs if r.failed is not None]
    notes += [f"{name}{_at(r)} was skipped: {r.skipped}" for r in runs if r.skipped is not None]
    notes += [f"{name}{_at(r)} has no episode yet." for r in ended if not r.episodes]
    if whole:
        status = "scored"
    elif ended:
        status = "empty"
    else:
        status = "failed" if any(r.failed is not None for r in runs) else "skipped"
    label, kind = str(agent.get("label") or name), _kind(agent, roles, group)
    entry = Entry(name, label, kind, str(agent["access"]), group, status, tuple(runs), tuple(notes), roles)
    if not whole:
        return entry
    groups = task.get("groups")
    columns = {metric: sample_of(whole, metric, groups) for metric in (task["primary"], *whole[0].header["metrics"])}
    primary = columns[task["primary"]]
    if not primary.episodes.size:
        return replace(
            entry, status="empty", notes=(*notes, "No episode has a scored step that all training seeds share.")
        )
    samples[name] = primary
    seen = {row["episode"] for run in whole for row in run.episodes}
    if kind == "learned" and len(whole) < USUAL_SEEDS:
        notes.append(
            f"{len(whole)} training seed{'s' if len(whole) > 1 else ''}, where {USUAL_SEEDS} are the rule: "
            "the interval says little about the luck of training."
        )
    different = {tuple(row.get(task["primary"]) for row in run.episodes) for run in whole}
    if len(different) < len(whole):
        notes.append(f"Its {len(whole)} training seeds play in {len(different)} different ways: the others are copies.")
    if kind == "learned" and (unequal := _unequal_settings(whole)):
        notes.append(f"The training seeds were not trained alike: they differ in {', '.join(unequal)}.")
    return replace(
        entry,
        notes=tuple(notes),
        episodes=int(primary.episodes.size),
        planned=int(task.get("episodes") or 0) or max(int(run.task.get("episodes") or 0) for run in whole),
        left_out=len(seen) - int(primary.episodes.size),
        seeds=sum(run.agent["training_seed"] is not None for run in whole),
        mean=statistics.mean_interval(primary.values, primary.groups),
        metrics={
            metric: statistics.mean_interval(sample.values, sample.groups)
            for metric, sample in columns.items()
            if metric != task["primary"] and sample.episodes.size
        },
    )


def _kind(agent: Mapping[str, Any], roles: Sequence[str], group: str) -> str:
    """The kind that the rows tell; that of a floor or a ceiling counts only where the board knows it as such."""
    told = str(agent.get("kind") or "")
    if told in ("floor", "ceiling") and told not in roles:
        return "bound" if group == "bound" else "other"
    return told if told in KINDS else "other"


def _unequal_settings(runs: Sequence[Run]) -> list[str]:
    """Settings in which training seeds of one agent differ, numbers of steps beyond `SAME_STEPS` only.

    Workers without locks end a few steps later than asked for, each time another number.
    """
    configs = [dict(run.agent.get("config") or {}) for run in runs]
    steps = [config.pop("steps", None) for config in configs]
    names = sorted({name for config in configs for name in config} - {"seed"})
    unequal = [name for name in names if any(c.get(name) != configs[0].get(name) for c in configs)]
    known = [s for s in steps if isinstance(s, int | float)]
    if (len(known) < len(steps) and known) or (known and max(known) - min(known) > SAME_STEPS * max(known)):
        unequal.append("steps")
    return unequal


def _without_superseded(runs: list[Run]) -> list[Run]:
    """The runs without one of no training seed that was skipped or failed before there were weights of seeds."""
    newest = max((run.created for run in runs if run.agent["training_seed"] is not None), default="")
    return [
        run
        for run in runs
        if run.agent["training_seed"] is not None
        or (run.failed is None and run.skipped is None)
        or run.created > newest
    ] or runs


def sample_of(runs: Sequence[Run], metric: str, groups: Sequence[int] | None) -> Sample:
    """The values of a metric, a row for each of an agent's runs, on the episodes that all of them have."""
    return Sample.of(
        [{r["episode"]: float(r[metric]) for r in run.episodes if r.get(metric) is not None} for run in runs], groups
    )


def _why_no_score(task: Mapping[str, Any], entries: Sequence[Entry], samples: Mapping[str, Sample]) -> str | None:
    name = task.get("floor")
    if name is None:
        return "No scores: this task names no floor."
    if name not in samples:
        entry = next((e for e in entries if e.agent == name), None)
        why = "; ".join(entry.notes) if entry and entry.notes else "there are no rows of it"
        return f"No scores: the floor, {name}, is missing ({why})."
    return None


def _compared(
    entry: Entry,
    task: Mapping[str, Any],
    samples: Mapping[str, Sample],
    ceilings: Sequence[Ceiling],
    no_score: str | None,
) -> Entry:
    """Add the difference to the reference and the score."""
    own = samples[entry.agent]
    if entry.agent == task.get("reference"):
        entry = replace(entry, verdict="reference")
    elif task.get("reference") in samples and (difference := paired(own, samples[task["reference"]])) is not None:
        entry = replace(entry, difference=difference, verdict=verdict(task, difference))
    limit = ceiling_of(ceilings, entry.access, sign_of(task))
    if no_score is None and limit is not None:
        values, floor, ceiling = statistics.align(own, samples[task["floor"]], limit.sample)
        if values.size and (ceiling.mean() - floor.mean()) * sign_of(task) > 0:
            scores = statistics.normalised(values, floor, ceiling)
            groups = statistics.shared_groups(own, samples[task["floor"]], limit.sample)
            entry = replace(
                entry,
                score=statistics.score_interval(values, floor, ceiling, groups),
                iqm=statistics.interquartile_mean(scores),
            )
        else:
            why = "is no better than the floor" if values.size else "has no episode in common with it and the floor"
            entry = replace(entry, notes=(*entry.notes, f"No score: the ceiling, {limit.name}, {why}."))
    return entry


def _ranked(entries: Sequence[Entry], task: Mapping[str, Any], samples: Mapping[str, Sample]) -> list[Entry]:
    """Order the entries, best first within each group, and rank those that are ranked."""
    merit = merits(task, samples)
    ordered = []
    for group in (*ACCESS_LEVELS, "bound"):
        members = [e for e in entries if e.group == group and e.status == "scored"]
        members.sort(key=lambda e: (-merit(e.agent), e.agent))
        if group != "bound":
            members = [
                replace(e, rank=i + 1, tied=i > 0 and _tied(samples[e.agent], samples[members[i - 1].agent]))
                for i, e in enumerate(members)
            ]
        ordered += members
    return ordered + sorted((e for e in entries if e.status != "scored"), key=lambda e: (e.status, e.agent))


def _tied(own: Sample, above: Sample) -> bool:
    difference = paired(own, above)
    return difference is None or not difference.excludes_zero
