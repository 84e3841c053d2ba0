"""Reproductions of papers: rows of runs and tables of analyses in, claims with verdicts, figures and a page out.

A reproduction is an object with the members of `Reproduction`. An entry point of the group `mmwave_gym.reproductions`
names it, in any installed package; the entry point's name is that of `mmwave-gym reproduce`:

    [project.entry-points."mmwave_gym.reproductions"]
    their-paper = "their_package.reproduction:PAPER"

The reproduction says which runs and analyses it needs, judges their results, draws figures and writes the page.
Playing, resuming and writing files are done here. `mmwave_baselines.reproduction.paper.Paper` builds such an object
from its parts and reads the paper's values from one file of claims.
"""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmwave_gym.benchmark.jobs import Done, run_all
from mmwave_gym.benchmark.leaderboard.rows import Run, read_rows
from mmwave_gym.benchmark.playing import play_all
from mmwave_gym.benchmark.runs import Job, header
from mmwave_gym.benchmark.statistics import Sample
from mmwave_gym.benchmark.words import headed
from mmwave_gym.core import files, rooms, untrusted
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.errors import InputError
from mmwave_gym.core.types import Float64Array
from mmwave_gym.version import __version__

GROUP = "mmwave_gym.reproductions"
VERDICTS = ("reproduced", "partly", "not reproduced", "not comparable")
KINDS = {
    "paper": "of the paper",
    "fitted": "fitted by us to the paper's numbers",
    "derived": "that follow from a number fitted by us",
    "ours": "of our own, where the paper is silent",
    "prototype": "of an earlier implementation of ours",
}
"""Whose a claim is, and what pages call claims of that kind."""
Table = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper says, what we measure, and whether they agree. `interval` is the 95 % interval of `ours`.

    `kind` is one of `KINDS`. Only "paper" counts for or against a paper: what was fitted to it, or is ours, does not.

    `times` is what clocks say of it, in words. It is another at every run, so it stands beside the claims, in
    `times.json`, and neither `ours` nor `reason` nor the verdict may depend on a clock.
    """

    id: str
    claim: str
    where: str
    paper: float | str
    ours: float | str
    interval: tuple[float, float] | None
    verdict: str
    reason: str
    times: str = ""
    kind: str = "paper"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}.")
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict must be one of {', '.join(VERDICTS)}, got {self.verdict!r}.")


@dataclass(frozen=True)
class Results:
    """All that a reproduction judges: runs, and the tables of its analyses by name."""

    runs: Sequence[Run]
    tables: Mapping[str, Table]
    quick: bool
    _index: dict[tuple[str, str], list[Run]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for run in self.runs:
            self._index.setdefault((run.task["name"], run.agent["name"]), []).append(run)

    def runs_of(self, task: str, agent: str) -> list[Run]:
        """One run a training seed. Raises KeyError where there is none."""
        return self._index[task, agent]

    def has(self, task: str, agent: str) -> bool:
        """Was this agent played in this task?"""
        return (task, agent) in self._index

    def values(self, task: str, agent: str, metric: str) -> Float64Array:
        """(seed, episode): a metric, in its unit, of the episodes that all seeds played."""
        runs = [{row["episode"]: row[metric] for row in run.episodes} for run in self.runs_of(task, agent)]
        return Sample.of(runs).values


class Reproduction(Protocol):
    """What an entry point of the group names.

    The members are called in this order: `jobs` and `analyses` before anything runs, then `claims`, `figures` and
    `page` with the results. `quick` asks for a run of under a minute that shows that everything works.
    """

    @property
    def title(self) -> str:
        """Authors and title of the paper."""

    @property
    def budget_s(self) -> float:
        """Seconds of a full run on two idle cores."""

    def jobs(self, quick: bool) -> list[Job]:
        """Runs: who plays which task with which training seed. The same ones at every call, none twice."""

    def analyses(self, quick: bool) -> Mapping[str, Callable[[], Table]]:
        """What is computed and not played, by name. Each returns a table: a list of rows of JSON values.

        A finished table is kept and not computed again, so raise a number in its name when its rows change.
        """

    def claims(self, results: Results) -> list[Claim]:
        """One claim of the paper after the other, with its verdict: a function of the results alone."""

    def figures(self, results: Results, directory: Path) -> None:
        """Write the figures as PNG into a directory, which exists."""

    def page(self, results: Results, claims: Sequence[Claim], figures: str) -> str:
        """The page in Markdown but for how it was made; `figures` is the figures' directory as seen from the page."""


def _found() -> dict[str, EntryPoint]:
    return dict(sorted(rooms.points(GROUP, "reproduction").items()))


def reproductions() -> list[str]:
    """Names of the papers that can be reproduced."""
    return list(_found())


