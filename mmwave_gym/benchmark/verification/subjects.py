"""What a verification is about: rows in a file, in a folder, on a board or in packs. Its record goes beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mmwave_gym.benchmark.leaderboard.packs import RUNS, pack, read_pack, unpack
from mmwave_gym.benchmark.leaderboard.rows import RowsError, Run, parse, read_rows
from mmwave_gym.benchmark.leaderboard.verified import Record, keep
from mmwave_gym.benchmark.verification.checks import Verdict
from mmwave_gym.core import untrusted


def found_at(place: str | Path) -> list[Run]:
    """The runs of a row file (`.jsonl`), of a pack (`.runs.xz`), of a folder of either, or of a board's `--out`.

    Raises `RowsError` where there are none, or where they are damaged.
    """
    path = Path(place)
    if path.is_file():
        runs = _of_file(path)
    elif path.is_dir():
        rows = path / "rows"
        packed = any(path.rglob(f"*{RUNS}"))
        runs = unpack(path) if packed else read_rows(rows if rows.is_dir() else path)
    else:
        raise RowsError(f"{path} does not exist: name a row file, a folder of rows or packs, or a board's --out.")
    if not runs:
        raise RowsError(f"{path} holds no rows: name a row file, a folder of rows or packs, or a board's --out.")
    return runs


def _of_file(path: Path) -> list[Run]:
    if path.name.endswith(RUNS):
        return read_pack(path)
    with untrusted.blaming(path, RowsError):
        content = untrusted.read_bytes(path)
    run = parse(content, path)
    return [] if run is None else [run]


def note(verdicts: Iterable[Verdict]) -> None:
    """Write the records of runs that passed beside their rows, delete those of runs that failed, leave the others.

    Raises `RowsError` where they cannot be written.
    """
    in_packs: dict[Path, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        path = verdict.run.path
        if path is None or verdict.status == "not checked":
            continue
        if path.name.endswith(RUNS):
            in_packs[path].append(verdict)
            continue
        try:
            keep(path, _record(verdict))
        except OSError as error:
            raise RowsError(f"the record beside {path} cannot be written ({error.strerror}).") from error
    for path, found in in_packs.items():
        records = {verdict.run.identity: _record(verdict) for verdict in found}
        runs = [replace(run, verified=records.get(run.identity, run.verified)) for run in read_pack(path)]
        folder = path.parents[str(runs[0].task["name"]).count("/")]
        pack(runs, folder)


def _record(verdict: Verdict) -> Record | None:
    """What to keep of a verdict: hidden episodes that the same rows passed before count more than none now."""
    new, old = verdict.record(), verdict.run.verified
    return old if new and old and old.get("hidden") and not new.get("hidden") else new