def load_reproduction(name: str) -> Reproduction:
    """The reproduction of a name; ValueError with the known names otherwise."""
    found = _found()
    if name not in found:
        raise ValueError(unknown("paper", name, found, none="none (is mmwave-gym installed?)"))
    try:
        reproduction: Reproduction = found[name].load()
    except ImportError:
        raise
    except rooms.BROKEN as error:
        raise ValueError(f"the paper {name} ({found[name].value}) cannot be loaded: {rooms.why(error)}.") from error
    return reproduction


def reproduce(
    name: str,
    out_dir: str | Path,
    *,
    quick: bool = False,
    where: Callable[..., None] = run_all,
    on_plan: Callable[[int], None] = lambda total: None,
    on_done: Callable[[str, Done], None] = lambda what, done: None,
) -> list[Claim]:
    """Reproduce a paper and return its claims. An interrupted call resumes: finished runs and analyses are kept.

    Writes below `out_dir`: `rows/` (a file a run), `tables/` (a file an analysis), `claims.json`, what clocks say of
    the claims in `times.json` and of the whole in `took.json`, the page `<name>.md` and its figures in `<name>/`, the
    name with underscores. Times apart, an interrupted call ends with the same files as an uninterrupted one.
    where: `run_all` with the words that say how many processes or which cluster. on_plan takes the number of runs and
    analyses to do, on_done each as it ends.
    Raises ValueError for an unknown name, and where a run failed.
    """
    paper, root = load_reproduction(name), Path(out_dir)
    rows_dir, tables_dir = root / "rows", root / "tables"
    for directory in (rows_dir, tables_dir):
        directory.mkdir(parents=True, exist_ok=True)
    began, processor_before = time.monotonic(), sum(os.times()[:4])
    jobs = paper.jobs(quick)
    wanted = {_key(job): job for job in jobs}
    finished = {_run_key(run): len(run.episodes) for run in read_rows(rows_dir)}
    waiting = [job for key, job in wanted.items() if finished.get(key, 0) < job.episodes]
    suffix = "-quick" if quick else ""
    paths = {what: tables_dir / f"{what}{suffix}.json" for what in paper.analyses(quick)}
    missing = [what for what, path in paths.items() if not path.exists()]
    on_plan(len(waiting) + len(missing))
    elsewhere_s = 0.0

    def tell(what: str, done: Done) -> None:
        nonlocal elsewhere_s
        elsewhere_s += done.processor_s if done.where else 0.0
        on_done(what, done)

    play_all(waiting, rows_dir, where, lambda job, done: tell(f"{job.task.name} {job.spec}", done))

    def keep(analysis: Any, done: Done) -> None:
        files.write(paths[analysis.label], done.result)
        tell(analysis.label, done)

    where([Analysis(name, what, quick) for what in missing], on_done=keep)
    tables = {what: _table(path) for what, path in paths.items()}
    runs = [run for run in read_rows(rows_dir) if _run_key(run) in wanted]
    for run in runs:
        if run.failed or run.skipped:
            raise ValueError(f"{run.agent['name']} did not play {run.task['name']}: {run.failed or run.skipped}")
    processor_s = sum(os.times()[:4]) - processor_before + elsewhere_s  # with that of workers, which have ended
    took = _time_taken(
        root / "took.json",
        len(waiting) + len(missing),
        len(runs) + len(paths),
        (time.monotonic() - began, processor_s),
        on_cluster=elsewhere_s > 0.0,
    )
    return _write_all(name, paper, Results(runs, tables, quick), root, took)


@dataclass(frozen=True)
class Analysis:
    """An analysis of a reproduction as a job for any machine: its result is the file of the table."""

    paper: str
    label: str
    quick: bool

    def work(self, keep: Callable[[bytes], None]) -> bytes:
        return _json(
            {"version": __version__, "rows": load_reproduction(self.paper).analyses(self.quick)[self.label]()}
        ).encode()


def _write_all(name: str, paper: Reproduction, results: Results, root: Path, took: str) -> list[Claim]:
    """Judge, draw and write what a reader gets."""
    claims = paper.claims(results)
    stem = name.replace("-", "_")
    figures = root / stem
    figures.mkdir(exist_ok=True)
    paper.figures(results, figures)
    page = paper.page(results, claims, stem)
    files.write(root / f"{stem}.md", headed(f"{page}\n{_provenance(name, paper.budget_s, results, took)}"))
    written = [asdict(claim) for claim in claims]
    times = {claim["id"]: text for claim in written if (text := claim.pop("times"))}
    files.write(root / "claims.json", _json(written))
    files.write(root / "times.json", _json(times))
    return claims


def _key(job: Job) -> tuple[Any, ...]:
    head = header(job, None)
    return head["task"]["name"], head["task"]["hash"], head["package_version"], job.agent, job.training_seed


def _run_key(run: Run) -> tuple[Any, ...]:
    agent = run.agent
    return run.task["name"], run.task["hash"], run.header["package_version"], agent["name"], agent["training_seed"]


def _table(path: Path) -> Table:
    """The rows of a finished analysis. InputError where the file is none."""
    with untrusted.blaming(path):
        found = untrusted.json_value(untrusted.read_bytes(path))
        rows = found.get("rows") if isinstance(found, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InputError("it is not the table of an analysis: delete it, and it is made again.")
        return rows


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, default=files.plain) + "\n"


def _time_taken(path: Path, done: int, wanted: int, seconds: tuple[float, float], on_cluster: bool = False) -> str:
    """A sentence on what the last uninterrupted run took, kept beside the rows for a page that is drawn again.

    done and wanted: runs and analyses. seconds: by the clock, and of processors.
    """
    if done == wanted:
        minutes, processor_minutes = (round(s / 60, 1) for s in seconds)
        machine = "a cluster" if on_cluster else f"{os.cpu_count()} cores ({_processor()})"
        files.write(path, _json({"minutes": minutes, "processor_minutes": processor_minutes, "machine": machine}))
    elif done:
        path.unlink(missing_ok=True)
    if not path.exists():
        return "This run was interrupted, so its time says nothing."
    with untrusted.blaming(path):
        took = untrusted.json_value(untrusted.read_bytes(path))
        if not isinstance(took, dict) or not {"minutes", "processor_minutes", "machine"} <= took.keys():
            raise InputError("it is not the time that a run took: delete it.")
    return (
        f"It took {took['minutes']} minutes on {took['machine']} shared with other work, and "
        f"{took['processor_minutes']} minutes of processor time."
    )


def _provenance(name: str, budget_s: float, results: Results, took: str) -> str:
    episodes, tables = sum(len(run.episodes) for run in results.runs), list(results.tables.values())
    played = f"{len(results.runs)} runs, {episodes} episodes; " if results.runs else ""
    budget = "" if results.quick else f" The budget is {budget_s / 60:.0f} minutes on two idle cores."
    return (
        f"## How this page was made\n\n`mmwave-gym reproduce {name} --out DIR{' --quick' if results.quick else ''}`, "
        f"mmwave-gym {__version__}, Python {platform.python_version()}, NumPy {np.__version__}: {played}{len(tables)} "
        f"tables, {sum(map(len, tables))} rows.{budget} {took} The runs are in `DIR/rows`, the tables of analyses in "
        "`DIR/tables`, the verdicts in `DIR/claims.json`, measured times in `DIR/times.json`. "
        "Every number on this page is computed from them; the paper's "
        "values come from one file of claims.\n"
    )


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def number(value: float | str | None, digits: int = 3) -> str:
    """A number for a page."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{float(f'{value:.{digits}g}'):g}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def claims_table(claims: Sequence[Claim]) -> str:
    """The claims as a Markdown table: number, claim, verdict, the paper's value, and ours with its interval."""
    rows = []
    for i, c in enumerate(claims, 1):
        ours = number(c.ours) + ("" if c.interval is None else f" ({' to '.join(map(number, c.interval))})")
        rows.append((str(i), c.claim, f"**{c.verdict}**", number(c.paper), ours))
    return markdown_table(("#", "claim", "verdict", "paper", "ours"), rows)


def reasons(claims: Sequence[Claim]) -> str:
    """Where each claim of the table is printed, and why it has its verdict: a numbered list in Markdown."""
    lines = []
    for i, c in enumerate(claims, 1):
        parts, times = _parts(c.reason), [f"measured: {c.times}"] if c.times else []
        where = c.where[:1].upper() + c.where[1:] + ("" if c.kind == "paper" else f" ({c.kind})")
        if len(parts) < 3:
            lines.append(f"{i}. **{where}.** {'; '.join([*parts, *times])}".rstrip())
            continue
        held, _, first = parts[0].partition(": ")
        if re.fullmatch(r"\d+ of \d+", held):
            where, parts[0] = f"{where}.** Holds in {held} cases", first
        else:
            where += "**"
        lines += [f"{i}. **{where}:", *(f"    - {part}" for part in [*parts, *times])]
    return "\n".join(lines) + "\n"


def _parts(reason: str) -> list[str]:
    """The parts of a reason between semicolons; those in brackets divide nothing."""
    parts, depth = [""], 0
    for piece in re.split(r"(; |[()])", reason):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == "; " and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return [part for part in parts if part]
